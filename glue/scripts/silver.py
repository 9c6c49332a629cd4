"""Silver: cleansed transactions, incremental by `dms_id`

Exported from glue/notebooks/silver.ipynb by tools/export_notebooks.py; edit the notebook, not this file.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial, reduce
from typing import Any

import boto3
from botocore.exceptions import ClientError
from pyspark.sql import Column, DataFrame, SparkSession, Window, WindowSpec
from pyspark.sql import functions as F
from pyspark.sql import types as T

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


# From glue/shared/steps.py


def log_step(layer: str, name: str, **facts: object) -> None:
    """Log one step of a run as a line of JSON; never row contents, card or client ids."""
    print(json.dumps({"layer": layer, "step": name, "at": now_text(), **facts}, default=str), flush=True)


# The job's arguments. Glue passes them as `--name value`; a notebook run sets them here.


bronze_bucket = ""
lake_bucket = ""
ledger_table = ""
silver_database = ""
file_id = ""


# ## Schemas
# The image is what a transaction *is*; everything else says where it came from and in which order.


IMAGE = {
    "dms_id": "bigint",
    "transacted_at": "timestamp",
    "amount": MONEY,
    "channel": "string",
    "client_id": "bigint",
    "card_id": "bigint",
    "merchant_id": "bigint",
    "merchant_city": "string",
    "merchant_state": "string",
    "zip": "string",
    "mcc": "string",
    "errors": "array<string>",
}
VALUES = {name: kind for name, kind in IMAGE.items() if name != "dms_id"}
ROW_ORDER = (
    "struct<position: timestamp, phase: int, instant: timestamp, object_key: string, sequencer: string,"
    " version_id: string, row: bigint>"
)
STATE = {**IMAGE, "content_hash": "bigint", "row_order": ROW_ORDER, "file_id": "string", "row": "bigint"}
HISTORY = {**STATE, "line": "bigint", "outcome": "string", "effect_amount": MONEY, "run_seq": "bigint"}
BEFORE_AFTER = "struct<" + ", ".join(f"{name}: {kind}" for name, kind in VALUES.items()) + ">"
EFFECTS = {
    "run_seq": "bigint",
    "cause": "string",
    "dms_id": "bigint",
    "before": BEFORE_AFTER,
    "after": BEFORE_AFTER,
    "effect_amount": MONEY,
    "file_id": "string",
    "row": "bigint",
}
QUARANTINE = {
    "file_id": "string",
    "row": "bigint",
    "line": "bigint",
    "raw": "string",
    "rules": "array<string>",
    "amount": MONEY,
    "row_order": ROW_ORDER,
    "run_seq": "bigint",
    "repaired_by": "string",
}
TOMBSTONES = {"dms_id": "bigint", "row_order": ROW_ORDER, "file_id": "string", "row": "bigint"}


def columns(schema: dict[str, str]) -> str:
    """Return a schema as the column list of a CREATE TABLE."""
    return ", ".join(f"{name} {kind}" for name, kind in schema.items())


def conform(rows: DataFrame, schema: dict[str, str]) -> DataFrame:
    """Select exactly the schema's columns, cast to its types: the contract on leaving a step."""
    return rows.select(*[F.col(name).cast(kind).alias(name) for name, kind in schema.items()])


BY_RUN = "PARTITIONED BY (truncate(1000, run_seq))"
# History goes first when a run is published: a reader never sees a state whose cause is missing.
TABLES = {
    "transaction_history": (columns(HISTORY), BY_RUN, ""),
    "quarantine": (columns(QUARANTINE), BY_RUN, ""),
    "transaction_effects": (columns(EFFECTS), BY_RUN, ""),
    "tombstones": (columns(TOMBSTONES), "", ""),
    "transactions": (columns(STATE), "", "dms_id"),
}
step = partial(log_step, "silver")
OUTCOMES = ("quarantined", "unchanged", "stale", "superseded", "inserted", "updated", "deleted")


# ## Reading
# User keys never reach Spark's path resolution, and Spark cannot read a version: each exact object version is first
# copied, server-side,
# to `staging/`.


class FileBroken(Exception):  # noqa: N818 - the file is, not the program
    """One file cannot be processed; the others of its run can."""

    def __init__(self, broken_file_id: str, reason: str) -> None:
        super().__init__(f"file {broken_file_id}: {reason}")
        self.file_id = broken_file_id
        self.reason = reason


def staging_path(file: Item, lake: str) -> str:
    return f"s3://{lake}/staging/{file['file_id']}.{file['format']['kind']}"


def stage(files: list[Item], *, lake: str) -> None:
    """Copy the exact version of each file to staging; copying again gives the same bytes."""
    s3 = boto3.client("s3")

    def copy(file: Item) -> None:
        source = {"Bucket": file["bucket"], "Key": file["key"], "VersionId": file["version_id"]}
        try:
            s3.copy(source, lake, staging_path(file, lake).removeprefix(f"s3://{lake}/"))
        except s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NoSuchVersion", "405"):
                raise FileBroken(
                    file["file_id"], "the object version was deleted from Bronze after it was accepted"
                ) from error
            raise

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(copy, files))


# Facts of the files travel beside their rows in a small broadcast table: the order of the object, and where each known
# column stands.


KNOWN = (
    "dms_id", "amount", "date", "use_chip", "zip", "client_id", "card_id", "merchant_id", "merchant_city",
    "merchant_state", "mcc", "errors",
)  # fmt: skip
ALIASES = {"id": "dms_id"}
FILE_FACTS = (
    "file_id string, last_modified_at timestamp, instant timestamp, object_key string, sequencer string,"
    " version_id string,"
    " header_line bigint, field_count int, positions struct<" + ", ".join(f"{name}: int" for name in KNOWN) + ">"
)


