"""The life of a key: every accepted row that named it, what became of it and why, and every effect that it had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from contract.sql_types import ORDER_FIELDS
from rich.console import Group, RenderableType
from rich.text import Text

from assay import console
from assay.audit import UNDONE
from assay.query import Lake

MOVES = ("inserted", "updated", "deleted")
ROWS = """
    SELECT run_seq, file_id, "row", line, op, outcome, amount, transacted_at, row_order, effect_amount
    FROM silver.transaction_history WHERE dms_id = ? ORDER BY run_seq, row_order"""
EFFECTS = """
    SELECT run_seq, cause, file_id, "row", "before".amount AS old, "after".amount AS new, effect_amount
    FROM silver.transaction_effects WHERE dms_id = ? ORDER BY run_seq"""
NOW = {
    "transactions": 'SELECT amount, file_id, "row", row_order FROM silver.transactions WHERE dms_id = ?',
    "tombstones": 'SELECT file_id, "row", row_order FROM silver.tombstones WHERE dms_id = ?',
}
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Biography:
    """What the tables tell of a key: its rows in all files, its effects by run, and its state (none if it has none).

    `undone` names the files that are not in effect.
    """

    key: int
    rows: list[dict[str, Any]]
    effects: list[dict[str, Any]]
    living: dict[str, Any] | None
    tombstone: dict[str, Any] | None
    undone: frozenset[str] = frozenset()

    @property
    def amount(self) -> Decimal:
        """The amount of the living row; zero without one."""
        return self.living["amount"] if self.living else Decimal("0.00")

    @property
    def sum_of_effects(self) -> Decimal:
        return sum((effect["effect_amount"] for effect in self.effects), Decimal("0.00"))

    @property
    def adds_up(self) -> bool:
        return self.sum_of_effects == self.amount

    @property
    def file_ids(self) -> set[str]:
        named = (*self.rows, *self.effects, *(row for row in (self.living, self.tombstone) if row))
        return {row["file_id"] for row in named if row["file_id"]}

    def as_json(self, files: Mapping[str, str]) -> dict[str, object]:
        """Return everything for programs; `files` are keys by file id."""
        return {
            "dms_id": self.key,
            "rows": [{**row, "key": files.get(row["file_id"]), "reason": self.reason(row, files)} for row in self.rows],
            "effects": [{**effect, "key": files.get(effect["file_id"])} for effect in self.effects],
            "state": self.living or self.tombstone,
            "adds_up": self.adds_up,
        }

    def render(self, files: Mapping[str, str]) -> RenderableType:
        """Draw the rows that named the key, its effects, and where it stands."""
        names = ("run", "file", "row", "line", "op", "amount", "ordered by", "outcome", "because")
        rows = console.table(
            f"Key {self.key}",
            names,
            right=("run", "row", "line", "amount"),
            keys=("file",),
            lines=("ordered by",),
            spare=("line", "ordered by", "op"),
        )
        for row in self.rows:
            values = [
                console.shown(files.get(row["file_id"], row["file_id"])),
                f"{row['row']:,}",
                f"{row['line'] or ''}",
            ]
            amount = "" if row["amount"] is None else console.money(row["amount"])
            at = console.as_text(row["row_order"]["instant"])
            because = console.shown(self.reason(row, files))
            rows.add_row(f"{row['run_seq']:,}", *values, row["op"] or "", amount, at, row["outcome"], because)
        columns = ("run", "cause", "file", "before", "after", "effect")
        effects = console.table(
            "Its effects", columns, right=("run", "before", "after", "effect"), keys=("file",), spare=("cause",)
        )
        for effect in self.effects:
            sides = ["" if effect[side] is None else console.money(effect[side]) for side in ("old", "new")]
            file = console.shown(files.get(effect["file_id"], effect["file_id"]))
            effects.add_row(
                f"{effect['run_seq']:,}", effect["cause"], file, *sides, console.money(effect["effect_amount"])
            )
        return Group(rows, effects, Text.assemble(console.mark(self.adds_up), " ", _state(self, files)))

    def reason(self, row: Row, names: Mapping[str, str]) -> str:
        """Say why a row did or did not win; `names` are the keys of the files by their id."""
        repair = row["row_order"].get("repair")
        if row["file_id"] in self.undone:
            return "its file is undone"
        if repair and repair["file_id"] in self.undone:
            return "the file that it repairs is undone"
        if row["outcome"] in MOVES:
            return "the newest row of its key"
        if row["outcome"] == "unchanged":
            return "the key had these values already" if row["op"] != "D" else "there was nothing to delete"
        if row["outcome"] == "superseded":
            same_run = [other for other in self.rows if other["run_seq"] == row["run_seq"]]
            return f"newer in the same run: {place(max(same_run, key=order), names)}"
        before = [other for other in self.rows if other["run_seq"] < row["run_seq"] and order(other) > order(row)]
        if not before:
            return "older than the start of a reload"
        return f"older than {place(max(before, key=order), names)}"


def order(row: Row) -> tuple[Any, ...]:
    """Return the order of a row (section 4 of the data contract), to be compared."""
    *place, repair = {**dict.fromkeys(ORDER_FIELDS), **row["row_order"]}.values()
    return (*place, tuple(repair.values()) if repair else ())


def place(row: Row, names: Mapping[str, str]) -> str:
    """Return where a row stands: its file and its number there."""
    return f"row {row['row']:,} of {names.get(row['file_id'], row['file_id'])}"


def biography(lake: Lake, key: int) -> Biography:
    """Read what the tables tell of a key; a row in quarantine has none that could be trusted."""
    has_decisions = "silver.decisions" in lake.tables()  # comes with the first run of a job that knows it
    for name in ("transaction_history", "transaction_effects", *NOW, *(["decisions"] if has_decisions else [])):
        lake.open("silver", name)
    now = {name: next(iter(lake.rows(statement, [key])), None) for name, statement in NOW.items()}
    undone = frozenset(row["file_id"] for row in lake.rows(UNDONE)) if has_decisions else frozenset()
    told = lake.rows(ROWS, [key]), lake.rows(EFFECTS, [key])
    return Biography(key, *told, now["transactions"], now["tombstones"], undone)


def _state(life: Biography, files: Mapping[str, str]) -> str:
    """Say where a key stands, and whether its effects add up to that."""
    equal = "=" if life.adds_up else "≠"
    total = f"{console.money(life.amount)} {equal} the sum of its effects, {console.money(life.sum_of_effects)}"
    if life.living:
        return f"it lives, as {console.shown(place(life.living, files))} left it: {total}"
    if life.tombstone:
        return f"it was deleted by {console.shown(place(life.tombstone, files))}: {total}"
    return f"it is not there: {total}"
