"""The places in which a replay works: databases, ledger and objects of its own, emptied before each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeSerializer

from assay.errors import UserError
from assay.ledger import Item, Ledger
from assay.target import Target

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import WriteRequestTypeDef
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

PREFIX = "replay/"
OWNER = "replay"
A_REQUEST = 25  # BatchWriteItem takes no more
OBJECTS_A_REQUEST = 1_000  # DeleteObjects takes no more


def empty(target: Target, token: str) -> None:
    """Claim the places for this replay, and remove what the last one left."""
    stack = target.stack
    put(target, [{"file_id": OWNER, "kind": "replay", "token": token}])
    for database in (stack.replay_silver_database, stack.replay_gold_database):
        _delete_tables(target, database)
        _delete_objects(target, f"warehouse/{database}.db/")
    _delete_objects(target, PREFIX)
    pages = target.dynamodb.get_paginator("scan").paginate(
        TableName=stack.replay_ledger_table, ProjectionExpression="file_id"
    )
    left = [key for page in pages for key in page["Items"] if key["file_id"]["S"] != OWNER]
    _write(target, [{"DeleteRequest": {"Key": key}} for key in left])


def require_own(target: Target, token: str) -> None:
    """Refuse to go on if another replay has begun since: it has emptied these places, and fills them with its own."""
    owner = Ledger(target.dynamodb, target.stack.replay_ledger_table).get([OWNER]).get(OWNER, {})
    if owner.get("token") != token:
        raise UserError("another replay has begun since this one", "wait until it has ended, then run this again")


def put(target: Target, items: Sequence[Item]) -> None:
    """Write items into the replay's ledger."""
    serialize = TypeSerializer().serialize
    forms = [{name: serialize(value) for name, value in item.items()} for item in items]
    _write(target, [{"PutRequest": {"Item": form}} for form in forms])


def _delete_tables(target: Target, database: str) -> None:
    pages = target.glue.get_paginator("get_tables").paginate(DatabaseName=database)
    for name in [table["Name"] for page in pages for table in page["TableList"]]:
        target.glue.delete_table(DatabaseName=database, Name=name)


def _delete_objects(target: Target, prefix: str) -> None:
    bucket = target.stack.lake_bucket
    pages = target.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys: Iterator[ObjectIdentifierTypeDef] = (
        {"Key": found["Key"]} for page in pages for found in page.get("Contents", [])
    )
    while chunk := list(islice(keys, OBJECTS_A_REQUEST)):
        answer = target.s3.delete_objects(Bucket=bucket, Delete={"Objects": chunk, "Quiet": True})
        if errors := answer.get("Errors"):
            raise RuntimeError(f"{len(errors)} objects below {prefix} could not be deleted: {errors[0]}")


def _write(target: Target, requests: list[Any]) -> None:
    table = target.stack.replay_ledger_table
    while requests:
        chunk: list[WriteRequestTypeDef] = requests[:A_REQUEST]
        answer = target.dynamodb.batch_write_item(RequestItems={table: chunk})
        # What is left over (the answer is limited in size, or throttled) is asked for again.
        requests = requests[A_REQUEST:] + list(answer.get("UnprocessedItems", {}).get(table, []))
