"""The services of the KPI function in memory, its events, and a call of its handler."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

import app
import boto3
import pytest
from clients_once import clients_made_once
from contract.items import FileItem, RangeItem
from contract.partitions import PartitionItem, PartitionsItem
from contract.sweeps import ActionsItem, CalendarsItem, LateItem, SweepItem
from item_types import differences
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends

BRONZE, LAKE, TABLE, REGION = "bronze", "lake", "ledger", "us-east-1"


@dataclass
class Cloud:
    """The services in memory and what a test wants to know of them."""

    s3: Any
    table: Any
    workflows: Any
    machine_arn: str
    topic_arn: str
    sequence: int = 0
    versions: dict[str, str] = field(default_factory=dict)

    def put(self, key: str, body: bytes, **metadata: str) -> dict[str, Any]:
        """Upload, and return the event of it."""
        tags = {name.replace("_", "-"): value for name, value in metadata.items()}
        version = self.s3.put_object(Bucket=BRONZE, Key=key, Body=body, Metadata=tags)["VersionId"]
        self.versions[key] = version
        self.sequence += 1
        return event_of(key, version, sequencer=f"{self.sequence:06X}")

    def item(self, key: str) -> dict[str, Any]:
        items = [item for item in self.table.scan()["Items"] if item.get("version_id") == self.versions[key]]
        assert len(items) == 1
        return items[0]

    def differences_from_contract(self) -> list[str]:
        """Say what of the items in the ledger is not as the contract types it."""
        types = {
            "file": FileItem,
            "action": FileItem,
            "actions": ActionsItem,
            "range": RangeItem,
            "sweep": SweepItem,
            "notice": LateItem,
            "calendars": CalendarsItem,
            "offsets": PartitionItem,
            "partitions": PartitionsItem,
        }
        return [told for item in self.table.scan()["Items"] for told in differences(item, types[item["kind"]])]

    def executions(self) -> list[dict[str, Any]]:
        found = self.workflows.list_executions(stateMachineArn=self.machine_arn)["executions"]
        return [self.workflows.describe_execution(executionArn=one["executionArn"]) for one in found]

    def mails(self) -> list[tuple[str, str]]:
        topic = sns_backends[DEFAULT_ACCOUNT_ID][REGION].topics[self.topic_arn]
        return [(subject, message) for _, message, subject, *_ in topic.sent_notifications]


def event_of(
    key: str, version: str | None, *, name: str = "ObjectCreated:Put", sequencer: str = "01"
) -> dict[str, Any]:
    described = {"key": quote_plus(key, safe="/"), "size": 1, "eTag": "e", "versionId": version, "sequencer": sequencer}
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": "2023-05-06T07:08:09.123Z",
        "eventName": name,
        "s3": {"bucket": {"name": BRONZE}, "object": {k: v for k, v in described.items() if v is not None}},
    }
    return {"Records": [record]}


@dataclass
class Context:
    """As much of Lambda's context as the logger reads."""

    aws_request_id: str = "request-1"
    function_name: str = "kpi"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:kpi"

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


def handle(event: dict[str, Any], request: str = "request-1") -> dict[str, int]:
    return app.handler(event, Context(request))


def cloud_in_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Make buckets, ledger, topic and workflow, and point the function at them."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with clients_made_once("s3", "dynamodb", "stepfunctions", "sns"), mock_aws():
        s3 = boto3.client("s3")
        for bucket in (BRONZE, LAKE):
            s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=BRONZE, VersioningConfiguration={"Status": "Enabled"})
        table = boto3.resource("dynamodb").create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "file_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "file_id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        workflows = boto3.client("stepfunctions")
        definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
        machine_arn = workflows.create_state_machine(
            name="workflow", definition=json.dumps(definition), roleArn="arn:aws:iam::123456789012:role/workflow"
        )["stateMachineArn"]
        topic_arn = boto3.client("sns").create_topic(Name="notices")["TopicArn"]
        settings = {
            "LEDGER_TABLE": TABLE,
            "LAKE_BUCKET": LAKE,
            "STATE_MACHINE_ARN": machine_arn,
            "TOPIC_ARN": topic_arn,
        }
        for name, value in {**settings, "STAGE": "test"}.items():
            monkeypatch.setenv(name, value)
        app.services.cache_clear()
        cloud = Cloud(s3, table, workflows, machine_arn, topic_arn)
        yield cloud
        app.services.cache_clear()
        assert cloud.differences_from_contract() == []
