"""Compacts the tables of both layers, by the jobs of the layers: nothing else may commit to their tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from assay import console, runs
from assay.query import Lake, lake
from assay.target import Target

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Extent:
    """What a table consists of: files of rows, files that say which of their rows are dead, and the bytes of both."""

    data_files: int
    delete_files: int
    size: int


def maintain(target: Target, *, orphans: bool = False) -> tuple[Mapping[str, Extent], Mapping[str, Extent]]:
    """Let both jobs compact all tables, if there are any; return what the tables consisted of before and after.

    With `orphans` they also remove the files that no snapshot names.
    """
    before = _extents(target)
    if not before:
        return before, before
    stack = target.stack
    for layer, job in (("Silver", stack.silver_job), ("Gold", stack.gold_job)):
        with console.working(f"{layer}: compacting"):
            runs.run(target, job, {"--maintain": "orphans" if orphans else "true"})
    return before, _extents(target)


def _extents(target: Target) -> dict[str, Extent]:
    with lake(target) as tables:
        found = {name: _extent(tables, name) for name in tables.tables()}
    return {name: extent for name, extent in found.items() if extent.data_files}


def _extent(tables: Lake, name: str) -> Extent:
    summary = tables.summary(*name.split("."))
    sizes = (int(summary.get(f"total-{what}", 0)) for what in ("data-files", "delete-files", "files-size"))
    return Extent(*sizes)


def render(before: Mapping[str, Extent], after: Mapping[str, Extent]) -> RenderableType:
    columns = ("data files", "delete files", "megabytes")
    grid = console.table(
        "Tables, before and after", ("table", *columns), right=columns, keys=("table",), spare=("delete files",)
    )
    for name, now in after.items():
        then = before.get(name, now)
        grid.add_row(
            name,
            _change(console.count(then.data_files), console.count(now.data_files)),
            _change(console.count(then.delete_files), console.count(now.delete_files)),
            _change(f"{then.size / MEGABYTE:,.1f}", f"{now.size / MEGABYTE:,.1f}"),
        )
    return grid


def _change(then: str, now: str) -> Text:
    return Text(now, style="dim") if then == now else Text(f"{then} → {now}")


def as_json(before: Mapping[str, Extent], after: Mapping[str, Extent]) -> list[dict[str, Any]]:
    return [
        {"table": name, "before": asdict(before[name]) if name in before else None, "after": asdict(now)}
        for name, now in after.items()
    ]
