"""Reads what runs wrote from the snapshot summaries that Iceberg keeps, through pyiceberg."""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import pyarrow.parquet as pq
from pyiceberg.catalog.glue import GlueCatalog

if TYPE_CHECKING:
    from pyiceberg.io import InputFile

    from assay.target import Target

COUNTED = (
    "added-records",
    "added-data-files",
    "added-delete-files",
    "added-position-deletes",
    "added-files-size",
    "deleted-records",
    "deleted-data-files",
    "removed-delete-files",
    "removed-position-deletes",
)
HELD = ("total-records", "total-data-files", "total-delete-files", "total-files-size")
Summary = dict[str, int]


class Snapshots:
    """The snapshots of all tables of a stack; `news` tells what has come since it was last asked."""

    def __init__(self, target: Target) -> None:
        environment = {"s3.endpoint": target.endpoint or "", "s3.region": target.session.region_name}
        credentials = target.session.get_credentials()
        if credentials is None:
            raise ValueError("no credentials")
        frozen = credentials.get_frozen_credentials()
        keys = {"s3.access-key-id": frozen.access_key, "s3.secret-access-key": frozen.secret_key}
        path_style = {"s3.force-virtual-addressing": "false"}
        self._catalog = GlueCatalog("benchmark", client=target.glue, **environment, **keys, **path_style)
        self._databases = (target.stack.silver_database, target.stack.gold_database)
        self._seen: set[int] = set()

    def news(self) -> dict[str, Summary]:
        """Return per table what the snapshots since the last call added and removed, and what the table holds."""
        tables = [name for database in self._databases for name in self._catalog.list_tables(database)]
        found = {f"{_layer(name[0])}.{name[1]}": self._news_of(name) for name in tables}
        return {table: summary for table, summary in found.items() if summary}

    def facts_of(self, months: Sequence[str]) -> dict[str, int]:
        """Return how many row groups and rows of the facts a scan of these months (`2019-05`) reads, of how many rows.

        Files are those of Iceberg's plan; of them a reader passes over the row groups whose days lie outside.
        """
        facts = next(
            self._catalog.load_table((name, "fact_transactions")) for name in self._databases if "gold" in name
        )
        spans = [(date.fromisoformat(f"{month}-01"), date.fromisoformat(_last_day(month))) for month in months]
        wanted = " or ".join(f"(transacted_on >= '{first}' and transacted_on <= '{last}')" for first, last in spans)
        groups = [
            group
            for task in facts.scan(row_filter=wanted).plan_files()
            for group in _row_groups(facts.io.new_input(task.file.file_path), "transacted_on")
            if any(group.low <= last and group.high >= first for first, last in spans)
        ]
        rows = sum(group.rows for group in groups)
        return {"months": len(spans), "groups": len(groups), "rows": rows, "of_rows": facts.scan().count()}

    def _news_of(self, name: tuple[str, ...]) -> Summary:
        metadata = self._catalog.load_table(name).metadata
        fresh = [snapshot for snapshot in metadata.snapshots if snapshot.snapshot_id not in self._seen]
        self._seen.update(snapshot.snapshot_id for snapshot in fresh)
        counts: Counter[str] = Counter()
        for snapshot in fresh:
            summary = snapshot.summary.additional_properties if snapshot.summary else {}
            counts.update({key: int(summary.get(key, 0)) for key in COUNTED})
            held = {key: int(summary[key]) for key in HELD if key in summary}
        return {**counts, **held} if any(counts.values()) else {}


class RowGroup(NamedTuple):
    """A part of a Parquet file that is read or passed over as a whole, with its bounds in one column."""

    rows: int
    low: date
    high: date


def _row_groups(file: InputFile, column: str) -> list[RowGroup]:
    with file.open() as stream:
        metadata = pq.read_metadata(stream)
    place = metadata.schema.to_arrow_schema().get_field_index(column)
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    bounds = [group.column(place).statistics for group in groups]
    return [RowGroup(group.num_rows, its.min, its.max) for group, its in zip(groups, bounds, strict=True)]


def _last_day(month: str) -> str:
    year, number = map(int, month.split("-"))
    return f"{month}-{monthrange(year, number)[1]:02d}"


def _layer(database: str) -> str:
    return "gold" if "gold" in database else "silver"
