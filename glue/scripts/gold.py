"""Gold: star schema and aggregates, incremental from the effects of Silver

Exported from glue/notebooks/gold.ipynb by tools/export_notebooks.py; edit the notebook, not this file.
"""

from __future__ import annotations

import argparse
import json
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial, reduce
from typing import Any

import boto3
from botocore.exceptions import ClientError
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

# From glue/shared/ledger.py

Item = dict[str, Any]

FILES_A_RUN = 2_000  # a run's file list lies in one DynamoDB item, which ends at 400 KB
REASON_LENGTH = 2_000  # a mail carries the reason and must stay below 8 KB


class FencedOut(RuntimeError):  # noqa: N818 - it is a state, reported as such
    """Another run has taken over this layer; nothing of the present run may be published."""


def instant_text(instant: datetime) -> str:
    """Return a UTC instant in the ledger's form, which sorts as text."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def now_text() -> str:
    return instant_text(datetime.now(UTC))


def plain(value: Any) -> Any:
    """Return a DynamoDB value with numbers as `int`: the ledger holds counts as numbers and money as text."""
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


class Ledger:
    """The ledger table, seen from one layer (`silver` or `gold`)."""

    def __init__(self, table_name: str, layer: str) -> None:
        self.layer = layer
        self._layer_key = {"file_id": f"layer#{layer}"}
        self._resource = boto3.resource("dynamodb")
        self._table = self._resource.Table(table_name)

    def state(self, layer: str | None = None) -> Item:
        """Return a layer's item, read consistently; an empty layer has run 0."""
        key = {"file_id": f"layer#{layer or self.layer}"}
        item = self._table.get_item(Key=key, ConsistentRead=True).get("Item", {})
        return {"run_seq": 0, **plain(item)}

    def files(self, file_ids: Iterable[str]) -> list[Item]:
        """Return the items of these files, read consistently, in the order given."""

        def read(file_id: str) -> Item:
            return plain(self._table.get_item(Key={"file_id": file_id}, ConsistentRead=True).get("Item", {}))

        with ThreadPoolExecutor(16) as pool:
            return [item for item in pool.map(read, dict.fromkeys(file_ids)) if item]

    def waiting(self, also: str | None) -> list[Item]:
        """Return the files that wait for this layer, oldest first.

        The index lags behind the table, so each item is read again, and `also` (the file of the execution that
        started this job) is looked up even when the index does not know it yet.
        """
        query = {
            "IndexName": "waiting",
            "KeyConditionExpression": "waiting_for = :layer",
            "ExpressionAttributeValues": {":layer": self.layer},
        }
        page = self._table.query(**query)
        file_ids = [item["file_id"] for item in page["Items"]]
        while "LastEvaluatedKey" in page and len(file_ids) < FILES_A_RUN:
            page = self._table.query(**query, ExclusiveStartKey=page["LastEvaluatedKey"])
            file_ids += [item["file_id"] for item in page["Items"]]
        file_ids = ([also] if also else []) + file_ids[: FILES_A_RUN - 1]
        return [item for item in self.files(file_ids) if item.get("waiting_for") == self.layer]

    def begin(self, run: Item, *, after: int) -> None:
        """Record the run in progress; `after` is the number of the last committed run."""
        self._conditional(
            "SET kind = :kind, in_progress = :run, run_seq = if_not_exists(run_seq, :zero)",
            "attribute_not_exists(intent) AND (attribute_not_exists(run_seq) OR run_seq = :after)",
            {":kind": "layer", ":run": run, ":zero": 0, ":after": after},
        )

    def commit(self, intent: Item, *, token: str) -> None:
        """Put the one intent item: the commit point. Fails when another run has begun since."""
        self._conditional(
            "SET intent = :intent, run_seq = :run_seq",
            "attribute_not_exists(intent) AND in_progress.#token = :token",
            {":intent": intent, ":run_seq": intent["run_seq"], ":token": token},
            {"#token": "token"},
        )

    def finish(self, published: Item) -> None:
        """Clear the intent once all its tables and files are published."""
        self._conditional(
            "SET published = :published REMOVE intent, in_progress",
            "intent.run_seq = :run_seq",
            {":published": published, ":run_seq": published["run_seq"]},
        )

    def abandon(self) -> None:
        """Forget a run in progress that has nothing to commit."""
        self._table.update_item(Key=self._layer_key, UpdateExpression="REMOVE in_progress")

    def advance(self, file_id: str, *, status: str, waiting_for: str | None, facts: Item) -> None:
        """Move one file to `status` with this layer's facts; moving it there twice does nothing."""
        at = now_text()
        wait = "waiting_for = :next, waiting_since = :at, " if waiting_for else ""
        values = {":status": status, ":facts": facts, ":change": [{"status": status, "at": at}]}
        values |= {":next": waiting_for, ":at": at} if waiting_for else {}
        before = "accepted" if status == "in_silver" else "in_silver"
        try:
            self._table.update_item(
                Key={"file_id": file_id},
                UpdateExpression=(
                    f"SET {wait}#status = :status, {self.layer} = :facts, changes = list_append(changes, :change)"
                    + (" REMOVE failed" if waiting_for else " REMOVE failed, waiting_for, waiting_since")
                ),
                ConditionExpression="#status = :before",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={**values, ":before": before},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise

    def reject(self, file_id: str, reasons: list[Item]) -> None:
        """Reject a file that was accepted and is not in Silver: only a declared reload can still be refused here."""
        at, item = now_text(), next(iter(self.files([file_id])), {})
        change = [{"status": "rejected", "at": at}]
        # Its workflow, if it has one, mails it: the function, should its event come again, need not.
        mail = {":mail": {"sent_at": at}} if "execution_arn" in item else {}
        self._table.update_item(
            Key={"file_id": file_id},
            UpdateExpression=(
                "SET #status = :rejected, in_effect = :no, reasons = :reasons, "
                + ("rejection_mail = :mail, " if mail else "")
                + "changes = list_append(changes, :change) REMOVE waiting_for, waiting_since"
            ),
            ConditionExpression="#status = :accepted",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={
                ":rejected": "rejected",
                ":accepted": "accepted",
                ":no": False,
                ":reasons": reasons,
                ":change": change,
                **mail,
            },
        )

    def fail(self, file_id: str, reason: str) -> None:
        """Take a file out of the queue until it is resumed, and say why."""
        item = next(iter(self.files([file_id])), {})
        attempts = item.get("failed", {}).get("attempts", 0) + 1
        failed = {"stage": self.layer, "reason": reason[:REASON_LENGTH], "attempts": attempts, "at": now_text()}
        self._table.update_item(
            Key={"file_id": file_id},
            UpdateExpression="SET failed = :failed REMOVE waiting_for, waiting_since",
            ExpressionAttributeValues={":failed": failed},
        )

    def _conditional(self, update: str, condition: str, values: Item, names: dict[str, str] | None = None) -> None:
        try:
            self._table.update_item(
                Key=self._layer_key,
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                **({"ExpressionAttributeNames": names} if names else {}),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise FencedOut(f"another run works on layer {self.layer}; this one publishes nothing") from error
            raise


# From glue/shared/publication.py

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


# From glue/reading/references.py


@dataclass(frozen=True)
class Reference:
    """A reference table: its key, the columns of its files in their usual order, and those that Silver keeps."""

    key: str
    texts: tuple[str, ...]
    image: dict[str, str]

    @property
    def values(self) -> tuple[str, ...]:
        """Return the columns of the image but the key."""
        return tuple(name for name in self.image if name != self.key)


CARDS = (
    "card_id", "client_id", "card_brand", "card_type", "card_number", "expires", "cvv", "has_chip", "num_cards_issued",
    "credit_limit", "acct_open_date", "year_pin_last_changed", "card_on_dark_web",
)  # fmt: skip
USERS = (
    "client_id", "current_age", "retirement_age", "birth_year", "birth_month", "gender", "address", "latitude",
    "longitude", "per_capita_income", "yearly_income", "total_debt", "credit_score", "num_credit_cards",
)  # fmt: skip
REFERENCES = {
    "cards": Reference(
        key="card_id",
        texts=CARDS,
        image={
            "card_id": "bigint",
            "client_id": "bigint",
            "card_brand": "string",
            "card_type": "string",
            "card_last_four": "string",
            "card_number_hash": "string",
            "expires": "string",
            "has_chip": "string",
            "num_cards_issued": "string",
            "credit_limit": MONEY,
            "acct_open_date": "string",
            "year_pin_last_changed": "string",
            "card_on_dark_web": "string",
        },
    ),
    "users": Reference(
        key="client_id",
        texts=USERS,
        image={
            name: "bigint"
            if name == "client_id"
            else MONEY
            if name in ("per_capita_income", "yearly_income", "total_debt")
            else "string"
            for name in USERS
        },
    ),
    "mcc_codes": Reference(key="mcc", texts=("mcc", "description"), image={"mcc": "string", "description": "string"}),
}


# From glue/shared/steps.py


def log_step(layer: str, name: str, **facts: object) -> None:
    """Log one step of a run as a line of JSON; never row contents, card or client ids."""
    print(json.dumps({"layer": layer, "step": name, "at": now_text(), **facts}, default=str), flush=True)


# The job's arguments. Glue passes them as `--name value`; a notebook run sets them here.


lake_bucket = ""
ledger_table = ""
silver_database = ""
gold_database = ""
file_id = ""
prefix = ""


# ## Dimensions
# A surrogate key is a hash of the natural key, so a rebuild gives the same keys and a fact finds its dimensions without
# a join.
# Key 0 is the member `unknown`.


step = partial(log_step, "gold")


@dataclass(frozen=True)
class Dimension:
    """A dimension: its key, the natural key that this is made from, and attributes taken from the newest row."""

    key: str
    natural: dict[str, str]
    attributes: dict[str, str]

    def columns(self) -> dict[str, str]:
        order = {"row_order": ROW_ORDER} if self.attributes else {}
        return {self.key: "bigint", **self.natural, **self.attributes, **order}

    def surrogate(self) -> Column:
        return surrogate(self.key, *self.natural)


def surrogate(key: str, *natural: str) -> Column:
    """Return the key of a row; nulls inside a natural key are told apart, all nulls are `unknown`."""
    parts = [F.coalesce(F.col(name).cast("string"), F.lit("")) for name in natural]
    known = reduce(Column.__or__, [F.col(name).isNotNull() for name in natural])
    return F.when(known, F.xxhash64(F.lit(key), *parts)).otherwise(F.lit(0).cast("bigint"))


DIMENSIONS = {
    "dim_channel": Dimension("channel_key", {"channel": "string"}, {}),
    "dim_location": Dimension(
        "location_key", {"merchant_city": "string", "merchant_state": "string", "zip": "string"}, {}
    ),
    "dim_merchant": Dimension(
        "merchant_key",
        {"merchant_id": "bigint"},
        {"mcc": "string", "merchant_city": "string", "merchant_state": "string"},
    ),
    "dim_mcc": Dimension("mcc_key", {"mcc": "string"}, {"description": "string"}),
}


@dataclass(frozen=True)
class History:
    """A dimension of type 2: one row per version of a member, as a reference table tells them."""

    key: str
    subject: str

    @property
    def natural(self) -> str:
        return REFERENCES[self.subject].key

    def columns(self) -> dict[str, str]:
        validity = {"valid_from": "timestamp", "valid_to": "timestamp", "is_current": "boolean"}
        return {self.key: "bigint", **REFERENCES[self.subject].image, **validity}


HISTORIES = {"dim_card": History("card_key", "cards"), "dim_client": History("client_key", "users")}
NO_END = "9999-12-31 00:00:00"
DIM_DATE = {
    "date_key": "int",
    "date": "date",
    "year": "int",
    "quarter": "int",
    "month": "int",
    "day": "int",
    "weekday": "int",
    "is_weekend": "boolean",
}


# ## Facts and aggregates


FACT = {
    "dms_id": "bigint",
    "transacted_at": "timestamp",
    "transacted_on": "date",
    "date_key": "int",
    **{dimension.key: "bigint" for dimension in DIMENSIONS.values()},
    **{history.key: "bigint" for history in HISTORIES.values()},
    "card_id": "bigint",
    "client_id": "bigint",
    "amount": MONEY,
    "has_error": "boolean",
}


@dataclass(frozen=True)
class Aggregate:
    """An aggregate of the facts over a period and the members of one dimension; of which member, `of_fact` tells."""

    period: str
    period_of_fact: str
    member: str
    member_kind: str
    of_fact: str
    natural: dict[str, str] = field(default_factory=dict)

    def columns(self) -> dict[str, str]:
        sums = {"row_count": "bigint", "total_amount": TOTAL}
        return {self.period: "date", self.member: self.member_kind, **self.natural, **sums}


DAY, MONTH = "date_key", "date_key div 100"  # numbers: a lookup costs less than to cut a date
LISTED_MONTHS = 36  # of more touched months, Iceberg is told the first and the last
ROW_GROUP_BYTES = 5 << 19  # some 100,000 facts: groups are summed from the facts of single months
CHANNELS = ("swipe", "chip", "online")
# A client's months do not fall apart where the client changes: all its versions count under the key of the first.
AGGREGATES = {
    "daily_totals": Aggregate("transacted_on", DAY, "channel", "string", "channel_key"),
    "monthly_merchant_totals": Aggregate("month", MONTH, "merchant_key", "bigint", "merchant_key"),
    "monthly_client_totals": Aggregate("month", MONTH, "client_key", "bigint", "client_id", {"client_id": "bigint"}),
}
GROUP = ("aggregate", "period", "member")


# Dimensions go first when a run is published: a fact never points to a member that readers do not see yet.
TABLES = {
    "dim_date": (columns(DIM_DATE), "", "date_key"),
    **{name: (columns(dimension.columns()), "", dimension.key) for name, dimension in (DIMENSIONS | HISTORIES).items()},
    "fact_transactions": (columns(FACT), "", "transacted_on, dms_id"),
    **{
        name: (columns(aggregate.columns()), "", f"{aggregate.period}, {aggregate.member}")
        for name, aggregate in AGGREGATES.items()
    },
}

SCHEMAS = {"dim_date": DIM_DATE, **{name: dimension.columns() for name, dimension in DIMENSIONS.items()}}
KEYS = {name: next(iter(schema)) for name, schema in SCHEMAS.items()}
NEWER_WINS = (
    "WHEN MATCHED AND (t.row_order IS NULL OR s.row_order > t.row_order) THEN UPDATE SET * "
    "WHEN NOT MATCHED THEN INSERT *"
)


# ## Reading Silver
# Both feeds are append-only and read at the snapshots of the named Silver run, so Silver may move on meanwhile.


@dataclass(frozen=True)
class Silver:
    """Silver as one of its runs left it, and what Gold has not taken of it yet."""

    spark: SparkSession
    database: str
    run: Item
    taken: Item

    def whole(self, table: str) -> DataFrame:
        """Return all rows that were appended to a table up to the named run."""
        name = f"glue_catalog.{self.database}.{table}"
        if table not in self.run["snapshots"]:
            return self.spark.table(name).limit(0)
        rows = self.spark.read.option("snapshot-id", self.run["snapshots"][table]).table(name)
        return rows.where(F.col("run_seq") <= self.run["run_seq"])

    def feed(self, table: str) -> DataFrame:
        """Return the rows that were appended to a table since the run that Gold shows."""
        return self.whole(table).where(F.col("run_seq") > self.taken.get("silver_run_seq", 0))

    def has_news(self, table: str) -> bool:
        """Tell from the snapshots alone whether a table has grown since the run that Gold shows."""
        seen = self.taken.get("silver_snapshots", {}).get(table)
        return self.run["snapshots"].get(table) not in (None, seen)

    @property
    def is_one_run(self) -> bool:
        """Tell whether the feeds hold rows of the named run alone."""
        return bool(self.run["run_seq"] == self.taken.get("silver_run_seq", 0) + 1)


def net_changes(silver: Silver) -> DataFrame:
    """Return `dms_id, before, after` per changed key: from before the first of its changes to after the last."""
    effects = silver.feed("transaction_effects")
    if silver.is_one_run:
        # A run of Silver has one effect per key, so nothing need be brought together.
        net = effects.select("dms_id", "before", "after")
    else:
        net = effects.groupBy("dms_id").agg(
            F.min_by("before", "run_seq").alias("before"), F.max_by("after", "run_seq").alias("after")
        )
    return net.where(F.col("before").isNotNull() | F.col("after").isNotNull())


def named_members(silver: Silver) -> DataFrame:
    """Return what the accepted rows since the last run tell of dimensions; a delete tells nothing."""
    of_dimensions = {name for dimension in DIMENSIONS.values() for name in (*dimension.natural, *dimension.attributes)}
    rows = silver.feed("transaction_history").where(F.col("op") != "D")
    return rows.select("transacted_at", "row_order", *sorted(of_dimensions.intersection(rows.columns)))


# ## Dimension members
# A dimension has the members of any accepted row; where it has attributes, the newest row by `row_order` gives them,
# whenever it came.


def date_key(day: Column) -> Column:
    """Return a day as the number `yyyymmdd`."""
    return (F.year(day) * 100 + F.month(day)) * 100 + F.dayofmonth(day)


def dates(accepted: DataFrame) -> DataFrame:
    """Return the calendar of the days on which something was transacted, and the member `unknown`."""
    day = F.col("date")
    days = accepted.select(F.to_date("transacted_at").alias("date")).distinct()
    weekday = F.weekday(day) + 1
    calendar = days.select(
        F.coalesce(date_key(day), F.lit(0)).alias("date_key"),
        day,
        F.year(day).alias("year"),
        F.quarter(day).alias("quarter"),
        F.month(day).alias("month"),
        F.dayofmonth(day).alias("day"),
        weekday.alias("weekday"),
        (weekday >= 6).alias("is_weekend"),
    )
    return conform(calendar, DIM_DATE)


def members(accepted: DataFrame, dimension: Dimension) -> DataFrame:
    """Return the members that accepted rows name, each once, with attributes and order of its newest row."""
    rows = accepted.withColumn(dimension.key, dimension.surrogate())
    if not dimension.attributes:
        return rows.select(dimension.key, *dimension.natural).distinct()
    newest = F.max_by(F.struct(*dimension.natural, *dimension.attributes, "row_order"), "row_order").alias("newest")
    known = rows.where(F.col(dimension.key) != 0).groupBy(dimension.key).agg(newest).select(dimension.key, "newest.*")
    return conform(known, dimension.columns())


def unknown_member(spark: SparkSession, schema: dict[str, str]) -> DataFrame:
    key = next(iter(schema))
    return spark.range(1).select(
        *[(F.lit(0) if name == key else F.lit(None)).cast(kind).alias(name) for name, kind in schema.items()]
    )


def descriptions(silver: Silver) -> DataFrame:
    """Return the members of `dim_mcc` that rows of `mcc_codes` name since the last run, each by its newest row ever.

    A delete takes a member's description; a code that only deletes name is no member, whichever row comes first.
    """
    touched = silver.feed("mcc_codes").select("mcc").distinct()
    rows = silver.whole("mcc_codes").join(touched, on="mcc", how="left_semi")
    named = rows.where(F.col("op") != "D").select("mcc").distinct()
    described = rows.withColumn("description", F.when(F.col("op") != "D", F.col("description")))
    return members(described.join(named, on="mcc", how="left_semi"), DIMENSIONS["dim_mcc"])


def missing_members(spark: SparkSession, branches: Branches, accepted: DataFrame) -> DataFrame:
    """Return `dimension, key` of the members that accepted rows name and the dimensions lack, in one pass for all."""
    keys = {"dim_date": date_key(F.to_date("transacted_at")).cast("bigint")}
    keys |= {name: dimension.surrogate() for name, dimension in DIMENSIONS.items()}
    pairs = [F.struct(F.lit(name).alias("dimension"), key.alias("key")) for name, key in keys.items()]
    unknown = [F.struct(F.lit(name).alias("dimension"), F.lit(0).cast("bigint").alias("key")) for name in keys]
    named = accepted.select(F.inline(F.array(*pairs))).unionByName(spark.range(1).select(F.inline(F.array(*unknown))))
    held = [
        spark.table(branches.table(name)).select(F.lit(name).alias("dimension"), F.col(key).cast("bigint").alias("key"))
        for name, key in KEYS.items()
    ]
    return named.distinct().join(reduce(DataFrame.unionByName, held), on=["dimension", "key"], how="left_anti")


def missing_of(name: str, accepted: DataFrame, missing: DataFrame, unknown: DataFrame) -> DataFrame:
    """Return the members that a dimension lacks, without attributes; the member `unknown` is one of them at first."""
    key, schema = KEYS[name], SCHEMAS[name]
    fresh = missing.where(F.col("dimension") == name).select(F.col("key").alias(key))
    if name == "dim_date":
        found = dates(accepted)
    else:
        dimension = DIMENSIONS[name]
        named = accepted.withColumn(key, dimension.surrogate()).select(key, *dimension.natural).distinct()
        absent = {column: F.lit(None) for column in schema if column not in named.columns}
        found = conform(named.withColumns(absent), schema)
    known = found.where(F.col(key) != 0).join(F.broadcast(fresh), on=key, how="left_semi")
    return conform(known, schema).unionByName(conform(unknown.join(fresh, on=key, how="left_semi"), schema))


def write_dimensions(branches: Branches, silver: Silver, accepted: DataFrame) -> None:
    """Add missing members, and attributes of newer rows; a dimension without news is not touched."""
    missing = settled(missing_members(silver.spark, branches, accepted))
    counts = {row.dimension: row["count"] for row in missing.groupBy("dimension").count().collect()}
    any_accepted = silver.has_news("transaction_history")

    def write_dimension(name: str) -> None:
        key = KEYS[name]
        lacking = missing_of(name, accepted, missing, unknown_member(silver.spark, SCHEMAS[name]))
        newer = None
        if name == "dim_merchant":
            # The missing members are among those of the newest rows, but for `unknown`.
            newer, lacking = members(accepted, DIMENSIONS[name]), lacking.where(F.col(key) == 0)
        elif name == "dim_mcc" and silver.has_news("mcc_codes"):
            newer = descriptions(silver)
            lacking = lacking.join(newer.select(key), on=key, how="left_anti")
        if newer is None:
            branches.append(name, lacking)
        else:
            branches.merge(name, newer.unionByName(lacking), on=f"t.{key} = s.{key}", clauses=NEWER_WINS)

    attributes = {"dim_merchant": any_accepted, "dim_mcc": silver.has_news("mcc_codes")}
    together([partial(write_dimension, name) for name in KEYS if name in counts or attributes.get(name)])
    step("dimensions_written", **counts)


# ## Versions of cards and clients
# A version begins where the newest row before it differs, and ends where the next begins; a delete ends it too. The
# first one that is known is
# valid from the beginning of time. All versions of a touched member are made anew, so the order in which snapshots came
# does not matter.


def versions(rows: DataFrame, history: History) -> DataFrame:
    """Return the versions of members from all accepted rows that name them."""
    natural, of_member = history.natural, Window.partitionBy(history.natural)
    in_order = of_member.orderBy("row_order")
    begins = F.col("row_order.position")
    content = F.struct(F.col("op") == "D", F.when(F.col("op") != "D", F.col("content_hash")))
    changes = (
        # Of several rows with the same instant only the last is ever valid.
        rows.withColumn("next_at", F.lead(begins).over(in_order))
        .where(F.col("next_at").isNull() | (F.col("next_at") > begins))
        .withColumn("content", content)
        .withColumn("content_before", F.lag("content").over(in_order))
        .where(F.col("content_before").isNull() | (F.col("content") != F.col("content_before")))
    )
    is_version = F.col("op") != "D"
    first_begins = F.min(F.when(is_version, begins)).over(of_member)
    beginning, no_end = (F.lit(text).cast("timestamp") for text in (MINUS_INFINITY, NO_END))
    spans = changes.withColumns(
        {
            "valid_from": F.when(begins == first_begins, beginning).otherwise(begins),
            "valid_to": F.coalesce(F.lead(begins).over(in_order), no_end),
        }
    )
    later = F.xxhash64(F.lit(history.key), F.col(natural).cast("string"), F.col("valid_from").cast("string"))
    key = F.when(F.col("valid_from") == beginning, surrogate(history.key, natural)).otherwise(later)
    living = spans.where(is_version)
    return conform(living.withColumns({history.key: key, "is_current": F.col("valid_to") == no_end}), history.columns())


def write_history(branches: Branches, silver: Silver, name: str) -> None:
    """Make the versions of all touched members anew; put the member `unknown` in at first."""
    history = HISTORIES[name]
    schema, rows = history.columns(), []
    if not branches.rows_at_most(name):
        valid = {"valid_from": F.lit(MINUS_INFINITY), "valid_to": F.lit(NO_END), "is_current": F.lit(True)}
        rows.append(conform(unknown_member(silver.spark, schema).withColumns(valid), schema))
    if silver.has_news(history.subject):
        touched = silver.feed(history.subject).select(history.natural).distinct()
        all_rows = silver.whole(history.subject).join(touched, on=history.natural, how="left_semi")
        rows.append(settled(versions(all_rows, history)))
    if not rows:
        return
    fresh = reduce(DataFrame.unionByName, rows)
    if branches.rows_at_most(name) <= 1:
        branches.append(name, fresh.orderBy(history.key))
        return
    stored = silver.spark.table(branches.table(name)).join(touched, on=history.natural, how="left_semi")
    gone = stored.join(fresh.select(history.key), on=history.key, how="left_anti").select(history.key)
    source = fresh.withColumn("gone", F.lit(False)).unionByName(
        gone.withColumn("gone", F.lit(True)), allowMissingColumns=True
    )
    branches.merge(name, source, on=f"t.{history.key} = s.{history.key}", clauses=with_gone(schema))


def with_versions(spark: SparkSession, branches: Branches, rows: DataFrame) -> DataFrame:
    """Add the keys of the versions of card and client that are valid at each row's instant; 0 where none is known."""
    for name, history in HISTORIES.items():
        if branches.rows_at_most(name) <= 1:
            rows = rows.withColumn(history.key, F.lit(0).cast("bigint"))
            continue
        natural = history.natural
        held = spark.table(branches.current(name)).select(
            F.col(history.key).alias("version_key"), F.col(natural).alias("member"), "valid_from", "valid_to"
        )
        at = F.col("transacted_at")
        valid = (F.col(natural) == F.col("member")) & (at >= F.col("valid_from")) & (at < F.col("valid_to"))
        rows = (
            rows.join(held, on=valid, how="left")
            .withColumn(history.key, F.coalesce("version_key", F.lit(0)).cast("bigint"))
            .drop("version_key", "member", "valid_from", "valid_to")
        )
    return rows


# ## Facts
# A fact is made from the image after the change alone; the image before says which stored fact it replaces and which
# groups it leaves.


def keyed(images: DataFrame) -> DataFrame:
    """Add day and keys to images of transactions (columns of Silver's image); the versions are not among them."""
    day = F.to_date("transacted_at")
    keys = {dimension.key: dimension.surrogate() for dimension in DIMENSIONS.values()}
    return images.withColumns({**keys, "transacted_on": day, "date_key": date_key(day)})


def facts(spark: SparkSession, branches: Branches, images: DataFrame) -> DataFrame:
    """Turn images of transactions into facts."""
    rows = images.transform(keyed).withColumn("has_error", F.col("errors").isNotNull())
    return conform(with_versions(spark, branches, rows), FACT)


def mended(branches: Branches, silver: Silver, net: DataFrame) -> DataFrame | None:
    """Return the stored facts whose card or client has other versions now; None where no reference file has come.

    This alone reads facts that no transaction has changed, and only in the run that brings the reference rows.
    """
    news = [history for history in HISTORIES.values() if silver.has_news(history.subject)]
    if not news or not branches.rows_at_most("fact_transactions"):
        return None
    stored = silver.spark.table(branches.table("fact_transactions"))
    touched = []
    for history in news:
        members = silver.feed(history.subject).select(history.natural).distinct()
        touched.append(stored.join(F.broadcast(members), on=history.natural, how="left_semi").select(*FACT))
    near = reduce(DataFrame.unionByName, touched).dropDuplicates(["dms_id"])
    keys = [history.key for history in HISTORIES.values()]
    before = near.join(net.select("dms_id"), on="dms_id", how="left_anti").withColumns(
        {f"{key}_before": F.col(key) for key in keys}
    )
    fresh = with_versions(silver.spark, branches, before.drop(*keys))
    moved = reduce(Column.__or__, [F.col(key) != F.col(f"{key}_before") for key in keys])
    return settled(conform(fresh.where(moved), FACT))


def images(net: DataFrame, side: str) -> DataFrame:
    """Return the images of one side (`before` or `after`) of the changes, where there is one."""
    return net.where(F.col(side).isNotNull()).select("dms_id", f"{side}.*")


def summarise(net: DataFrame) -> Item:
    """Return what the changes amount to: keys, money, and the months by which stored rows are pruned."""
    before, after = F.col("before.transacted_at"), F.col("after.transacted_at")
    months = [F.collect_set(F.trunc(F.to_date(side), "MONTH")) for side in (before, after)]
    found = net.agg(
        F.count("before").alias("had"),
        F.count("after").alias("have"),
        total("before.amount").alias("amount_before"),
        total("after.amount").alias("amount_after"),
        F.array_sort(F.array_union(*months)).cast("array<string>").alias("months"),
    ).first()
    return found.asDict()


def write_facts(branches: Branches, silver: Silver, net: DataFrame, change: Item, stored: DataFrame | None) -> None:
    """Refresh the facts of the changed keys, and of cards and clients that have other versions now; no other."""
    fresh = facts(silver.spark, branches, images(net, "after"))
    repaired = mended(branches, silver, net)
    expected, replaced = {"rows": change["have"], "amount": change["amount_after"]}, change["had"]
    gone = [] if stored is None else [stored.where(F.col("file_path").isNotNull()).select("file_path", "pos")]
    if repaired is not None:
        more = repaired.agg(F.count(F.lit(1)).alias("rows"), total("amount").alias("amount")).first()
        expected = {name: value + more[name] for name, value in expected.items()}
        replaced += more["rows"]
        fresh = fresh.unionByName(repaired)
        keys = looked_up(repaired.select("dms_id"), more["rows"])
        outdated = branches.published_rows("fact_transactions").join(keys, on="dms_id", how="left_semi")
        gone.append(outdated.select("place.*"))
    if replaced:
        branches.remove("fact_transactions", reduce(DataFrame.unionByName, gone), replaced)
    if expected["rows"]:
        branches.append("fact_transactions", laid_out(fresh, expected["rows"], "transacted_on", "dms_id"))
    if replaced + expected["rows"]:
        require(
            "facts in the files added",
            found=branches.added("fact_transactions", "amount"),
            expected=(expected["rows"], expected["amount"]),
        )
    step("facts_written", keys=change["have"], mended=expected["rows"] - change["have"])


# ## Aggregates
# A touched group is computed afresh from its facts, never by adding differences to a sum. A group that has lost its
# last fact goes.


def group_of(aggregate: Aggregate, name: str) -> list[Column]:
    """Return a fact's group in one aggregate, in the form that all aggregates share: numbers, found quickly."""
    return [
        F.lit(name).alias("aggregate"),
        F.expr(aggregate.period_of_fact).cast("int").alias("period"),
        F.expr(aggregate.of_fact).alias("member"),
    ]


def count_and_sum() -> list[Column]:
    """Return what an aggregate holds of each group: how many facts, and their money."""
    return [F.count("amount").alias("row_count"), total("amount").alias("total_amount")]


def touched_groups(net: DataFrame, change: Item) -> DataFrame:
    """Return the groups that the changes leave or enter, with count and sum of the facts that enter."""
    sides = [side for side, count in (("before", change["had"]), ("after", change["have"])) if count]
    moved = [images(net, side).withColumn("enters", F.lit(side == "after")) for side in sides]
    entering = F.when(F.col("enters"), F.col("amount")).alias("amount")
    groups = [F.struct(*group_of(aggregate, name), entering) for name, aggregate in AGGREGATES.items()]
    rows = reduce(DataFrame.unionByName, moved).transform(keyed).select(F.inline(F.array(*groups)))
    return rows.groupBy(*GROUP).agg(*count_and_sum())


def in_table(groups: DataFrame, name: str) -> DataFrame:
    """Return the groups of one aggregate with period and member as its table has them."""
    aggregate = AGGREGATES[name]
    day = "period" if aggregate.period_of_fact == DAY else "(period * 100 + 1)"
    date = f"make_date(int({day} div 10000), int({day} div 100 % 100), int({day} % 100))"
    member = {"channel": channel_name(), "client_key": surrogate("client_key", "member")}
    return groups.where(F.col("aggregate") == name).withColumns(
        {
            aggregate.period: F.expr(date),
            aggregate.member: member.get(aggregate.member, F.col("member")),
            **{natural: F.col("member") for natural in aggregate.natural},
        }
    )


def of_months(day: str, months: list[str]) -> str:
    """Return the condition that a day lies from the first to the last month; by it Iceberg passes over files."""
    return f"{day} BETWEEN DATE'{months[0]}' AND last_day(DATE'{months[-1]}')"


def near_facts(stored_facts: DataFrame, change: Item) -> DataFrame:
    """Return the facts of the touched months."""
    months = change["months"]
    if len(months) > LISTED_MONTHS:
        return stored_facts.where(of_months("transacted_on", months))
    return stored_facts.where(" OR ".join(of_months("transacted_on", [month]) for month in months))


def stored_facts(branches: Branches, net: DataFrame, groups: DataFrame, change: Item) -> DataFrame:
    """Return count and sum of the stored facts that stay in each touched group, and the places of those replaced.

    One look at the facts of the touched months finds both: a row has either a group or a place. Facts are looked up by
    one number, a hash of their group. Facts of another group with the same hash are harmless: they are summed under
    their own name, and no touched group has it.
    """
    named = [
        column.alias(f"{name}_{part}")
        for name, aggregate in AGGREGATES.items()
        for part, column in zip(GROUP, group_of(aggregate, name), strict=True)
    ]
    rows = near_facts(branches.published_rows("fact_transactions"), change).select("dms_id", "amount", "place", *named)
    replaced = looked_up(net.where(F.col("before").isNotNull()).select("dms_id"), change["had"])
    rows = rows.join(replaced.withColumn("goes", F.lit(True)), on="dms_id", how="left")
    goes, nowhere = F.coalesce("goes", F.lit(False)), F.lit(None).cast(PLACE).alias("place")
    no_group = [F.lit(None).alias(part) for part in GROUP]
    parts = [F.when(goes, F.struct(*no_group, F.lit(None).alias("amount"), "place"))]
    for name in AGGREGATES:
        hashed, is_touched = f"{name}_hash", f"is_of_{name}"
        wanted = (
            groups.where(F.col("aggregate") == name).select(F.xxhash64("period", "member").alias(hashed)).distinct()
        )
        rows = rows.withColumn(hashed, F.xxhash64(f"{name}_period", f"{name}_member")).join(
            F.broadcast(wanted.withColumn(is_touched, F.lit(True))), on=hashed, how="left"
        )
        of_group = F.struct(*[F.col(f"{name}_{part}").alias(part) for part in GROUP], "amount", nowhere)
        parts.append(F.when(F.col(is_touched) & ~goes, of_group))
    return (
        rows.where(F.coalesce("goes", *[F.col(f"is_of_{name}") for name in AGGREGATES]))
        .select(F.inline(F.array(*parts)))
        .where(F.col("aggregate").isNotNull() | F.col("place").isNotNull())
        .groupBy(*GROUP, "place.file_path", "place.pos")
        .agg(*count_and_sum())
    )


def recomputed(groups: DataFrame, stored: DataFrame | None) -> DataFrame:
    """Return the touched groups with count and sum of all their facts; count 0 where none is left."""
    if stored is None:
        return groups
    stay = stored.where(F.col("aggregate").isNotNull()).select(*groups.columns, F.lit(False).alias("is_touched"))
    every = groups.withColumn("is_touched", F.lit(True)).unionByName(stay).groupBy(*GROUP)
    sums = every.agg(
        F.max("is_touched").alias("is_touched"),
        F.sum("row_count").alias("row_count"),
        total("total_amount").alias("total_amount"),
    )
    return sums.where("is_touched").drop("is_touched")


def held_groups(branches: Branches, groups: DataFrame, change: Item) -> DataFrame:
    """Return the touched groups as the aggregates hold them before the run, with the place of each."""
    held = []
    for name, aggregate in AGGREGATES.items():
        stored = branches.published_rows(name).where(of_months(aggregate.period, change["months"]))
        as_fact = stored.withColumn("date_key", date_key(F.col(aggregate.period)))
        if aggregate.member == "channel":
            as_fact = as_fact.withColumn("channel_key", stored_channel_key())
        held.append(as_fact.select(*group_of(aggregate, name), "row_count", "total_amount", "place"))
    all_held = reduce(DataFrame.unionByName, held).alias("held")
    return all_held.join(F.broadcast(groups.alias("groups")), on=same_group("held", "groups"), how="left_semi")


def same_group(one: str, other: str) -> Column:
    """Return the condition that groups of two sides are the same; a client may be unknown."""
    return reduce(Column.__and__, [F.col(f"{one}.{part}").eqNullSafe(F.col(f"{other}.{part}")) for part in GROUP])


def stored_channel_key() -> Column:
    known = F.col("channel").isin(*CHANNELS)
    return F.when(known, F.xxhash64(F.lit("channel_key"), F.col("channel"))).otherwise(F.lit(0).cast("bigint"))


def channel_name() -> Column:
    """Return the channel of a key; the facts hold keys only."""
    names = [
        F.when(F.col("member") == F.xxhash64(F.lit("channel_key"), F.lit(channel)), F.lit(channel))
        for channel in CHANNELS
    ]
    return F.coalesce(*names, F.lit("unknown"))


def prove_groups(fresh: DataFrame, held: DataFrame, change: Item) -> dict[str, Item]:
    """Prove that each aggregate's groups move by the effects, to the row and the cent; return what was counted."""
    after, before = fresh.withColumn("side", F.lit("after")), held.withColumn("side", F.lit("before"))
    sides = after.unionByName(before.drop("place"))
    counted = sides.groupBy("aggregate", "side").agg(
        F.sum(F.when(F.col("row_count") > 0, 1).otherwise(0)).alias("groups"),
        F.sum("row_count").alias("row_count"),
        total("total_amount").alias("amount"),
    )
    nothing = {"groups": 0, "row_count": 0, "amount": Decimal(0)}
    found: dict[str, Item] = {name: {"after": nothing, "before": nothing} for name in AGGREGATES}
    for row in counted.collect():
        found[row.aggregate][row.side] = row.asDict()
    for name, sides_of in found.items():
        moved = sides_of["after"]["row_count"] - sides_of["before"]["row_count"]
        money = sides_of["after"]["amount"] - sides_of["before"]["amount"]
        require(f"rows of {name}", found=moved, expected=change["have"] - change["had"])
        require(f"money of {name}", found=money, expected=change["amount_after"] - change["amount_before"])
    return found


def write_aggregates(branches: Branches, groups: DataFrame, stored: DataFrame | None, change: Item) -> None:
    """Bring the touched groups of all aggregates up to date."""
    sides = at_once(
        {
            "after": lambda: settled(recomputed(groups, stored)),
            "before": lambda: settled(held_groups(branches, groups, change)),
        }
    )
    fresh, held = sides["after"], sides["before"]
    counted = prove_groups(fresh, held, change)

    def write_aggregate(name: str) -> None:
        aggregate, before, after = AGGREGATES[name], counted[name]["before"], counted[name]["after"]
        if before["groups"]:
            branches.remove(name, held.where(F.col("aggregate") == name).select("place.*"), before["groups"])
        if after["groups"]:
            rows = conform(in_table(fresh.where("row_count > 0"), name), aggregate.columns())
            branches.append(name, laid_out(rows, after["groups"], aggregate.period, aggregate.member))
        require(f"groups written to {name}", found=branches.added_rows(name), expected=after["groups"])
        step("aggregate_written", table=name)

    together([partial(write_aggregate, name) for name in AGGREGATES])


# ## One run


def write(branches: Branches, silver: Silver) -> Item:
    """Write dimensions, facts and aggregates to the run's branches; return what the changes amount to."""
    accepted = settled(named_members(silver))
    net = settled(net_changes(silver))
    together([partial(write_history, branches, silver, name) for name in HISTORIES])
    change = summarise(net)
    together(
        [
            partial(write_dimensions, branches, silver, accepted),
            partial(write_facts_and_aggregates, branches, silver, net, change),
        ]
    )
    return change


def write_facts_and_aggregates(branches: Branches, silver: Silver, net: DataFrame, change: Item) -> None:
    """Write the facts and the aggregates of the touched groups, each held to the effects of the run."""
    if change["had"] + change["have"] == 0:
        if any(silver.has_news(history.subject) for history in HISTORIES.values()):
            write_facts(branches, silver, net, change, None)
        return
    groups, stored = settled(touched_groups(net, change)), None
    if change["had"] or branches.rows_at_most("fact_transactions"):
        stored = settled(stored_facts(branches, net, groups, change))
    together(
        [
            partial(write_facts, branches, silver, net, change, stored),
            partial(write_aggregates, branches, groups, stored, change),
        ]
    )


def prove(branches: Branches, change: Item, before: Item, silver: Item) -> Item:
    """Hold the facts to Silver: as many rows, as many cents as Silver had after the named run; return the totals."""
    published = before.get("published", {"row_count": 0, "total_amount": "0.00"})
    row_count = published["row_count"] + change["have"] - change["had"]
    total_amount = Decimal(published["total_amount"]) + change["amount_after"] - change["amount_before"]
    require("rows in Gold against Silver", found=row_count, expected=silver["row_count"])
    require("money in Gold against Silver", found=cents(total_amount), expected=silver["total_amount"])
    if branches.is_open("fact_transactions"):
        require("facts moved", found=branches.rows_moved("fact_transactions"), expected=change["have"] - change["had"])
        carried = {"assay.row-count": str(row_count), "assay.total-amount": cents(total_amount)}
        branches.note("fact_transactions", carried)
    return {"row_count": row_count, "total_amount": cents(total_amount)}


def publish(spark: SparkSession, ledger: Ledger, job: argparse.Namespace, intent: Item) -> None:
    """Carry out a committed intent; every step may be done twice, so that the next run can finish what a kill left."""
    branches = Branches(spark, job.gold_database, intent["branch"])
    promised = {table: intent["snapshots"][table] for table in TABLES if table in intent["snapshots"]}
    for table, snapshot_id in promised.items():
        branches.fast_forward({table: snapshot_id})
        step("fast_forwarded", table=table)
    report = json.loads(boto3.client("s3").get_object(Bucket=job.lake_bucket, Key=intent["report"])["Body"].read())
    snapshots = {**ledger.state().get("published", {}).get("snapshots", {}), **promised}
    published = {"run_seq": intent["run_seq"], "snapshots": snapshots, **report["totals"]}
    advance(ledger, job, report["files"], {"run_seq": intent["run_seq"], "snapshots": promised})
    step("files_advanced")
    ledger.finish(published)
    branches.drop_older(promised)
    step("published", run_seq=intent["run_seq"], **report["totals"])
    step("compacted", tables=branches.compact(promised))


def advance(ledger: Ledger, job: argparse.Namespace, file_ids: list[str], run: Item) -> None:
    """Mark files as published and leave their passports in the lake."""

    def advance_one(published_id: str) -> None:
        ledger.advance(published_id, status="published", waiting_for=None, facts=run)
        put_passport(job, ledger.files([published_id])[0])

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(advance_one, file_ids))


def taken(silver: Item) -> Item:
    """Return what Gold keeps of the Silver run that it shows."""
    return {"silver_run_seq": silver["run_seq"], "silver_snapshots": silver["snapshots"]}


def process(spark: SparkSession, ledger: Ledger, job: argparse.Namespace, silver: Item, file_ids: list[str]) -> None:
    """Bring Gold to the named Silver run; leave the readers' tables alone on any error."""
    before = ledger.state()
    run_seq, token = before["run_seq"] + 1, uuid.uuid4().hex
    begun = {"run_seq": run_seq, "token": token, "files": file_ids, "silver": silver, "started_at": now_text()}
    size_shuffles(spark, sum(file["kpis"]["row_count"] for file in ledger.files(file_ids)))
    ledger.begin(begun, after=before["run_seq"])
    step("begun", run_seq=run_seq, silver_run_seq=silver["run_seq"], files=len(file_ids))

    branches = Branches(spark, job.gold_database, Branches.name_of_run(run_seq, token))
    change = write(branches, Silver(spark, job.silver_database, silver, before.get("published", {})))
    totals = prove(branches, change, before, silver)
    step("proved", **totals)
    report = put_report(job, "gold", branches, {"files": file_ids, "totals": {**totals, **taken(silver)}})
    intent = {"run_seq": run_seq, "branch": branches.name, "snapshots": branches.snapshots(), "report": report}
    step("before_intent")
    ledger.commit(intent, token=token)
    step("after_intent")
    publish(spark, ledger, job, intent)


# ## The job
# A run that was killed after its commit point is rolled forward; one that was killed before is done again for the same
# Silver run.


def recover(spark: SparkSession, ledger: Ledger, job: argparse.Namespace) -> None:
    """Finish what a killed run left."""
    state = ledger.state()
    if "intent" in state:
        step("rolling_forward", run_seq=state["intent"]["run_seq"])
        publish(spark, ledger, job, state["intent"])
    elif job.rebuild_from or "silver" not in state.get("in_progress", {"silver": None}):
        # A rebuild mends what a failed run has left; one that was killed before its commit point is asked for again.
        ledger.abandon()
    elif "in_progress" in state:
        step("running_again", run_seq=state["in_progress"]["run_seq"])
        process(spark, ledger, job, state["in_progress"]["silver"], state["in_progress"]["files"])


def take_waiting(spark: SparkSession, ledger: Ledger, job: argparse.Namespace) -> None:
    """Bring Gold to the last published Silver run; files of that run or an earlier one become published."""
    silver = ledger.state("silver").get("published")
    if silver is None:
        return
    waiting = [
        file["file_id"]
        for file in ledger.waiting(job.file_id or None)
        if file["silver"]["run_seq"] <= silver["run_seq"]
    ]
    published = ledger.state().get("published", {})
    if published.get("silver_run_seq") == silver["run_seq"]:
        # The files' rows are in Gold already: the index had not shown them to the run that took them.
        advance(ledger, job, waiting, {"run_seq": published["run_seq"], "snapshots": {}})
    else:
        process(spark, ledger, job, silver, waiting)


def rebuild(spark: SparkSession, ledger: Ledger, job: argparse.Namespace) -> None:
    """Publish the tables of another database as this layer's, in one commit; Silver was put in place before."""
    before, silver = ledger.state(), ledger.state("silver")["published"]
    if job.expected_silver_run not in (None, silver["run_seq"]):
        raise FencedOut(f"Silver is at run {silver['run_seq']}, not at {job.expected_silver_run}: rebuild it again")
    run_seq, token = begin_rebuild(ledger, before, job)
    branches = Branches(spark, job.gold_database, Branches.name_of_run(run_seq, token))
    branches.take_over(TABLES, job.rebuild_from, last_run=before["run_seq"])
    rows = spark.table(branches.open("fact_transactions"))
    found = rows.agg(F.count(F.lit(1)).alias("row_count"), total("amount").alias("amount")).first()
    totals = {"row_count": found.row_count, "total_amount": cents(found.amount)}
    require("Gold against Silver", found=totals, expected={name: silver[name] for name in totals})
    step("proved", **totals)
    report = put_report(job, "gold", branches, {"files": [], "totals": {**totals, **taken(silver)}})
    intent = {"run_seq": run_seq, "branch": branches.name, "snapshots": branches.snapshots(), "report": report}
    ledger.commit(intent, token=token)
    publish(spark, ledger, job, intent)


def arguments(argv: list[str]) -> argparse.Namespace:
    """Read the job's arguments; Glue adds some of its own, which are passed over."""
    parser = argparse.ArgumentParser(prog="gold", allow_abbrev=False)
    required = ("lake_bucket", "ledger_table", "silver_database", "gold_database")
    for name in (*required, "prefix"):
        parser.add_argument(f"--{name}", default=globals()[name])
    parser.add_argument("--file_id", default=file_id, help="the file whose execution started this run")
    parser.add_argument("--rebuild_from", default="", help="a database whose tables take the place of this layer's")
    parser.add_argument("--expected_run_seq", type=int, help="with --rebuild_from: the last run that it contains")
    parser.add_argument("--expected_silver_run", type=int, help="with --rebuild_from: the Silver run that it shows")
    parser.add_argument("--maintain", choices=["true"], help="compact all tables, and take no file")
    job, _ = parser.parse_known_args(argv)
    for name in required:
        if not getattr(job, name):
            parser.error(f"--{name} is required")
    return job


def session() -> SparkSession:
    settings = {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "false",
    }
    builder = SparkSession.builder.appName("gold")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def main(job: argparse.Namespace) -> None:
    """Finish what was left, then bring Gold to the last published Silver run."""
    spark = session()
    ledger = Ledger(job.ledger_table, "gold")
    create_tables(spark, job.gold_database, TABLES, row_group_bytes=ROW_GROUP_BYTES)
    step("started")
    recover(spark, ledger, job)
    if job.rebuild_from:
        rebuild(spark, ledger, job)
    elif job.maintain:
        step("compacted", tables=Branches(spark, job.gold_database, "maintain").compact_all(TABLES))
    else:
        take_waiting(spark, ledger, job)
    step("done")
    spark.stop()


if __name__ == "__main__":
    main(arguments(sys.argv[1:]))
