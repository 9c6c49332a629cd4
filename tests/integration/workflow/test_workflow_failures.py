from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

import boto3
import pytest
from moto.dynamodb.models import DynamoDBBackend
from pipeline import FILE_ID, Pipeline
from scripted_glue import Outcome, fail, refuse, succeed, time_out

READ = ["Read the file ledger", "How far is the file?"]
START = ["Start the counts", "Let files gather", *READ]
MAY = ["Read the breaker", "May the job run?"]
SILVER = [*MAY, "Run Silver", "Count the Silver attempt", *READ]
GOLD = [*MAY, "Run Gold", "Count the Gold attempt", *READ]
WAIT = ["Wait before the next look", "Count the poll", *READ]
BUSY_SILVER = [*MAY, "Run Silver", *WAIT]
BUSY_GOLD = [*MAY, "Run Gold", *WAIT]
FAILED_RUN = ["Note the end of the run", "Count the failure", "Open the breaker"]
AGAIN = [*FAILED_RUN, "Was the run a probe?", *WAIT]
QUOTED = ["Did the job say why?", "Quote the job"]
QUOTED_ERROR = ["Did the job say why?", "Quote the error"]
NAMED_ERROR = ["Did the job say why?", "Name the error"]
MAIL = ["Send the mail", "How did it end?"]
FAILED = ["Compose the mail: failed", *MAIL, "The file failed"]
RUN_SILVER, RUN_GOLD = [[*MAY, f"Run {job}"] for job in ("Silver", "Gold")]
OPENED = [*FAILED_RUN, "Read what the job said"]
OPEN_MAIL = ["Compose the mail: breaker open", *MAIL, "Show the open breaker", "Wait for the next probe"]
WAITED = ["Compose the mail: waiting", *MAIL, "The file waits"]
REJECTED = ["Compose the mail: rejected", *MAIL, "Rejected"]
UNEXPECTED = ["Compose the mail: ledger unexpected", *MAIL, "The ledger is unexpected"]
PARKED = ["Note that the file is parked", "Parked"]
UNAVAILABLE = ["Compose the mail: ledger unavailable", *MAIL, "The ledger is unavailable"]
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
    assert f"  assay resume {FILE_ID}\n" in text


@pytest.mark.parametrize("subject", ["undo", "redo"])
def test_workflow_says_how_a_decision_goes_on__job_failed_the_action(pipeline: Pipeline, subject: str) -> None:
    notice = {"name": "transactions/a.csv", "ending": "undone", "text": "By ann at 2026-06-01T06:00:00Z: amounts x 10"}
    pipeline.put("accepted", kind="action", subject=subject, notice=notice)
    pipeline.glue.script = {"silver": [succeed(lambda: pipeline.mark_failed("silver", "the table cannot be read"))]}

    ending = pipeline.run()

    assert ending.entered == [
        *START,
        *SILVER,
        "Compose the mail: undo or redo failed",
        *MAIL,
        "The undo or redo failed",
    ]
    [(mailed, text)] = pipeline.mails()
    assert mailed == f"[assay test] the {subject} of a file failed"
    assert text.startswith(f"The {subject} of a file failed: transactions/a.csv\nversion v1\n\nBy ann at ")
    assert "Reason: the table cannot be read\n" in text
    assert "no money moved" in text
    assert f"\n  assay {subject} {FILE_ID}\n" in text
    assert "resume" not in text


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
    ],
    ids=["killed", "Glue timeout", "task timeout", "no such job"],
)
def test_workflow_opens_the_breaker_and_fails_no_file__three_runs_die_without_a_word(
    pipeline: Pipeline, outcome: Outcome, route: list[str], reason: str
) -> None:
    pipeline.substitutions["MaximumPolls"] = "3"
    pipeline.put("accepted")
    pipeline.glue.script = {"silver": [outcome] * 3}

    ending = pipeline.run()

    runs = [*RUN_SILVER, *AGAIN] * 2 + [*RUN_SILVER, *OPENED]
    assert ending.entered == [*START, *runs, *route, *OPEN_MAIL, "Count the poll", *READ, *WAITED]
    item = pipeline.item()
    assert (item["status"], item["waiting_for"], "failed" in item) == ("accepted", "silver", False)
    opened = pipeline.breaker("silver")
    assert INSTANT.fullmatch(opened.pop("opened_at"))
    assert opened == {"failures": {f"{FILE_ID} {polls}.0.0" for polls in range(3)}, "prober": ending.arn}
    [(subject, text), (last, _)] = pipeline.mails()
    assert (subject, last) == ("[assay test] a job failed three times in a row", "[assay test] a file still waits")
    assert text.startswith("The silver job failed three times in a row, and no file is known to be the cause.")
    assert re.search(rf"\nThe last run: {reason}\n", text, re.DOTALL)
    assert "\n  assay resume --layer silver\n" in text


