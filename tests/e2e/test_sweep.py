"""The sweep on the deployed stack: events that the cloud drops, and an execution that dies, are made good."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

import pytest
from deployed_app import DeployedApp, dropped_events, until

from assay.ledger import Item, file_id

KEYS = tuple(f"transactions/swept/{number}.csv" for number in range(4))
BROKEN = b"dms_id,amount\n"
GOOD = b"dms_id,amount,date\n9100001,0.00,2020-01-01\n"


@dataclass(frozen=True)
class Swept:
    """What was left behind, and what the command said of it."""

    file_ids: list[str]
    died: str
    shown: subprocess.CompletedProcess[str]
    done: subprocess.CompletedProcess[str]
    expected: list[dict[str, str]]


def put(app: DeployedApp, key: str, body: bytes) -> str:
    bucket = app.target.stack.bronze_bucket
    return file_id(bucket, key, app.target.s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"])


def item_of(app: DeployedApp, file_id: str) -> Item:
    return app.ledger.get([file_id]).get(file_id, {})


@pytest.fixture(scope="module")
def swept(app: DeployedApp) -> Swept:
    """Lose the events of some files and the execution of another; sweep."""
    died = put(app, "transactions/swept/died.csv", GOOD)
    arn = until(lambda: item_of(app, died).get("execution_arn"), seconds=120, what="the execution")
    app.target.stepfunctions.stop_execution(executionArn=arn)
    with dropped_events(app):
        file_ids = [put(app, key, BROKEN) for key in KEYS]
    assert app.assay("expect", "transactions/swept", "{date}.csv", "--by", "00:00", "--yes").returncode == 0
    shown = app.assay("sweep", "--older-than", "0", "--dry-run", "--json")
    assert [item_of(app, each) for each in file_ids] == [{}] * len(KEYS)
    done = app.assay("sweep", "--older-than", "0", "--yes", "--json")
    expected = json.loads(app.assay("status", "--expected", "--json").stdout)
    return Swept(file_ids, died, shown, done, expected)


def test_sweep_finds_all_that_was_left_behind__events_dropped_and_an_execution_stopped(swept: Swept) -> None:
    for told in (swept.shown, swept.done):
        assert told.returncode == 0, told.stdout + told.stderr
        found = {each["file_id"]: each["why"] for each in json.loads(told.stdout)["found"]}
        assert found == {**dict.fromkeys(swept.file_ids, "unheard"), swept.died: "died"}


def test_swept_files_end_as_others_do__rejected_with_a_mail(app: DeployedApp, swept: Swept) -> None:
    for each in swept.file_ids:
        item = until(
            lambda each=each: "sent_at" in (found := item_of(app, each)).get("rejection_mail", {}) and found,  # type: ignore[misc]
            seconds=120,
            what=f"the end of {each}",
        )
        assert {reason["code"] for reason in item["reasons"]} == {"missing_column"}
        assert len(app.mails_about(item)) == 1
    assert any("sweep: 5 left behind" in mail.subject for mail in app.all_mails())


def test_dead_execution_was_started_anew__under_the_next_name(app: DeployedApp, swept: Swept) -> None:
    item = item_of(app, swept.died)
    assert (item["execution_arn"][-3:], item["resumes"]) == ("-r1", 1)
    assert item["execution_arn"] in {each["executionArn"] for each in app.executions()}


def test_calendar_is_known_at_once__of_the_next_week(swept: Swept) -> None:
    assert {each["state"] for each in swept.expected} == {"due"}
    assert len(swept.expected) == 7
