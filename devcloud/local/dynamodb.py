"""Makes moto's conditional writes to DynamoDB atomic: it checks the condition first and writes then."""

from __future__ import annotations

from moto.dynamodb.models import DynamoDBBackend

from devcloud.local.patching import serialise


def install() -> None:
    serialise(DynamoDBBackend, "put_item", "update_item", "delete_item", "transact_write_items", "get_item", "query")