def known_name(name: str) -> str:
    """Return the contract's name of a column as a file spells it."""
    plain_name = name.strip(" \t").lower()
    return ALIASES.get(plain_name, plain_name)


def file_facts(spark: SparkSession, files: list[Item]) -> DataFrame:
    """Return one row per file with what its rows need to know of it."""

    def facts(file: Item) -> Item:
        names = [known_name(name) for name in file["format"]["columns"]]
        return {
            "file_id": file["file_id"],
            "last_modified_at": file["last_modified_at"],
            "instant": file.get("as_of_at", file["last_modified_at"]),
            "object_key": file["key"],
            "sequencer": file["sequencer"].ljust(32, "0"),
            "version_id": file["version_id"],
            "header_line": file["format"].get("blank_lines_before_header", 0) + 1,
            "field_count": len(names),
            "positions": {name: place for place, name in enumerate(names) if name in KNOWN},
        }

    return local_rows(spark, [facts(file) for file in files], FILE_FACTS)


def local_rows(spark: SparkSession, rows: list[Item], schema: str) -> DataFrame:
    """Return a few rows of the driver as a DataFrame that Spark can broadcast without a Python worker."""
    rows_of = T.ArrayType(T._parse_datatype_string(schema))
    return spark.range(1).select(F.inline(F.from_json(F.lit(json.dumps(rows)), rows_of)))


# CSV is read as text. Spark numbers lines by partition, so one cheap pass first counts the lines of each block of each
# file; from it
# every line gets its number in its file, and the driver learns which files hold blank lines or odd quotes.


QUOTE = '"'


def is_blank(text: Column) -> Column:
    return F.btrim(text, F.lit(" \t")) == ""


def has_odd_quotes(text: Column) -> Column:
    without = F.replace(text, F.lit(QUOTE), F.lit(""))
    return text.contains(QUOTE) & ((F.length(text) - F.length(without)) % 2 == 1)


def read_lines(spark: SparkSession, paths: list[str]) -> tuple[DataFrame, bool]:
    """Return `file_id, line, text, untidy` of all lines of CSV files, and whether any file is untidy."""
    text = spark.read.text(paths, lineSep="\n").select(
        F.substring(F.col("_metadata.file_name"), 1, 64).alias("file_id"),
        F.col("_metadata.file_block_start").alias("block"),
        F.monotonically_increasing_id().alias("id"),
        F.regexp_replace("value", r"\r\z", "").alias("text"),
    )
    blocks = text.groupBy("file_id", "block").agg(
        F.count(F.lit(1)).alias("lines"),
        F.min("id").alias("first_id"),
        F.sum(F.when(is_blank(F.col("text")), 1).otherwise(0)).alias("blank"),
        F.sum(F.when(has_odd_quotes(F.col("text")), 1).otherwise(0)).alias("odd"),
    )
    offsets, untidy, next_line = [], {}, {}
    for block in blocks.orderBy("file_id", "block").collect():
        first_line = next_line.get(block.file_id, 1)
        next_line[block.file_id] = first_line + block.lines
        untidy[block.file_id] = untidy.get(block.file_id, False) or block.blank + block.odd > 0
        offsets.append({"file_id": block.file_id, "block": block.block, "shift": first_line - block.first_id})
    for offset in offsets:
        offset["untidy"] = untidy[offset["file_id"]]
    numbered = F.broadcast(local_rows(spark, offsets, "file_id string, block bigint, shift bigint, untidy boolean"))
    lines = text.join(numbered, on=["file_id", "block"], how="inner").select(
        "file_id", (F.col("id") + F.col("shift")).alias("line"), "text", "untidy"
    )
    return lines, any(untidy.values())


# A record is one line. In the few files with blank lines or odd quotes the records are found as section 2 of the
# contract says: an odd
# line joins with the next odd line when both together parse; of a chain of such pairs every second one is real.


RECORD_LINES = 64
FIELD = r'(?:"[^"]*+(?:""[^"]*+)*+"|[^",]*+)'
WELL_QUOTED = rf"^{FIELD}(?:,{FIELD})*+\z"


def by_line() -> WindowSpec:
    return Window.partitionBy("file_id").orderBy("line")


def unquoted(field: Column) -> Column:
    """Return a field without the quotes around it."""
    inner = F.regexp_replace(field.substr(F.lit(2), F.length(field) - 2), '""', QUOTE)
    return F.when(field.startswith(QUOTE), inner).otherwise(field)


def fields_of(text: Column) -> Column:
    """Return a well-quoted record's fields, without the quotes around them."""
    quoted = F.regexp_extract_all(F.concat(F.lit(","), text), F.lit(f",({FIELD})"), F.lit(1))
    return F.when(text.contains(QUOTE), F.transform(quoted, unquoted)).otherwise(F.split(text, ",", -1))


def spans(lines: DataFrame) -> DataFrame:
    """Return `file_id, line, close, record` for each odd line that begins a record of several lines."""
    odd = lines.where(has_odd_quotes(F.col("text"))).select(
        "file_id", "line", "field_count", F.lead("line").over(by_line()).alias("close")
    )
    near = odd.where(F.col("close") - F.col("line") < RECORD_LINES)
    parts = near.select("file_id", F.col("line").alias("open"), F.explode(F.sequence("line", "close")).alias("line"))
    joined = (
        parts.join(lines.select("file_id", "line", "text"), on=["file_id", "line"], how="inner")
        .groupBy("file_id", F.col("open").alias("line"))
        .agg(F.array_sort(F.collect_list(F.struct("line", "text"))).alias("parts"))
        .select("file_id", "line", F.concat_ws("\n", F.col("parts.text")).alias("record"))
    )
    fits = F.coalesce(
        F.col("record").rlike(WELL_QUOTED) & (F.size(fields_of(F.col("record"))) == F.col("field_count")), F.lit(False)
    )
    chained = odd.join(joined, on=["file_id", "line"], how="left").select(
        "file_id", "line", "close", "record", fits.alias("fits"), F.row_number().over(by_line()).alias("place")
    )
    last_miss = F.max(F.when(~F.col("fits"), F.col("place"))).over(by_line().rowsBetween(Window.unboundedPreceding, -1))
    run_length = F.col("place") - 1 - F.coalesce(last_miss, F.lit(0))
    return (
        chained.withColumn("run_length", run_length)
        .where(F.col("fits") & (F.col("run_length") % 2 == 0))
        .select("file_id", "line", "close", "record")
    )


