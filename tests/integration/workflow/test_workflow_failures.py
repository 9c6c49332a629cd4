from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from itertools import chain, repeat

import pytest
from moto.dynamodb.models import DynamoDBBackend
from pipeline import FILE_ID, Pipeline
from scripted_glue import Outcome, fail, refuse, succeed, time_out

READ = ["Read the file ledger", "How far is the file?"]
START = ["Start the counts", "Let files gather", *READ]
SILVER = ["Run Silver", "Count the Silver attempt", *READ]
GOLD = ["Run Gold", "Count the Gold attempt", *READ]
BUSY = ["Wait for the running job", "Count the poll", *READ]
QUOTED = ["Did the job say why?", "Quote the job"]
QUOTED_ERROR = ["Did the job say why?", "Quote the error"]
NAMED_ERROR = ["Did the job say why?", "Name the error"]
MAIL = ["Send the mail", "How did it end?"]
FAILED = ["Compose the mail: failed", *MAIL, "The file failed"]
LOOK = "Look for a run that holds the file"
MARK = [LOOK, "Mark the file failed", "Look once more for such a run"]
MARKED = [*MARK, *READ, *FAILED]
HELD = [LOOK, "Is the run worth another try?"]
REJECTED = ["Compose the mail: rejected", *MAIL, "Rejected"]
UNEXPECTED = ["Compose the mail: ledger unexpected", *MAIL, "The ledger is unexpected"]
UNAVAILABLE = ["Compose the mail: ledger unavailable", *MAIL, "The ledger is unavailable"]
HELD_MAIL = ["Is the run worth another try?", "Compose the mail: held", *MAIL, "The file is held"]
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def before_update(monkeypatch: pytest.MonkeyPatch, effect: Callable[[], None]) -> None:
    """Let `effect` happen between the workflow's last read of the ledger and its update."""
    update = DynamoDBBackend.update_item

    def update_after_effect(self: DynamoDBBackend, *args: object, **kwargs: object) -> object:
        effect()
        return update(self, *args, **kwargs)

    monkeypatch.setattr(DynamoDBBackend, "update_item", update_after_effect)


def test_workflow_mails_the_jobs_reason_and_fails__job_marked_the_file(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    broken = "the Parquet page at row group 0 cannot be read"
    pipeline.glue.script = {"silver": [succeed(lambda: pipeline.mark_failed("silver", broken))]}

    ending = pipeline.run()

    assert ending.entered == [*START, *SILVER, *FAILED]
    assert (ending.status, ending.error, ending.cause) == ("FAILED", "Assay.FileFailed", broken)
    [(subject, text)] = pipeline.mails()
    assert subject == "[assay test] a file failed"
    assert text.startswith("Failed: transactions/day 1/ä+b.csv\nversion v1\n")
    assert f"Stage: silver, after 2 attempts\nReason: {broken}\n" in text
    assert f"  assay passport {FILE_ID}\n" in text


@pytest.mark.parametrize(
    ("outcome", "route", "reason"),
    [
        (fail(None), QUOTED_ERROR, r'States\.TaskFailed: \{.*"JobRunState": ?"FAILED".*\}'),
        (
            fail("out of time", state="TIMEOUT"),
            QUOTED_ERROR,
            r'States\.TaskFailed: \{.*"ErrorMessage": ?"out of time".*\}',
        ),
        (time_out, NAMED_ERROR, r"States\.Timeout: It left no message\."),
        (refuse("EntityNotFoundException"), QUOTED_ERROR, r"Glue\.EntityNotFoundException: refused as scripted"),
        (succeed(), QUOTED_ERROR, r"Assay\.NotTaken: The Silver job succeeded and left the file where it was\."),
    ],
    ids=["killed", "Glue timeout", "task timeout", "no such job", "file not taken"],
)
def test_workflow_marks_the_file_with_the_error__job_died_without_a_word(
    pipeline: Pipeline, outcome: Outcome, route: list[str], reason: str
) -> None:
    pipeline.put("accepted")
    pipeline.glue.script = {"silver": [outcome] * 3}

    ending = pipeline.run()

    assert ending.entered == [*START, *SILVER * 3, "Give up on Silver", *route, *MARKED]
    assert (ending.status, ending.error) == ("FAILED", "Assay.FileFailed")
    item = pipeline.item()
    assert "waiting_for" not in item
    assert INSTANT.fullmatch(item["failed"]["at"])
    assert (item["failed"]["stage"], item["failed"]["attempts"]) == ("silver", 3)
    given = item["failed"]["reason"]
    assert re.fullmatch(r"The Silver job ran 3 times without success\. " + reason, given, re.DOTALL)
    assert ending.cause == given
    [(_, text)] = pipeline.mails()
    assert f"Stage: silver, after 3 attempts\nReason: {given}\n" in text


@pytest.mark.parametrize(("status", "job"), [("accepted", "Silver"), ("in_silver", "Gold")])
def test_workflow_marks_the_file_with_the_jobs_own_reason__job_fails_three_times(
    pipeline: Pipeline, status: str, job: str
) -> None:
    pipeline.to_silver() if status == "in_silver" else pipeline.put(status)
    layer = job.lower()
    broken = fail("Glue's message", lambda: pipeline.note_error(layer, "the audit misses 1 cent"))
    pipeline.glue.script = {layer: [broken] * 3}

    ending = pipeline.run()

    attempts = (SILVER if job == "Silver" else GOLD) * 3
    assert ending.entered == [*START, *attempts, f"Give up on {job}", *QUOTED, *MARKED]
    item = pipeline.item()
    assert "last_error" not in item
    assert INSTANT.fullmatch(item["failed"].pop("at"))
    reason = f"The {job} job ran 3 times without success. the audit misses 1 cent"
    assert item["failed"] == {"stage": layer, "reason": reason, "attempts": 3}
    assert (ending.status, ending.error, ending.cause) == ("FAILED", "Assay.FileFailed", reason)
    [(_, text)] = pipeline.mails()
    assert f"Stage: {layer}, after 3 attempts\nReason: {reason}\n" in text


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (fail("killed"), r'States\.TaskFailed: \{.*"ErrorMessage": ?"killed".*\}'),
        (time_out, r"States\.Timeout: It left no message\."),
        (refuse("EntityNotFoundException"), r"Glue\.EntityNotFoundException: refused as scripted"),
    ],
    ids=["killed", "task timeout", "no such job"],
)
def test_workflow_quotes_no_reason_of_an_earlier_run__last_run_ended_otherwise(
    pipeline: Pipeline, outcome: Outcome, reason: str
) -> None:
    pipeline.put("accepted")
    broken = fail("Glue's message", lambda: pipeline.note_error("silver", "an earlier reason"))
    pipeline.glue.script = {"silver": [broken, broken, outcome]}

    pipeline.run()

    given = pipeline.item()["failed"]["reason"]
    assert re.fullmatch(r"The Silver job ran 3 times without success\. " + reason, given, re.DOTALL)


