"""What a repair would do, computed here from the published tables at one cut; it writes nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from contract.kinds import AMOUNT, INSTANT, NAMES, Kind
from contract.subjects import REPAIR, TRANSACTIONS
from contract.tables import VALUES
from contract.writing import NULL_WORDS
from judging.values import known_columns, read_values, us_of
from reading.card_numbers import masked
from reading.dialect_file import pin_of
from reading.file_name import Name
from reading.files import SourceFile, frames_of
from repairs import pin_of_original
from rich.console import Group, RenderableType
from rich.text import Text

from assay import console
from assay.ledger import OUTCOMES, Item, Ledger
from assay.quarantine.fixing import Corrected
from assay.query import Lake
from assay.undo.preview import GROUPS, IMAGE, MOVEMENTS, ORDER, draw_groups, draw_movements, places_of_loads

DUCKDB_TYPES = {"timestamp": "BIGINT", "array<string>": "VARCHAR[]", "string": "VARCHAR", "bigint": "BIGINT"}
FORM = {
    "dms_id": "BIGINT",
    "op": "VARCHAR",
    "position": "BIGINT",
    "phase": "INTEGER",
    **{name: "BIGINT" if name in ("instant", "row") else "VARCHAR" for name in ORDER},
    **{name: DUCKDB_TYPES.get(sql_type, sql_type) for name, sql_type in VALUES.items()},
}
"""The columns of the corrected rows; instants are microseconds."""
INSTANTS = ("position", "instant", *(name for name, sql_type in VALUES.items() if sql_type == "timestamp"))


def _column(name: str) -> str:
    return f"make_timestamp(t.{name})::TIMESTAMPTZ AS {name}" if name in INSTANTS else f"t.{name} AS {name}"


FIXED = f"""
    CREATE OR REPLACE TEMP TABLE fixed AS
    SELECT {", ".join(map(_column, FORM))} FROM (SELECT unnest(from_json(?, ?)) AS t)"""  # noqa: S608
PLACED = f"(position, phase, {', '.join(ORDER)})"
STORED = f"(t.row_order.position::TIMESTAMPTZ, t.row_order.phase, {', '.join(f't.row_order.{name}' for name in ORDER)})"
DECIDED = f"""
    CREATE OR REPLACE TEMP TABLE decided AS
    WITH held AS (
        SELECT dms_id, {STORED} AS stored, {IMAGE} AS before FROM silver.transactions t SEMI JOIN fixed USING (dms_id)
        UNION ALL SELECT dms_id, {STORED}, NULL FROM silver.tombstones t SEMI JOIN fixed USING (dms_id)),
    placed AS (
        SELECT t.dms_id, op, {PLACED} AS place, {IMAGE} AS image, before, t.amount,
               position >= ?::TIMESTAMPTZ AND (stored IS NULL OR {PLACED} > stored) AS newer
        FROM fixed t LEFT JOIN held ON held.dms_id = t.dms_id),
    newest AS (SELECT dms_id, max(place) AS place FROM placed WHERE newer GROUP BY dms_id)
    SELECT p.dms_id, p.amount, p.before, CASE WHEN op <> 'D' THEN image END AS after,
           CASE WHEN op = 'D' AND before IS NULL OR op <> 'D' AND before IS NOT DISTINCT FROM image THEN 'unchanged'
                WHEN NOT newer THEN 'stale' WHEN p.place <> n.place THEN 'superseded' WHEN op = 'D' THEN 'deleted'
                WHEN before IS NULL THEN 'inserted' ELSE 'updated' END AS outcome
    FROM placed p LEFT JOIN newest n ON n.dms_id = p.dms_id"""  # noqa: S608
MOVED = """
    CREATE OR REPLACE TEMP TABLE moved AS
    SELECT dms_id, before, after, outcome AS change FROM decided WHERE outcome IN ('inserted', 'updated', 'deleted')"""
OUTCOME = """
    SELECT outcome, count(*) AS "rows", coalesce(sum(amount), 0)::DECIMAL(38, 2) AS amount
    FROM decided GROUP BY outcome"""
MONEY_MOVED = """
    SELECT coalesce(sum(coalesce(after.amount, 0) - coalesce(before.amount, 0)), 0)::DECIMAL(38, 2) AS effect
    FROM moved"""


@dataclass(frozen=True)
class Preview:
    """Rows and cents by what would become of them, Gold's groups before and after, the largest movements."""

    repairs: Sequence[Corrected]
    silver_run: int
    outcomes: Mapping[str, tuple[int, Decimal]]
    effect: Decimal
    groups: Sequence[Item]
    movements: Sequence[Item]