def join_spans(lines: DataFrame) -> DataFrame:
    """Return the records of untidy files: spans joined, blank lines left out, rows numbered."""
    covered = spans(lines).select(
        "file_id", F.explode(F.sequence("line", "close")).alias("line"), F.col("line").alias("open"), "record"
    )
    record = F.when(F.col("open") == F.col("line"), F.col("record")).otherwise(F.col("text"))
    return (
        lines.join(covered, on=["file_id", "line"], how="left")
        .where(F.col("open").isNull() | (F.col("open") == F.col("line")))
        .withColumn("text", record)
        .where(F.col("open").isNotNull() | ~is_blank(F.col("text")))
        .withColumn("row", F.row_number().over(by_line()))
    )


def trimmed(text: Column) -> Column:
    """Return a text without blanks and tabs around it; null when nothing is left."""
    short = F.btrim(text, F.lit(" \t"))
    return F.when(short != "", short)


def read_csv(spark: SparkSession, files: list[Item], *, lake: str) -> DataFrame:
    """Return one row per record: file facts, `row`, `line`, `raw`, the structural rule it breaks, known columns."""
    lines, any_untidy = read_lines(spark, [staging_path(file, lake) for file in files])
    below = lines.join(F.broadcast(file_facts(spark, files)), on="file_id", how="inner").where("line > header_line")
    facts = [name for name in below.columns if name not in ("line", "text", "untidy")]
    records = below.where(~F.col("untidy")).select(
        *facts, "line", "text", (F.col("line") - F.col("header_line")).alias("row")
    )
    if any_untidy:
        records = records.unionByName(join_spans(below.where("untidy")).select(*records.columns))
    text, fields, expected = F.col("text"), F.col("fields"), F.col("field_count")
    whole = F.col("broken").isNull()
    broken = (
        F.when(text.contains(QUOTE) & ~text.rlike(WELL_QUOTED), F.lit("malformed_quotes"))
        .when(F.size(fields) < expected, F.lit("too_few_fields"))
        .when(F.size(fields) > expected, F.lit("too_many_fields"))
    )
    return (
        records.withColumn("fields", fields_of(text))
        .withColumn("broken", broken)
        .select(
            *facts, "row", "line", F.col("text").alias("raw"), "broken",
            *[F.when(whole, trimmed(F.get(fields, F.col("positions")[name]))).alias(name) for name in KNOWN],
        )
    )  # fmt: skip


# Parquet is written out as text, value by value, so that one set of rules serves all kinds of files (contract, section
# 3.3).


def parquet_text(field: T.StructField) -> Column:
    """Return a Parquet column in the text form of the contract."""
    value = F.col(f"`{field.name}`")
    kind = field.dataType
    if isinstance(kind, T.DecimalType):
        return plain_decimal(value, kind)
    if isinstance(kind, T.DoubleType | T.FloatType):
        whole = (value == F.floor(value)) & (F.abs(value) < 1e15)
        return F.when(whole, value.cast("bigint").cast("string")).otherwise(value.cast("string"))
    if isinstance(kind, T.ArrayType):
        return F.concat_ws(",", value)
    if isinstance(kind, T.LongType) and known_name(field.name) == "date":
        # Spark 3.5 reads nanoseconds as plain numbers (nanosAsLong); other integers were rejected before.
        return F.timestamp_micros(
            ((value - F.pmod(value, F.lit(1000))) / 1000).cast("decimal(20,0)").cast("bigint")
        ).cast("string")
    return value.cast("string")


def plain_decimal(value: Column, kind: T.DecimalType) -> Column:
    """Return a decimal as digits at its full scale; Spark's cast writes small values of large scales with exponents."""
    if kind.scale <= 6:
        return value.cast("string")
    return F.regexp_replace(F.format_number(value, kind.scale), ",", "")


def read_parquet(spark: SparkSession, files: list[Item], *, lake: str) -> DataFrame:
    """Return the rows of Parquet files that all have the same columns and types, in the form of `read_csv`."""
    source = spark.read.parquet(*[staging_path(file, lake) for file in files])
    texts = {known_name(field.name): parquet_text(field) for field in source.schema if known_name(field.name) in KNOWN}
    raw = F.to_json(
        F.struct(*[texts[name].alias(name) for name in KNOWN if name in texts]), {"ignoreNullFields": "false"}
    )
    rows = source.select(
        F.substring(F.col("_metadata.file_name"), 1, 64).alias("file_id"),
        (F.col("_metadata.row_index") + 1).alias("row"),
        F.lit(None).cast("bigint").alias("line"),
        raw.alias("raw"),
        F.lit(None).cast("string").alias("broken"),
        *[trimmed(texts.get(name, F.lit(None).cast("string"))).alias(name) for name in KNOWN],
    )
    return rows.join(F.broadcast(file_facts(spark, files)), on="file_id", how="inner")


