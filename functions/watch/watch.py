"""What the clock calls: tell how long files have waited, and mail publications as one digest an hour."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
from digest import send_digests

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NAMESPACE = "Assay"


def handler(event: Mapping[str, str], _: object) -> dict[str, int]:
    """Do the task that the schedule names."""
    if event["task"] == "digest":
        sqs, sns = boto3.client("sqs"), boto3.client("sns")
        return {"mailed": send_digests(sqs, os.environ["QUEUE_URL"], sns, os.environ["TOPIC_ARN"], os.environ["STAGE"])}
    now, gathering = datetime.now(UTC), timedelta(seconds=int(os.environ["GATHER_SECONDS"]))
    seconds = longest_wait(boto3.client("dynamodb"), os.environ["LEDGER_TABLE"], now, gathering)
    print(metric_line(seconds, os.environ["STAGE"], now))
    return {"seconds": seconds}


def longest_wait(ledger: DynamoDBClient, table: str, now: datetime, gathering: timedelta) -> int:
    """Return for how many seconds the oldest file has waited for a layer; the time for gathering does not count."""
    waits = [timedelta(0)]
    for layer, before in (("silver", gathering), ("gold", timedelta(0))):
        found = ledger.query(
            TableName=table,
            IndexName="waiting",
            KeyConditionExpression="waiting_for = :layer",
            ExpressionAttributeValues={":layer": {"S": layer}},
            Limit=1,  # the index is ordered by `waiting_since`
        )["Items"]
        waits += [now - datetime.fromisoformat(item["waiting_since"]["S"]) - before for item in found]
    return max(waits) // timedelta(seconds=1)


def metric_line(seconds: int, stage: str, now: datetime) -> str:
    """Return a line of the log from which CloudWatch takes the metric (its embedded metric format)."""
    metrics = [{"Name": "WaitingSeconds", "Unit": "Seconds"}]
    directive = {"Namespace": NAMESPACE, "Dimensions": [["service", "stage"]], "Metrics": metrics}
    at = (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    line: dict[str, Any] = {"_aws": {"Timestamp": at, "CloudWatchMetrics": [directive]}}
    return json.dumps({**line, "service": "watch", "stage": stage, "WaitingSeconds": seconds})
