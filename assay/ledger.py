"""Reads the file ledger: one item per object version, as `docs/data-contract.md` describes it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer
from contract import vocabulary

from assay.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import KeysAndAttributesOutputTypeDef, KeysAndAttributesTypeDef

    from assay.report.period import Period

Item = dict[str, Any]

OUTCOMES = tuple(vocabulary.OUTCOMES)
LISTED = (
    "file_id",
    "subject",
    "key",
    "version_id",
    "sequencer",
    "last_modified_at",
    "status",
    "failed",
    "reasons",
    "warnings",
    "offsets",
    "kpis",
    "silver",
    "changes",
    "in_effect",
    "decisions",
)
FILE_ID = re.compile("[0-9a-f]{64}")
CANDIDATES = 10
NEAREST = 3
ARRIVALS = "arrivals"  # the index of kind and last_modified_at
BATCH = 100  # BatchGetItem takes no more keys


class Ledger:
    """The ledger table of a stack, for reading."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def files(self) -> list[Item]:
        """Scan for all files, newest first, with what a list shows of them."""
        names = {f"#{name}": name for name in LISTED}
        items = self._scan(
            FilterExpression="#kind = :file",
            ProjectionExpression=", ".join(names),
            ExpressionAttributeNames={"#kind": "kind", **names},
            ExpressionAttributeValues={":file": {"S": "file"}},
        )
        return sorted(items, key=newest, reverse=True)

    def open_actions(self) -> list[Item]:
        """Scan for the whole items of undos and redos that are not through: in progress, or failed; newest first."""
        items = self._scan(
            FilterExpression="#kind = :action AND #status <> :published",
            ExpressionAttributeNames={"#kind": "kind", "#status": "status"},
            ExpressionAttributeValues={":action": {"S": "action"}, ":published": {"S": "published"}},
            ConsistentRead=True,
        )
        return sorted(items, key=lambda item: str(item["decides"]["at"]), reverse=True)

    def versions(self, key: str, *, parts: bool = True) -> list[Item]:
        """Return the versions of one key, newest first; its end or any part of it will do where no other key has it.

        Without `parts` it may only lack its folders. A file id names its version alone, without a scan: mails name
        files so. Raises UserError with the candidates where several keys fit, and with the nearest where none does.
        """
        if FILE_ID.fullmatch(key) and (found := self.get([key])):
            return list(found.values())
        name = key.lstrip("/")
        items = self._scan(
            FilterExpression="#kind = :file AND contains(#key, :name)",
            ExpressionAttributeNames={"#kind": "kind", "#key": "key"},
            ExpressionAttributeValues={":file": {"S": "file"}, ":name": {"S": name}},
            ConsistentRead=True,
        )
        by_key: dict[str, list[Item]] = {}
        for item in items:
            by_key.setdefault(item["key"], []).append(item)
        matching = keys_named(name, by_key, parts=parts)
        if not matching:
            raise self._unknown(key)
        if len(matching) > 1:
            raise ambiguous(key, matching)
        return sorted(by_key[matching[0]], key=newest, reverse=True)

    def _unknown(self, key: str) -> UserError:
        """Return an error for a key that no file has, with the keys that come nearest to it."""
        known = sorted({item["key"] for item in self.files()})
        names = [each.rpartition("/")[2] for each in known]
        close = get_close_matches(key.rpartition("/")[2], names, NEAREST)
        near = [each for each, name in zip(known, names, strict=True) if name in close][:NEAREST]
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        return UserError(f"the ledger knows no file {key}", f"{meant}List the files: assay status")

    def whole(self, kind: str = "file") -> list[Item]:
        """Scan for the whole items of all files, or of all actions."""
        return list(
            self._scan(
                FilterExpression="#kind = :kind",
                ExpressionAttributeNames={"#kind": "kind"},
                ExpressionAttributeValues={":kind": {"S": kind}},
                ConsistentRead=True,
            )
        )

    def each(self, names: Sequence[str], kinds: Sequence[str] = ("file", "action")) -> Iterator[Item]:
        """Scan for the items of all files and actions, page by page, with these attributes alone."""
        values = {f":kind{number}": {"S": kind} for number, kind in enumerate(kinds)}
        return self._scan(
            FilterExpression=f"#kind IN ({', '.join(values)})",
            ProjectionExpression=", ".join(f"#{name}" for name in names),
            ExpressionAttributeNames={"#kind": "kind"} | {f"#{name}": name for name in names},
            ExpressionAttributeValues=values,
            ConsistentRead=True,
        )

    def arrived(self, period: Period) -> Iterator[Item]:
        """Read the whole items of the files that arrived in a period, and of all actions, by an index that lags."""
        end = period.end_at or "~"
        of_files = {"#at": "last_modified_at"}, {":first": {"S": period.first_at}, ":end": {"S": end}}
        found = self._of_kind("file", " AND #at BETWEEN :first AND :end", *of_files)
        found += self._of_kind("action", "", {}, {})
        for first in range(0, len(found), BATCH):
            yield from self.get(found[first : first + BATCH]).values()

    def _of_kind(self, kind: str, condition: str, names: dict[str, str], values: dict[str, Any]) -> list[str]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=ARRIVALS,
            KeyConditionExpression=f"#kind = :kind{condition}",
            ExpressionAttributeNames={"#kind": "kind", **names},
            ExpressionAttributeValues={":kind": {"S": kind}, **values},
        )
        return [item["file_id"]["S"] for page in pages for item in page["Items"]]

    def repairs(self) -> list[Item]:
        """Scan for the whole items of all repairs and waivers."""
        return list(self._scan(FilterExpression="attribute_exists(repairs)", ConsistentRead=True))

    def published(self) -> list[Item]:
        """Scan for the whole items of all files that have been published."""
        return list(
            self._scan(
                FilterExpression="#kind = :file AND #status = :published",
                ExpressionAttributeNames={"#kind": "kind", "#status": "status"},
                ExpressionAttributeValues={":file": {"S": "file"}, ":published": {"S": "published"}},
                ConsistentRead=True,
            )
        )

    def get(self, file_ids: Iterable[str]) -> dict[str, Item]:
        """Read the newest state of some files (or layers); those without an item are left out."""
        found: dict[str, Item] = {}
        wanted = list(dict.fromkeys(file_ids))
        while wanted:
            request: KeysAndAttributesTypeDef = {
                "Keys": [{"file_id": {"S": file_id}} for file_id in wanted[:BATCH]],
                "ConsistentRead": True,
            }
            answer = self._client.batch_get_item(RequestItems={self._table: request})
            items = [plain(item) for item in answer["Responses"].get(self._table, [])]
            found |= {item["file_id"]: item for item in items}
            # What is left over (the answer is limited in size) is asked for again.
            wanted = wanted[BATCH:] + _keys_left(answer.get("UnprocessedKeys", {}).get(self._table))
        return found

    def waiting(self, layer: str) -> list[Item]:
        """Scan for the whole items of all files that wait for a layer."""
        return list(
            self._scan(
                FilterExpression="waiting_for = :layer",
                ExpressionAttributeValues={":layer": {"S": layer}},
                ConsistentRead=True,
            )
        )

    def breakers(self) -> dict[str, Item]:
        """Return what is counted of the layers' runs, by layer; the breaker of one with a `prober` is open."""
        found = self.get(f"breaker#{layer}" for layer in ("silver", "gold"))
        return {key.partition("#")[2]: item for key, item in found.items()}

    def open_breakers(self) -> dict[str, str]:
        """Return the layers whose breaker is open, and since when."""
        return {layer: item["opened_at"] for layer, item in self.breakers().items() if "prober" in item}

    def gold_run(self) -> int:
        """Return the last published run of Gold; 0 before the first."""
        return int((self.layer("gold") or {}).get("published", {}).get("run_seq", 0))

    def layer(self, name: str) -> Item | None:
        """Read the item of a layer, `silver` or `gold`; None before its first run."""
        return self.get([f"layer#{name}"]).get(f"layer#{name}")

    def _scan(self, **arguments: Any) -> Iterator[Item]:
        pages = self._client.get_paginator("scan").paginate(TableName=self._table, **arguments)
        return (plain(item) for page in pages for item in page["Items"])


