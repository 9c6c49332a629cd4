from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from moto.dynamodb.models import DynamoDBBackend
from pipeline import Pipeline
from scripted_glue import Outcome, fail, refuse, succeed, time_out

READ = ["Read the file ledger", "How far is the file?"]
START = ["Start the counts", *READ]
SILVER = ["Run Silver", "Count the Silver attempt", *READ]
GOLD = ["Run Gold", "Count the Gold attempt", *READ]
BUSY = ["Wait for the running job", "Count the look", *READ]
SAID = ["Does the last run say why?", "Read the last run", "Is there a message?", "Keep the message"]
MARKED = ["Mark the file failed", *READ, "Mail that the file failed", "The file failed"]
UNEXPECTED = ["Mail that the ledger is unexpected", "The ledger is unexpected"]
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def before_update(monkeypatch: pytest.MonkeyPatch, effect: Callable[[], None]) -> None:
    """Let `effect` happen between the workflow's last look at the ledger and its update."""
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

    assert ending.entered == [*START, *SILVER, "Mail that the file failed", "The file failed"]
    assert (ending.status, ending.error, ending.cause) == ("FAILED", "Assay.FileFailed", broken)
    [(subject, text)] = pipeline.mails()
    assert subject == "[assay test] a file failed"
    assert text.startswith("Failed: transactions/day 1/ä+b.csv\nversion v1\n")
    assert f"Stage: silver, after 2 attempts\nReason: {broken}\n" in text
    assert 'assay passport "transactions/day 1/ä+b.csv"' in text


@pytest.mark.parametrize(
    ("outcome", "way", "reason"),
    [
        (fail("AnalysisException: no column"), SAID, "States.TaskFailed: AnalysisException: no column"),
        (fail(None), [*SAID[:3], "Note that no cause came"], "States.TaskFailed: It left no message."),
        (fail("out of time", state="TIMEOUT"), SAID, "States.TaskFailed: out of time"),
        (time_out, [SAID[0], "Note that no cause came"], "States.Timeout: It left no message."),
        (
            refuse("EntityNotFoundException"),
            [SAID[0]],
            "Glue.EntityNotFoundException: refused as scripted",
        ),
        (succeed(), [SAID[0]], "Assay.NotTaken: The Silver job succeeded and left the file where it was."),
    ],
    ids=["failed", "died without a word", "Glue timeout", "task timeout", "no such job", "file not taken"],
)
def test_workflow_marks_the_file_after_three_silver_attempts__job_never_takes_it(
    pipeline: Pipeline, outcome: Outcome, way: list[str], reason: str
) -> None:
    pipeline.put("accepted")
    pipeline.glue.script = {"silver": [outcome] * 3}

    ending = pipeline.run()

    assert ending.entered == [*START, *SILVER * 3, "Give up on Silver", *way, *MARKED]
    assert (ending.status, ending.error) == ("FAILED", "Assay.FileFailed")
    item = pipeline.item()
    assert "waiting_for" not in item
    at = item["failed"].pop("at")
    assert INSTANT.fullmatch(at)
    assert item["failed"] == {
        "stage": "silver",
        "reason": f"The Silver job was run 3 times in vain. {reason}",
        "attempts": 3,
    }
    [(_, text)] = pipeline.mails()
    assert f"Stage: silver, after 3 attempts\nReason: {item['failed']['reason']}\n" in text


def test_workflow_marks_the_file_after_three_gold_attempts__job_always_fails(pipeline: Pipeline) -> None:
    pipeline.to_silver()
    pipeline.glue.script = {"gold": [fail("audit: 1 cent missing")] * 3}

    ending = pipeline.run()

    assert ending.entered == [*START, *GOLD * 3, "Give up on Gold", *SAID, *MARKED]
    failed = pipeline.item()["failed"]
    assert (failed["stage"], failed["attempts"]) == ("gold", 3)
    assert failed["reason"] == "The Gold job was run 3 times in vain. States.TaskFailed: audit: 1 cent missing"
    assert len(pipeline.mails()) == 1


