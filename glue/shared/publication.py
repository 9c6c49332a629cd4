"""Writes go to branches, are audited there, and reach the readers together: Iceberg's side of the one-commit protocol.

The other side, the intent item that is the commit point, lies in the ledger. Decisions: `docs/adr/0001-one-commit.md`.
"""

from __future__ import annotations

import argparse
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from typing import Any

import boto3
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from glue.shared.ledger import FencedOut, Item, Ledger, now_text

CATALOG = "glue_catalog"
MONEY = "decimal(18,2)"
TOTAL = "decimal(38,2)"
ROW_ORDER = (
    "struct<position: timestamp, phase: int, instant: timestamp, object_key: string, sequencer: string,"
    " version_id: string, row: bigint>"
)
MINUS_INFINITY = "1800-01-01 00:00:00"  # a position before all instants; pandas and Python can hold it too
CROWD = 10  # small data files, or delete files; each costs a reader some requests
SMALL_FILE_BYTES = 4 << 20
DEAD_SHARE = 10  # percent of the rows; until then a reader is quicker in passing over them than a job in rewriting
KEPT_SNAPSHOTS = 100
# Files that are well sized stay as they are, so the cost follows what has come since.
OF_SIZE = (
    f"'min-input-files', '2', 'min-file-size-bytes', '{SMALL_FILE_BYTES}', 'target-file-size-bytes', '{128 << 20}'"
)
SMALL_FILES = f"map({OF_SIZE})"
FILES_WITH_DEAD_ROWS = f"map('delete-file-threshold', '1', {OF_SIZE})"
POSITION_DELETES = "file_path string, pos bigint"
PLACE = f"struct<{POSITION_DELETES}>"
FIELD_IDS = {"file_path": 2147483546, "pos": 2147483545}  # reserved by Iceberg's specification
ROWS_A_PARTITION = 250_000  # about 50 MB of rows with their images and orders
SCAN_BYTES = 64 << 20  # a file of a first load has 30 to 40 MB; half of Spark's own setting
BROADCAST_KEYS = 1_000_000  # some 100 MB of hash table


class AuditFailed(Exception):  # noqa: N818 - the audit did
    """Rows or cents do not add up; nothing of the run is published."""


def require(what: str, *, found: object, expected: object) -> None:
    """Raise `AuditFailed` with both figures unless they are equal."""
    if found != expected:
        raise AuditFailed(f"{what}: found {found}, expected {expected}")


