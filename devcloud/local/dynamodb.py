"""Makes moto's writes to DynamoDB atomic: conditions are checked and written in one step, and all or nothing is."""

from __future__ import annotations

import copy
import functools
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item

from devcloud.local.patching import Function, serialise, wrap


def install() -> None:
    # First, so that it works under the lock.
    wrap(DynamoDBBackend, "update_item", _all_or_nothing)
    serialise(DynamoDBBackend, "put_item", "update_item", "delete_item", "transact_write_items", "get_item", "query")


def _all_or_nothing(original: Function) -> Function:
    # Until moto tries an update on a copy: it changes the stored item attribute by attribute, and finds on the way that
    # the item becomes too large (UpdateExpressionExecutor). AWS refuses such an update as a whole.
    @functools.wraps(original)
    def update_item(backend: DynamoDBBackend, table_name: str, key: dict[str, Any], *args: Any, **kwargs: Any) -> Item:
        table = backend.get_table(table_name)
        if table.hash_key_attr not in key:
            return original(backend, table_name, key, *args, **kwargs)  # type: ignore[no-any-return]
        hash_key = DynamoType(key[table.hash_key_attr])
        range_key = DynamoType(key[table.range_key_attr]) if table.range_key_attr in key else None
        before = copy.deepcopy(table.get_item(hash_key, range_key))
        try:
            return original(backend, table_name, key, *args, **kwargs)  # type: ignore[no-any-return]
        except Exception:
            after = table.get_item(hash_key, range_key)
            if after is not None and before is not None:
                after.attrs = before.attrs
            elif after is not None:
                table.delete_item(hash_key, range_key)
            raise

    return update_item