def read(spark: SparkSession, files: list[Item], *, lake: str) -> DataFrame:
    """Return the rows of all files of a run as text: one read for all CSV files, one for each shape of Parquet."""
    shapes: dict[str, list[Item]] = {}
    for file in files:
        shape = file["format"]
        signature = json.dumps([shape["columns"], shape["types"]]) if shape["kind"] == "parquet" else "csv"
        shapes.setdefault(signature, []).append(file)
    readers = [
        (read_csv if signature == "csv" else read_parquet)(spark, members, lake=lake)
        for signature, members in shapes.items()
    ]
    # The rules would be planned and compiled once for each part of the union.
    return readers[0] if len(readers) == 1 else settled(reduce(DataFrame.unionByName, readers))


# ## Rules
# A rule is a name and a predicate that is true when the row breaks it. Values are parsed by expressions that give null
# where a value
# cannot be read, whatever Spark's ANSI setting; nothing is invented for it.


# `\z` and not `$`: in Java the latter also matches before a final line end.
INTEGER = r"^-?[0-9]{1,19}(?:\.0+)?\z"
ZIP = r"^[0-9]{1,5}(?:\.0)?\z"
MCC = r"^[0-9]{1,4}(?:\.0)?\z"
DIGITS = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)"
NUMBER = rf"(?:{DIGITS}(?:\.[0-9]+)?|\.[0-9]+)"
AMOUNT = rf"^(?:(?:\$[-+]?|[-+]\$?)?{NUMBER}|\(\$?{NUMBER}\))\z"
# Of the digits and the point alone: at most 16 significant digits before it, two after it.
PRECISE = r"^[0-9]*(?:\.[0-9]{0,2}0*)?\z"
FITS = r"^0*[0-9]{0,16}(?:\.[0-9]{0,2}0*)?\z"
TIME = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
ISO = rf"^{DAY}(?:[ T]{TIME})?\z"
ISO_ZONED = rf"^{DAY}[ T]{TIME}(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})\z"
MONTH_FIRST = rf"^([0-9]{{1,2}})/([0-9]{{1,2}})/([0-9]{{4}})(?: ({TIME}))?\z"
EARLIEST = "1900-01-01 00:00:00"
CHANNELS = {
    f"{channel}{tail}": channel for channel in ("swipe", "chip", "online") for tail in ("", " transaction")
}  # fmt: skip


def integer(text: Column) -> Column:
    """Return a whole number in 64 bits, else null."""
    return F.when(text.rlike(INTEGER), text.cast("bigint"))


def padded_code(text: Column, pattern: str, length: int) -> Column:
    """Return a code of digits with the leading zeros that numeric tools have taken from it, else null."""
    return F.when(text.rlike(pattern), F.lpad(F.regexp_replace(text, r"\.0\z", ""), length, "0"))


def digits(text: Column) -> Column:
    return F.regexp_replace(text, r"[^0-9.]", "")


def amount(text: Column) -> Column:
    """Return an amount that `decimal(18,2)` holds exactly, else null."""
    sign = F.when(text.rlike(r"[-(]"), F.lit("-")).otherwise(F.lit(""))
    return F.when(text.rlike(AMOUNT) & digits(text).rlike(FITS), F.concat(sign, digits(text)).cast(MONEY))


def instant(text: Column) -> Column:
    """Return the instant of a date's text in UTC, else null; decimals beyond microseconds are cut."""
    with_seconds = F.regexp_replace(text, r"([ T][0-9]{1,2}:[0-9]{2})(Z|[+-])", "$1:00$2")
    month_first = F.regexp_replace(text, MONTH_FIRST, "$3-$1-$2 $4")
    forms = (
        F.when(text.rlike(ISO), text)
        .when(text.rlike(ISO_ZONED), with_seconds)
        .when(text.rlike(MONTH_FIRST), month_first)
    )
    return forms.cast("timestamp")


def error_names(text: Column) -> Column:
    names = F.filter(F.transform(F.split(text, ","), trimmed), lambda name: name.isNotNull())
    return F.when(text.rlike(r"[^, \t]"), names)


def parsed(rows: DataFrame) -> DataFrame:
    """Add the image columns beside the text columns `text.*`; a value that cannot be read is null."""
    channels = F.create_map(*[F.lit(part) for pair in CHANNELS.items() for part in pair])
    text = {name: F.col(f"text.{name}") for name in KNOWN}
    return rows.select(
        "*",
        integer(text["dms_id"]).alias("dms_id"),
        instant(text["date"]).alias("read_at"),
        amount(text["amount"]).alias("amount"),
        channels[F.lower(text["use_chip"])].alias("channel"),
        *[integer(text[name]).alias(name) for name in ("client_id", "card_id", "merchant_id")],
        text["merchant_city"].alias("merchant_city"),
        text["merchant_state"].alias("merchant_state"),
        padded_code(text["zip"], ZIP, 5).alias("zip"),
        padded_code(text["mcc"], MCC, 4).alias("mcc"),
        error_names(text["errors"]).alias("errors"),
    ).withColumn("transacted_at", F.when(F.col("read_at") >= F.lit(EARLIEST).cast("timestamp"), F.col("read_at")))


def missing(name: str) -> Column:
    return F.col(f"text.{name}").isNull()


def unreadable(name: str, value: str) -> Column:
    """Break when there is a text but no value."""
    return F.col(f"text.{name}").isNotNull() & F.col(value).isNull()


def amount_rules() -> dict[str, Column]:
    """Tell the ways apart in which an amount can fail; only one is broken at a time, good rows take no second look."""
    text = F.col("text.amount")
    no_value = unreadable("amount", "amount")
    number, precise = text.rlike(AMOUNT), digits(text).rlike(PRECISE)
    return {
        "amount_missing": missing("amount"),
        "amount_unreadable": no_value & ~number,
        "amount_too_precise": no_value & number & ~precise,
        "amount_too_large": no_value & number & precise,
    }


