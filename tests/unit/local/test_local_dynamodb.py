"""A write that the local DynamoDB refuses changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.dynamodb.models import DynamoDBBackend

from devcloud.local.dynamodb import _all_or_nothing

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

TOO_LARGE = "x" * 500_000


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Table]:
    monkeypatch.setattr(DynamoDBBackend, "update_item", _all_or_nothing(DynamoDBBackend.update_item))
    with mock_aws():
        yield boto3.resource("dynamodb", region_name="us-east-1").create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "file_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "file_id", "KeyType": "HASH"}],
        )


def update(table: Table, text: str) -> None:
    table.update_item(
        Key={"file_id": "one"},
        UpdateExpression="SET #status = :status, changes = list_append(changes, :change), reasons = :text",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":status": "rejected", ":change": ["rejected"], ":text": text},
    )


def test_refused_update_changes_nothing__item_would_be_too_large(table: Table) -> None:
    item = {"file_id": "one", "status": "received", "changes": ["received"]}
    table.put_item(Item=item)

    with pytest.raises(ClientError, match="Item size"):
        update(table, TOO_LARGE)

    assert table.get_item(Key={"file_id": "one"})["Item"] == item
    update(table, "short")
    assert table.get_item(Key={"file_id": "one"})["Item"]["changes"] == ["received", "rejected"]


def test_refused_update_leaves_no_item__there_was_none(table: Table) -> None:
    with pytest.raises(ClientError, match="Item size"):
        table.update_item(
            Key={"file_id": "one"},
            UpdateExpression="SET reasons = :text",
            ExpressionAttributeValues={":text": TOO_LARGE},
        )

    assert "Item" not in table.get_item(Key={"file_id": "one"})
