"""Silver as Gold reads it: at the snapshots of one of its runs, so that it may move on meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from contract.items import FileItem
from contract.runs import LayerTotals, PublishedRun
from contract.subjects import REFERENCES, TRANSACTIONS
from contract.tables import SILVER_TABLES
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from glue.lake.decisions import in_effect, undone_files
from glue.lake.positions import iceberg_table, planned_files, read_files
from glue.lake.repairs import has_repairs
from glue.lake.run import Job
from glue.lake.spark import local_rows
from glue.lake.tables import CATALOG, widened

HISTORY_TABLE = "transaction_history"
OF_FILES = (HISTORY_TABLE, *REFERENCES)
"""The tables of which only the rows of files in effect count."""


@dataclass(frozen=True)
class SilverFeed:
    """Silver as one of its runs left it, and what Gold has not taken of it yet."""

    job: Job
    run: PublishedRun
    taken: LayerTotals

    @property
    def spark(self) -> SparkSession:
        return self.job.spark

    def rows(self, table: str, *, by_columns: bool = False) -> DataFrame:
        """Return a table as the run left it, in the form of the contract: a column that it had not yet is null.

        Iceberg reads structs and lists row by row. By columns, Spark's own reader reads the files that it names.
        """
        if table not in self.run["snapshots"]:
            return self.spark.table(self._name(table)).limit(0)
        rows = self.spark.read.option("snapshot-id", self.run["snapshots"][table]).table(self._name(table))
        rows = widened(rows, cast(T.StructType, T._parse_datatype_string(SILVER_TABLES[table].column_list)))
        files = self._files(table) if by_columns else {}
        return read_files(self.spark, rows.schema, files) if files else rows

    def newest_rows(self, table: str, count: int) -> DataFrame:
        """Return rows of files in effect from the newest data files of a table: some `count`, none of repairs.

        Which of its repairs counts, only all rows tell. A table that has no more rows gives none, nor does one with
        deletes.
        """
        files, taken, rows = self._files(table), list[str](), self._appended(table)
        for path in sorted(files, key=lambda path: (files[path].dataSequenceNumber(), path), reverse=True):
            if count <= 0:
                break
            taken.append(path)
            count -= files[path].recordCount()
        newest = read_files(self.spark, rows.schema, taken) if len(taken) < len(files) else rows.limit(0)
        return newest.where(F.col("repairs").isNull() & ~F.col("file_id").isin(*self._undone))

    def _name(self, table: str) -> str:
        return f"{CATALOG}.{self.job.arguments.silver_database}.{table}"

    def _files(self, table: str) -> dict[str, Any]:
        """Return the data files of a table as the run left it, by path; none where rows are deleted."""
        if table not in self._planned:
            scan = iceberg_table(self.spark, self._name(table)).newScan().useSnapshot(self.run["snapshots"][table])
            files, deletes = planned_files(scan)
            self._planned[table] = {} if deletes else files
        return self._planned[table]

    @cached_property
    def _planned(self) -> dict[str, dict[str, Any]]:
        """Keep what was planned: to plan costs requests, and a snapshot never changes."""
        return {}

    def whole(self, table: str, *, by_columns: bool = False) -> DataFrame:
        """Return the rows of files in effect that were appended to a table up to the named run; all of other tables."""
        rows = self._appended(table, by_columns=by_columns)
        if table == HISTORY_TABLE and has_repairs(self.run):
            undone = [{"file_id": file_id} for file_id in self._undone]
            return in_effect(rows, local_rows(self.spark, undone, "file_id string"), rows)
        return rows.where(~F.col("file_id").isin(*self._undone)) if table in OF_FILES and self._undone else rows

    def _appended(self, table: str, *, by_columns: bool = False) -> DataFrame:
        return self.rows(table, by_columns=by_columns).where(F.col("run_seq") <= self.run["run_seq"])

    def feed(self, table: str) -> DataFrame:
        """Return the rows that were appended to a table since the run that Gold shows."""
        return self.whole(table).where(F.col("run_seq") > self.taken.get("silver_run_seq", 0))

    def has_news(self, table: str) -> bool:
        """Tell whether a table has grown, or files of it were undone or redone, since the run that Gold shows."""
        return self.has_grown(table) or self.is_decided(table)

    def has_grown(self, table: str) -> bool:
        """Tell from the snapshots alone whether a table has grown since the run that Gold shows."""
        seen = self.taken.get("silver_snapshots", {}).get(table)
        return self.run["snapshots"].get(table) not in (None, seen)

    @cached_property
    def _undone(self) -> list[str]:
        """Name the files that are not in effect at the named run."""
        if "decisions" not in self.run["snapshots"]:
            return []
        return [row.file_id for row in undone_files(self._appended("decisions")).collect()]

    @cached_property
    def _decided(self) -> dict[str, list[str]]:
        """Return, by the table that holds their rows, the files decided on since the run that Gold shows."""
        found: dict[str, list[str]] = {}
        for file in self._decided_files:
            table = HISTORY_TABLE if file["subject"] == TRANSACTIONS.name else file["subject"]
            found.setdefault(table, []).append(file["file_id"])
        return found

    @cached_property
    def _decided_files(self) -> list[FileItem]:
        if not self.has_grown("decisions"):
            return []
        file_ids = [row.file_id for row in self.feed("decisions").select("file_id").distinct().collect()]
        return self.job.ledger.files(file_ids)

    @cached_property
    def _repaired(self) -> list[str]:
        """Return the files whose repairs count otherwise than in the run that Gold shows: repaired or decided since."""
        shown = self.taken.get("silver_run_seq", 0)
        found = [file.get("repairs", file["file_id"]) for file in self._decided_files] if has_repairs(self.run) else []
        if self.run.get("last_repair", 0) > shown:
            fresh = self._appended(HISTORY_TABLE).where((F.col("run_seq") > shown) & F.col("repairs").isNotNull())
            found += [row.repairs for row in fresh.select("repairs").distinct().collect()]
        return found

    def is_decided(self, table: str) -> bool:
        """Tell whether files with rows in a table were undone, redone or repaired since the run that Gold shows."""
        return table in self._decided or (table == HISTORY_TABLE and bool(self._repaired))

    def decided(self, table: str) -> DataFrame:
        """Return the rows of these files, in effect or not; of repaired ones those of all their repairs."""
        chosen = F.col("file_id").isin(*self._decided.get(table, []))
        if table == HISTORY_TABLE and self._repaired:
            chosen = chosen | F.coalesce(F.col("repairs").isin(*self._repaired), F.lit(False))
        return self._appended(table).where(chosen)

    def touched(self, table: str, key: str) -> DataFrame:
        """Return the keys that rows name that are new to Gold, or whose files were decided on."""
        return self.feed(table).select(key).unionByName(self.decided(table).select(key)).distinct()

    @property
    def is_one_run(self) -> bool:
        """Tell whether the feeds hold rows of the named run alone."""
        return bool(self.run["run_seq"] == self.taken.get("silver_run_seq", 0) + 1)