def rules() -> dict[str, Column]:
    """Return the rules of section 3.1 in its order: name to a predicate that is true when the row breaks the rule."""
    return {
        "dms_id_missing": missing("dms_id"),
        "dms_id_unreadable": unreadable("dms_id", "dms_id"),
        **amount_rules(),
        "date_missing": missing("date"),
        "date_unreadable": unreadable("date", "transacted_at"),
        "date_in_future": F.col("transacted_at") > F.col("last_modified_at") + F.expr("INTERVAL 1 DAY"),
        "use_chip_unknown": unreadable("use_chip", "channel"),
        "zip_impossible": unreadable("zip", "zip") | (F.col("zip") == "00000"),
        "client_id_unreadable": unreadable("client_id", "client_id"),
        "card_id_unreadable": unreadable("card_id", "card_id"),
        "merchant_id_unreadable": unreadable("merchant_id", "merchant_id"),
        "mcc_unreadable": unreadable("mcc", "mcc"),
    }


def broken_rules(rows: DataFrame) -> DataFrame:
    """Add `rules`: the names of all rules that a row breaks, in the contract's order; empty for a good row."""
    predicates = rules()
    names = F.filter(
        F.array(*[F.when(broken, F.lit(name)) for name, broken in predicates.items()]), lambda name: name.isNotNull()
    )
    # Most rows are good; the disjunction is compiled, the filter over names is not.
    any_broken = reduce(Column.__or__, [F.coalesce(broken, F.lit(False)) for broken in predicates.values()])
    return rows.withColumn(
        "rules",
        F.when(F.col("broken").isNotNull(), F.array("broken"))
        .when(any_broken, names)
        .otherwise(F.array().cast("array<string>")),
    )


# ## Order and content
# Which row of a key wins is fixed by the row and its object alone, never by the time of processing.


def ordered(rows: DataFrame) -> DataFrame:
    """Add `row_order`, compared field by field from the left, and `content_hash` over all values but the key."""
    order = F.struct(
        F.col("instant").alias("position"),
        F.lit(1).alias("phase"),
        F.col("instant"),
        F.col("object_key"),
        F.col("sequencer"),
        F.col("version_id"),
        F.col("row"),
    )
    # xxHash64 passes over nulls, so their places are hashed too.
    nulls = F.concat(*[F.col(name).isNull().cast("int").cast("string") for name in VALUES])
    return rows.withColumn("row_order", order).withColumn("content_hash", F.xxhash64(*VALUES, nulls))


NORMALISED = {**STATE, "line": "bigint", "raw": "string", "rules": "array<string>"}


def normalise(rows: DataFrame) -> DataFrame:
    """Turn rows of text into typed rows with their broken rules; the raw text is kept for broken ones only."""
    nested = rows.select(
        "file_id", "row", "line", "raw", "broken", "last_modified_at", "instant", "object_key", "sequencer",
        "version_id", F.struct(*KNOWN).alias("text"),
    )  # fmt: skip
    typed = nested.transform(parsed).transform(broken_rules).transform(ordered)
    return conform(typed.withColumn("raw", F.when(F.size("rules") > 0, F.col("raw"))), NORMALISED)


# ## Outcomes
# Each good row is held against its key's state before the run, and against the other rows of its key in this run.


def stored_state(spark: SparkSession, table: str, keys: DataFrame, *, low: int, high: int) -> DataFrame:
    """Return the stored rows of these keys as `dms_id, stored`; the range lets Iceberg pass over whole files."""
    stored = spark.table(table).where(F.col("dms_id").between(low, high))
    state = F.struct(*[name for name in STATE if name != "dms_id"]).alias("stored")
    return stored.join(keys.select("dms_id").distinct(), on="dms_id", how="left_semi").select("dms_id", state)


def classify(rows: DataFrame, stored: DataFrame) -> DataFrame:
    """Give each good row its outcome; add `is_newest` (the row that the key's state now comes from) and `stored`."""
    same = F.coalesce(
        (F.col("content_hash") == F.col("stored.content_hash"))
        & (F.col("amount") == F.col("stored.amount"))
        & (F.col("transacted_at") == F.col("stored.transacted_at")),
        F.lit(False),
    )
    newer = F.col("stored").isNull() | (F.col("row_order") > F.col("stored.row_order"))
    newest = F.max("row_order").over(Window.partitionBy("dms_id"))
    outcome = (
        F.when(F.col("same"), "unchanged")
        .when(~F.col("newer"), "stale")
        .when(~F.col("is_newest"), "superseded")
        .when(F.col("stored").isNull(), "inserted")
        .otherwise("updated")
    )
    effect = F.when(F.col("outcome") == "inserted", F.col("amount")).when(
        F.col("outcome") == "updated", F.col("amount") - F.col("stored.amount")
    )
    return (
        rows.join(stored, on="dms_id", how="left")
        .withColumns({"same": same, "newer": newer})
        .withColumn("is_newest", F.col("newer") & (F.col("row_order") == newest))
        .withColumn("outcome", outcome)
        .withColumn("effect_amount", F.coalesce(effect, F.lit(Decimal(0))).cast(MONEY))
    )


def effects(classified: DataFrame, *, run_seq: int) -> DataFrame:
    """Return one row per key whose value this run changes, with its image before and after."""
    changed = classified.where(F.col("outcome").isin("inserted", "updated", "deleted"))
    before = F.when(F.col("stored").isNotNull(), F.struct(*[F.col(f"stored.{name}").alias(name) for name in VALUES]))
    return conform(
        changed.withColumns(
            {"run_seq": F.lit(run_seq), "cause": F.lit("file"), "before": before, "after": F.struct(*VALUES)}
        ),
        EFFECTS,
    )


# ## Proof
# Two proofs, both at the cost of the change. On reading: the rows and the money of each file are what the KPI function,
# another engine,
# found in it. On writing: the branches are read back, and must hold exactly what was decided.


