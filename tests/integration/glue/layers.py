"""What the real tables and passports hold, in the form in which the models say it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractContextManager
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import boto3
from contract.aggregates import AGGREGATES
from contract.dimensions import DIMENSIONS
from glue_pipeline import Pipeline, file_id_of
from gold_model import ATTRIBUTES, NATURAL, VERSIONED, CardVersion
from order_model import Card, File, Image, Order, Version
from run_model import OUTCOMES, Passport

from assay import query
from assay.target import Target

ORDER = ("position", "phase", "instant", "object_key", "sequencer", "version_id", "row")
REPAIR = ("instant", "object_key", "sequencer", "version_id", "row")
State = dict[int, tuple[Order, str, int, Image | None]]


def cents(amount: Decimal | str) -> int:
    """Return an exact amount as cents."""
    return int(Decimal(amount).scaleb(2).to_integral_exact())


def image_of(row: dict[str, Any]) -> Image:
    values = {name: row[name] for name in Image._fields if name not in ("cents", "errors")}
    return Image(cents=cents(row["amount"]), errors=tuple(row["errors"]) if row["errors"] else None, **values)


def state_of(pipeline: Pipeline) -> State:
    """Return order, writer and value of each living key, and order and writer of each tombstone."""
    living, deleted = (rows_of_state(pipeline, table) for table in ("transactions", "tombstones"))
    assert not living.keys() & deleted.keys(), "a key is living and deleted"
    return living | deleted


def rows_of_state(pipeline: Pipeline, table: str) -> State:
    """Return what `transactions` or `tombstones` hold, as readers see them now."""
    found: State = {}
    for row in pipeline.rows(f"silver.{table}"):
        assert row["dms_id"] not in found, "a key is there twice"
        repair = row["row_order"]["repair"]
        own = tuple(repair[name] for name in REPAIR) if repair else ()
        order = (*(row["row_order"][name] for name in ORDER), own)
        image = image_of(row) if table == "transactions" else None
        found[row["dms_id"]] = (order, row["file_id"], row["row"], image)
    return found


def state_expected(model: dict[int, Version], file_ids: dict[tuple[str, str], str]) -> State:
    return {
        key: (
            (*order[:3], order[3].decode(), *order[4:-1], tuple(_decoded(part) for part in order[-1])),
            file_ids[file.name],
            row.number,
            None if row.op == "D" else row.image,
        )
        for key, (order, file, row) in model.items()
    }


def _decoded(part: Any) -> Any:
    return part.decode() if isinstance(part, bytes) else part


def passport_of(pipeline: Pipeline, file_id: str) -> dict[str, Any]:
    item = pipeline.item(file_id)
    silver = item.get("silver", {})
    return {
        "status": item["status"],
        "outcomes": {name: count for name, count in silver.get("outcomes", {}).items() if count},
        "amounts": {name: cents(amount) for name, amount in silver.get("amounts", {}).items()},
        "effect": cents(silver.get("effect_amount", "0")),
        "missing": silver.get("missing", 0),
        "moved": silver.get("moved", 0),
        "settled": {name: count for name, count in silver.get("settled", {}).items() if count},
    }


def passport_expected(passport: Passport, status: str) -> dict[str, Any]:
    outcomes = {name: passport.outcomes[name] for name in OUTCOMES if passport.outcomes[name]}
    amounts = {name: passport.amounts[name] for name in outcomes}
    return {
        "status": status,
        "outcomes": outcomes,
        "amounts": amounts,
        "effect": passport.effect,
        "missing": passport.missing,
        "moved": passport.moved,
        "settled": {name: count for name, count in passport.settled.items() if count},
    }


def members_of(pipeline: Pipeline, name: str) -> dict[int, dict[str, Any]]:
    key = next(iter(DIMENSIONS[name].schema))
    rows = pipeline.rows(f"gold.{name}")
    found = {row[key]: row for row in rows}
    assert len(found) == len(rows), f"{name} holds a key twice"
    return found


def gold_of(pipeline: Pipeline) -> dict[str, Any]:
    """Return facts, totals, members and days of Gold by their natural values."""
    held = {name: members_of(pipeline, name) for name in NATURAL}
    named = {name: {key: _values(row, NATURAL[name]) for key, row in rows.items()} for name, rows in held.items()}
    rows = pipeline.rows("gold.fact_transactions")
    versions = card_versions_of(pipeline)
    facts = {row["dms_id"]: _fact(row, named, versions) for row in rows}
    assert len(facts) == len(rows), "a transaction has two facts"
    return {
        "facts": facts,
        "members": {
            name: {_values(row, NATURAL[name]): _values(row, ATTRIBUTES.get(name, ())) for row in rows.values()}
            for name, rows in held.items()
        },
        "cards": {version for version in versions.values() if version is not None},
        "days": Counter(row["date"] for row in pipeline.rows("gold.dim_date")),
        "totals": {name: _totals(pipeline, name, named) for name in AGGREGATES},
    }


def card_versions_of(pipeline: Pipeline) -> dict[int, CardVersion | None]:
    """Return the versions of the cards by their keys; nothing for the member `unknown`."""
    rows = pipeline.rows("gold.dim_card")
    found = {row["card_key"]: _card_version(row) for row in rows}
    assert len(found) == len(rows), "dim_card holds a key twice"
    return {0: None, **found}


def _card_version(row: dict[str, Any]) -> CardVersion | None:
    if row["card_key"] == 0:
        return None
    assert row["is_current"] == (row["valid_to"].year == 9999)
    return row["card_id"], Card(row["client_id"], row["card_brand"]), row["valid_from"], row["valid_to"]


def _values(row: dict[str, Any], names: Iterable[str]) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def _fact(
    row: dict[str, Any], named: dict[str, dict[int, tuple[Any, ...]]], versions: dict[int, CardVersion | None]
) -> dict[str, Any]:
    at = row["transacted_at"]
    assert (row["transacted_on"], row["date_key"]) == (at.date(), int(f"{at:%Y%m%d}"))
    assert row["client_key"] == 0, "no reference file tells of clients"
    keys = {name: next(iter(DIMENSIONS[name].schema)) for name in NATURAL}
    return {
        "transacted_at": at,
        "cents": cents(row["amount"]),
        "card_id": row["card_id"],
        "client_id": row["client_id"],
        "has_error": row["has_error"],
        "card": versions[row["card_key"]],
        **{name: named[name][row[keys[name]]] for name in NATURAL},
    }


def _totals(
    pipeline: Pipeline, table: str, named: dict[str, dict[int, tuple[Any, ...]]]
) -> dict[tuple[Any, ...], tuple[int, int]]:
    aggregate = AGGREGATES[table]

    def member(row: dict[str, Any], dimension: str) -> Any:
        if dimension == "channel":
            return row["channel"]
        name = f"dim_{dimension}"
        return row[VERSIONED[name]] if name in VERSIONED else named[name][row[DIMENSIONS[name].key]]

    rows = pipeline.rows(f"gold.{table}")
    found = {
        (row.get(aggregate.period), *(member(row, dimension) for dimension in aggregate.dimensions)): (
            row["row_count"],
            cents(row["total_amount"]),
        )
        for row in rows
    }
    assert len(found) == len(rows), f"{table} holds a group twice"
    return found


def file_ids(stored: Iterable[tuple[File, Any]]) -> dict[tuple[str, str], str]:
    return {file.name: file_id_of(event) for file, event in stored}


def lake_of(pipeline: Pipeline, replayed: Pipeline | None = None) -> AbstractContextManager[query.Lake]:
    """Open a pipeline's tables as the command line does, those of its replay too."""
    target = SimpleNamespace(
        session=boto3.Session(), endpoint=os.environ["AWS_ENDPOINT_URL"], is_local=True, glue=boto3.client("glue")
    )
    sides = {"": pipeline, **({"replay_": replayed} if replayed else {})}
    databases = {f"{side}{layer}": each.database(layer) for side, each in sides.items() for layer in ("silver", "gold")}
    return query.lake(cast(Target, target), databases)