@pytest.mark.parametrize(("status", "job"), [("accepted", "Silver"), ("in_silver", "Gold")])
def test_workflow_mails_the_jobs_own_reason__breaker_opens(pipeline: Pipeline, status: str, job: str) -> None:
    pipeline.substitutions["MaximumPolls"] = "3"
    pipeline.to_silver() if status == "in_silver" else pipeline.put(status)
    layer = job.lower()
    broken = fail("Glue's message", lambda: pipeline.note_error(layer, "the audit misses 1 cent"))
    pipeline.glue.script = {layer: [broken] * 3}

    ending = pipeline.run()

    opened = [*OPENED, *QUOTED, *OPEN_MAIL, "Count the poll", *READ, *WAITED]
    assert ending.entered[-len(opened) :] == opened
    [(_, text), _] = pipeline.mails()
    assert f"The {layer} job failed three times" in text
    assert "\nThe last run: the audit misses 1 cent\n" in text


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
    pipeline.substitutions["MaximumPolls"] = "3"
    pipeline.put("accepted")
    broken = fail("Glue's message", lambda: pipeline.note_error("silver", "an earlier reason"))
    pipeline.glue.script = {"silver": [broken, broken, outcome]}

    pipeline.run()

    assert re.search(rf"\nThe last run: {reason}\n", pipeline.mails()[0][1], re.DOTALL)


def test_workflow_quotes_no_reason_of_another_layer__gold_dies_without_a_word(pipeline: Pipeline) -> None:
    pipeline.substitutions["MaximumPolls"] = "3"
    pipeline.to_silver()
    pipeline.note_error("silver", "what Silver said")
    pipeline.glue.script = {"gold": [fail("Glue's message")] * 3}

    pipeline.run()

    [reason] = re.findall(r"\nThe last run: (.*)\n", pipeline.mails()[0][1])
    assert reason.startswith("States.TaskFailed: {")
    assert "Glue's message" in reason


