"""Keeps tables quick to read: merges small files and deletes once enough have gathered, forgets old snapshots.

Each commit is a whole one and changes no row, so a kill between them does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from pyspark.sql import SparkSession

from glue.lake.positions import ancestry, iceberg_table, loaded_table, merge_deletes
from glue.lake.spark import in_parallel
from glue.lake.tables import CATALOG

CROWD = 10  # small data files, or delete files; each costs a reader some requests
SMALL_FILE_BYTES = 4 << 20
DEAD_SHARE = 10  # percent of the rows; until then a reader is quicker in passing over them than a job in rewriting
KEPT_SNAPSHOTS = 100
ORPHAN_DAYS = 3
Snapshots = Callable[[], set[int]]
# Files that are well sized stay as they are, so the cost follows what has come since.
OF_SIZE = (
    f"'min-input-files', '2', 'min-file-size-bytes', '{SMALL_FILE_BYTES}', 'target-file-size-bytes', '{128 << 20}'"
)
SMALL_FILES = f"map({OF_SIZE})"
FILES_WITH_DEAD_ROWS = f"map('delete-file-threshold', '1', {OF_SIZE})"


def compact(spark: SparkSession, database: str, tables: Iterable[str], *, named: Snapshots) -> list[str]:
    """Rewrite the small files and the deletes of tables that have gathered too many; return their names.

    Snapshots that are `named` elsewhere do not expire.
    """
    return _compact_each(spark, database, tables, CROWD, DEAD_SHARE, named)


def compact_all(spark: SparkSession, database: str, tables: Iterable[str], *, named: Snapshots) -> list[str]:
    """Merge the small files of tables and free their dead rows, however few there are; return their names."""
    return _compact_each(spark, database, tables, 1, 0, named)


def _compact_each(
    spark: SparkSession, database: str, tables: Iterable[str], crowd: int, dead_share: int, named: Snapshots
) -> list[str]:
    names = {table: f"{CATALOG}.{database}.{table}" for table in tables}
    tasks = {table: partial(_compact_one, spark, name, crowd, dead_share, named) for table, name in names.items()}
    return [table for table, is_compacted in in_parallel(tasks).items() if is_compacted]


def _compact_one(spark: SparkSession, name: str, crowd: int, dead_share: int, named: Snapshots) -> bool:
    iceberg = loaded_table(spark, name)  # after a run, that is what it has published
    if iceberg.currentSnapshot() is None:
        return False
    summary = iceberg.currentSnapshot().summary()
    rows, dead, deletes = (
        int(summary.get(f"total-{kind}") or 0) for kind in ("records", "position-deletes", "delete-files")
    )
    if not rows:
        return False
    if deletes >= crowd and 100 * dead > dead_share * rows:
        _rewrite_data_files(spark, name, FILES_WITH_DEAD_ROWS)
    elif small_files(iceberg) >= max(crowd, 2):
        _rewrite_data_files(spark, name, SMALL_FILES)
    elif deletes < crowd:
        return False
    if deletes:
        merge_deletes(spark, iceberg_table(spark, name))
    expire(iceberg_table(spark, name), named)
    return True


def small_files(iceberg: Any) -> int:
    """Return how many small files have come since data files were last rewritten, from the snapshots' summaries.

    A compaction of delete files alone replaces no data file, so it does not end the count.
    """
    files = 0
    for snapshot in ancestry(iceberg, iceberg.currentSnapshot()):
        summary = snapshot.summary()
        if int(summary.get("deleted-data-files") or 0):
            break
        added = int(summary.get("added-data-files") or 0)
        if int(summary.get("added-files-size") or 0) < added * SMALL_FILE_BYTES:
            files += added
    return files


def _rewrite_data_files(spark: SparkSession, name: str, options: str) -> None:
    spark.sql(f"CALL {CATALOG}.system.rewrite_data_files(table => '{name}', options => {options})")


def expire(iceberg: Any, named: Snapshots) -> None:
    """Forget old snapshots, but for those that are named: by a branch, as the last run's, or by a cut."""
    snapshots = sorted((snapshot.timestampMillis(), snapshot.snapshotId()) for snapshot in iceberg.snapshots())
    if len(snapshots) <= 2 * KEPT_SNAPSHOTS:
        return
    kept = {*named(), *(iceberg.refs()[name].snapshotId() for name in iceberg.refs())}
    # By its own rule, Iceberg would forget all that is older than five days.
    forgotten = iceberg.expireSnapshots().expireOlderThan(0)
    for _, snapshot_id in snapshots[:-KEPT_SNAPSHOTS]:
        if snapshot_id not in kept:
            forgotten = forgotten.expireSnapshotId(snapshot_id)
    forgotten.commit()


def remove_orphans(spark: SparkSession, database: str, tables: Iterable[str], *, now: datetime) -> dict[str, int]:
    """Remove the files of tables that no snapshot names: of killed runs. Return how many, by table.

    A run that is at work writes files before it names them, so younger ones stay.
    """
    before, found = f"{now - timedelta(days=ORPHAN_DAYS):%Y-%m-%d %H:%M:%S}", {}
    for table in tables:
        # Listed by Iceberg's own access to S3, as the files were written.
        arguments = f"table => '{database}.{table}', older_than => TIMESTAMP '{before}', prefix_listing => true"
        found[table] = spark.sql(f"CALL {CATALOG}.system.remove_orphan_files({arguments})").count()
    return {table: count for table, count in found.items() if count}
