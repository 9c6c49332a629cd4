"""The deployed state machine file, executed by moto's Step Functions on a real ledger table and a real topic."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from fake_layer import ledger_table
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends
from scripted_glue import ScriptedGlue

DEFINITION = Path(__file__).parents[3] / "statemachine" / "workflow.asl.json"
REGION = "us-east-1"
FILE_ID = "f" * 64
GOLD_NOTICE = {
    "ending": "",
    "text": "\n\nGold, by all files of the run: facts 1 inserted, on 1 days\n  2026-06-01, chip: 1.00 → 2.00",
}
OUTCOMES = ("quarantined", "unchanged", "stale", "superseded", "inserted", "updated", "deleted")


@dataclass(frozen=True)
class Ending:
    """How an execution ended and the states that it entered."""

    arn: str
    status: str
    error: str | None
    cause: str | None
    entered: list[str]
    task_errors: list[str]


@dataclass
class Pipeline:
    """The services around the state machine, and one execution of it."""

    glue: ScriptedGlue
    substitutions: dict[str, str]
    retries: int | None = None
    """How often a task is repeated in place, if not as often as the definition says."""
    while_waiting: Callable[[], None] = lambda: None
    """What happens while an execution waits, at each of its waits."""
    ledger: Any = field(init=False)
    topic: str = field(init=False)
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = ledger_table()
        self.topic = boto3.client("sns").create_topic(Name="mail")["TopicArn"]
        self.digest = boto3.client("sns").create_topic(Name="digest")["TopicArn"]
        self.substitutions |= {"LedgerTable": "ledger", "MailTopic": self.topic, "PublishedTopic": self.topic}

    def put(self, status: str, **attributes: Any) -> None:
        """Write the file's item as the KPI function leaves it, with what a test adds."""
        item = {
            "file_id": FILE_ID,
            "kind": "file",
            "key": "transactions/day 1/ä+b.csv",
            "version_id": "v1",
            "status": status,
            "kpis": {"row_count": 28, "total_amount": "1234.50"},
            "notice": {"name": "transactions/day 1/ä+b.csv", "ending": "published", "text": ""},
        }
        waits = {"accepted": "silver", "in_silver": "gold"}
        item |= {"waiting_for": waits[status]} if status in waits else {}
        self.ledger.put_item(Item=item | attributes)

    def to_silver(self) -> None:
        """Move the file as the Silver job does."""
        counts = {outcome: number for number, outcome in enumerate(OUTCOMES, start=1)}
        self.put("in_silver", silver={"run_seq": 7, "outcomes": counts, "effect_amount": "-10.05"})

    def to_silver_as_action(self) -> None:
        """Move an action as the Silver job does."""
        settled = {"inserted": 1, "updated": 2, "deleted": 3, "unchanged": 4}
        name = "transactions/day 1/ä+b.csv"
        notice = {"name": name, "ending": "undone", "text": "By ann: amounts x 10"}
        silver = {"run_seq": 7, "outcomes": dict.fromkeys(OUTCOMES, 0), "settled": settled, "effect_amount": "-10.05"}
        self.put("in_silver", kind="action", subject="undo", waiting_for="gold", notice=notice, silver=silver)
        self.ledger.update_item(Key={"file_id": FILE_ID}, UpdateExpression="REMOVE kpis")

    def to_gold(self) -> None:
        """Move the file as the Gold job does."""
        item = self.item()
        item.pop("waiting_for", None)
        self.ledger.put_item(Item=item | {"status": "published", "gold": {"run_seq": 3, "notice": GOLD_NOTICE}})

    def mark_failed(self, stage: str, reason: str) -> None:
        """Mark the file as a job does that finds the file which breaks its run."""
        item = self.item()
        item.pop("waiting_for", None)
        failed = {"stage": stage, "reason": reason, "attempts": 2, "at": "2026-11-23T10:00:00.000000Z"}
        self.ledger.put_item(Item=item | {"failed": failed})

    def breaker(self, layer: str) -> dict[str, Any]:
        """Return what the breaker of a layer says beside its key."""
        item = self.ledger.get_item(Key={"file_id": f"breaker#{layer}"}).get("Item", {})
        return {name: value for name, value in item.items() if name not in ("file_id", "kind")}

    def open_breaker(self, layer: str, prober: str) -> None:
        """Open the breaker of a layer as an execution does."""
        self.ledger.put_item(
            Item={
                "file_id": f"breaker#{layer}",
                "kind": "breaker",
                "failures": {"a", "b", "c"},
                "opened_at": "2026-11-23T10:00:00.000000Z",
                "prober": prober,
            }
        )

    def close_breaker(self, layer: str) -> None:
        """Close the breaker of a layer as its job does after a run that succeeded."""
        self.ledger.put_item(Item={"file_id": f"breaker#{layer}", "kind": "breaker"})

    def note_error(self, layer: str, reason: str) -> None:
        """Say why the job's run failed, as the job does whose run no single file breaks."""
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        error = {"stage": layer, "reason": reason, "at": at}
        self.ledger.put_item(Item=self.item() | {"last_error": error})

    def reject(self, code: str, text: str) -> None:
        """Reject the file as the Silver job does with a reload that would delete too much."""
        item = self.item()
        item.pop("waiting_for", None)
        self.ledger.put_item(Item=item | {"status": "rejected", "reasons": [{"code": code, "text": text}]})

    def item(self) -> dict[str, Any]:
        return self.ledger.get_item(Key={"file_id": FILE_ID}).get("Item", {})

    def mails(self, topic: str | None = None) -> list[tuple[str, str]]:
        """Subject and text of every mail so far, of the topic that is subscribed if no other is named."""
        sent = sns_backends[DEFAULT_ACCOUNT_ID][REGION].topics[topic or self.topic].sent_notifications
        return [(subject, message) for _, message, subject, *_ in sent]

    def definition(self) -> str:
        text = DEFINITION.read_text(encoding="utf-8")
        for name, value in self.substitutions.items():
            text = text.replace(f"${{{name}}}", value)
        return text if self.retries is None else re.sub(r'("MaxAttempts": )\d+', rf"\g<1>{self.retries}", text)

    def start(self, *file_ids: str) -> list[str]:
        """Start an execution of the state machine for each file; return their ARNs."""
        client = boto3.client("stepfunctions")
        machine = client.create_state_machine(
            name="assay", definition=self.definition(), roleArn=f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/workflow"
        )["stateMachineArn"]
        return [
            client.start_execution(stateMachineArn=machine, name=each, input=json.dumps({"file_id": each}))[
                "executionArn"
            ]
            for each in file_ids
        ]

    def run(self) -> Ending:
        """Execute the state machine for the file and wait until it ends."""
        return self.ended(*self.start(FILE_ID))

    def ended(self, arn: str) -> Ending:
        """Wait until an execution ends; return how it did."""
        client = boto3.client("stepfunctions")
        while (execution := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
            time.sleep(0.05)
        pages = client.get_paginator("get_execution_history").paginate(executionArn=arn)
        events = [event for page in pages for event in page["events"]]
        return Ending(
            arn=arn,
            status=execution["status"],
            error=execution.get("error"),
            cause=execution.get("cause"),
            entered=[e["stateEnteredEventDetails"]["name"] for e in events if "stateEnteredEventDetails" in e],
            task_errors=[e["taskFailedEventDetails"]["error"] for e in events if "taskFailedEventDetails" in e],
        )