def test_workflow_quotes_no_reason_of_another_layer__gold_dies_without_a_word(pipeline: Pipeline) -> None:
    pipeline.to_silver()
    pipeline.note_error("silver", "what Silver said")
    pipeline.glue.script = {"gold": [fail("Glue's message")] * 3}

    pipeline.run()

    reason = pipeline.item()["failed"]["reason"]
    assert reason.startswith("The Gold job ran 3 times without success. States.TaskFailed: {")
    assert "Glue's message" in reason


def test_workflow_counts_attempts_of_each_job_by_themselves__both_fail_twice(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    pipeline.glue.script = {
        "silver": [fail("lost"), fail("lost"), succeed(pipeline.to_silver)],
        "gold": [fail("lost"), fail("lost"), succeed(pipeline.to_gold)],
    }

    assert pipeline.run().status == "SUCCEEDED"


@pytest.mark.parametrize(("status", "job"), [("accepted", "Silver"), ("in_silver", "Gold")])
def test_workflow_marks_the_file__job_stays_busy(pipeline: Pipeline, status: str, job: str) -> None:
    pipeline.substitutions["MaximumPolls"] = "3"
    pipeline.put(status)
    pipeline.glue.script = {job.lower(): [refuse("ConcurrentRunsExceededException")] * 3}

    ending = pipeline.run()

    waits = [f"Run {job}", *BUSY] * 3
    assert ending.entered == [*START, *waits, f"Give up waiting for {job}", *QUOTED_ERROR, *MARKED]
    failed = pipeline.item()["failed"]
    assert (failed["stage"], failed["attempts"]) == ("workflow", 0)
    assert failed["reason"].startswith("The jobs stayed busy for 3 polls. Glue.ConcurrentRunsExceededException:")


def test_workflow_follows_the_ledger__file_moved_on_while_it_was_given_up(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.put("accepted")
    pipeline.glue.script = {"silver": [fail("lost")] * 3, "gold": [succeed(pipeline.to_gold)]}
    before_update(monkeypatch, pipeline.to_silver)

    ending = pipeline.run()

    after = ["Mark the file failed", *READ, *GOLD, "Compose the mail: published", *MAIL, "Published"]
    assert ending.entered[-len(after) :] == after
    assert "failed" not in pipeline.item()


def test_workflow_keeps_the_jobs_reason__job_marked_the_file_while_it_was_given_up(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.put("accepted")
    pipeline.glue.script = {"silver": [fail("lost")] * 3}
    before_update(monkeypatch, lambda: pipeline.mark_failed("silver", "the job's own reason"))

    ending = pipeline.run()

    assert (ending.error, ending.cause) == ("Assay.FileFailed", "the job's own reason")
    assert len(pipeline.mails()) == 1


@pytest.mark.parametrize("status", ["received", "rejected", "unheard_of"])
def test_workflow_mails_and_fails__status_that_no_execution_should_see(pipeline: Pipeline, status: str) -> None:
    pipeline.put(status)

    ending = pipeline.run()

    assert (ending.status, ending.error) == ("FAILED", "Assay.LedgerUnexpected")
    assert ending.entered == [*START, *UNEXPECTED]
    assert [subject for subject, _ in pipeline.mails()] == ["[assay test] a file needs attention"]


def test_workflow_mails_the_reason_and_fails__silver_rejected_the_reload(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    reason = "the reload would delete 1,200 of 5,000 living rows, more than the share 0.1"
    pipeline.glue.script = {"silver": [succeed(lambda: pipeline.reject("would_delete", reason))]}

    ending = pipeline.run()

    assert ending.entered == [*START, *SILVER, *REJECTED]
    assert (ending.status, ending.error, ending.cause) == ("FAILED", "Assay.FileRejected", reason)
    [(subject, text)] = pipeline.mails()
    assert subject == "[assay test] a file was rejected"
    assert text.startswith(f"Rejected: transactions/day 1/ä+b.csv\nversion v1\n\nwould_delete: {reason}\n")
    assert f"  assay passport {FILE_ID}\n" in text


@pytest.mark.parametrize(("status", "job"), [("accepted", "Silver"), ("in_silver", "Gold")])
def test_workflow_gives_up_no_file_that_a_run_holds__killed_three_times_and_rolled_forward(
    pipeline: Pipeline, status: str, job: str
) -> None:
    pipeline.to_silver() if status == "in_silver" else pipeline.put(status)
    pipeline.hold(job.lower())
    killed = [fail("killed")] * 3
    pipeline.glue.script = {
        "silver": [*killed, succeed(pipeline.to_silver)],
        "gold": [*(killed if job == "Gold" else []), succeed(pipeline.to_gold)],
    }

    ending = pipeline.run()

    attempts = SILVER if job == "Silver" else GOLD
    begun = [*START, *attempts * 3, f"Give up on {job}", *QUOTED_ERROR, *HELD, *attempts]
    assert ending.entered[: len(begun)] == begun
    assert ending.status == "SUCCEEDED"
    assert [subject for subject, _ in pipeline.mails()] == ["[assay test] a file was published"]


def test_workflow_says_that_a_run_holds_the_file__nine_attempts(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    pipeline.hold("silver")
    pipeline.glue.script = {"silver": [fail("killed")] * 9}

    ending = pipeline.run()

    assert ending.entered[-5:] == HELD_MAIL
    assert (ending.status, ending.error) == ("FAILED", "Assay.FileHeld")
    item = pipeline.item()
    assert (item["status"], item["waiting_for"], "failed" in item) == ("accepted", "silver", False)
    [(subject, text)] = pipeline.mails()
    assert subject == "[assay test] a file is held by a run"
    assert text.startswith(
        "Held: transactions/day 1/ä+b.csv\nversion v1\n\nA run of the silver job has taken this file"
    )
    assert "The Silver job ran 9 times without success. States.TaskFailed: {" in text


@pytest.mark.parametrize(("status", "job"), [("accepted", "Silver"), ("in_silver", "Gold")])
def test_workflow_says_that_a_run_holds_the_file__job_stays_busy(pipeline: Pipeline, status: str, job: str) -> None:
    pipeline.substitutions["MaximumPolls"] = "2"
    pipeline.to_silver() if status == "in_silver" else pipeline.put(status)
    pipeline.hold(job.lower())
    pipeline.glue.script = {job.lower(): [refuse("ConcurrentRunsExceededException")] * 2}

    ending = pipeline.run()

    assert ending.entered[-5:] == HELD_MAIL
    item = pipeline.item()
    assert (item["status"], item["waiting_for"], "failed" in item) == (status, job.lower(), False)


def test_workflow_gives_up_a_file__a_run_holds_others(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    pipeline.hold("silver", "0" * 64)
    pipeline.glue.script = {"silver": [fail("lost")] * 3}

    ending = pipeline.run()

    assert ending.error == "Assay.FileFailed"


def nothing() -> None:
    """Let nothing happen before an update."""


def test_workflow_takes_its_mark_back__a_run_has_begun_with_the_file(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.put("accepted")
    pipeline.glue.script = {"silver": [fail("killed")] * 9}
    effects = chain([nothing, partial(pipeline.hold, "silver")], repeat(nothing))
    before_update(monkeypatch, lambda: next(effects)())

    ending = pipeline.run()

    begun = [*START, *SILVER * 3, "Give up on Silver", *QUOTED_ERROR, *MARK, "Take the mark back", *HELD[1:], *SILVER]
    assert ending.entered[: len(begun)] == begun
    assert ending.error == "Assay.FileHeld"
    item = pipeline.item()
    assert (item["status"], item["waiting_for"], "failed" in item) == ("accepted", "silver", False)
    assert INSTANT.fullmatch(item["waiting_since"])


def test_workflow_keeps_the_jobs_reason__job_marked_the_file_while_the_mark_was_taken_back(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.put("accepted")
    pipeline.glue.script = {"silver": [fail("lost")] * 3}
    marked = partial(pipeline.mark_failed, "silver", "the job's own reason")
    effects = iter([nothing, partial(pipeline.hold, "silver"), nothing, marked])
    before_update(monkeypatch, lambda: next(effects)())

    ending = pipeline.run()

    assert (ending.error, ending.cause) == ("Assay.FileFailed", "the job's own reason")
    assert pipeline.item()["failed"]["reason"] == "the job's own reason"


def test_workflow_mails_the_reason_and_fails__rejected_while_it_was_given_up(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.put("accepted")
    pipeline.glue.script = {"silver": [fail("lost")] * 3}
    before_update(monkeypatch, lambda: pipeline.reject("would_delete", "too many rows"))

    ending = pipeline.run()

    assert ending.entered[-4:] == REJECTED
    assert "failed" not in pipeline.item()


def test_workflow_mails_and_fails__no_ledger_item(pipeline: Pipeline) -> None:
    ending = pipeline.run()

    assert (ending.error, ending.entered) == ("Assay.LedgerUnexpected", [*START, *UNEXPECTED])
    assert len(pipeline.mails()) == 1


def test_workflow_mails_and_fails__passport_of_a_published_file_incomplete(pipeline: Pipeline) -> None:
    pipeline.put("published")

    assert pipeline.run().entered == [*START, *UNEXPECTED]


def test_workflow_mails_and_fails__failure_without_a_reason(pipeline: Pipeline) -> None:
    pipeline.put("accepted", failed={"stage": "silver"})

    assert pipeline.run().entered == [*START, *UNEXPECTED]


def test_workflow_mails_and_fails__ledger_cannot_be_read(pipeline: Pipeline) -> None:
    pipeline.substitutions["LedgerTable"] = "elsewhere"

    ending = pipeline.run()

    assert (ending.status, ending.error) == ("FAILED", "Assay.LedgerUnavailable")
    assert "ResourceNotFoundException" in (ending.cause or "")
    [(subject, text)] = pipeline.mails()
    assert subject == "[assay test] the ledger is unavailable"
    assert "ResourceNotFoundException" in text


def test_workflow_mails_and_fails__ledger_cannot_be_written(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.put("accepted")
    pipeline.glue.script = {"silver": [fail("lost")] * 3}
    before_update(monkeypatch, pipeline.ledger.delete)

    ending = pipeline.run()

    last = [LOOK, *UNAVAILABLE]
    assert ending.entered[-5:] == last
    assert len(pipeline.mails()) == 1


def published(pipeline: Pipeline) -> None:
    pipeline.to_silver()
    pipeline.to_gold()


def failed(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    pipeline.mark_failed("silver", "a reason")


def rejected(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    pipeline.reject("would_delete", "a reason")


def unexpected(pipeline: Pipeline) -> None:
    pipeline.put("received")


def unavailable(pipeline: Pipeline) -> None:
    pipeline.substitutions["LedgerTable"] = "elsewhere"


@pytest.mark.parametrize("situation", [published, failed, rejected, unexpected, unavailable])
def test_workflow_ends_in_failure__mail_cannot_be_sent(
    pipeline: Pipeline, situation: Callable[[Pipeline], None]
) -> None:
    situation(pipeline)
    pipeline.substitutions["MailTopic"] = pipeline.topic + "-gone"

    ending = pipeline.run()

    assert (ending.status, ending.error) == ("FAILED", "Assay.NotMailed")
    assert ending.entered[-2:] == ["Send the mail", "No mail could be sent"]
    assert "SNS.NotFoundException" in (ending.cause or "")