def preview(lake: Lake, ledger: Ledger, silver: Item, silver_run: int, repairs: Sequence[Corrected]) -> Preview:
    """Compute what repairs would do at the cut that shows a run of Silver."""
    for name in ("transactions", "tombstones"):
        lake.open("silver", name)
    lake.open("gold", "daily_totals")
    floor, starts = places_of_loads(ledger.get(silver.get("loads", {})))
    rows = [row for repair in repairs for row in typed_rows(repair, starts.get(repair.original["file_id"]))]
    lake.rows(FIXED, [json.dumps(rows), json.dumps([FORM])])
    lake.rows(DECIDED, [floor])
    lake.rows(MOVED)
    outcomes = {row["outcome"]: (row["rows"], row["amount"]) for row in lake.rows(OUTCOME)}
    effect = lake.rows(MONEY_MOVED)[0]["effect"]
    return Preview(repairs, silver_run, outcomes, effect, lake.rows(GROUPS), lake.rows(MOVEMENTS))


def typed_rows(repair: Corrected, start: str | None) -> Iterator[Item]:
    """Yield the values and the order of corrected rows, in the form `FORM`; `start` is that of the original's load."""
    original = repair.original
    name = Name(repair.key, REPAIR, pin_of(pin_of_original(original["format"])))
    at = us_of(datetime.fromisoformat(str(original.get("as_of_at", original["last_modified_at"]))))
    names = {"object_key": original["key"], "version_id": original["version_id"]}
    names["sequencer"] = original["sequencer"].ljust(32, "0")
    is_full_load = original["format"]["is_full_load"]
    begins = us_of(datetime.fromisoformat(start or "1800-01-01T00:00:00+00:00"))
    with TemporaryDirectory() as folder:
        read = SourceFile.sniff(name, io.BytesIO(repair.body)).rows(known_columns(REPAIR), Path(folder))
        for frame in frames_of(read, REPAIR):
            for row in read_values(frame, REPAIR).iter_rows(named=True):
                instant = at if row["commit_at_value"] is None else row["commit_at_value"]
                order = {"position": begins, "phase": 0} if is_full_load else {"position": instant, "phase": 1}
                order |= {"instant": instant, "row": row["repaired_row_value"], **names}
                yield {"dms_id": row["dms_id_value"], "op": row["op_value"], **order, **_image(row)}


def _image(row: Mapping[str, Any]) -> Item:
    columns = {name: TRANSACTIONS.source_of(name) for name in VALUES}
    return {name: _value(row, column.name, column.kind) for name, column in columns.items()}


def _value(row: Mapping[str, Any], name: str, kind: Kind) -> Any:
    """Return a value as Silver will have it: money as text, instants in microseconds."""
    if (value := row.get(f"{name}_value")) is not None:
        if kind.width:
            return str(value).zfill(kind.width)
        return str(Decimal(value).scaleb(-2)) if kind is AMOUNT else value
    text = masked((row.get(name) or "").strip(" \t")) if f"{name}_value" not in row and kind is not INSTANT else ""
    if kind is NAMES:
        names = [part.strip(" \t") for part in text.split(",") if part.strip(" \t")]
        return names if names and text.lower() not in NULL_WORDS else None
    return text or None


def render(found: Preview) -> RenderableType:
    """Draw what would happen."""
    parts: list[RenderableType] = []
    for repair in found.repairs:
        title = f"Repair {len(repair.rows):,} rows of {console.shown(repair.original['key'])}"
        parts.append(Text.assemble((title, "bold"), f"  at Silver run {found.silver_run}"))
    grid = console.table("What becomes of them", ("outcome", "rows", "amount"), right=("rows", "amount"))
    for outcome in OUTCOMES:
        if outcome in found.outcomes:
            rows, amount = found.outcomes[outcome]
            grid.add_row(outcome, console.count(rows), console.money(amount))
    parts += [grid, Text(f"  effect on Silver and Gold: {console.money(found.effect)}", style="bold")]
    if found.groups:
        parts += [draw_groups(found.groups), draw_movements(found.movements)]
    return Group(*parts)