def at_once(questions: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Return the answers to independent questions, asked side by side; the first error is raised."""
    with ThreadPoolExecutor(4) as pool:
        asked = {name: pool.submit(question) for name, question in questions.items()}
        return {name: answer.result() for name, answer in asked.items()}


def together(writes: Iterable[Callable[[], None]]) -> None:
    """Carry out independent writes side by side: for small ones the driver mostly plans, and waits for storage."""
    at_once({str(number): write for number, write in enumerate(writes)})


class Branches:
    """The branches of one run: one for each table that the run writes to, all of the same name.

    References are set through Iceberg's own API (`ManageSnapshots`): its SQL form costs a Spark job each time.
    """

    def __init__(self, spark: SparkSession, database: str, name: str) -> None:
        self._spark = spark
        self._database = database
        self.name = name
        self._opened: dict[str, int] = {}  # table to the snapshot from which the branch started
        self._seen: dict[str, int] = {}  # table to the published snapshot in which this run found rows

    @staticmethod
    def name_of_run(run_seq: int, token: str) -> str:
        """Return a name that no other process has, also not one that does the same run after this one was given up."""
        return f"run_{run_seq:08d}_{token[:12]}"

    def table(self, table: str) -> str:
        """Return the identifier under which readers see a table."""
        return f"{CATALOG}.{self._database}.{table}"

    def open(self, table: str) -> str:
        """Start this run's branch from `main`, if it has not begun; return its identifier."""
        if table not in self._opened:
            iceberg = self._iceberg(table)
            if iceberg.currentSnapshot() is None:
                # A branch needs a snapshot to start from.
                iceberg.newFastAppend().commit()
            start = iceberg.currentSnapshot().snapshotId()
            iceberg.manageSnapshots().createBranch(self.name, start).commit()
            self._opened[table] = start
        return f"{self.table(table)}.branch_{self.name}"

    def is_open(self, table: str) -> bool:
        """Tell whether this run has a branch of a table, that is, writes to it."""
        return table in self._opened

    def current(self, table: str) -> str:
        """Return the identifier of a table as this run sees it: its branch if there is one, else what readers see."""
        return f"{self.table(table)}.branch_{self.name}" if self.is_open(table) else self.table(table)

    def append(self, table: str, rows: DataFrame) -> None:
        """Append rows to the run's branch, each task to files of its own: the rows of one run share a partition."""
        rows.writeTo(self.open(table)).option("distribution-mode", "none").option("fanout-enabled", "true").append()

    def replace(self, table: str, rows: DataFrame) -> None:
        """Put rows in the place of all that the table holds, on the run's branch."""
        rows.writeTo(self.open(table)).overwrite(F.lit(True))

    def note(self, table: str, properties: Mapping[str, str]) -> None:
        """Commit a snapshot without rows to the run's branch, with these properties in its summary."""
        self.open(table)
        commit = self._iceberg(table).newFastAppend().toBranch(self.name)
        for name, value in properties.items():
            commit = commit.set(name, value)
        commit.commit()

    def merge(self, table: str, rows: DataFrame, *, on: str, clauses: str) -> None:
        """Merge rows (alias `s`) into the run's branch of a table (alias `t`)."""
        source = f"merge_into_{table}"
        rows.createOrReplaceTempView(source)
        self._spark.sql(f"MERGE INTO {self.open(table)} t USING {source} s ON {on} {clauses}")

    def published_rows(self, table: str) -> DataFrame:
        """Return all rows that readers see, and the `place` of each, for `remove`."""
        snapshot, rows = self._iceberg(table).currentSnapshot(), self._spark.read
        if snapshot is not None:
            self._seen[table] = snapshot.snapshotId()
            rows = rows.option("snapshot-id", self._seen[table])
        place = F.struct(F.col("_file").alias("file_path"), F.col("_pos").alias("pos"))
        return rows.table(self.table(table)).select("*", place.alias("place"))

    def published_rows_of(
        self, table: str, keys: DataFrame, names: Iterable[str], *, between: tuple[int, int], most: int
    ) -> DataFrame:
        """Return columns of the rows that readers see under the keys of another table, and the `place` of each row.

        `keys` has one column and at most `most` rows, in a range. Iceberg reads structs and lists row by row, and keys
        may lie in all files. So it only tells which files may hold the keys and which of their rows are dead; Spark's
        own reader, which takes columns, reads them.
        """
        (key,), (low, high), as_seen = keys.columns, between, self._spark.table(self.table(table))
        files, deletes, is_wide = self._files_between(table, key, low, high)
        if not files:
            return as_seen.where(F.lit(False)).select(*names, F.lit(None).cast(PLACE).alias("place"))
        rows = self._parquet(as_seen.schema, files)
        if not is_wide:
            # A reader passes over pages by the range. But its limits stand in the code that Spark generates, and a
            # loop that is new with each run has read millions of rows before the JVM has compiled it.
            rows = rows.where(F.col(key).between(low, high))
        places = {"file_name": F.col("_metadata.file_name"), "pos": F.col("_metadata.row_index")}
        found = rows.withColumns(places).join(looked_up(keys, most), on=key, how="left_semi")
        if deletes:
            dead = self._parquet(POSITION_DELETES, deletes)
            dead = dead.select(F.substring_index("file_path", "/", -1).alias("file_name"), "pos")
            found = found.join(dead, on=["file_name", "pos"], how="left_anti")
        path_of = F.create_map(*[F.lit(text) for path in files for text in (path.rpartition("/")[2], path)])
        place = F.struct(path_of[F.col("file_name")].alias("file_path"), "pos")
        return found.select(*names, place.alias("place"))

    def _parquet(self, schema: str | StructType, paths: Iterable[str]) -> DataFrame:
        """Read files of a table without Iceberg, which counts days before 1582 as Spark does since version 3."""
        return self._spark.read.schema(schema).option("datetimeRebaseMode", "CORRECTED").parquet(*paths)

    def _files_between(self, table: str, key: str, low: int, high: int) -> tuple[list[str], dict[str, Any], bool]:
        """Return the published data files that may hold keys of a range, and their files of deletes by path.

        The third part tells whether most of the rows are in files all of whose keys lie in the range.
        """
        iceberg, expressions = self._iceberg(table), self._spark._jvm.org.apache.iceberg.expressions
        self._seen[table] = iceberg.currentSnapshot().snapshotId()
        within = getattr(expressions.Expressions, "and")(
            expressions.Expressions.greaterThanOrEqual(key, low), expressions.Expressions.lessThanOrEqual(key, high)
        )
        files, deletes = _planned(iceberg.newScan().filter(within).includeColumnStats([key]))
        lies_within = expressions.StrictMetricsEvaluator(iceberg.schema(), within)
        rows = {path: file.recordCount() for path, file in files.items()}
        rows_within = sum(rows[path] for path, file in files.items() if lies_within.eval(file))
        return list(files), deletes, 2 * rows_within > sum(rows.values())

    def remove(self, table: str, places: DataFrame, count: int) -> None:
        """Delete the rows at these `count` places (`file_path, pos`) of published rows from the run's branch.

        A MERGE would look for the rows a second time, and one that also inserts sorts all that the table holds.
        """
        self.open(table)
        if self._opened[table] != self._seen[table]:
            # The places are those of files that a compaction has replaced.
            raise RuntimeError(f"{table} was compacted by another job while this run read it: run it again")
        iceberg = self._iceberg(table)
        delta = iceberg.newRowDelta().toBranch(self.name)
        for file in self._put_deletes(iceberg, laid_out(places, count)):
            delta = delta.addDeletes(file)
        delta.commit()

    def _put_deletes(self, iceberg: Any, places: DataFrame) -> list[Any]:
        """Write position deletes, a file for each partition; return the files as Iceberg describes them."""
        with_ids = [
            F.col(name).alias(name, metadata={"parquet.field.id": number}) for name, number in FIELD_IDS.items()
        ]
        folder = f"{iceberg.location()}/data/deletes-{uuid.uuid4().hex}/"
        ordered = places.sortWithinPartitions("file_path", "pos").select(*with_ids)
        # Nobody knows of the folder yet, so its files need no second renaming.
        committer = {"marksuccessfuljobs": "false", "algorithm.version": "2"}
        settings = {f"mapreduce.fileoutputcommitter.{name}": value for name, value in committer.items()}
        ordered.write.options(**settings).parquet(folder)
        packages, described = self._spark._jvm.org.apache.iceberg, []
        config = packages.MetricsConfig.forPositionDelete(iceberg)
        found = iceberg.io().listPrefix(folder).iterator()
        while found.hasNext():
            listed = found.next()
            if not listed.location().endswith(".parquet"):
                continue
            written = iceberg.io().newInputFile(listed.location(), listed.size())
            metrics = packages.parquet.ParquetUtil.fileMetrics(written, config)
            if metrics.recordCount():
                file = packages.FileMetadata.deleteFileBuilder(iceberg.spec()).ofPositionDeletes()
                file = file.withPath(listed.location()).withFormat("parquet").withFileSizeInBytes(listed.size())
                described.append(file.withMetrics(metrics).build())
        return described

    def take_over(self, tables: Iterable[str], database: str, *, last_run: int) -> None:
        """Put the rows of another database's tables in the place of these; runs count as no later than `last_run`."""
        for table in tables:
            rows = self._spark.table(f"{CATALOG}.{database}.{table}")
            if "run_seq" in rows.columns:
                rows = rows.withColumn("run_seq", F.least("run_seq", F.lit(last_run)))
            self.replace(table, rows)

    def snapshots(self) -> dict[str, int]:
        """Return the head of each opened branch: what the intent promises to publish."""
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
        for snapshot in self._commits(self._iceberg(table), table):
            summary = snapshot.summary()
            moved += int(summary.get("added-records") or 0) - int(summary.get("added-position-deletes") or 0)
        return moved

    def _commits(self, iceberg: Any, table: str) -> Iterator[Any]:
        """Yield the snapshots that this run has committed to its branch of a table, the newest first."""
        for snapshot in _ancestry(iceberg, iceberg.snapshot(self.name)):
            if snapshot.snapshotId() == self._opened[table]:
                return
            yield snapshot

    def added_rows(self, table: str) -> int:
        """Return how many rows the branch's newest snapshot added, from its own summary."""
        return int(self._head(table).summary().get("added-records") or 0)

    def added(self, table: str, money: str) -> tuple[int, Decimal]:
        """Return count and money of the rows that this run's commits added to a table."""
        found = self.new_rows(table).agg(F.count(F.lit(1)).alias("row_count"), total(money).alias("amount")).first()
        return found.row_count, found.amount

    def new_rows(self, table: str) -> DataFrame:
        """Return the rows that this run's commits added to a table, from the data files that they name.

        To have the table look for the run's number would plan a scan, and make code for this number alone.
        """
        iceberg, schema = self._iceberg(table), self._spark.table(self.table(table)).schema
        added = [snapshot.addedDataFiles(iceberg.io()) for snapshot in self._commits(iceberg, table)]
        paths = [str(file.location()) for files in added for file in files]
        return self._parquet(schema, paths) if paths else self._spark.createDataFrame([], schema)

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
            if self._is_behind(iceberg):
                iceberg.manageSnapshots().fastForwardBranch("main", self.name).commit()
            else:
                iceberg.manageSnapshots().replaceBranch("main", self.name).commit()

    def _is_behind(self, iceberg: Any) -> bool:
        """Tell whether `main` is where the run began; else only compactions may have come since, and they are given up.

        A second job that ran at the same time may have compacted: that changes files, never rows.
        """
        begun = {snapshot.snapshotId() for snapshot in _ancestry(iceberg, iceberg.snapshot(self.name))}
        main = iceberg.currentSnapshot()
        if main.snapshotId() in begun:
            return True
        for snapshot in _ancestry(iceberg, main):
            if snapshot.snapshotId() in begun:
                break
            if snapshot.operation() != "replace":
                raise RuntimeError(f"somebody else has committed to {iceberg.name()} since run {self.name} began")
        return False

    def compact(self, tables: Iterable[str]) -> list[str]:
        """Rewrite the small files and the deletes of tables that have gathered too many; return their names.

        Each commit is a whole one and changes no row, so a kill between them does no harm.
        """
        return self._compact_each(tables, CROWD, DEAD_SHARE)

    def compact_all(self, tables: Iterable[str]) -> list[str]:
        """Merge the small files of tables and free their dead rows, however few there are; return their names."""
        return self._compact_each([table for table in tables if self.rows_at_most(table)], 1, 0)

    def _compact_each(self, tables: Iterable[str], crowd: int, dead_share: int) -> list[str]:
        done = at_once({table: partial(self._compact, table, crowd, dead_share) for table in tables})
        return [table for table, is_compacted in done.items() if is_compacted]

    def _compact(self, table: str, crowd: int, dead_share: int) -> bool:
        iceberg = self._iceberg(table)
        summary = iceberg.currentSnapshot().summary()
        rows, dead, deletes = (
            int(summary.get(f"total-{kind}") or 0) for kind in ("records", "position-deletes", "delete-files")
        )
        if deletes >= crowd and 100 * dead > dead_share * rows:
            self._call("rewrite_data_files", table, options=FILES_WITH_DEAD_ROWS)
        elif _small_files(iceberg) >= max(crowd, 2):
            self._call("rewrite_data_files", table, options=SMALL_FILES)
        elif deletes < crowd:
            return False
        if deletes:
            self._merge_deletes(table)
        self._expire(table)
        return True

    def _merge_deletes(self, table: str) -> None:
        """Put one file with the deletes of present data files in the place of all delete files of a table.

        Iceberg 1.10 has `rewrite_position_delete_files` for this, but for a table with a list among its columns that
        fails ("Invalid partition field parent"): it takes the list's elements for a partition field. Until it does not.
        """
        iceberg = self._iceberg(table)
        deletes = self._delete_files(iceberg)
        if not deletes:
            return
        files, _ = _planned(iceberg.newScan())
        living = self._parquet(POSITION_DELETES, deletes).where(F.col("file_path").isin(list(files)))
        rewrite = iceberg.newRewrite().validateFromSnapshot(iceberg.currentSnapshot().snapshotId())
        for delete in deletes.values():
            rewrite.deleteFile(delete)
        for file in self._put_deletes(iceberg, living.coalesce(1)):
            rewrite.addFile(file)
        rewrite.commit()

    def _delete_files(self, iceberg: Any) -> dict[str, Any]:
        """Return all delete files of a table by path; a scan does not name those whose data files are gone."""
        manifests, found = self._spark._jvm.org.apache.iceberg.ManifestFiles, {}
        for manifest in iceberg.currentSnapshot().deleteManifests(iceberg.io()):
            reader = manifests.readDeleteManifest(manifest, iceberg.io(), iceberg.specs())
            entries = reader.iterator()
            while entries.hasNext():
                delete = entries.next().copyWithoutStats()
                found[str(delete.location())] = delete
            reader.close()
        return found

    def _call(self, procedure: str, table: str, *, options: str) -> None:
        self._spark.sql(f"CALL {CATALOG}.system.{procedure}(table => '{self.table(table)}', options => {options})")

    def _expire(self, table: str) -> None:
        """Forget old snapshots, but for those of branches: the last run's, at which Gold may be reading."""
        iceberg = self._iceberg(table)
        snapshots = [snapshot.timestampMillis() for snapshot in iceberg.snapshots()]
        if len(snapshots) > 2 * KEPT_SNAPSHOTS:
            oldest_kept = sorted(snapshots)[-KEPT_SNAPSHOTS]
            iceberg.expireSnapshots().expireOlderThan(oldest_kept).retainLast(KEPT_SNAPSHOTS).commit()

    def drop_older(self, tables: Iterable[str]) -> None:
        """Drop the branches of earlier runs and tries; this one stays, it keeps its snapshot and totals from expiry."""
        number = len("run_00000000")

        def drop(table: str) -> None:
            iceberg = self._iceberg(table)
            references = iceberg.manageSnapshots()
            runs = [name for name in iceberg.refs() if name.startswith("run_") and name != self.name]
            older = [name for name in runs if name[:number] <= self.name[:number]]
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


def _planned(scan: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the data files of a scan, and their files of position deletes, as Iceberg describes them, by path."""
    planned = scan.planFiles()
    tasks, files, deletes = planned.iterator(), {}, {}
    while tasks.hasNext():
        task = tasks.next()
        files[str(task.file().location())] = task.file()
        deletes |= {str(delete.location()): delete for delete in task.deletes()}
    planned.close()
    return files, deletes


def _ancestry(iceberg: Any, snapshot: Any) -> Iterator[Any]:
    """Yield a snapshot and those before it, as far as they have not expired; none for a table without snapshots."""
    while snapshot is not None:
        yield snapshot
        snapshot = iceberg.snapshot(snapshot.parentId()) if snapshot.parentId() is not None else None


def _small_files(iceberg: Any) -> int:
    """Return how many small files have come since data files were last rewritten, from the snapshots' summaries.

    A compaction of delete files alone replaces no data file, so it does not end the count.
    """
    files = 0
    for snapshot in _ancestry(iceberg, iceberg.currentSnapshot()):
        summary = snapshot.summary()
        if int(summary.get("deleted-data-files") or 0):
            break
        added = int(summary.get("added-data-files") or 0)
        if int(summary.get("added-files-size") or 0) < added * SMALL_FILE_BYTES:
            files += added
    return files


def begin_rebuild(ledger: Ledger, before: Item, job: argparse.Namespace) -> tuple[int, str]:
    """Begin the run that takes over another database; return its number and its token."""
    if before["run_seq"] != job.expected_run_seq or "published" not in before:
        raise FencedOut(
            f"{job.rebuild_from} holds the runs up to {job.expected_run_seq}, "
            f"but run {before['run_seq']} is published: rebuild it again"
        )
    run_seq, token = before["run_seq"] + 1, uuid.uuid4().hex
    begun = {"run_seq": run_seq, "token": token, "files": [], "attempts": 1, "started_at": now_text()}
    ledger.begin(begun, after=before["run_seq"])
    return run_seq, token


def settled(rows: DataFrame) -> DataFrame:
    """Return rows that are computed once, by the first use; later plans begin at the result and stay small.

    They are kept as bytes: a large run has more rows than memory holds as objects.
    """
    kept = rows.localCheckpoint(eager=False)
    levels = rows.sparkSession._jvm.org.apache.spark.storage.StorageLevel
    kept._jdf.logicalPlan().rdd().persist(levels.MEMORY_AND_DISK_SER())
    return kept


def looked_up(keys: DataFrame, most: int) -> DataFrame:
    """Return at most `most` keys, to be joined by a lookup in each task if they are few."""
    return F.broadcast(keys) if most <= BROADCAST_KEYS else keys


def laid_out(rows: DataFrame, count: int, *by: str) -> DataFrame:
    """Return about `count` rows as files shall hold them: few in one; many by an order over all files, if one is given.

    Within a file the table's own order rules.
    """
    if count <= ROWS_A_PARTITION:
        return rows.coalesce(1)
    return rows.orderBy(*by) if by else rows


def size_shuffles(spark: SparkSession, rows: int) -> None:
    """Set the shuffle partitions by the rows of a run: each costs a task, and an increment needs few."""
    spark.conf.set("spark.sql.shuffle.partitions", str(min(64, 2 + rows // ROWS_A_PARTITION)))


def size_scans(spark: SparkSession) -> None:
    """Let each task read one of a table's usual files: the last one of a few long tasks leaves cores idle.

    To be called once the run's input is read, whose tasks each become a file of the tables.
    """
    spark.conf.set("spark.sql.files.maxPartitionBytes", str(SCAN_BYTES))


def columns(schema: Mapping[str, str]) -> str:
    """Return a schema as the column list of a CREATE TABLE."""
    return ", ".join(f"{name} {kind}" for name, kind in schema.items())


def conform(rows: DataFrame, schema: Mapping[str, str]) -> DataFrame:
    """Select exactly the schema's columns, cast to its types: the contract on leaving a step."""
    return rows.select(*[F.col(name).cast(kind).alias(name) for name, kind in schema.items()])


def columns_or_null(rows: DataFrame, schema: Mapping[str, str]) -> DataFrame:
    """Select the schema's columns, cast to its types; those that the rows lack are null."""
    values = {name: F.col(name) if name in rows.columns else F.lit(None) for name in schema}
    return rows.select(*[values[name].cast(kind).alias(name) for name, kind in schema.items()])


def put_report(job: argparse.Namespace, layer: str, branches: Branches, report: Item) -> str:
    """Keep what a run did, for its publication, under the name of its branches; return where."""
    key = f"{job.prefix}reports/{layer}/{branches.name}.json"
    body = json.dumps(report, sort_keys=True, default=cents).encode()
    boto3.client("s3").put_object(Bucket=job.lake_bucket, Key=key, Body=body)
    return key


def put_passport(job: argparse.Namespace, item: Item) -> None:
    """Leave the ledger item of a file at its end in the lake."""
    body = json.dumps(item, sort_keys=True, indent=1).encode()
    key = f"{job.prefix}passports/{item['file_id']}.json"
    boto3.client("s3").put_object(Bucket=job.lake_bucket, Key=key, Body=body)


def with_gone(schema: Mapping[str, str]) -> str:
    """Return the clauses of a merge whose source marks what is `gone`."""
    names, values = ", ".join(schema), ", ".join(f"s.{name}" for name in schema)
    updates = ", ".join(f"t.{name} = s.{name}" for name in schema)
    return (
        f"WHEN MATCHED AND s.gone THEN DELETE WHEN MATCHED THEN UPDATE SET {updates} "
        f"WHEN NOT MATCHED AND NOT s.gone THEN INSERT ({names}) VALUES ({values})"
    )


def create_tables(
    spark: SparkSession, database: str, tables: Mapping[str, tuple[str, str, str]], *, row_group_bytes: int = 128 << 20
) -> None:
    """Create the tables that do not exist yet: name to (columns, partitioning or "", sort order or "").

    A reader passes over row groups that cannot hold what it looks for. Their bytes are those of compressed pages, and
    of the last pages, of up to 20,000 rows, as they are.
    """
    existing = {row.tableName for row in spark.sql(f"SHOW TABLES IN {CATALOG}.{database}").collect()}
    for table, (columns, partitioning, order) in tables.items():
        if table in existing:
            continue
        name = f"{CATALOG}.{database}.{table}"
        spark.sql(
            f"CREATE TABLE IF NOT EXISTS {name} ({columns}) USING iceberg {partitioning} TBLPROPERTIES ("
            "'format-version'='2', 'write.delete.mode'='merge-on-read', 'write.update.mode'='merge-on-read', "
            "'write.merge.mode'='merge-on-read', 'write.parquet.compression-codec'='zstd', "
            f"'write.parquet.row-group-size-bytes'='{row_group_bytes}', "
            # One delete file a commit. By data file, each commit would write the deletes of earlier ones again.
            "'write.delete.granularity'='partition')"
        )
        if order:
            spark.sql(f"ALTER TABLE {name} WRITE LOCALLY ORDERED BY {order}")


def total(amount: str) -> Column:
    """Return the exact sum of a money column, 0 for no rows."""
    return F.coalesce(F.sum(F.col(amount).cast(TOTAL)), F.lit(Decimal(0))).cast(TOTAL)


def cents(amount: Decimal | None) -> str:
    """Return an exact amount as the ledger writes it: text with two decimals."""
    return f"{(amount or Decimal(0)).quantize(Decimal('0.01'))}"
