"""What a replay found: as tables for people, as one object for programs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from assay import console
from assay.ledger import Item
from assay.replay.comparison import Difference, TableComparison, TotalComparison


@dataclass(frozen=True)
class Report:
    """A comparison of production after two runs with its replay, and the files that did not come through the replay."""

    silver_run: int
    gold_run: int
    seed: int
    files: int
    tables: Sequence[TableComparison]
    totals: Sequence[TotalComparison]
    lost: Sequence[Item]

    @property
    def agrees(self) -> bool:
        return not self.lost and all(table.equal for table in self.tables) and all(total.equal for total in self.totals)

    def as_json(self) -> dict[str, Any]:
        return {
            "agrees": self.agrees,
            "silver_run": self.silver_run,
            "gold_run": self.gold_run,
            "seed": self.seed,
            "files": self.files,
            "tables": [table.as_json() for table in self.tables],
            "totals": [total.as_json() for total in self.totals],
            "not_replayed": [{"key": item["key"], "why": why(item)} for item in self.lost],
        }


def why(item: Item) -> str:
    """Return why a file did not come through the replay."""
    if item.get("failed"):
        return f"in {item['failed']['stage']}: {item['failed']['reason']}"
    reasons = "; ".join(reason["text"] for reason in item.get("reasons", []))
    return reasons or f"still {item['status']}"


def render(report: Report) -> RenderableType:
    runs = f"Silver's run {report.silver_run} and Gold's run {report.gold_run}"
    title = f"Replay of {report.files:,} files, up to {runs}, seed {report.seed}"
    grid = console.table(
        title,
        ("", "table", "production", "replay", "differing keys"),
        right=("production", "replay", "differing keys"),
        keys=("table",),
    )
    for table in report.tables:
        differing = console.count(table.differing_keys) if table.differing_keys else ""
        grid.add_row(
            console.mark(table.equal),
            table.table,
            console.count(table.production_rows),
            console.count(table.replay_rows),
            differing,
        )
    grid.add_section()
    for total in report.totals:
        shown = [_value(value) if not total.equal else _short(value) for value in (total.production, total.replay)]
        grid.add_row(console.mark(total.equal), total.what, *shown, "")
    lines = [
        Text(f"{table.table} {_key(found)}: {_columns(found)}") for table in report.tables for found in table.first
    ]
    lost = [Text(console.shown(f"not replayed: {item['key']}: {why(item)}"), style="red") for item in report.lost]
    return Group(grid, *lines, *lost)


def _key(difference: Difference) -> str:
    return ", ".join(f"{name} {_value(value)}" for name, value in difference.key.items())


def _columns(difference: Difference) -> str:
    return "; ".join(f"{name} {_value(one)} ≠ {_value(other)}" for name, (one, other) in difference.columns.items())


def _value(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=console.as_text)
    return console.as_text(value)


def _short(value: object) -> str:
    """Write a value of which one need only know that it is the same on both sides."""
    return f"{len(value):,} in all" if isinstance(value, dict) else _value(value)
