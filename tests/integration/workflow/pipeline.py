"""The deployed state machine file, executed by moto's Step Functions on a real ledger table and a real topic."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends
from scripted_glue import ScriptedGlue

DEFINITION = Path(__file__).parents[3] / "statemachine" / "workflow.asl.json"
REGION = "us-east-1"
FILE_ID = "f" * 64
OUTCOMES = ("quarantined", "unchanged", "stale", "superseded", "inserted", "updated", "deleted")


@dataclass(frozen=True)
class Ending:
    """How an execution ended and the states that it entered."""

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
    ledger: Any = field(init=False)
    topic: str = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = boto3.resource("dynamodb").create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "file_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "file_id", "KeyType": "HASH"}],
        )
        self.topic = boto3.client("sns").create_topic(Name="mail")["TopicArn"]
        self.substitutions |= {"LedgerTable": "ledger", "MailTopic": self.topic}

    def put(self, status: str, **attributes: Any) -> None:
        """Write the file's item as the KPI function leaves it, with what a test adds."""
        item = {
            "file_id": FILE_ID,
            "kind": "file",
            "key": "transactions/day 1/ä+b.csv",
            "version_id": "v1",
            "status": status,
            "waiting_for": "silver",
            "kpis": {"row_count": 28, "total_amount": "1234.50"},
            "notice": {"name": "transactions/day 1/ä+b.csv", "ending": "published", "text": ""},
        }
        self.ledger.put_item(Item=item | attributes)

    def to_silver(self) -> None:
        """Move the file as the Silver job does."""
        counts = {outcome: number for number, outcome in enumerate(OUTCOMES, start=1)}
        self.put("in_silver", waiting_for="gold", silver={"run_seq": 7, "outcomes": counts, "effect_amount": "-10.05"})

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
        self.ledger.put_item(Item=item | {"status": "published"})

    def mark_failed(self, stage: str, reason: str) -> None:
        """Mark the file as a job does that finds the file which breaks its run."""
        item = self.item()
        item.pop("waiting_for", None)
        failed = {"stage": stage, "reason": reason, "attempts": 2, "at": "2026-11-23T10:00:00.000000Z"}
        self.ledger.put_item(Item=item | {"failed": failed})

    def hold(self, layer: str, file_id: str = FILE_ID) -> None:
        """Let a run of a layer be in progress that lists a file."""
        run = {"run_seq": 7, "token": "a", "files": ["e" * 64, file_id], "started_at": "2026-11-23T10:00:00.000000Z"}
        self.ledger.put_item(Item={"file_id": f"layer#{layer}", "kind": "layer", "run_seq": 6, "in_progress": run})

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

    def mails(self) -> list[tuple[str, str]]:
        """Subject and text of every mail so far."""
        sent = sns_backends[DEFAULT_ACCOUNT_ID][REGION].topics[self.topic].sent_notifications
        return [(subject, message) for _, message, subject, *_ in sent]

    def definition(self) -> str:
        text = DEFINITION.read_text(encoding="utf-8")
        for name, value in self.substitutions.items():
            text = text.replace(f"${{{name}}}", value)
        return text if self.retries is None else re.sub(r'("MaxAttempts": )\d+', rf"\g<1>{self.retries}", text)

    def run(self) -> Ending:
        """Execute the state machine for the file and wait until it ends."""
        client = boto3.client("stepfunctions")
        machine = client.create_state_machine(
            name="assay", definition=self.definition(), roleArn=f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/workflow"
        )["stateMachineArn"]
        arn = client.start_execution(stateMachineArn=machine, input=json.dumps({"file_id": FILE_ID}))["executionArn"]
        while (execution := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
            time.sleep(0.05)
        pages = client.get_paginator("get_execution_history").paginate(executionArn=arn)
        events = [event for page in pages for event in page["events"]]
        return Ending(
            status=execution["status"],
            error=execution.get("error"),
            cause=execution.get("cause"),
            entered=[e["stateEnteredEventDetails"]["name"] for e in events if "stateEnteredEventDetails" in e],
            task_errors=[e["taskFailedEventDetails"]["error"] for e in events if "taskFailedEventDetails" in e],
        )