def profile(rows: DataFrame) -> dict[str, Item]:
    """Return per file what the KPI function counts too, and the range of its good keys."""
    good = F.size("rules") == 0
    counted = rows.groupBy("file_id").agg(
        F.count(F.lit(1)).alias("row_count"),
        F.sum(F.when(~good, 1).otherwise(0)).alias("bad_rows"),
        F.sum(F.col("amount").isNull().cast("int")).alias("unreadable_amounts"),
        F.sum(F.col("amount").cast(TOTAL)).alias("total_amount"),
        F.min(F.when(good, F.col("dms_id"))).alias("low"),
        F.max(F.when(good, F.col("dms_id"))).alias("high"),
    )
    return {row.file_id: row.asDict() for row in counted.collect()}


def check_against_kpis(files: list[Item], profiles: dict[str, Item]) -> None:
    """Hold each file's rows and money to the figures of the KPI function, to the row and the cent."""
    nothing = {"row_count": 0, "bad_rows": 0, "unreadable_amounts": 0, "total_amount": None}
    for file in files:
        counted = profiles.get(file["file_id"], nothing)
        found = {**counted, "total_amount": cents(counted["total_amount"])}
        for name in nothing:
            if found[name] != file["kpis"][name]:
                raise FileBroken(
                    file["file_id"], f"{name} is {found[name]} in Silver but {file['kpis'][name]} in the KPI function"
                )


def by_outcome(rows: DataFrame) -> dict[str, Item]:
    """Return per file the count and the amounts of each outcome, and the sum of the effects."""
    counted = rows.groupBy("file_id", "outcome").agg(
        F.count(F.lit(1)).alias("row_count"),
        F.sum(F.col("amount").cast(TOTAL)).alias("amount"),
        F.sum(F.col("effect_amount").cast(TOTAL)).alias("effect"),
    )
    report: dict[str, Item] = {}
    for row in counted.collect():
        facts = report.setdefault(
            row.file_id, {"outcomes": dict.fromkeys(OUTCOMES, 0), "amounts": {}, "effect": Decimal(0)}
        )
        facts["outcomes"][row.outcome] = row.row_count
        facts["amounts"][row.outcome] = cents(row.amount)
        facts["effect"] += row.effect or Decimal(0)
    return report


def quarantined(rows: DataFrame) -> DataFrame:
    """Return quarantine rows in the form that `by_outcome` counts."""
    return rows.select(
        "file_id", F.lit("quarantined").alias("outcome"), "amount", F.lit(Decimal(0)).cast(MONEY).alias("effect_amount")
    )


def read_back(spark: SparkSession, branches: Branches, written: list[str], run_seq: int) -> dict[str, Item]:
    """Count what the branches really hold of this run."""
    counted = ["file_id", "outcome", "amount", "effect_amount"]
    parts = []
    if "transaction_history" in written:
        parts.append(
            spark.table(branches.open("transaction_history")).where(F.col("run_seq") == run_seq).select(*counted)
        )
    if "quarantine" in written:
        parts.append(quarantined(spark.table(branches.open("quarantine")).where(F.col("run_seq") == run_seq)))
    return by_outcome(reduce(DataFrame.unionByName, parts))


def prove_effects(spark: SparkSession, branches: Branches, run_seq: int) -> Item:
    """Return what the written effects say: keys that came and went, money before and after."""
    change = spark.table(branches.open("transaction_effects")).where(F.col("run_seq") == run_seq)
    found = change.agg(
        F.count("before").alias("had"),
        F.count("after").alias("have"),
        total("before.amount").alias("amount_before"),
        total("after.amount").alias("amount_after"),
        total("effect_amount").alias("effect"),
    ).first()
    require("sum of effects", found=found.effect, expected=found.amount_after - found.amount_before)
    return found.asDict()


NO_EFFECTS = {"had": 0, "have": 0, "amount_before": Decimal(0), "amount_after": Decimal(0), "effect": Decimal(0)}


# ## One run
# History, quarantine, effects and state are written to the run's branches; `transactions` only where a key is new or
# its newest row is.


BY_FULL_KEY = "t.dms_id = s.dms_id AND t.dms_id BETWEEN {low} AND {high}"
UPSERT = "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"


def write_state(branches: Branches, newest: DataFrame, *, low: int, high: int, any_stored: bool) -> None:
    """Bring `transactions` to the newest row of each key, in key order, so that file statistics can prune."""
    state = conform(newest, STATE)
    if any_stored:
        branches.merge("transactions", state, on=BY_FULL_KEY.format(low=low, high=high), clauses=UPSERT)
    else:
        branches.append("transactions", state.orderBy("dms_id"))


def key_range(profiles: dict[str, Item]) -> tuple[int, int]:
    """Return the lowest and the highest good key of a run; an empty range when there is none."""
    lows = [found["low"] for found in profiles.values() if found["low"] is not None]
    highs = [found["high"] for found in profiles.values() if found["high"] is not None]
    return min(lows, default=0), max(highs, default=-1)


def write(
    branches: Branches,
    bad: DataFrame,
    classified: DataFrame,
    counts: Item,
    moved: Item,
    keys: tuple[int, int],
    run_seq: int,
) -> list[str]:
    """Write what the run decided to its branches; return the names of the tables written."""
    by_run = F.lit(run_seq)
    writes: dict[str, Callable[[], None]] = {}
    if counts["quarantined"]:
        kept = conform(bad.withColumns({"run_seq": by_run, "repaired_by": F.lit(None)}), QUARANTINE)
        writes["quarantine"] = partial(branches.append, "quarantine", kept)
    if sum(counts.values()) > counts["quarantined"]:
        history = conform(classified.withColumn("run_seq", by_run), HISTORY)
        writes["transaction_history"] = partial(branches.append, "transaction_history", history)
    if counts["inserted"] + counts["updated"]:
        changed = effects(classified, run_seq=run_seq)
        writes["transaction_effects"] = partial(branches.append, "transaction_effects", changed)
    if counts["inserted"] + counts["updated"] + moved["row_count"]:
        any_stored = counts["updated"] + moved["row_count"] > 0
        newest = classified.where("is_newest")
        writes["transactions"] = partial(
            write_state, branches, newest, low=keys[0], high=keys[1], any_stored=any_stored
        )
    together(writes.values())
    written = list(writes)
    step("written", tables=written)
    return written


