"""A write that the local DynamoDB refuses changes nothing, and what it is quicker to answer stays the same."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item

from devcloud.local.dynamodb import _all_or_nothing, _built_once, _by_name, _of_one_member

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


EVERY_TYPE = {
    "file_id": "one",
    "text": "",
    "amount": Decimal("1.50"),
    "bytes": b"\x00\xff",
    "flag": False,
    "nothing": None,
    "texts": {"a", "b"},
    "numbers": {1, 2},
    "deep": {"things": [1, "two", {"three": [None, b"4"]}], "empty": {}, "none": []},
}
ASKED: list[dict[str, Any]] = [
    {},
    {"ProjectionExpression": "file_id, amount, deep, elsewhere"},
    {"ProjectionExpression": "deep.things[2].three, flag"},
    {"ProjectionExpression": "nothing, texts, numbers, bytes"},
]


@pytest.mark.parametrize("asked", ASKED)
def test_answers_are_those_of_moto__of_each_type(
    table: Table, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    table.put_item(Item=EVERY_TYPE)

    def answers() -> list[Any]:
        one = table.get_item(Key={"file_id": "one"}, **asked)["Item"]
        found = table.query(KeyConditionExpression=Key("file_id").eq("one"), **asked)["Items"]
        return [one, found, table.scan(**asked)["Items"]]

    expected = answers()
    made = ((BaseJSONSerializer, "_serialize_type_structure", _of_one_member), (Item, "project", _by_name))
    for owner, name, make in (*made, (DynamoType, "to_regular_json", _built_once)):
        monkeypatch.setattr(owner, name, make(getattr(owner, name)))
    assert answers() == expected