def test_workflow_counts_failures_of_each_job_by_themselves__both_fail_twice(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    pipeline.glue.script = {
        "silver": [fail("lost"), fail("lost"), succeed(pipeline.to_silver)],
        "gold": [fail("lost"), fail("lost"), succeed(pipeline.to_gold)],
    }

    assert pipeline.run().status == "SUCCEEDED"
    assert [len(pipeline.breaker(layer)["failures"]) for layer in ("silver", "gold")] == [2, 2]


def test_workflow_counts_no_failure__a_run_has_succeeded_since(pipeline: Pipeline) -> None:
    def beside_a_success() -> None:
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        pipeline.ledger.put_item(Item={"file_id": "breaker#silver", "kind": "breaker", "succeeded_at": at})

    pipeline.put("accepted")
    pipeline.glue.script = {
        "silver": [*[fail("lost", beside_a_success)] * 5, succeed(pipeline.to_silver)],
        "gold": [succeed(pipeline.to_gold)],
    }

    assert pipeline.run().status == "SUCCEEDED"
    assert "failures" not in pipeline.breaker("silver")


def test_workflow_starts_nothing__the_last_of_three_runs_may_still_succeed(pipeline: Pipeline) -> None:
    pipeline.substitutions["MaximumPolls"] = "2"
    pipeline.put("accepted")
    pipeline.ledger.put_item(Item={"file_id": "breaker#silver", "kind": "breaker", "starts": {"a", "b", "c"}})

    ending = pipeline.run()

    assert ending.entered == [*START, *[*MAY, *WAIT] * 2, *WAITED]
    assert pipeline.glue.starts == []


@pytest.mark.parametrize(("status", "job"), [("accepted", "silver"), ("in_silver", "gold")])
def test_workflow_starts_nothing_and_mails_nothing__breaker_of_another_execution_is_open(
    pipeline: Pipeline, status: str, job: str
) -> None:
    pipeline.to_silver() if status == "in_silver" else pipeline.put(status)
    pipeline.open_breaker(job, "another execution")

    ending = pipeline.run()

    assert (ending.entered, ending.error) == ([*START, *MAY, *PARKED], "Assay.Parked")
    assert (pipeline.glue.starts, pipeline.mails()) == ([], [])
    assert (pipeline.item()["waiting_for"], pipeline.item()["parked"]) == (job, ending.arn)


def test_workflow_takes_no_notice__breaker_of_the_other_layer_is_open(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    pipeline.open_breaker("gold", "another execution")
    pipeline.glue.script = {"silver": [succeed(pipeline.to_silver)]}

    assert pipeline.run().entered == [*START, *SILVER, *MAY, *PARKED]


def test_workflow_mails_that_the_job_works_again_and_goes_on__probe_succeeds(pipeline: Pipeline) -> None:
    def recovered() -> None:
        pipeline.close_breaker("silver")
        pipeline.to_silver()

    pipeline.put("accepted")
    pipeline.glue.script = {
        "silver": [*[fail("lost")] * 5, succeed(recovered)],
        "gold": [succeed(pipeline.to_gold)],
    }

    ending = pipeline.run()

    probe = [*RUN_SILVER, *FAILED_RUN[:2], "Was the run a probe?", *OPEN_MAIL[-2:], "Count the poll", *READ]
    closed = ["Compose the mail: breaker closed", *MAIL, "Forget the probe", *READ]
    after = [*probe * 2, *SILVER, *closed, *GOLD, "Compose the mail: published", *MAIL, "Published"]
    assert ending.entered[-len(after) :] == after
    subjects = ["a job failed three times in a row", "a job works again", "a file was published"]
    assert [subject for subject, _ in pipeline.mails()] == [f"[assay test] {subject}" for subject in subjects]
    assert pipeline.mails()[1][1].startswith("The silver job works again: ")
    shown = boto3.client("cloudwatch").list_metrics(Namespace="Assay")["Metrics"]
    assert [(each["MetricName"], each["Dimensions"]) for each in shown] == [
        ("BreakerOpen", [{"Name": "stage", "Value": "test"}])
    ]


@pytest.mark.parametrize(("status", "job"), [("accepted", "Silver"), ("in_silver", "Gold")])
def test_workflow_says_that_the_file_waits__job_stays_busy(pipeline: Pipeline, status: str, job: str) -> None:
    pipeline.substitutions["MaximumPolls"] = "3"
    pipeline.put(status)
    pipeline.glue.script = {job.lower(): [refuse("ConcurrentRunsExceededException")] * 3}

    ending = pipeline.run()

    waits = (BUSY_SILVER if job == "Silver" else BUSY_GOLD) * 3
    assert ending.entered == [*START, *waits, *WAITED]
    assert (ending.status, ending.error) == ("FAILED", "Assay.FileWaits")
    item = pipeline.item()
    assert (item["status"], item["waiting_for"], "failed" in item) == (status, job.lower(), False)
    [(subject, text)] = pipeline.mails()
    assert subject == "[assay test] a file still waits"
    assert text.startswith(f"Still waiting for {job.lower()}: transactions/day 1/ä+b.csv\nversion v1\n")
    assert "waited 3 times" in text
    assert "Glue.ConcurrentRunsExceededException" in text
    assert f"\n  assay resume {FILE_ID}\n" in text


@pytest.mark.parametrize(("status", "job"), [("accepted", "Silver"), ("in_silver", "Gold")])
def test_workflow_says_that_the_file_waits__runs_succeed_and_leave_it(
    pipeline: Pipeline, status: str, job: str
) -> None:
    pipeline.to_silver() if status == "in_silver" else pipeline.put(status)
    pipeline.glue.script = {job.lower(): [succeed()] * 3}

    ending = pipeline.run()

    assert ending.entered == [*START, *(SILVER if job == "Silver" else GOLD) * 3, *WAITED]
    [(_, text)] = pipeline.mails()
    assert f"The {job} job succeeded and left the file where it was." in text


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


def test_workflow_mails_and_fails__no_ledger_item(pipeline: Pipeline) -> None:
    ending = pipeline.run()

    assert (ending.error, ending.entered) == ("Assay.LedgerUnexpected", [*START, *UNEXPECTED])
    assert len(pipeline.mails()) == 1


def test_workflow_mails_and_fails__passport_of_a_published_file_incomplete(pipeline: Pipeline) -> None:
    pipeline.put("published")

    assert pipeline.run().entered == [*START, "Say nothing of Gold", "How far is the file?", *UNEXPECTED]


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
    pipeline.glue.script = {"silver": [fail("lost")]}
    before_update(monkeypatch, pipeline.ledger.delete)

    ending = pipeline.run()

    last = ["Count the failure", *UNAVAILABLE]
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
    pipeline.substitutions |= dict.fromkeys(("MailTopic", "PublishedTopic"), pipeline.topic + "-gone")

    ending = pipeline.run()

    assert (ending.status, ending.error) == ("FAILED", "Assay.NotMailed")
    assert ending.entered[-2:] == ["Send the mail", "No mail could be sent"]
    assert "SNS.NotFoundException" in (ending.cause or "")
