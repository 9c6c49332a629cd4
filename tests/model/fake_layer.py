"""A layer without tables on a real ledger: its runs write nothing, and may die at any step."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

import boto3
from contract.items import SilverOfFile
from contract.vocabulary import OUTCOMES

from glue.lake.isolation import run_again, take_all
from glue.lake.ledger import Ledger
from glue.lake.run import Job, Layer, Run, work

FAILED = {"stage": "silver", "reason": "killed", "attempts": 3, "at": "2024-01-01T00:00:00.000000Z"}
FOUND: SilverOfFile = {
    "run_seq": 1,
    "outcomes": dict.fromkeys(OUTCOMES, 0),
    "amounts": {},
    "effect_amount": "0.00",
    "snapshots": {},
}
TOTALS = {"row_count": 0, "total_amount": "0.00"}
Step = Callable[[str], None]


class Killed(BaseException):
    """The end of a process that no code of its own sees."""


@dataclass
class Fake:
    """A layer's job whose runs write nothing; `at_step` may do what a test wants at a step."""

    job: Job
    table: Any
    at_step: Step = lambda _: None
    taken: list[list[str]] = field(default_factory=list)
    killers: set[str] = field(default_factory=set)
    """Files whose runs die without a word."""

    def wait(self, *file_ids: str, rows: int = 1, **attributes: Any) -> None:
        """Let files wait, in the order of their ids."""
        for file_id in file_ids:
            item = {"file_id": file_id, "kind": "file", "subject": "transactions", "status": "accepted", "changes": []}
            item |= {"key": f"transactions/{file_id}.csv", "last_modified_at": "2024-01-01T00:00:00.000000Z"}
            item |= {"waiting_for": "silver", "waiting_since": file_id, "in_effect": True}
            self.table.put_item(Item=item | {"kpis": {"row_count": rows}} | attributes)

    def give_up(self, file_id: str) -> None:
        """Mark a file as its execution does."""
        self.table.update_item(
            Key={"file_id": file_id},
            UpdateExpression="SET failed = :failed REMOVE waiting_for, waiting_since",
            ExpressionAttributeValues={":failed": FAILED},
        )

    def item(self, file_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.table.get_item(Key={"file_id": file_id})["Item"]
        return found

    def items(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.table.scan()["Items"]
        return [item for item in found if item["kind"] == "file"]

    def run(self, at_step: Step = lambda _: None, *, start: str = "", **given: Any) -> None:
        """Run the job, as the next process does, with these arguments; `start` says that the workflow starts it."""
        ledger = Ledger("ledger", "silver")
        if start:
            ledger.count_start(start)
        with patch.object(Job, "step", lambda _, name, **__: at_step(name)):
            arguments = argparse.Namespace(**{**vars(self.job.arguments), "start": start, **given})
            work(replace(self.job, ledger=ledger, arguments=arguments))


def made(table: Any) -> Fake:
    """Return a job over a layer without tables, whose runs take files and report that nothing came of them."""
    taken: list[list[str]] = []
    killers: set[str] = set()

    def write(run: Run) -> None:
        taken.append([file["file_id"] for file in run.files])
        if killers.intersection(taken[-1]):
            raise Killed

    def advance(job: Job, intent: Any, report: Any) -> None:
        for file_id in report["files"]:
            job.ledger.advance(file_id, status="in_silver", waiting_for="gold", found=FOUND)

    layer: Layer[None, Any] = Layer(
        name="silver",
        tables={},
        state_table="",
        take=lambda job: take_all(job, lambda *_: None),
        repeat=lambda job, killed: run_again(job, killed, lambda *_: None),
        write=write,
        prove=lambda run, _: {"files": {file_id: {} for file_id in taken[-1]}, "totals": TOTALS},
        advance=advance,
        expected_totals=lambda _: {},
        report_of_rebuild=lambda *_: {},
    )
    given = argparse.Namespace(
        lake_bucket="lake",
        prefix="",
        silver_database="",
        file_id="",
        start="",
        rebuild_from="",
        maintain=None,
        run_rows=None,
        workers=2,
        signing_key="none",
    )
    return Fake(Job(layer, None, Ledger("ledger", "silver"), given), table, taken=taken, killers=killers)  # type: ignore[arg-type]


def ledger_table() -> Any:
    """Make an empty ledger, and the lake."""
    boto3.client("s3").create_bucket(Bucket="lake")
    keys = [{"AttributeName": "waiting_for", "KeyType": "HASH"}]
    return boto3.resource("dynamodb").create_table(
        TableName="ledger",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "file_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("file_id", "waiting_for")],
        GlobalSecondaryIndexes=[
            {"IndexName": "waiting", "KeySchema": keys, "Projection": {"ProjectionType": "KEYS_ONLY"}}
        ],
    )
