"""Writes go to branches, are audited there, and reach the readers together: Iceberg's side of the one-commit protocol.

The other side, the intent item that is the commit point, lies in the ledger. Decisions: `docs/adr/0001-one-commit.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

CATALOG = "glue_catalog"
MONEY = "decimal(18,2)"
TOTAL = "decimal(38,2)"
ROWS_A_PARTITION = 250_000  # about 50 MB of rows with their images and orders


class AuditFailed(Exception):  # noqa: N818 - the audit did
    """Rows or cents do not add up; nothing of the run is published."""


def require(what: str, *, found: object, expected: object) -> None:
    """Raise `AuditFailed` with both figures unless they are equal."""
    if found != expected:
        raise AuditFailed(f"{what}: found {found}, expected {expected}")


def together(writes: Iterable[Callable[[], None]]) -> None:
    """Carry out independent writes side by side: for small ones the driver mostly plans, and waits for storage."""
    with ThreadPoolExecutor(4) as pool:
        for outcome in [pool.submit(write) for write in writes]:
            outcome.result()


class Branches:
    """The branches of one run: one for each table that the run writes to, all of the same name.

    References are set through Iceberg's own API (`ManageSnapshots`): its SQL form costs a Spark job each time.
    """

    def __init__(self, spark: SparkSession, database: str, name: str) -> None:
        self._spark = spark
        self._database = database
        self.name = name
        self._opened: list[str] = []

    @staticmethod
    def name_of_run(run_seq: int) -> str:
        return f"run_{run_seq:08d}"

    def table(self, table: str) -> str:
        """Return the identifier under which readers see a table."""
        return f"{CATALOG}.{self._database}.{table}"

    def open(self, table: str) -> str:
        """Start this run's branch from `main`, in place of one that a killed run left; return its identifier."""
        if table not in self._opened:
            iceberg = self._iceberg(table)
            if iceberg.currentSnapshot() is None:
                # A branch needs a snapshot to start from.
                self._spark.table(self.table(table)).limit(0).writeTo(self.table(table)).append()
                iceberg.refresh()
            references = iceberg.manageSnapshots()
            if iceberg.refs().containsKey(self.name):
                references = references.removeBranch(self.name)
            references.createBranch(self.name, iceberg.currentSnapshot().snapshotId()).commit()
            self._opened.append(table)
        return f"{self.table(table)}.branch_{self.name}"

    def append(self, table: str, rows: DataFrame, properties: Mapping[str, str] | None = None) -> None:
        """Append rows to the run's branch; the properties go into the snapshot's summary."""
        writer = rows.writeTo(self.open(table))
        for name, value in (properties or {}).items():
            writer = writer.option(f"snapshot-property.{name}", value)
        writer.append()

    def merge(self, table: str, rows: DataFrame, *, on: str, clauses: str) -> None:
        """Merge rows (alias `s`) into the run's branch of a table (alias `t`)."""
        source = f"merge_into_{table}"
        rows.createOrReplaceTempView(source)
        self._spark.sql(f"MERGE INTO {self.open(table)} t USING {source} s ON {on} {clauses}")

    def snapshots(self) -> dict[str, int]:
        """Return the head of each opened branch: what the intent promises to publish."""
        return {table: self._head(table).snapshotId() for table in self._opened}

    def living_rows(self, table: str) -> int:
        """Return how many rows the branch holds, from the counts that Iceberg keeps with each snapshot."""
        summary = self._head(table).summary()
        return int(summary["total-records"]) - int(summary["total-position-deletes"])

    def added_rows(self, table: str) -> int:
        """Return how many rows the branch's newest snapshot added, from its own summary."""
        return int(self._head(table).summary().get("added-records") or 0)

    def added(self, table: str, money: str) -> tuple[int, Decimal]:
        """Return count and money of the rows that the branch's newest snapshot added, read from its data files."""
        files = self._head(table).addedDataFiles(self._iceberg(table).io())
        paths = [str(file.location()) for file in files]
        if not paths:
            return 0, Decimal(0)
        rows = self._spark.read.parquet(*paths)
        found = rows.agg(F.count(F.lit(1)).alias("row_count"), total(money).alias("amount")).first()
        return found.row_count, found.amount

    def fast_forward(self, snapshots: Mapping[str, int]) -> None:
        """Publish the promised snapshots in the order given; doing it twice is harmless."""
        for table, snapshot_id in snapshots.items():
            iceberg = self._iceberg(table)
            if iceberg.currentSnapshot().snapshotId() == snapshot_id:
                continue
            if self._head(table).snapshotId() != snapshot_id:
                raise RuntimeError(
                    f"branch {self.name} of {table} is not at the snapshot {snapshot_id} that its run committed"
                )
            iceberg.manageSnapshots().fastForwardBranch("main", self.name).commit()

    def drop_older(self, tables: Iterable[str]) -> None:
        """Drop the branches of earlier runs; the newest stays, it protects its snapshot and its totals from expiry."""

        def drop(table: str) -> None:
            iceberg = self._iceberg(table)
            references = iceberg.manageSnapshots()
            older = [name for name in iceberg.refs() if name.startswith("run_") and name < self.name]
            for name in older:
                references = references.removeBranch(name)
            if older:
                references.commit()

        together([partial(drop, table) for table in tables])

    def _iceberg(self, table: str) -> Any:
        loader = self._spark._jvm.org.apache.iceberg.spark.Spark3Util
        iceberg = loader.loadIcebergTable(self._spark._jsparkSession, self.table(table))
        iceberg.refresh()
        return iceberg

    def _head(self, table: str) -> Any:
        return self._iceberg(table).snapshot(self.name)


def settled(rows: DataFrame) -> DataFrame:
    """Return rows that are computed once, by the first use; later plans begin at the result and stay small."""
    return rows.localCheckpoint(eager=False)


def size_shuffles(spark: SparkSession, rows: int) -> None:
    """Set the shuffle partitions by the rows of a run: each costs a task, and an increment needs few."""
    spark.conf.set("spark.sql.shuffle.partitions", str(min(64, 2 + rows // ROWS_A_PARTITION)))


def create_tables(spark: SparkSession, database: str, tables: Mapping[str, tuple[str, str, str]]) -> None:
    """Create the tables that do not exist yet: name to (columns, partitioning or "", sort order or "")."""
    existing = {row.tableName for row in spark.sql(f"SHOW TABLES IN {CATALOG}.{database}").collect()}
    for table, (columns, partitioning, order) in tables.items():
        if table in existing:
            continue
        name = f"{CATALOG}.{database}.{table}"
        spark.sql(
            f"CREATE TABLE IF NOT EXISTS {name} ({columns}) USING iceberg {partitioning} TBLPROPERTIES ("
            "'format-version'='2', 'write.delete.mode'='merge-on-read', 'write.update.mode'='merge-on-read', "
            "'write.merge.mode'='merge-on-read', 'write.parquet.compression-codec'='zstd')"
        )
        if order:
            spark.sql(f"ALTER TABLE {name} WRITE LOCALLY ORDERED BY {order}")


def total(amount: str) -> Column:
    """Return the exact sum of a money column, 0 for no rows."""
    return F.coalesce(F.sum(F.col(amount).cast(TOTAL)), F.lit(Decimal(0))).cast(TOTAL)


def cents(amount: Decimal | None) -> str:
    """Return an exact amount as the ledger writes it: text with two decimals."""
    return f"{(amount or Decimal(0)).quantize(Decimal('0.01'))}"
