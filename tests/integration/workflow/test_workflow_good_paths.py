from __future__ import annotations

import pytest
from pipeline import FILE_ID, GOLD_NOTICE, Pipeline
from scripted_glue import fail, refuse, succeed

READ = ["Read the file ledger", "How far is the file?"]
MAY = ["Read the breaker", "May the job run?"]
SILVER = [*MAY, "Run Silver", "Count the Silver attempt", *READ]
GOLD = [*MAY, "Run Gold", "Count the Gold attempt", *READ]
WAIT = ["Wait before the next look", "Count the poll", *READ]
BUSY_SILVER = [*MAY, "Run Silver", *WAIT]
BUSY_GOLD = [*MAY, "Run Gold", *WAIT]
FAILED_RUN = ["Note the end of the run", "Count the failure", "Open the breaker"]
AGAIN = [*FAILED_RUN, "Was the run a probe?", *WAIT]
START = ["Start the counts", "Let files gather", *READ]
PUBLISHED = ["Compose the mail: published", "Send the mail", "How did it end?", "Published"]


def test_workflow_runs_silver_then_gold__accepted_file(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    pipeline.glue.script = {"silver": [succeed(pipeline.to_silver)], "gold": [succeed(pipeline.to_gold)]}

    ending = pipeline.run()

    assert (ending.status, ending.entered) == ("SUCCEEDED", [*START, *SILVER, *GOLD, *PUBLISHED])
    assert ending.task_errors == []
    assert pipeline.glue.starts == [
        ("silver", {"--file_id": FILE_ID, "--start": f"{FILE_ID} 0.0.0"}),
        ("gold", {"--file_id": FILE_ID, "--start": f"{FILE_ID} 0.1.0"}),
    ]


def test_workflow_runs_both_jobs__file_resumed_after_a_failure(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    pipeline.note_error("silver", "why an earlier run failed")
    pipeline.glue.script = {"silver": [succeed(pipeline.to_silver)], "gold": [succeed(pipeline.to_gold)]}

    ending = pipeline.run()

    assert (ending.status, ending.entered) == ("SUCCEEDED", [*START, *SILVER, *GOLD, *PUBLISHED])


def test_workflow_mails_key_counts_and_cents__published(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    pipeline.glue.script = {"silver": [succeed(pipeline.to_silver)], "gold": [succeed(pipeline.to_gold)]}

    pipeline.run()

    [(subject, text)] = pipeline.mails()
    assert subject == "[assay test] a file was published"
    assert text.startswith("Published: transactions/day 1/ä+b.csv\nversion v1\n")
    counts = [line.split() for line in text.splitlines() if line.startswith("  ") and line.split()[-1].isdigit()]
    assert dict(counts) == {
        "inserted": "5",
        "updated": "6",
        "deleted": "7",
        "unchanged": "2",
        "stale": "3",
        "superseded": "4",
        "quarantined": "1",
    }
    assert "Total of the file: 1234.50\nEffect on Silver and Gold: -10.05\n" in text
    assert f"  assay passport {FILE_ID}\n" in text


@pytest.mark.parametrize("fails", [False, True])
def test_workflow_leaves_publications_to_the_digest__and_nothing_else(pipeline: Pipeline, fails: bool) -> None:
    pipeline.substitutions["PublishedTopic"] = pipeline.digest
    pipeline.put("accepted")
    if fails:
        pipeline.mark_failed("silver", "the audit misses 1 cent")
    pipeline.glue.script = {"silver": [succeed(pipeline.to_silver)], "gold": [succeed(pipeline.to_gold)]}

    pipeline.run()

    told = {name: [subject for subject, _ in pipeline.mails(name)] for name in (pipeline.digest, pipeline.topic)}
    published, failed = ["[assay test] a file was published"], ["[assay test] a file failed"]
    assert list(told.values()) == ([[], failed] if fails else [published, []])


def test_workflow_mails_keys_and_cents__undone_file(pipeline: Pipeline) -> None:
    pipeline.put("accepted", subject="undo")
    pipeline.glue.script = {
        "silver": [succeed(pipeline.to_silver_as_action)],
        "gold": [succeed(pipeline.to_gold)],
    }

    ending = pipeline.run()

    undone = ["Compose the mail: undone or redone", *PUBLISHED[1:-1], "Undone or redone"]
    assert (ending.status, ending.entered) == ("SUCCEEDED", [*START, *SILVER, *GOLD, *undone])
    [(subject, text)] = pipeline.mails()
    assert subject == "[assay test] a file was undone"
    assert text.startswith("The file was undone: transactions/day 1/ä+b.csv\nversion v1\n\nBy ann: amounts x 10\n\n")
    counts = [line.split() for line in text.splitlines() if line.startswith("  ") and line.split()[-1].isdigit()]
    assert dict(counts) == {"inserted": "1", "updated": "2", "deleted": "3", "unchanged": "4"}
    assert f"Effect on Silver and Gold: -10.05{GOLD_NOTICE['text']}\n" in text


def test_workflow_mails_warnings_and_rules_as_the_item_says_them__published(pipeline: Pipeline) -> None:
    told = "\n\nWarnings\n  Its mean amount {} is 'outside'.\n\nQuarantined rows by rule\n  zip_impossible  1"
    notice = {"name": "a<U+000A>b.csv", "ending": "published with warnings", "text": told}
    pipeline.to_silver()
    pipeline.to_gold()
    pipeline.ledger.put_item(Item=pipeline.item() | {"key": "a\nb.csv", "notice": notice})

    ending = pipeline.run()

    assert (ending.status, ending.entered) == ("SUCCEEDED", [*START, *PUBLISHED])
    [(subject, text)] = pipeline.mails()
    assert subject == "[assay test] a file was published with warnings"
    assert text.startswith("Published: a<U+000A>b.csv\nversion v1\n")
    assert f"Effect on Silver and Gold: -10.05{told}{GOLD_NOTICE['text']}\n\nWhat to do next: " in text


def test_workflow_names_a_file_by_its_key__accepted_by_an_older_version(pipeline: Pipeline) -> None:
    pipeline.to_silver()
    item = pipeline.item()
    del item["notice"]
    pipeline.ledger.put_item(Item=item | {"status": "published"})

    ending = pipeline.run()

    named = ["Name the file by its key", "How far is the file?", "Say nothing of Gold", "How far is the file?"]
    assert (ending.status, ending.entered) == ("SUCCEEDED", [*START, *named, *PUBLISHED])
    [(subject, text)] = pipeline.mails()
    assert subject == "[assay test] a file was published"
    assert text.startswith("Published: transactions/day 1/ä+b.csv\nversion v1\n")


@pytest.mark.parametrize("is_action", [False, True])
def test_workflow_mails_that_a_closed_month_was_changed__subject_and_text(pipeline: Pipeline, is_action: bool) -> None:
    pipeline.to_silver_as_action() if is_action else pipeline.to_silver()
    pipeline.to_gold()
    notice = {"ending": ", and changed a closed month", "text": "\n\nClosed months were changed\n  2026-06, chip: …"}
    pipeline.ledger.put_item(Item=pipeline.item() | {"gold": {"run_seq": 3, "notice": notice}})

    pipeline.run()

    [(subject, text)] = pipeline.mails()
    assert subject == f"[assay test] a file was {'undone' if is_action else 'published'}, and changed a closed month"
    assert f"Effect on Silver and Gold: -10.05{notice['text']}\n\nWhat to do next" in text


def test_workflow_runs_nothing_and_mails__another_run_published_the_file(pipeline: Pipeline) -> None:
    pipeline.to_silver()
    pipeline.to_gold()

    ending = pipeline.run()

    assert (ending.status, ending.entered) == ("SUCCEEDED", [*START, *PUBLISHED])
    assert len(pipeline.mails()) == 1
    assert pipeline.glue.starts == []


def test_workflow_starts_no_run__another_file_gathered_before_takes_it_along(pipeline: Pipeline) -> None:
    pipeline.substitutions["GatherSeconds"] = "2"
    pipeline.put("accepted")

    def taken_along() -> None:
        pipeline.to_silver()
        pipeline.to_gold()

    pipeline.while_waiting = taken_along
    ending = pipeline.run()

    assert (ending.status, ending.entered) == ("SUCCEEDED", [*START, *PUBLISHED])
    assert pipeline.glue.starts == []


def test_workflow_runs_gold_only__file_in_silver(pipeline: Pipeline) -> None:
    pipeline.to_silver()
    pipeline.glue.script = {"gold": [succeed(pipeline.to_gold)]}

    ending = pipeline.run()

    assert (ending.status, ending.entered) == ("SUCCEEDED", [*START, *GOLD, *PUBLISHED])


def test_workflow_polls_and_starts_no_run_of_its_own__busy_run_takes_the_file_along(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    busy = "ConcurrentRunsExceededException"
    pipeline.glue.script = {
        "silver": [refuse(busy), refuse(busy), refuse(busy, pipeline.to_silver)],
        "gold": [refuse(busy, pipeline.to_gold)],
    }

    ending = pipeline.run()

    assert set(ending.task_errors) == {"Glue.ConcurrentRunsExceededException"}
    waits = BUSY_SILVER * 3 + BUSY_GOLD
    assert (ending.status, ending.entered) == ("SUCCEEDED", [*START, *waits, *PUBLISHED])


def test_workflow_waits_like_for_a_busy_job__account_out_of_runs(pipeline: Pipeline) -> None:
    pipeline.to_silver()
    pipeline.glue.script = {"gold": [refuse("ResourceNumberLimitExceededException"), succeed(pipeline.to_gold)]}

    ending = pipeline.run()

    assert (ending.status, ending.entered) == ("SUCCEEDED", [*START, *BUSY_GOLD, *GOLD, *PUBLISHED])


def test_workflow_lets_a_load_wait_for_its_files__runs_pass_it_over(pipeline: Pipeline) -> None:
    pipeline.put("accepted", subject="load")
    pipeline.glue.script = {
        "silver": [*[succeed()] * 5, succeed(pipeline.to_silver)],
        "gold": [succeed(pipeline.to_gold)],
    }

    ending = pipeline.run()

    passed_over = [*SILVER, "Let the load wait for its files", *WAIT]
    assert (ending.status, ending.entered) == ("SUCCEEDED", [*START, *passed_over * 5, *SILVER, *GOLD, *PUBLISHED])


def test_workflow_waits_like_for_a_busy_job__start_is_throttled_for_minutes(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    throttled = refuse("AWSGlueException", says="Rate exceeded (Service: AWSGlue; Error Code: ThrottlingException)")
    pipeline.retries = 0
    pipeline.glue.script = {
        "silver": [throttled, throttled, throttled, throttled, succeed(pipeline.to_silver)],
        "gold": [throttled, refuse("ThrottlingException"), succeed(pipeline.to_gold)],
    }

    ending = pipeline.run()

    silver = [*MAY, "Run Silver", "Was the start of Silver throttled?", *WAIT] * 4 + SILVER
    gold = [*MAY, "Run Gold", "Was the start of Gold throttled?", *WAIT, *BUSY_GOLD, *GOLD]
    assert (ending.status, ending.entered) == ("SUCCEEDED", [*START, *silver, *gold, *PUBLISHED])


def test_workflow_counts_a_failure_and_waits__start_is_refused_for_another_reason(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    pipeline.retries = 0
    denied = refuse("AWSGlueException", says="not authorized to perform glue:StartJobRun (AccessDeniedException)")
    pipeline.glue.script = {
        "silver": [denied, succeed(pipeline.to_silver)],
        "gold": [denied, succeed(pipeline.to_gold)],
    }

    ending = pipeline.run()

    silver = [*MAY, "Run Silver", "Was the start of Silver throttled?", *AGAIN, *SILVER]
    gold = [*MAY, "Run Gold", "Was the start of Gold throttled?", *AGAIN, *GOLD]
    assert (ending.status, ending.entered) == ("SUCCEEDED", [*START, *silver, *gold, *PUBLISHED])


def test_workflow_repeats_the_start_in_place__glue_throttles(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    pipeline.glue.script = {
        "silver": [refuse("AWSGlueException"), succeed(pipeline.to_silver)],
        "gold": [refuse("InternalServiceException"), succeed(pipeline.to_gold)],
    }

    ending = pipeline.run()

    assert (ending.status, ending.entered) == ("SUCCEEDED", [*START, *SILVER, *GOLD, *PUBLISHED])
    assert [job for job, _ in pipeline.glue.starts] == ["silver", "silver", "gold", "gold"]


def test_workflow_waits_and_runs_the_job_again__first_run_failed(pipeline: Pipeline) -> None:
    pipeline.put("accepted")
    pipeline.glue.script = {
        "silver": [fail("executor lost"), succeed(pipeline.to_silver)],
        "gold": [fail("executor lost", state="TIMEOUT"), succeed(pipeline.to_gold)],
    }

    ending = pipeline.run()

    silver, gold = [[*MAY, f"Run {job}", *AGAIN] for job in ("Silver", "Gold")]
    assert (ending.status, ending.entered) == ("SUCCEEDED", [*START, *silver, *SILVER, *gold, *GOLD, *PUBLISHED])
    condition = "DynamoDB.ConditionalCheckFailedException"
    assert ending.task_errors == ["States.TaskFailed", condition] * 2