def prove(
    spark: SparkSession,
    branches: Branches,
    written: list[str],
    decided: dict[str, Item],
    moved: Item,
    before: Item,
    run_seq: int,
) -> Item:
    """Hold the branches to what was decided; return the totals of `transactions` after the run."""
    require("rows by outcome", found=read_back(spark, branches, written, run_seq), expected=decided)
    change = prove_effects(spark, branches, run_seq) if "transaction_effects" in written else NO_EFFECTS
    require("effects by file", found=change["effect"], expected=sum(facts["effect"] for facts in decided.values()))
    published = before.get("published", {"row_count": 0, "total_amount": "0.00"})
    row_count = published["row_count"] + change["have"] - change["had"]
    total_amount = Decimal(published["total_amount"]) + change["effect"]
    if "transactions" in written:
        require("living keys", found=branches.living_rows("transactions"), expected=row_count)
        added = (change["have"] + moved["row_count"], change["amount_after"] + moved["amount"])
        require("rows and money in the files added", found=branches.added("transactions", "amount"), expected=added)
        carried = {
            "assay.run-seq": str(run_seq),
            "assay.row-count": str(row_count),
            "assay.total-amount": cents(total_amount),
        }
        branches.append("transactions", spark.table(branches.table("transactions")).limit(0), carried)
    return {"row_count": row_count, "total_amount": cents(total_amount)}


def moved_on(classified: DataFrame) -> Item:
    """Return count and money of the unchanged rows that are newer than the stored ones: only their order moves on."""
    moved = classified.where(F.col("is_newest") & (F.col("outcome") == "unchanged"))
    return moved.agg(F.count(F.lit(1)).alias("row_count"), total("amount").alias("amount")).first().asDict()


def publish(spark: SparkSession, ledger: Ledger, job: argparse.Namespace, intent: Item) -> None:
    """Carry out a committed intent; every step may be done twice, so that the next run can finish what a kill left."""
    branches = Branches(spark, job.silver_database, intent["branch"])
    promised = {table: intent["snapshots"][table] for table in TABLES if table in intent["snapshots"]}
    for table, snapshot_id in promised.items():
        branches.fast_forward({table: snapshot_id})
        step("fast_forwarded", table=table)
    report = json.loads(boto3.client("s3").get_object(Bucket=job.lake_bucket, Key=intent["report"])["Body"].read())
    snapshots = {**ledger.state().get("published", {}).get("snapshots", {}), **promised}

    def advance(file: tuple[str, Item]) -> None:
        counted = {"outcomes": file[1]["outcomes"], "amounts": file[1]["amounts"], "effect_amount": file[1]["effect"]}
        facts = {"run_seq": intent["run_seq"], "snapshots": promised, **counted}
        ledger.advance(file[0], status="in_silver", waiting_for="gold", facts=facts)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(advance, report["files"].items()))
    step("files_advanced")
    totals = {"row_count": report["row_count"], "total_amount": report["total_amount"]}
    ledger.finish({"run_seq": intent["run_seq"], "snapshots": snapshots, **totals})
    branches.drop_older(promised)
    step("published", run_seq=intent["run_seq"], **totals)


def process(spark: SparkSession, ledger: Ledger, job: argparse.Namespace, files: list[Item], attempts: int = 1) -> None:
    """Take these files through one run, from staging to publication; leave the readers' tables alone on any error."""
    before = ledger.state()
    run_seq, token = before["run_seq"] + 1, uuid.uuid4().hex
    file_ids = [file["file_id"] for file in files]
    begun = {"run_seq": run_seq, "token": token, "files": file_ids, "attempts": attempts, "started_at": now_text()}
    ledger.begin(begun, after=before["run_seq"])
    step("begun", run_seq=run_seq, files=len(files))

    size_shuffles(spark, sum(file["kpis"]["row_count"] for file in files))
    branches = Branches(spark, job.silver_database, Branches.name_of_run(run_seq))
    stage(files, lake=job.lake_bucket)
    step("staged")
    rows = settled(read(spark, files, lake=job.lake_bucket).transform(normalise))
    profiles = profile(rows)
    check_against_kpis(files, profiles)
    step("read", rows=sum(found["row_count"] for found in profiles.values()))

    good, bad = rows.where(F.size("rules") == 0), rows.where(F.size("rules") > 0)
    keys = key_range(profiles)
    stored = stored_state(spark, branches.table("transactions"), good, low=keys[0], high=keys[1])
    classified = settled(classify(good, stored))
    outcomes = classified.select("file_id", "outcome", "amount", "effect_amount")
    decided = by_outcome(outcomes.unionByName(quarantined(bad)))
    counts = {outcome: sum(facts["outcomes"][outcome] for facts in decided.values()) for outcome in OUTCOMES}
    step("classified", **counts)

    moved = moved_on(classified) if counts["unchanged"] else {"row_count": 0, "amount": Decimal(0)}
    written = write(branches, bad, classified, counts, moved, keys, run_seq)
    totals = prove(spark, branches, written, decided, moved, before, run_seq)
    step("proved", **totals)
    report = {"run_seq": run_seq, "files": decided, **totals}
    report_key = f"reports/silver/{run_seq:08d}.json"
    body = json.dumps(report, sort_keys=True, default=cents).encode()
    boto3.client("s3").put_object(Bucket=job.lake_bucket, Key=report_key, Body=body)
    intent = {
        "run_seq": run_seq,
        "branch": branches.name,
        "snapshots": branches.snapshots(),
        "report": report_key,
    }
    step("before_intent")
    ledger.commit(intent, token=token)
    step("after_intent")
    publish(spark, ledger, job, intent)