def keys_named(name: str, keys: Collection[str], *, parts: bool = True) -> list[str]:
    """Return the keys that a name may stand for: the key itself, else those it ends, else those it is a part of."""
    fits: tuple[Callable[[str], bool], ...] = (
        lambda key: key == name,
        lambda key: key.endswith("/" + name),
        lambda key: key.endswith(name),
        lambda key: name in key,
    )
    return next((found for fit in fits[: None if parts else 2] if (found := sorted(filter(fit, keys)))), [])


def ambiguous(name: str, keys: Sequence[str]) -> UserError:
    """Return an error that lists the keys which a name may stand for."""
    more = f" and {len(keys) - CANDIDATES:,} more" if len(keys) > CANDIDATES else ""
    return UserError(f"{name} may be any of {', '.join(keys[:CANDIDATES])}{more}", "name more of the one you mean")


def file_id(bucket: str, key: str, version_id: str) -> str:
    """Return the identity of an object version."""
    return hashlib.sha256(f"{bucket}\0{key}\0{version_id}".encode()).hexdigest()


def choose_version(items: Sequence[Item], version: str | None) -> Item:
    """Return the item of a version, the newest by default; raise UserError if there is no such version."""
    if version is None:
        return items[0]
    found = [item for item in items if item["version_id"] == version]
    if not found:
        known = ", ".join(item["version_id"] for item in items)
        raise UserError(f"{items[0]['key']} has no version {version}", f"its versions, newest first: {known}")
    return found[0]


def newest(item: Item) -> tuple[str, str]:
    """Order object versions by age; the sequencer decides inside of one instant, which S3 gives in seconds only."""
    return item.get("last_modified_at", ""), item.get("sequencer", "").ljust(32, "0")


def ending(item: Item) -> str | None:
    """Return how a file ended, `published`, `rejected` or `failed`; None while it is being processed."""
    if item.get("failed"):
        return "failed"
    return item["status"] if item["status"] in ("published", "rejected") else None


def plain(item: dict[str, Any]) -> Item:
    """Turn DynamoDB's form of an item into Python values; its numbers are all counts."""
    deserialize = TypeDeserializer().deserialize
    return {name: _integers(deserialize(value)) for name, value in item.items()}


def _keys_left(unprocessed: KeysAndAttributesOutputTypeDef | None) -> list[str]:
    return [plain(key)["file_id"] for key in unprocessed["Keys"]] if unprocessed else []


def _integers(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, dict):
        return {name: _integers(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_integers(inner) for inner in value]
    return value
