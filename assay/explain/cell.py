"""The runs, files and rows that a cell of an aggregate is the sum of: the effects that moved a fact into its group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from contract.aggregates import AGGREGATES, AggregateTable, Grouping
from contract.dimensions import DIMENSIONS, VERSIONED_DIMENSIONS
from contract.vocabulary import UNKNOWN
from rich.console import Group, RenderableType
from rich.text import Text

from assay import console
from assay.errors import UserError
from assay.query import Lake

MOST_LINES = 20
MOVED = """
    CREATE OR REPLACE TEMP TABLE moved AS
    SELECT run_seq, cause, file_id, "row", dms_id,
        CASE WHEN {before} THEN "before".amount END AS old, CASE WHEN {after} THEN "after".amount END AS new
    FROM silver.transaction_effects WHERE ({before}) OR ({after})"""
AMOUNT = "(coalesce({new}, 0) - coalesce({old}, 0))::DECIMAL(38, 2) AS amount"
SUMS = f"count(*) AS changes, count(new) - count(old) AS facts, {AMOUNT.format(new='sum(new)', old='sum(old)')}"
EARLIER = f"SELECT {SUMS} FROM moved WHERE run_seq <= ?"  # noqa: S608
BY_FILE = f"""
    SELECT run_seq, cause, file_id, {SUMS} FROM moved WHERE run_seq > ?
    GROUP BY run_seq, cause, file_id ORDER BY abs(amount) DESC, run_seq, file_id"""  # noqa: S608
BY_ROW = f"""
    SELECT *, {AMOUNT.format(new="new", old="old")} FROM moved WHERE run_seq > ?
    ORDER BY abs(amount) DESC, run_seq, dms_id LIMIT ?"""  # noqa: S608


@dataclass(frozen=True)
class Cell:
    """A row of an aggregate: its group, as people name it, and what the table holds of it."""

    aggregate: AggregateTable
    first_day: date | None
    members: tuple[str | None, ...]
    facts: int
    amount: Decimal

    @property
    def name(self) -> str:
        first = [str(self.first_day)] if self.first_day else []
        return " ".join([*first, *(UNKNOWN if member is None else member for member in self.members)])


@dataclass(frozen=True)
class Explained:
    """What a cell held after a run (`since`, 0 for none), and the effects of later runs, by file and the largest rows.

    A line has `run_seq`, `cause`, `file_id`, `changes` (rows that moved something), `facts` and `amount` (more of them,
    or fewer); a row has its place in the file, its key, and its amount inside of the group before and after.
    """

    cell: Cell
    since: int
    facts_before: int
    amount_before: Decimal
    lines: list[dict[str, Any]]
    rows: list[dict[str, Any]]

    @property
    def facts(self) -> int:
        return self.facts_before + sum(int(line["facts"]) for line in self.lines)

    @property
    def amount(self) -> Decimal:
        return sum((line["amount"] for line in self.lines), self.amount_before)

    @property
    def adds_up(self) -> bool:
        return (self.facts, self.amount) == (self.cell.facts, self.cell.amount)

    @property
    def file_ids(self) -> set[str]:
        return {line["file_id"] for line in self.lines if line["file_id"]}

    def as_json(self, files: Mapping[str, str]) -> dict[str, object]:
        """Return everything for programs; `files` are keys by file id."""
        cell = self.cell
        return {
            "table": f"gold.{cell.aggregate.name}",
            "cell": cell.name,
            "row_count": cell.facts,
            "total_amount": cell.amount,
            "since_run": self.since,
            "before": {"row_count": self.facts_before, "total_amount": self.amount_before},
            "files": [{**line, "key": files.get(line["file_id"])} for line in self.lines],
            "largest_rows": [{**row, "key": files.get(row["file_id"])} for row in self.rows],
            "adds_up": self.adds_up,
        }

    def render(self, files: Mapping[str, str]) -> RenderableType:
        """Draw the files, the largest movement first, with a sum that is the cell; then the largest rows."""
        cell, lines = self.cell, self.lines
        title = f"gold.{cell.aggregate.name}  {console.shown(cell.name)}"
        grid = console.table(
            title,
            ("run", "cause", "file", "rows", "facts", "amount"),
            right=("run", "rows", "facts", "amount"),
            keys=("file",),
            lines=("cause",),
            spare=("cause", "rows"),
        )
        if self.since:
            before = [f"{self.facts_before:,}", console.money(self.amount_before)]
            grid.add_row(f"{self.since:,}", "", "everything up to this run", "", *before)
        for line in lines[:MOST_LINES]:
            file = console.shown(files.get(line["file_id"], line["file_id"]))
            grid.add_row(f"{line['run_seq']:,}", line["cause"], file, *_figures([line]))
        if rest := lines[MOST_LINES:]:
            grid.add_row("", "", f"{len(rest):,} more: --json lists all", *_figures(rest))
        grid.add_section()
        grid.add_row("", "", "sum", "", f"{self.facts:,}", console.money(self.amount))
        equal = " = " if self.adds_up else " ≠ "
        held = f"{console.counted(cell.facts, 'fact')}, {console.money(cell.amount)}"
        shown = f" the cell: {held}{equal}the sum of these effects"
        return Group(grid, Text.assemble(console.mark(self.adds_up), shown), *_largest(self.rows, files))


def natural_columns(grouping: Grouping) -> tuple[str, ...]:
    """Return the columns of a transaction that name a member of a grouping."""
    for dimension in DIMENSIONS.values():
        if grouping.key == dimension.key:
            return dimension.natural
    return next(
        ((each.natural,) for each in VERSIONED_DIMENSIONS.values() if each.key == grouping.key), (grouping.key,)
    )


def columns(aggregate: AggregateTable) -> list[str]:
    """Return what names a cell of an aggregate: its period, and the natural keys of its groups."""
    period = [str(aggregate.period)] if aggregate.period else []
    return [*period, *(name for grouping in aggregate.groupings for name in natural_columns(grouping))]


def find(lake: Lake, table: str, words: Sequence[str]) -> Cell:
    """Return the cell that words name: a day of the period, then each member, `unknown` for none.

    Raises `UserError` where there is no such aggregate, or where the words name no cell of one.
    """
    name = table.lower().removeprefix("gold.")
    if name not in AGGREGATES:
        known = ", ".join(f"gold.{known}" for known in AGGREGATES)
        raise UserError(f"{table} is no aggregate", f"name one of {known}; or a key, a number, for its biography")
    aggregate = AGGREGATES[name]
    wanted = columns(aggregate)
    if len(words) != len(wanted):
        raise UserError(
            f"a cell of gold.{name} is named by {len(wanted)} values, not by {len(words)}",
            f"for instance: assay explain gold.{name} {' '.join(each.upper() for each in wanted)}",
        )
    first_day = _first_day(lake, aggregate, words[0]) if aggregate.period else None
    members = tuple(None if word == UNKNOWN else word for word in words[1 if aggregate.period else 0 :])
    return _held(lake, aggregate, first_day, members)


def _first_day(lake: Lake, aggregate: AggregateTable, word: str) -> date:
    """Return the first day of the period in which a day lies; a month may be given without a day."""
    try:
        day = date.fromisoformat(f"{word}-01" if word.count("-") == 1 else word)
    except ValueError:
        what = "write any day of the period as 2024-03-01, a month also as 2024-03"
        raise UserError(f"{word} is no day", what) from None
    unit = aggregate.period.name.lower()
    first: date = lake.rows(f"SELECT date_trunc('{unit}', ?::DATE)::DATE AS first", [day])[0]["first"]
    return first


def _held(lake: Lake, aggregate: AggregateTable, first_day: date | None, members: tuple[str | None, ...]) -> Cell:
    """Read a cell; one that is not in the table has held nothing, or holds nothing any more."""
    lake.open("gold", aggregate.name)
    joins, named, conditions = "", list[str](), list[str]()
    for grouping in aggregate.groupings:
        dimension = next((each for each in DIMENSIONS.values() if each.key == grouping.key), None)
        if dimension is not None:
            lake.open("gold", dimension.name)
            joins += f" LEFT JOIN gold.{dimension.name} USING ({grouping.key})"
        place, texts = len(named) + 1, [_in_table(name) for name in natural_columns(grouping)]
        is_member = " AND ".join(f"{text} IS NOT DISTINCT FROM ${number}" for number, text in enumerate(texts, place))
        # The table itself shows the surrogate key: a person may copy that.
        conditions.append(is_member if len(texts) > 1 else f"({is_member} OR {grouping.key}::VARCHAR = ${place})")
        named += texts
    if first_day is not None:
        conditions.append(f"{aggregate.period} = ${len(named) + 1}")
    shown = ", ".join([*(f"{text} AS name_{place}" for place, text in enumerate(named)), "row_count", "total_amount"])
    statement = f"SELECT {shown} FROM gold.{aggregate.name}{joins} WHERE {' AND '.join(conditions) or 'true'}"  # noqa: S608
    found = lake.rows(statement, [*members, *([first_day] if first_day else [])])
    if not found:
        return Cell(aggregate, first_day, members, 0, Decimal("0.00"))
    *of_row, facts, amount = found[0].values()
    return Cell(aggregate, first_day, tuple(of_row), facts, amount)


def _in_table(column: str) -> str:
    """Return the text by which an aggregate or a dimension names a member; none for the unknown one."""
    return f"nullif({column}, '{UNKNOWN}')" if column == "channel" else f"{column}::VARCHAR"


def explain(lake: Lake, cell: Cell, *, since: int = 0, most_rows: int = 10) -> Explained:
    """Read all effects that moved facts into the group of a cell or out of it; those up to run `since` as one sum."""
    lake.open("silver", "transaction_effects")
    sides = {side: _is_in(cell, f'"{side}"') for side in ("before", "after")}  # words of SQL, so they are quoted
    # Once: the effects of all time are looked through for it.
    lake.rows(MOVED.format(**sides), [*cell.members, *([cell.first_day] if cell.first_day else [])])
    (earlier,) = lake.rows(EARLIER, [since])
    lines, rows = lake.rows(BY_FILE, [since]), lake.rows(BY_ROW, [since, most_rows])
    if not (cell.facts or since or lines):
        table = f"gold.{cell.aggregate.name}"
        raise UserError(
            f"no fact has ever been in the cell {cell.name} of {table}", f'its cells: assay query "FROM {table}"'
        )
    return Explained(cell, since, earlier["facts"], earlier["amount"], lines, rows)


def _is_in(cell: Cell, side: str) -> str:
    """Return the condition that an image of a transaction is of a cell's group; `$n` stand for its members."""
    natural = [name for grouping in cell.aggregate.groupings for name in natural_columns(grouping)]
    conditions = [f"{side} IS NOT NULL"]
    conditions += [f"{side}.{name}::VARCHAR IS NOT DISTINCT FROM ${place}" for place, name in enumerate(natural, 1)]
    if cell.first_day is not None:
        unit = cell.aggregate.period.name.lower()
        conditions.append(f"date_trunc('{unit}', {side}.transacted_at)::DATE = ${len(natural) + 1}")
    return " AND ".join(conditions)


def _figures(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return rows, facts and money of some lines together."""
    changes, facts = (sum(int(line[name]) for line in lines) for name in ("changes", "facts"))
    return [f"{changes:,}", f"{facts:+,}", console.money(sum((line["amount"] for line in lines), Decimal(0)))]


def _largest(rows: Sequence[Mapping[str, Any]], files: Mapping[str, str]) -> list[RenderableType]:
    if not rows:
        return []
    names = ("dms_id", "run", "file", "row", "before", "after", "amount")
    grid = console.table(
        "The largest movements", names, right=(*names[:2], *names[3:]), keys=("file",), spare=("run", "row")
    )
    for row in rows:
        sides = ["" if row[side] is None else console.money(row[side]) for side in ("old", "new")]
        file = console.shown(files.get(row["file_id"], row["file_id"]))
        number = "" if row["row"] is None else f"{row['row']:,}"
        grid.add_row(str(row["dms_id"]), f"{row['run_seq']:,}", file, number, *sides, console.money(row["amount"]))
    return [grid]