# ## Recovery and isolation
# A run that was killed after its commit point is rolled forward; one that was killed before is done again with the same
# files. A run that fails
# is repeated without the file that breaks it; only that file becomes `failed`.


ATTEMPTS = 3  # a file list that has killed the job this often is taken file by file


def root_cause(error: BaseException) -> str:
    """Return the innermost message of an error, through Java's causes."""
    cause = getattr(error, "java_exception", None)
    if cause is None:
        return f"{type(error).__name__}: {error}"
    while cause.getCause() is not None:
        cause = cause.getCause()
    return str(cause.toString())


def probe(spark: SparkSession, job: argparse.Namespace, file: Item) -> str | None:
    """Read one file alone, wholly; return why it cannot be read, or nothing."""
    try:
        stage([file], lake=job.lake_bucket)
        rows = read(spark, [file], lake=job.lake_bucket).transform(normalise)
        rows.write.format("noop").mode("overwrite").save()
        check_against_kpis([file], profile(rows))
    except FileBroken as error:
        return error.reason
    except Exception as error:  # whatever breaks the reading of this one file is its reason
        return root_cause(error)
    return None


def broken_files(spark: SparkSession, job: argparse.Namespace, files: list[Item], error: Exception) -> dict[str, str]:
    """Return the files that broke a run, each with its reason; nothing when all of them, or none, can be read.

    When no file at all can be read, the fault lies with the storage and not with the files.
    """
    named = set(re.findall("[0-9a-f]{64}", str(error)))
    suspects = [file for file in files if file["file_id"] in named] or files
    reasons = {file["file_id"]: reason for file in suspects if (reason := probe(spark, job, file))}
    return {} if len(reasons) == len(files) > 1 else reasons


def process_all(spark: SparkSession, ledger: Ledger, job: argparse.Namespace, files: list[Item], attempts: int) -> None:
    """Process the files in one run, leaving out those that break it."""
    while files:
        try:
            return process(spark, ledger, job, files, attempts)
        except FencedOut:
            raise
        except FileBroken as error:
            broken = {error.file_id: error.reason}
        except Exception as error:
            step("run_failed", error=root_cause(error)[:500])
            broken = broken_files(spark, job, files, error)
            if not broken:
                raise
        for broken_id, reason in broken.items():
            ledger.fail(broken_id, reason)
            step("file_failed", file_id=broken_id)
        files = [file for file in files if file["file_id"] not in broken]
    return ledger.abandon()


def process_singly(spark: SparkSession, ledger: Ledger, job: argparse.Namespace, files: list[Item]) -> None:
    """Process each file in a run of its own; a file that killed the job even alone becomes failed."""
    for file in files:
        process_all(spark, ledger, job, [file], attempts=1)


def recover(spark: SparkSession, ledger: Ledger, job: argparse.Namespace) -> None:
    """Finish what a killed run left: roll forward after its commit point, else run it again with the same files."""
    state = ledger.state()
    if "intent" in state:
        step("rolling_forward", run_seq=state["intent"]["run_seq"])
        publish(spark, ledger, job, state["intent"])
    elif "in_progress" in state:
        left = state["in_progress"]
        files = [file for file in ledger.files(left["files"]) if file.get("waiting_for") == "silver"]
        step("running_again", run_seq=left["run_seq"], attempts=left["attempts"])
        if left["attempts"] < ATTEMPTS:
            process_all(spark, ledger, job, files, left["attempts"] + 1)
        elif len(files) == 1:
            ledger.fail(
                files[0]["file_id"],
                f"the Silver job ended without a word {left['attempts']} times while it held this file",
            )
            ledger.abandon()
        else:
            process_singly(spark, ledger, job, files)


# ## The job


def arguments(argv: list[str]) -> argparse.Namespace:
    """Read the job's arguments; Glue adds some of its own, which are passed over."""
    parser = argparse.ArgumentParser(prog="silver", allow_abbrev=False)
    for name in ("bronze_bucket", "lake_bucket", "ledger_table", "silver_database"):
        parser.add_argument(f"--{name}", default=globals()[name])
    parser.add_argument("--file_id", default=file_id, help="the file whose execution started this run")
    job, _ = parser.parse_known_args(argv)
    for name in ("lake_bucket", "ledger_table", "silver_database"):
        if not getattr(job, name):
            parser.error(f"--{name} is required")
    return job


def session() -> SparkSession:
    settings = {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.ansi.enabled": "false",
        # User files may hold columns that differ in case only.
        "spark.sql.caseSensitive": "true",
        # Nanosecond timestamps are read as numbers and cut to microseconds here; Spark 3.5 refuses them otherwise.
        "spark.sql.legacy.parquet.nanosAsLong": "true",
    }
    builder = SparkSession.builder.appName("silver")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def main(job: argparse.Namespace) -> None:
    """Finish what was left, then take every waiting file through one run."""
    spark = session()
    ledger = Ledger(job.ledger_table, "silver")
    create_tables(spark, job.silver_database, TABLES)
    step("started")
    recover(spark, ledger, job)
    files = ledger.waiting(job.file_id or None)
    if files:
        process_all(spark, ledger, job, files, attempts=1)
    step("done")
    spark.stop()


if __name__ == "__main__":
    main(arguments(sys.argv[1:]))