def test_workflow_counts_attempts_of_each_job_by_themselves__both_fail_twice(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    pipeline.glue.script = {
        "silver": [fail("lost"), fail("lost"), succeed(pipeline.to_silver)],
        "gold": [fail("lost"), fail("lost"), succeed(pipeline.to_gold)],
    }

    assert pipeline.run().status == "SUCCEEDED"


@pytest.mark.parametrize(("status", "job"), [("accepted", "Silver"), ("in_silver", "Gold")])
def test_workflow_marks_the_file__job_stays_busy(pipeline: Pipeline, status: str, job: str) -> None:
    pipeline.substitutions["MaximumLooks"] = "3"
    pipeline.put(status)
    pipeline.glue.script = {job.lower(): [refuse("ConcurrentRunsExceededException")] * 3}

    ending = pipeline.run()

    waits = [f"Run {job}", *BUSY] * 3
    assert ending.entered == [*START, *waits, "Give up waiting", SAID[0], *MARKED]
    failed = pipeline.item()["failed"]
    assert (failed["stage"], failed["attempts"]) == ("workflow", 0)
    assert failed["reason"].startswith("The jobs stayed busy for 3 looks. Glue.ConcurrentRunsExceededException:")


def test_workflow_follows_the_ledger__file_moved_on_while_it_was_given_up(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.put("accepted")
    pipeline.glue.script = {"silver": [fail("lost")] * 3, "gold": [succeed(pipeline.to_gold)]}
    before_update(monkeypatch, pipeline.to_silver)

    ending = pipeline.run()

    after = ["Mark the file failed", *READ, *GOLD, "Mail that the file is published", "Published"]
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
    assert [subject for subject, _ in pipeline.mails()] == ["[assay test] a file needs a look"]


def test_workflow_mails_the_reason_and_fails__silver_rejected_the_reload(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    reason = "the reload would delete 1,200 of 5,000 living rows, more than the share 0.1"
    pipeline.glue.script = {"silver": [succeed(lambda: pipeline.reject("would_delete", reason))]}

    ending = pipeline.run()

    assert ending.entered == [*START, *SILVER, "Mail that the file was rejected", "Rejected"]
    assert (ending.status, ending.error, ending.cause) == ("FAILED", "Assay.FileRejected", reason)
    [(subject, text)] = pipeline.mails()
    assert subject == "[assay test] a file was rejected"
    assert text.startswith(f"Rejected: transactions/day 1/ä+b.csv\nversion v1\n\nwould_delete: {reason}\n")
    assert 'assay passport "transactions/day 1/ä+b.csv"' in text


def test_workflow_mails_the_reason_and_fails__rejected_while_it_was_given_up(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.put("accepted")
    pipeline.glue.script = {"silver": [fail("lost")] * 3}
    before_update(monkeypatch, lambda: pipeline.reject("would_delete", "too many rows"))

    ending = pipeline.run()

    assert ending.entered[-2:] == ["Mail that the file was rejected", "Rejected"]
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

    assert (ending.status, ending.error) == ("FAILED", "Assay.LedgerOutOfReach")
    assert "ResourceNotFoundException" in (ending.cause or "")
    [(subject, text)] = pipeline.mails()
    assert subject == "[assay test] the ledger is out of reach"
    assert "ResourceNotFoundException" in text


def test_workflow_mails_and_fails__ledger_cannot_be_written(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.put("accepted")
    pipeline.glue.script = {"silver": [fail("lost")] * 3}
    before_update(monkeypatch, pipeline.ledger.delete)

    ending = pipeline.run()

    last = ["Mark the file failed", "Mail that the ledger is out of reach", "The ledger is out of reach"]
    assert ending.entered[-3:] == last
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


def out_of_reach(pipeline: Pipeline) -> None:
    pipeline.substitutions["LedgerTable"] = "elsewhere"


@pytest.mark.parametrize("situation", [published, failed, rejected, unexpected, out_of_reach])
def test_workflow_ends_in_failure__mail_cannot_be_sent(
    pipeline: Pipeline, situation: Callable[[Pipeline], None]
) -> None:
    situation(pipeline)
    pipeline.substitutions["MailTopic"] = pipeline.topic + "-gone"

    ending = pipeline.run()

    assert (ending.status, ending.error) == ("FAILED", "Assay.NotMailed")
    assert ending.entered[-1] == "No mail could be sent"
    assert "SNS.NotFoundException" in (ending.cause or "")
