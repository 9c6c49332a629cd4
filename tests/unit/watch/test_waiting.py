"""For how long the oldest file has waited, as CloudWatch is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
import watch
from moto import mock_aws

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    names = ("file_id", "waiting_for", "waiting_since")
    with mock_aws():
        yield boto3.resource("dynamodb").create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "file_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "waiting",
                    "KeySchema": [
                        {"AttributeName": "waiting_for", "KeyType": "HASH"},
                        {"AttributeName": "waiting_since", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        )


def wait(ledger: Any, file_id: str, layer: str, minutes: int, now: datetime = NOW) -> None:
    since = (now - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    ledger.put_item(Item={"file_id": file_id, "waiting_for": layer, "waiting_since": since})


def longest(gathering: int = 0) -> int:
    return watch.longest_wait(boto3.client("dynamodb"), "ledger", NOW, timedelta(minutes=gathering))


def test_oldest_file_counts__of_both_layers(ledger: Any) -> None:
    for file_id, layer, minutes in (("a", "silver", 3), ("b", "silver", 7), ("c", "gold", 5)):
        wait(ledger, file_id, layer, minutes)

    assert longest() == 7 * 60


def test_time_for_gathering_does_not_count__before_silver(ledger: Any) -> None:
    wait(ledger, "a", "silver", 70)
    assert (longest(60), longest(90)) == (600, 0)
    wait(ledger, "b", "gold", 20)
    assert longest(60) == 1_200


def test_nothing_waits(ledger: Any) -> None:
    assert longest() == 0


def test_log_has_a_line_that_cloudwatch_reads(
    ledger: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wait(ledger, "a", "gold", 10, datetime.now(UTC))
    for name, value in {"LEDGER_TABLE": "ledger", "STAGE": "test", "GATHER_SECONDS": "0"}.items():
        monkeypatch.setenv(name, value)

    answer = watch.handler({"task": "waiting"}, None)

    line = json.loads(capsys.readouterr().out)
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("Assay", [["service", "stage"]])
    assert (line["service"], line["stage"], line["WaitingSeconds"]) == ("watch", "test", answer["seconds"])
    assert 600 <= answer["seconds"] < 660
