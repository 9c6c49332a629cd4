"""Makes moto's DynamoDB atomic, and quick with large answers.

Conditions are checked and written in one step, and all or nothing is.
"""

from __future__ import annotations

import copy
import functools
from typing import Any

from botocore.model import StructureShape
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item

from devcloud.local.patching import Function, serialise, wrap


def install() -> None:
    # First, so that it works under the lock.
    wrap(DynamoDBBackend, "update_item", _all_or_nothing)
    wrap(BaseJSONSerializer, "_serialize_type_structure", _of_one_member)
    wrap(Item, "project", _by_name)
    wrap(DynamoType, "to_regular_json", _built_once)
    serialise(DynamoDBBackend, "put_item", "update_item", "delete_item", "transact_write_items", "get_item", "query")


def _of_one_member(original: Function) -> Function:
    # Until moto asks a value for the member that it has: it asks each for all ten, by every name that a member might
    # go by, and an answer of a hundred items takes most of a second (ResponseSerializer._serialize_type_structure).
    @functools.wraps(original)
    def serialize(serializer: Any, serialized: Any, value: Any, shape: StructureShape, key: str) -> None:
        if shape.name != "AttributeValue" or not isinstance(value, dict):
            original(serializer, serialized, value, shape, key)
            return
        held: dict[str, Any] = {}
        for member, content in value.items():
            serializer._serialize(held, content, shape.members[member], member)
        serialized[key] = held

    return serialize


def _by_name(original: Function) -> Function:
    # Until moto takes whole attributes as they are: it makes a plain copy of the item for each name that is asked for,
    # and a list of ten thousand files takes a minute (Item.project). What is projected is only written out, so its
    # attributes may be those of the stored item.
    @functools.wraps(original)
    def project(item: Item, expressions: list[list[str]]) -> Item:
        if any(len(path) > 1 or "[" in path[0] for path in expressions):
            return original(item, expressions)  # type: ignore[no-any-return]
        kept = Item(item.hash_key, item.range_key, {})
        for (name,) in expressions:
            if name in item.attrs:
                dict.__setitem__(kept.attrs, name, item.attrs[name])  # its own measures all attributes for each
        return kept

    return project


def _built_once(original: Function) -> Function:
    # Until moto copies a value only where it does not build it anew: it copies all that is within, at each level.
    @functools.wraps(original)
    def to_regular_json(value: DynamoType) -> dict[str, Any]:
        if value.is_map():
            return {value.type: {name: to_regular_json(each) for name, each in value.value.items()}}
        if value.is_list():
            return {value.type: [to_regular_json(each) for each in value.value]}
        return original(value)  # type: ignore[no-any-return]

    return to_regular_json


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
