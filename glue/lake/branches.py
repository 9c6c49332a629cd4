"""Writes go to branches, are audited there, and reach the readers together: Iceberg's side of the one-commit protocol.

The other side, the intent item that is the commit point, lies in the ledger. Decisions: `docs/adr/0001-one-commit.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from threading import Lock
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from glue.lake.positions import (
    ancestry,
    append_rows,
    delete_rows,
    iceberg_table,
    place_of_row,
    read_files,
    replace_rows,
    rows_of_keys,
    start_branch,
)
from glue.lake.spark import in_parallel
from glue.lake.tables import CATALOG, total, widened


class Branches:
    """The branches of one run: one for each table that the run writes to, all of the same name.

    What a run does to a table is one transaction of Iceberg's, that is one commit: each costs a write to S3 and a call
    to the catalog. The table is looked up in the catalog once. References are set through Iceberg's own API
    (`ManageSnapshots`): its SQL form costs a Spark job each time.
    """

    def __init__(self, spark: SparkSession, database: str, name: str) -> None:
        self._spark = spark
        self._database = database
        self.name = name
        self._tables: dict[str, Any] = {}  # table to what the catalog said of it
        self._pending: dict[str, Any] = {}  # table to the transaction that is not committed yet
        self._locks: dict[str, Lock] = {}  # table to what one thread holds while it commits
        self._opened: dict[str, int | None] = {}  # table to the snapshot from which the branch started, if there is one
        self._seen: dict[str, int | None] = {}  # table to the published snapshot whose files hold what this run found

    @staticmethod
    def name_of_run(run_seq: int, token: str) -> str:
        """Return a name that no other process has, also not one that does the same run after this one was given up."""
        return f"run_{run_seq:08d}_{token[:12]}"

    def table(self, table: str) -> str:
        """Return the identifier under which readers see a table."""
        return f"{CATALOG}.{self._database}.{table}"

    def open(self, table: str) -> Any:
        """Start a transaction on a table, if none has begun; return the table as the transaction holds it.

        The first one starts the run's branch from `main`. Nobody sees it before `commit`, nor do this run's queries.
        """
        if table not in self._pending:
            self._pending[table] = self._iceberg(table).newTransaction()
            if table not in self._opened:
                self._opened[table] = start_branch(self._spark, self._pending[table].table(), self.name)
        return self._pending[table].table()

    def commit(self, table: str) -> None:
        """Commit what this run has done to a table, if it is not committed yet; of several threads only one does."""
        with self._locks.setdefault(table, Lock()):
            if table not in self._pending:
                return
            done = [snapshot.snapshotId() for snapshot in self._commits(table)]
            self._pending.pop(table).commitTransaction()
            if done != [snapshot.snapshotId() for snapshot in self._commits(table)]:
                # Iceberg has put the run's work on top of a compaction, which has replaced the files of its deletes.
                raise RuntimeError(f"{table} was compacted by another job while this run wrote it: run it again")

    def is_open(self, table: str) -> bool:
        """Tell whether this run has a branch of a table, that is, writes to it."""
        return table in self._opened

    def current(self, table: str) -> str:
        """Return the identifier of a table as this run sees it: its branch if there is one, else what readers see."""
        self.commit(table)
        return f"{self.table(table)}.branch_{self.name}" if self.is_open(table) else self.table(table)

    def append(self, table: str, rows: DataFrame) -> None:
        """Append rows to the run's branch, each task to files of its own: the rows of one run share a partition."""
        append_rows(self._spark, self.open(table), rows, branch=self.name)

    def replace(self, table: str, rows: DataFrame) -> None:
        """Put rows in the place of all that the table holds, on the run's branch."""
        replace_rows(self._spark, self.open(table), rows, branch=self.name)

    def note(self, table: str, properties: Mapping[str, str]) -> None:
        """Put a snapshot without rows on the run's branch, with these properties in its summary."""
        noted = self.open(table).newFastAppend().toBranch(self.name)
        for name, value in properties.items():
            noted = noted.set(name, value)
        noted.commit()

    def merge(self, table: str, rows: DataFrame, *, on: str, clauses: str) -> None:
        """Merge rows (alias `s`) into the run's branch of a table (alias `t`), for one that is partitioned.

        A merge reads the table, which Iceberg's transactions refuse: it commits by itself, to a branch that is there.
        """
        source = f"merge_into_{table}"
        rows.createOrReplaceTempView(source)
        self.open(table)
        self._spark.sql(f"MERGE INTO {self.current(table)} t USING {source} s ON {on} {clauses}")
        self._iceberg(table).refresh()

    def published_rows(self, table: str) -> DataFrame:
        """Return all rows that readers see, and the `place` of each, for `remove`."""
        snapshot, rows = self._iceberg(table).currentSnapshot(), self._spark.read
        if snapshot is not None:
            self._seen[table] = snapshot.snapshotId()
            rows = rows.option("snapshot-id", self._seen[table])
        held = rows.table(self.table(table)).select("*", place_of_row())
        return widened(held, T.StructType([*self._spark.table(self.table(table)).schema, held.schema["place"]]))

    def current_rows(self, table: str) -> DataFrame:
        """Return all rows as this run sees them, and the `place` of each, for `remove`."""
        if not self.is_open(table):
            return self.published_rows(table)
        self._seen[table] = self._opened[table]  # the run's own commits replace no file
        return self._spark.table(self.current(table)).select("*", place_of_row())

    def published_rows_of(
        self, table: str, keys: DataFrame, names: Iterable[str], *, between: tuple[int, int], most: int
    ) -> DataFrame:
        """Return columns of the rows that readers see under keys, and the `place` of each, for `remove`."""
        iceberg = self._iceberg(table)
        self._seen[table] = iceberg.currentSnapshot().snapshotId()
        return rows_of_keys(self._spark, iceberg, self.table(table), keys, names, between=between, most=most)

    def remove(self, table: str, places: DataFrame, count: int) -> None:
        """Delete the rows at these `count` places (`file_path, pos`) from the run's branch."""
        iceberg = self.open(table)
        if iceberg.spec().isPartitioned():
            raise RuntimeError(f"{table} is partitioned: Iceberg would look for these deletes in no partition of it")
        if self._opened[table] != self._seen[table]:
            # The places are those of files that a compaction has replaced.
            raise RuntimeError(f"{table} was compacted by another job while this run read it: run it again")
        delete_rows(self._spark, iceberg, places, count, branch=self.name)

    def take_over(self, tables: Iterable[str], database: str, *, last_run: int) -> None:
        """Put the rows of another database's tables in the place of these; runs count as no later than `last_run`."""
        for table in tables:
            rows = self._spark.table(f"{CATALOG}.{database}.{table}")
            if "run_seq" in rows.columns:
                rows = rows.withColumn("run_seq", F.least("run_seq", F.lit(last_run)))
            self.replace(table, rows)

    def snapshots(self) -> dict[str, int]:
        """Commit all branches; return the head of each: what the intent promises to publish."""
        in_parallel({table: partial(self.commit, table) for table in self._opened})
        return {table: self._head(table).snapshotId() for table in self._opened}

    def rows_at_most(self, table: str) -> int:
        """Return an upper bound of the rows that this run sees in a table: the dead are among them, 0 means none."""
        snapshot = self._head(table) if self.is_open(table) else self._iceberg(table).currentSnapshot()
        return int(snapshot.summary().get("total-records") or 0) if snapshot is not None else 0

    def rows_moved(self, table: str) -> int:
        """Return by how many rows this run's commits have changed a table, from what each of them says that it did.

        The difference of totals would not do: where data files were rewritten, Iceberg still counts their deletes.
        """
        moved = 0
        for snapshot in self._commits(table):
            summary = snapshot.summary()
            moved += int(summary.get("added-records") or 0) - int(summary.get("added-position-deletes") or 0)
        return moved

    def _commits(self, table: str) -> Iterator[Any]:
        """Yield the snapshots that this run has put on its branch of a table, the newest first."""
        for snapshot in ancestry(self._written(table), self._head(table)):
            if snapshot.snapshotId() == self._opened[table]:
                return
            yield snapshot

    def columns_since(self, table: str, snapshot_id: int) -> set[str]:
        """Return the columns that a table has got since a snapshot was written; none of its rows has a value there."""
        iceberg = self._iceberg(table)
        schemas = (iceberg.schema(), iceberg.schemas()[iceberg.snapshot(snapshot_id).schemaId()])
        now, then = ({str(column.name()) for column in schema.columns()} for schema in schemas)
        return now - then

    def added_rows(self, table: str) -> int:
        """Return how many rows the branch's newest snapshot added, from its own summary."""
        return int(self._head(table).summary().get("added-records") or 0)

    def added(self, table: str, money: str) -> tuple[int, Decimal]:
        """Return count and money of the rows that this run's commits added to a table."""
        count = F.count(F.lit(1)).alias("row_count")
        ((row_count, amount),) = self.new_rows(table).agg(count, total(money).alias("amount")).collect()
        return row_count, amount

    def new_rows(self, table: str) -> DataFrame:
        """Return the rows that this run's commits added to a table, from the data files that they name.

        To have the table look for the run's number would plan a scan, and make code for this number alone.
        """
        io, schema = self._iceberg(table).io(), self._spark.table(self.table(table)).schema
        added = [snapshot.addedDataFiles(io) for snapshot in self._commits(table)]
        paths = [str(file.location()) for files in added for file in files]
        return read_files(self._spark, schema, paths) if paths else self._spark.createDataFrame([], schema)

    def fast_forward(self, table: str, snapshot_id: int) -> None:
        """Let readers see a promised snapshot, and drop the branches of earlier runs and tries, in one commit.

        This run's own stays: it keeps its snapshot and totals from expiry. Doing it twice is harmless.
        """
        iceberg, number = self._iceberg(table), len("run_00000000")
        main, references, head = iceberg.currentSnapshot(), iceberg.manageSnapshots(), iceberg.snapshot(self.name)
        if main is not None and main.snapshotId() == snapshot_id:
            return
        if head is None or head.snapshotId() != snapshot_id:
            raise RuntimeError(
                f"branch {self.name} of {table} is not at the snapshot {snapshot_id} that its run committed"
            )
        if self._is_behind(iceberg):
            references = references.fastForwardBranch("main", self.name)
        else:
            references = references.replaceBranch("main", self.name)
        for name in iceberg.refs():
            if name.startswith("run_") and name[:number] <= self.name[:number] and name != self.name:
                references = references.removeBranch(name)
        references.commit()

    def _is_behind(self, iceberg: Any) -> bool:
        """Tell whether `main` is where the run began; else only compactions may have come since, and they are given up.

        A second job that ran at the same time may have compacted: that changes files, never rows.
        """
        begun = {snapshot.snapshotId() for snapshot in ancestry(iceberg, iceberg.snapshot(self.name))}
        main = iceberg.currentSnapshot()
        if main is None or main.snapshotId() in begun:
            return True
        for snapshot in ancestry(iceberg, main):
            if snapshot.snapshotId() in begun:
                break
            if snapshot.operation() != "replace":
                raise RuntimeError(f"somebody else has committed to {iceberg.name()} since run {self.name} began")
        return False

    def _iceberg(self, table: str) -> Any:
        """Return a table as the catalog had it when this run first asked."""
        if table not in self._tables:
            self._tables[table] = iceberg_table(self._spark, self.table(table))
        return self._tables[table]

    def _written(self, table: str) -> Any:
        """Return a table with all that this run has done to it."""
        return self._pending[table].table() if table in self._pending else self._iceberg(table)

    def _head(self, table: str) -> Any:
        return self._written(table).snapshot(self.name)
