"""Silver: cleansed transactions, incremental by `dms_id`

Exported from glue/notebooks/silver.ipynb by tools/export_notebooks.py; edit the notebook, not this file.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import hmac
import io
import json
import re
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property, partial, reduce
from itertools import pairwise
from operator import itemgetter, or_
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from pyspark.sql import Column, DataFrame, SparkSession, Window, WindowSpec
from pyspark.sql import functions as F
from pyspark.sql import types as T
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


# From glue/reading/fields.py

FIELD = r'(?:"[^"]*+(?:""[^"]*+)*+"|[^",]*+)'
_RECORD = re.compile(rf"{FIELD}(?:,{FIELD})*+")
_FIELDS = re.compile(rf"(?:^|,)({FIELD})")


def split_line(text: str) -> list[str] | None:
    """Return the fields of a record on one line, without the quotes around them; None if a quote is misused."""
    if not _RECORD.fullmatch(text):
        return None
    fields = [match[1] for match in _FIELDS.finditer(text)]
    return [field[1:-1].replace('""', '"') if field.startswith('"') else field for field in fields]


def join_line(fields: list[str]) -> str:
    """Return a record on one line, quoted where it must be."""
    return ",".join('"' + field.replace('"', '""') + '"' if re.search('[",]', field) else field for field in fields)


# From glue/reading/masking.py

SECRET_COLUMNS = ("card_number", "cvv")
CHECKED_COLUMNS = ("card_id", "client_id", "credit_limit", "op", "commit_at")  # rules read them: they stay as they are
CARD_NUMBER = re.compile(r"[0-9]{13,19}")
WITHHELD = "withheld: a broken record of cards"
LAST_DIGITS = 4


class CardKey:
    """The secret key of a stack, fetched when it is first needed."""

    def __init__(self, secret_id: str) -> None:
        self._secret_id = secret_id

    @cached_property
    def _key(self) -> bytes:
        if not self._secret_id:
            raise RuntimeError("a file of cards needs the job's argument --card_key_secret")
        return str(boto3.client("secretsmanager").get_secret_value(SecretId=self._secret_id)["SecretString"]).encode()

    def masked(self, name: str | None, text: str | None) -> str:
        """Return what may leave Bronze of a value in the column of this name; None is one that the contract lacks."""
        digits = re.sub("[^0-9]", "", re.sub(r"\.0+$", "", text or ""))
        if name in CHECKED_COLUMNS or (name not in (*SECRET_COLUMNS, None) and not is_card_number(digits)):
            return text or ""
        if name in ("cvv", None) or not digits:
            return ""
        return f"{digits[-LAST_DIGITS:]}:{hmac.new(self._key, digits.encode(), hashlib.sha256).hexdigest()}"


def is_card_number(digits: str) -> bool:
    """Tell whether digits end in their check digit (ISO/IEC 7812-1, annex B)."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return bool(CARD_NUMBER.fullmatch(digits)) and (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def names_of(shape: Item) -> list[str | None]:
    """Return the contract's name of each of a file's columns, None for unknown ones."""
    names = {place: name for name, place in shape["places"].items()}
    tables = shape.get("table_places", [])
    return [names.get(place, "op" if place in tables else None) for place in range(len(shape["columns"]))]


def copy_masked(file: Item, body: Any, lake: str, path: str, key: CardKey) -> None:
    """Write the masked copy of a file of cards (`body`: its bytes as a stream) to a path of the lake bucket."""
    with tempfile.TemporaryFile() as copy:
        if file["format"]["kind"] == "parquet":
            _copy_parquet(file, body, copy, key)
        else:
            _copy_csv(file, body, copy, key)
        copy.seek(0)
        boto3.client("s3").upload_fileobj(copy, lake, path)


def _copy_csv(file: Item, body: Any, copy: Any, key: CardKey) -> None:
    zipped = file["format"]["kind"] == "csv.gz"
    source = gzip.GzipFile(fileobj=body) if zipped else body
    text = io.TextIOWrapper(io.BufferedReader(_Readable(source)), encoding="utf-8", newline="\n")
    target = gzip.GzipFile(fileobj=copy, mode="wb", mtime=0) if zipped else copy
    for line in masked_lines(file, text, key):
        target.write(line.encode())
    if zipped:
        target.close()


class _Readable(io.RawIOBase):
    """Gives a stream that only knows `read` the interface that text needs."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._source.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def masked_lines(file: Item, lines: Iterable[str], key: CardKey) -> Iterator[str]:
    """Yield the lines of a CSV file with its secret columns masked; line breaks and blank lines stay."""
    shape = file["format"]
    names, tables = names_of(shape), shape.get("table_places", [])
    header = shape.get("blank_lines_before_header", 0) if shape["has_header"] else -1
    for number, line in enumerate(lines):
        blank = not line.strip(" \t\r\n\ufeff")
        yield line if number <= header or blank else _masked_line(line, names, tables, key)


def _masked_line(line: str, names: list[str | None], tables: list[int], key: CardKey) -> str:
    text = line.rstrip("\r\n")
    end = line[len(text) :]
    fields = split_line(text)
    if fields is None:
        return f'"{WITHHELD}"!{end}'  # still breaks the rule of quotes
    if len(fields) != len(names):
        # Still too few or too many, and still of the table that it names.
        kept = [field if place in tables else "" for place, field in enumerate(fields)]
        return join_line([WITHHELD, *kept[1:]]) + end
    return join_line([key.masked(name, field) for name, field in zip(names, fields, strict=True)]) + end


def _copy_parquet(file: Item, body: Any, copy: Any, key: CardKey) -> None:
    shape = file["format"]
    names = names_of(shape)
    with tempfile.TemporaryFile() as whole:
        while piece := body.read(1 << 20):
            whole.write(piece)
        source = pq.ParquetFile(whole)
        # All but the columns that rules read become text: what stands in them is masked as text.
        kept = [name in CHECKED_COLUMNS for name in names]
        fields = zip(kept, source.schema_arrow, strict=True)
        schema = pa.schema([field if as_it_is else pa.field(field.name, pa.string()) for as_it_is, field in fields])
        with pq.ParquetWriter(copy, schema) as writer:
            for batch in source.iter_batches():
                columns = [
                    column
                    if as_it_is
                    else pa.array([key.masked(name, _text(value)) for value in column.to_pylist()], pa.string())
                    for as_it_is, name, column in zip(kept, names, batch.columns, strict=True)
                ]
                writer.write_batch(pa.record_batch(columns, schema=schema))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


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


# From glue/reading/staging.py

# S3 copies up to 5 GB in one request; boto3 by itself would send hundreds for such an object.
WHOLE_COPIES = TransferConfig(multipart_threshold=5 << 30, multipart_chunksize=1 << 30)


class FileBroken(Exception):  # noqa: N818 - the file is, not the program
    """One file cannot be processed; the others of its run can."""

    def __init__(self, broken_file_id: str, reason: str) -> None:
        super().__init__(f"file {broken_file_id}: {reason}")
        self.file_id = broken_file_id
        self.reason = reason


@dataclass(frozen=True)
class Staging:
    """Where a run's copies lie in the lake bucket, and the key under which card numbers are hashed on the way there."""

    lake: str
    prefix: str = ""
    card_key: CardKey = field(default_factory=lambda: CardKey(""))

    def name(self, file: Item) -> str:
        return f"{file['file_id']}.{file['format']['kind']}"

    def key(self, file: Item) -> str:
        return f"{self.prefix}staging/{self.name(file)}"

    def path(self, file: Item) -> str:
        return f"s3://{self.lake}/{self.key(file)}"


def stage(files: list[Item], staging: Staging) -> None:
    """Copy the exact version of each file to staging; copying again gives the same bytes."""
    s3 = boto3.client("s3")

    def copy(file: Item) -> None:
        bucket, key, version_id = file["bucket"], file["key"], file["version_id"]
        try:
            if file["subject"] == "cards":
                body = s3.get_object(Bucket=bucket, Key=key, VersionId=version_id)["Body"]
                copy_masked(file, body, staging.lake, staging.key(file), staging.card_key)
            elif file["format"]["kind"] == "json":
                body = s3.get_object(Bucket=bucket, Key=key, VersionId=version_id)["Body"]
                s3.put_object(Bucket=staging.lake, Key=staging.key(file), Body=csv_of_codes(json.loads(body.read())))
            else:
                s3.copy(
                    {"Bucket": bucket, "Key": key, "VersionId": version_id},
                    staging.lake,
                    staging.key(file),
                    Config=WHOLE_COPIES,
                )
        except s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NoSuchVersion", "405"):
                raise FileBroken(
                    file["file_id"], "the object version was deleted from Bronze after it was accepted"
                ) from error
            raise

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(copy, [file for file in files if file["subject"] != "load"]))


def csv_of_codes(codes: dict[str, str]) -> bytes:
    """Write the JSON object of `mcc_codes` as the CSV file that it stands for."""
    # A line break may stand in a description; in a code it stays a fault.
    rows = [[re.sub(r"[\r\n]", "?", code), " ".join(str(name).splitlines())] for code, name in codes.items()]
    return "".join(f"{join_line(row)}\n" for row in (["mcc", "description"], *rows)).encode()


# From glue/reading/origin.py

KNOWN = (
    "dms_id", "amount", "date", "use_chip", "zip", "client_id", "card_id", "merchant_id", "merchant_city",
    "merchant_state", "mcc", "errors",
)  # fmt: skip
CHANGE = ("op", "commit_at")
ORIGIN = {
    "file_id": "string", "last_modified_at": "timestamp", "object_at": "timestamp", "object_key": "string",
    "sequencer": "string", "version_id": "string", "is_full_load": "boolean", "load_start": "timestamp",
    "has_op": "boolean", "has_commit_at": "boolean",
}  # fmt: skip
LAYOUT = (
    "file_name string, header_line bigint, field_count int, null_text string, "
    "other_table struct<name: string, places: array<int>>"
)


def texts_of(subject: str) -> tuple[str, ...]:
    """Return the columns that are read of a subject's files, as text."""
    return (KNOWN if subject == "transactions" else REFERENCES[subject].texts) + CHANGE


def facts_of(file: Item, staging: Staging, texts: tuple[str, ...]) -> Item:
    """Return what the rows of a file need to know of it, in the form `facts_schema`."""
    shape = file["format"]
    return {
        "file_id": file["file_id"],
        "last_modified_at": file["last_modified_at"],
        "object_at": file.get("as_of_at", file["last_modified_at"]),
        "object_key": file["key"],
        "sequencer": file["sequencer"].ljust(32, "0"),
        "version_id": file["version_id"],
        "is_full_load": shape["is_full_load"],
        "load_start": file.get("load_start"),
        "has_op": "op" in shape["places"],
        "has_commit_at": "commit_at" in shape["places"],
        "file_name": staging.name(file),
        "header_line": shape.get("blank_lines_before_header", 0) + 1 if shape["has_header"] else 0,
        "field_count": len(shape["columns"]),
        "null_text": shape.get("null_text"),
        "other_table": {"name": shape["table"], "places": shape["table_places"]} if "table" in shape else None,
        "positions": {name: place for name, place in shape["places"].items() if name in texts},
    }


def facts_schema(texts: tuple[str, ...]) -> str:
    positions = "positions struct<" + ", ".join(f"{name}: int" for name in texts) + ">"
    return f"{columns(ORIGIN)}, {LAYOUT}, {positions}"


def positions_of(files: list[Item], texts: tuple[str, ...]) -> dict[str, Column]:
    """Return where each known column stands: a constant where all files agree, that is twice as fast."""
    places = [{name: file["format"]["places"].get(name) for name in texts} for file in files]
    if all(each == places[0] for each in places):
        return {name: F.lit(place).cast("int") for name, place in places[0].items()}
    return {name: F.col("positions")[name] for name in texts}


def local_rows(spark: SparkSession, rows: list[Item], schema: str) -> DataFrame:
    """Return a few rows of the driver as a DataFrame that Spark can broadcast without a Python worker."""
    rows_of = T.ArrayType(T._parse_datatype_string(schema))
    return spark.range(1).select(F.inline(F.from_json(F.lit(json.dumps(rows)), rows_of)))


# From glue/lake/spark.py


def jvm(spark: SparkSession) -> Any:
    """Return the JVM behind a session."""
    return spark._jvm


# From glue/reading/texts.py


def without_blanks(text: Column) -> Column:
    """Return a text without blanks and tabs around it."""
    # Trimming a set of characters costs ten times as much as trimming blanks, and tabs are rare.
    return F.when(text.contains("\t"), F.btrim(text, F.lit(" \t"))).otherwise(F.trim(text))


def trimmed(text: Column) -> Column:
    """Return a text without blanks and tabs around it; null when nothing is left."""
    short = without_blanks(text)
    return F.when(short != "", short)


def with_texts(rows: DataFrame, values: dict[str, Column], *, any_null_text: bool) -> DataFrame:
    """Add the known columns as trimmed text; what a file writes for null is null.

    Spark computes an expression anew wherever another one names it, unless it is a column of an earlier step.
    """
    steps: list[Callable[[Column], Column]] = [without_blanks, lambda text: F.when(text != "", text)]
    if any_null_text:
        steps.append(lambda text: F.when(~text.eqNullSafe(F.col("null_text")), text))
    rows = rows.withColumns(values)
    for step_of in steps:
        rows = rows.withColumns({name: step_of(F.col(name)) for name in values})
    return rows


# From glue/reading/parquet.py


def parquet_text(name: str, field: T.StructField) -> Column:
    """Return a Parquet column, `name` in the contract, in the text form of the contract."""
    value = F.col(f"`{field.name}`")
    kind = field.dataType
    if isinstance(kind, T.DecimalType):
        return plain_decimal(value, kind)
    if isinstance(kind, T.DoubleType | T.FloatType):
        whole = (value == F.floor(value)) & (value >= -(2.0**63)) & (value < 2.0**63)
        return F.when(whole, value.cast("bigint").cast("string")).otherwise(value.cast("string"))
    if isinstance(kind, T.ArrayType):
        return F.concat_ws(",", value)
    if isinstance(kind, T.LongType) and name in ("date", "commit_at"):
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


def known_places(file: Item) -> dict[str, int]:
    """Return where a file has the columns that are read of it."""
    names = texts_of(file["subject"])
    return {name: place for name, place in file["format"]["places"].items() if name in names}


def parquet_fields(spark: SparkSession, path: str, places: Iterable[int]) -> T.StructType:
    """Return the columns at these places of a Parquet file as Spark reads them, by its own rules.

    What Spark infers by itself is the schema of the whole file: it refuses a file for a column that nobody reads.
    """
    parquet, state = jvm(spark).org.apache.parquet, spark._jsparkSession.sessionState()
    source = jvm(spark).org.apache.hadoop.fs.Path(path)
    file = parquet.hadoop.util.HadoopInputFile.fromPath(source, state.newHadoopConf())
    reader = parquet.hadoop.ParquetFileReader.open(file)
    try:
        whole = reader.getFileMetaData().getSchema()
    finally:
        reader.close()
    kept = jvm(spark).java.util.ArrayList()
    for place in places:
        kept.add(whole.getType(place))
    datasources = jvm(spark).org.apache.spark.sql.execution.datasources
    converter = datasources.parquet.ParquetToSparkSchemaConverter(state.conf())
    fields = converter.convert(parquet.schema.MessageType("known", kept))
    return T.StructType.fromJson(json.loads(fields.json()))


def read_parquet(spark: SparkSession, files: list[Item], staging: Staging) -> DataFrame:
    """Return the rows of Parquet files that all have the same columns and types, in the form of `read_csv`."""
    names, places = texts_of(files[0]["subject"]), known_places(files[0])
    fields = parquet_fields(spark, staging.path(files[0]), places.values())
    source = spark.read.schema(fields).parquet(*[staging.path(file) for file in files])
    found = dict(zip(places, fields, strict=True))
    texts = {name: parquet_text(name, found[name]) for name in names if name in places}
    raw = F.to_json(F.struct(*[text.alias(name) for name, text in texts.items()]), {"ignoreNullFields": "false"})
    rows = source.select(
        F.col("_metadata.file_name").alias("file_name"),
        (F.col("_metadata.row_index") + 1).alias("row"),
        raw.alias("raw"),
        F.struct(*[texts.get(name, F.lit(None).cast("string")).alias(name) for name in names]).alias("values"),
    )
    values = {name: F.col("values")[name] for name in names}
    facts = local_rows(spark, [facts_of(file, staging, names) for file in files], facts_schema(names))
    return (
        rows.join(F.broadcast(facts), on="file_name", how="inner")
        .transform(with_texts, values, any_null_text=any("null_text" in file["format"] for file in files))
        .select(
            *ORIGIN,
            "row",
            F.lit(None).cast("bigint").alias("line"),
            "raw",
            F.lit(None).cast("string").alias("broken"),
            *names,
        )
    )


# From glue/reading/lines.py

QUOTE = '"'


def is_blank(text: Column) -> Column:
    """Tell whether a line holds nothing; that most lines hold a comma is seen sooner."""
    return ~text.contains(",") & (F.btrim(text, F.lit(" \t")) == "")


def has_odd_quotes(text: Column) -> Column:
    without = F.replace(text, F.lit(QUOTE), F.lit(""))
    return text.contains(QUOTE) & ((F.length(text) - F.length(without)) % 2 == 1)


def read_lines(
    spark: SparkSession, files: list[Item], staging: Staging, texts: tuple[str, ...]
) -> tuple[DataFrame, bool]:
    """Return `line, text, untidy` of all lines of CSV files beside the facts of their file; and if any is untidy."""
    # The name of the only file need not be looked up for every line.
    origin = {"block": "file_block_start"} | ({"file_name": "file_name"} if len(files) > 1 else {})
    text = spark.read.text([staging.path(file) for file in files], lineSep="\n").select(
        *[F.col(f"_metadata.{field}").alias(name) for name, field in origin.items()],
        F.monotonically_increasing_id().alias("id"),
        F.when(F.col("value").endswith("\r"), F.expr("left(value, length(value) - 1)"))
        .otherwise(F.col("value"))
        .alias("text"),
    )
    blocks = text.groupBy(*origin).agg(
        F.count(F.lit(1)).alias("lines"),
        F.min("id").alias("first_id"),
        F.max(is_blank(F.col("text")) | has_odd_quotes(F.col("text"))).alias("untidy"),
    )
    facts = {staging.name(file): facts_of(file, staging, texts) for file in files}
    found = [{"file_name": staging.name(files[0]), **block.asDict()} for block in blocks.collect()]
    untidy = {block["file_name"] for block in found if block["untidy"]}
    rows, next_line = [], dict.fromkeys(facts, 1)
    for block in sorted(found, key=itemgetter("file_name", "block")):
        name = block["file_name"]
        shift = next_line[name] - block["first_id"]
        rows.append({**facts[name], "block": block["block"], "shift": shift, "untidy": name in untidy})
        next_line[name] += block["lines"]
    numbered = local_rows(spark, rows, f"{facts_schema(texts)}, block bigint, shift bigint, untidy boolean")
    lines = text.join(F.broadcast(numbered), on=[*origin], how="inner")
    lines = lines.withColumn("line", F.col("id") + F.col("shift")).drop("file_name", "block", "id", "shift")
    return lines, bool(untidy)


# From glue/reading/records.py

RECORD_LINES = 64
WELL_QUOTED = rf"^{FIELD}(?:,{FIELD})*+\z"


def by_line() -> WindowSpec:
    return Window.partitionBy("file_id").orderBy("line")


def unquoted(field: Column) -> Column:
    """Return a field without the quotes around it."""
    inner = F.regexp_replace(field.substr(F.lit(2), F.length(field) - 2), '""', QUOTE)
    return F.when(field.startswith(QUOTE), inner).otherwise(field)


def fields_of(text: Column) -> Column:
    """Return a well-quoted record's fields, some still within quotes: a lambda here would slow down all records."""
    quoted = F.regexp_extract_all(F.concat(F.lit(","), text), F.lit(f",({FIELD})"), F.lit(1))
    return F.when(text.contains(QUOTE), quoted).otherwise(F.split(text, ",", -1))


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


def of_other_table(fields: Column) -> Column:
    """Tell whether a record of a file of several tables names another one than the file's."""
    expected, places = F.col("other_table.name"), F.col("other_table.places")
    named = [F.lower(trimmed(unquoted(F.get(fields, F.get(places, F.lit(place)))))) for place in (0, 1)]
    found = reduce(or_, [F.coalesce(name == F.lower(expected), F.lit(False)) for name in named])
    return F.col("other_table").isNotNull() & ~found


def line_of(files: list[Item]) -> Column:
    """Return the physical line of a record; a JSON object has none."""
    of_json = [file["file_id"] for file in files if file["format"]["kind"] == "json"]
    return (F.when(~F.col("file_id").isin(of_json), F.col("line")) if of_json else F.col("line")).alias("line")


def read_csv(spark: SparkSession, files: list[Item], staging: Staging) -> DataFrame:
    """Return one row per record: origin, `row`, `line`, `raw`, the structural rule it breaks, known columns."""
    texts = texts_of(files[0]["subject"])
    lines, any_untidy = read_lines(spark, files, staging, texts)
    below = lines.where("line > header_line")
    if not all(file["format"]["has_header"] for file in files):
        # A byte order mark before the first record is no part of it.
        first = F.regexp_replace("text", "^\ufeff", "")
        below = below.withColumn("text", F.when(F.col("line") == 1, first).otherwise(F.col("text")))
    facts = [name for name in below.columns if name not in ("line", "text", "untidy")]
    records = below.where(~F.col("untidy")).select(
        *facts, "line", "text", (F.col("line") - F.col("header_line")).alias("row")
    )
    if any_untidy:
        records = records.unionByName(join_spans(below.where("untidy")).select(*records.columns))
    text, fields, expected = F.col("text"), F.col("fields"), F.col("field_count")
    broken = F.when(text.contains(QUOTE) & ~text.rlike(WELL_QUOTED), F.lit("malformed_quotes"))
    if any("table" in file["format"] for file in files):
        broken = broken.when(of_other_table(fields), F.lit("other_table"))
    broken = broken.when(F.size(fields) < expected, F.lit("too_few_fields")).when(
        F.size(fields) > expected, F.lit("too_many_fields")
    )
    values = {
        name: F.when(F.col("broken").isNull(), unquoted(F.get(fields, position)))
        for name, position in positions_of(files, texts).items()
    }
    return (
        records.withColumn("fields", fields_of(text))
        .withColumn("broken", broken)
        .transform(with_texts, values, any_null_text=any("null_text" in file["format"] for file in files))
        .select(*ORIGIN, "row", line_of(files), F.col("text").alias("raw"), "broken", *texts)
    )


# From glue/reading/rows.py


def read(spark: SparkSession, files: list[Item], staging: Staging) -> DataFrame:
    """Return the rows of one subject's files as text: one read for all CSV files, one for each shape of Parquet."""
    # The ledger has one name for INT96 and for nanoseconds, Spark two types.
    untold = [
        file for file in files if any(kind.startswith("timestamp[ns") for kind in file["format"].get("types", []))
    ]
    schemas = {
        file["file_id"]: partial(parquet_fields, spark, staging.path(file), known_places(file).values())
        for file in untold
    }
    fields = {file_id: found.json() for file_id, found in at_once(schemas).items()}
    shapes: dict[str, list[Item]] = {}
    for file in files:
        shape = file["format"]
        parts = [shape["columns"], shape.get("types"), shape["places"], fields.get(file["file_id"])]
        signature = json.dumps(parts, sort_keys=True) if shape["kind"] == "parquet" else "csv"
        shapes.setdefault(signature, []).append(file)
    readers = [
        (read_csv if signature == "csv" else read_parquet)(spark, members, staging)
        for signature, members in shapes.items()
    ]
    # The rules would be planned and compiled once for each part of the union.
    return readers[0] if len(readers) == 1 else settled(reduce(DataFrame.unionByName, readers))


# From glue/shared/steps.py


def log_step(layer: str, name: str, **facts: object) -> None:
    """Log one step of a run as a line of JSON; never row contents, card or client ids."""
    print(json.dumps({"layer": layer, "step": name, "at": now_text(), **facts}, default=str), flush=True)


# The job's arguments. Glue passes them as `--name value`; a notebook run sets them here.


lake_bucket = ""
ledger_table = ""
silver_database = ""
file_id = ""
prefix = ""
maximum_missing_share = "0.1"
card_key_secret = ""


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
STATE = {**IMAGE, "content_hash": "bigint", "row_order": ROW_ORDER, "file_id": "string", "row": "bigint"}
EFFECT = "decimal(19,2)"  # new minus before may need a digit more than either
HISTORY = {**STATE, "op": "string", "line": "bigint", "outcome": "string", "effect_amount": EFFECT, "run_seq": "bigint"}
BEFORE_AFTER = "struct<" + ", ".join(f"{name}: {kind}" for name, kind in VALUES.items()) + ">"
EFFECTS = {
    "run_seq": "bigint",
    "cause": "string",
    "dms_id": "bigint",
    "before": BEFORE_AFTER,
    "after": BEFORE_AFTER,
    "effect_amount": EFFECT,
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


# A reference table keeps every accepted row; the newest of a key is its state.
OF_A_ROW = {
    "op": "string", "content_hash": "bigint", "row_order": ROW_ORDER, "file_id": "string", "row": "bigint",
    "line": "bigint", "outcome": "string", "run_seq": "bigint",
}  # fmt: skip
BY_RUN = "PARTITIONED BY (truncate(1000, run_seq))"
# History goes first when a run is published: a reader never sees a state whose cause is missing.
TABLES = {
    "transaction_history": (columns(HISTORY), BY_RUN, ""),
    "quarantine": (columns(QUARANTINE), BY_RUN, ""),
    "transaction_effects": (columns(EFFECTS), BY_RUN, ""),
    **{name: (columns({**reference.image, **OF_A_ROW}), "", "") for name, reference in REFERENCES.items()},
    "tombstones": (columns(TOMBSTONES), "", ""),
    "transactions": (columns(STATE), "", "dms_id"),
}
step = partial(log_step, "silver")
OUTCOMES = ("quarantined", "unchanged", "stale", "superseded", "inserted", "updated", "deleted")


# ## Reading
# User keys never reach Spark's path resolution, and Spark cannot read a version: each exact object version is first
# copied, server-side,
# to `staging/`, and read from there as rows of text (`glue/reading/`).


def staging_of(job: argparse.Namespace) -> Staging:
    return Staging(job.lake_bucket, job.prefix, CardKey(job.card_key_secret))


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
OPERATIONS = {
    spelling: op
    for op, word in {"I": "insert", "U": "update", "D": "delete"}.items()
    for spelling in (op.lower(), word)
}


def integer(text: Column) -> Column:
    """Return a whole number in 64 bits, else null."""
    number = text.cast("bigint")
    return F.when(number.cast("string") == text, number).otherwise(F.when(text.rlike(INTEGER), number))


def padded_code(text: Column, pattern: str, length: int) -> Column:
    """Return a code of digits with the leading zeros that numeric tools have taken from it, else null."""
    code = F.lpad(text.cast("int").cast("string"), length, "0")
    other = F.when(text.rlike(pattern), F.lpad(F.regexp_replace(text, r"\.0\z", ""), length, "0"))
    return F.when((F.length(text) == length) & (code == text) & (text >= "0"), code).otherwise(other)


def digits(text: Column) -> Column:
    return F.regexp_replace(text, r"[^0-9.]", "")


def amount(text: Column) -> Column:
    """Return an amount that `decimal(18,2)` holds exactly, else null."""
    plain = F.when(text.startswith("$"), text.substr(2, 40)).otherwise(text)
    value = plain.cast(MONEY)
    sign = F.when(text.rlike(r"[-(]"), F.lit("-")).otherwise(F.lit(""))
    other = F.when(text.rlike(AMOUNT) & digits(text).rlike(FITS), F.concat(sign, digits(text)).cast(MONEY))
    return F.when(value.cast("string") == plain, value).otherwise(other)


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


def one_of(values: dict[str, str], text: Column) -> Column:
    """Return what a text stands for, whatever its case; null when it stands for nothing."""
    return F.create_map(*[F.lit(part) for pair in values.items() for part in pair])[F.lower(text)]


def not_before_1900(at: Column) -> Column:
    return F.when(at >= F.lit(EARLIEST).cast("timestamp"), at)


def with_change(rows: DataFrame) -> DataFrame:
    """Add `op` (`I` where the file has no operations) and `commit_at`; one that cannot be read is null."""
    read = {"op": one_of(OPERATIONS, F.col("text.op")), "commit_read_at": instant(F.col("text.commit_at"))}
    return rows.withColumns(
        {"op": F.when(F.col("has_op"), read["op"]).otherwise(F.lit("I")), "commit_read_at": read["commit_read_at"]}
    ).withColumn("commit_at", not_before_1900(F.col("commit_read_at")))


def parsed(rows: DataFrame) -> DataFrame:
    """Add the image columns beside the text columns `text.*`; a value that cannot be read is null."""
    text = {name: F.col(f"text.{name}") for name in KNOWN}
    return rows.select(
        "*",
        integer(text["dms_id"]).alias("dms_id"),
        instant(text["date"]).alias("read_at"),
        amount(text["amount"]).alias("amount"),
        one_of(CHANNELS, text["use_chip"]).alias("channel"),
        *[integer(text[name]).alias(name) for name in ("client_id", "card_id", "merchant_id")],
        text["merchant_city"].alias("merchant_city"),
        text["merchant_state"].alias("merchant_state"),
        padded_code(text["zip"], ZIP, 5).alias("zip"),
        padded_code(text["mcc"], MCC, 4).alias("mcc"),
        error_names(text["errors"]).alias("errors"),
    ).withColumn("transacted_at", not_before_1900(F.col("read_at")))


def parsed_reference(rows: DataFrame, reference: Reference) -> DataFrame:
    """Add the image columns of a reference table beside the text columns `text.*`."""
    readers = {"bigint": integer, MONEY: amount, "string": lambda text: text}
    values = {
        name: readers[kind](F.col(f"text.{name}")) for name, kind in reference.image.items() if name in reference.texts
    }
    if "card_number" in reference.texts:
        masked = F.split(F.col("text.card_number"), ":")
        values |= {"card_last_four": F.get(masked, F.lit(0)), "card_number_hash": F.get(masked, F.lit(1))}
    if reference.key == "mcc":
        values["mcc"] = padded_code(F.col("text.mcc"), MCC, 4)
    return rows.select("*", *[value.alias(name) for name, value in values.items()])


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


def change_rules() -> dict[str, Column]:
    return {
        "op_unknown": F.col("has_op") & F.col("op").isNull(),
        "commit_at_unreadable": F.col("has_commit_at") & F.col("commit_at").isNull(),
    }


def of_images(predicates: dict[str, Column]) -> dict[str, Column]:
    """Try these rules on rows with an image only: a delete may carry no more than its key."""
    has_image = F.coalesce(F.col("op") != "D", F.lit(True))
    return {name: has_image & broken for name, broken in predicates.items()}


def rules() -> dict[str, Column]:
    """Return the rules of section 3.1 in its order: name to a predicate that is true when the row breaks the rule."""
    return {
        **change_rules(),
        "dms_id_missing": missing("dms_id"),
        "dms_id_unreadable": unreadable("dms_id", "dms_id"),
        **of_images(
            {
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
        ),
    }


def reference_rules(reference: Reference) -> dict[str, Column]:
    """Return the rules of a reference table (section 8), in its order."""
    key = reference.key
    typed = [name for name, kind in reference.image.items() if kind != "string" and name != key]
    return {
        **change_rules(),
        f"{key}_missing": missing(key),
        f"{key}_unreadable": unreadable(key, key),
        **of_images({f"{name}_unreadable": unreadable(name, name) for name in typed}),
    }


def broken_rules(rows: DataFrame, predicates: dict[str, Column]) -> DataFrame:
    """Add `rules`: the names of all rules that a row breaks, in the contract's order; empty for a good row."""
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


def ordered(rows: DataFrame, values: Iterable[str]) -> DataFrame:
    """Add `row_order`, compared field by field from the left, and `content_hash` over all values but the key."""
    row_at = F.coalesce("commit_at", "object_at")
    load_start = F.coalesce("load_start", F.lit(MINUS_INFINITY).cast("timestamp"))
    order = F.struct(
        F.when(F.col("is_full_load"), load_start).otherwise(row_at).alias("position"),
        F.when(F.col("is_full_load"), 0).otherwise(1).alias("phase"),
        row_at.alias("instant"),
        F.col("object_key"),
        F.col("sequencer"),
        F.col("version_id"),
        F.col("row"),
    )
    return rows.withColumn("row_order", order).withColumn("content_hash", content_hash(values))


def content_hash(values: Iterable[str]) -> Column:
    """Return a hash over columns; xxHash64 passes over nulls, so their places are hashed too."""
    nulls = F.concat(*[F.col(name).isNull().cast("int").cast("string") for name in values])
    return F.xxhash64(*values, nulls)


OF_INPUT = {"op": "string", "line": "bigint", "raw": "string", "rules": "array<string>"}
NORMALISED = {**STATE, **OF_INPUT}


def nested(rows: DataFrame, texts: Iterable[str]) -> DataFrame:
    """Gather a row's texts in one struct `text`, beside its origin, and read what it changes."""
    kept = rows.select(*ORIGIN, "row", "line", "raw", "broken", F.struct(*texts, *CHANGE).alias("text"))
    return kept.transform(with_change)


def leaving(rows: DataFrame, schema: dict[str, str]) -> DataFrame:
    """Keep the raw text for broken rows only."""
    return conform(rows.withColumn("raw", F.when(F.size("rules") > 0, F.col("raw"))), schema)


def normalise(rows: DataFrame) -> DataFrame:
    """Turn rows of text into typed transactions with their broken rules."""
    typed = rows.transform(nested, KNOWN).transform(parsed).transform(broken_rules, rules())
    return typed.transform(ordered, VALUES).transform(leaving, NORMALISED)


def normalise_reference(rows: DataFrame, reference: Reference) -> DataFrame:
    """Turn rows of text into typed rows of a reference table with their broken rules."""
    schema = {
        name: kind for name, kind in {**reference.image, **OF_A_ROW}.items() if name not in ("outcome", "run_seq")
    }
    typed = rows.transform(nested, reference.texts).transform(parsed_reference, reference)
    checked = typed.transform(broken_rules, reference_rules(reference))
    return checked.transform(ordered, reference.values).transform(leaving, {**schema, **OF_INPUT})


# ## Outcomes
# Each good row is held against its key's state before the run, and against the other rows of its key in this run. Rows
# that a reload
# moves (they are in Silver, and only now get their place in the order) stand beside them, without an outcome of their
# own.


STORED = {**STATE, "living": "boolean", "place": PLACE}
OF_STORED = [name for name in STORED if name != "dms_id"]


@dataclass(frozen=True)
class Reload:
    """A declared reload that this run completes: its marker, the floor after it, and where its files now begin."""

    marker: Item
    floor: str
    starts: dict[str, str]

    @property
    def marker_id(self) -> str:
        return str(self.marker["file_id"])


@dataclass(frozen=True)
class Run:
    """One run: its number, its branches, the reload that it completes, its rows, and the range of their keys."""

    spark: SparkSession
    branches: Branches
    run_seq: int
    reload: Reload | None = None
    row_count: int = 0
    low: int = 0
    high: int = -1

    @property
    def same_key(self) -> str:
        """Return the condition of a join by key; by the range file statistics prune, but a reload may touch any key."""
        bounds = "" if self.reload else f" AND t.dms_id BETWEEN {self.low} AND {self.high}"
        return f"t.dms_id = s.dms_id{bounds}"

    def stored_of(self, table: str, keys: DataFrame) -> DataFrame:
        """Return the stored rows under these keys, as far as a row's outcome and effects depend on them.

        The hash is made anew from the values, it costs more to read.
        """
        names = (*IMAGE, "row_order") if table == "transactions" else TOMBSTONES
        rows = self.branches.published_rows_of(table, keys, names, between=(self.low, self.high), most=self.row_count)
        return rows.withColumn("content_hash", content_hash(VALUES)) if table == "transactions" else rows

    @property
    def is_large_first(self) -> bool:
        """Tell whether many rows come to a layer that holds none."""
        if self.reload or self.row_count <= ROWS_A_PARTITION:
            return False
        return not any(map(self.branches.rows_at_most, ("transactions", "tombstones")))

    def numbered(self, rows: DataFrame) -> DataFrame:
        return rows.withColumn("run_seq", F.lit(self.run_seq))


def below(floor: str | None) -> Column:
    """Tell whether a row is older than a complete reload."""
    return F.lit(False) if floor is None else F.col("row_order.position") < F.lit(floor).cast("timestamp")


def moved_up(spark: SparkSession, rows: DataFrame, reload: Reload) -> DataFrame:
    """Give the rows (`file_id`, `row_order`) of a reload's files their position: the start of their newest load."""
    starts = [{"file_id": file, "start": start} for file, start in reload.starts.items()]
    listed = F.broadcast(local_rows(spark, starts, "file_id string, start timestamp"))
    # A file that is no full load keeps its own instants, wherever it is listed.
    is_full_load = F.col("row_order.phase") == 0
    position = F.when(is_full_load, F.greatest("row_order.position", "start")).otherwise(F.col("row_order.position"))
    return (
        rows.join(listed, on="file_id", how="left")
        .withColumn("row_order", F.col("row_order").withField("position", position))
        .drop("start")
    )


def stored_rows(run: Run, keys: DataFrame) -> DataFrame:
    """Return the living rows and the tombstones under these keys, for a reload all, in the form `STORED`."""
    parts = []
    for table, living in (("transactions", True), ("tombstones", False)):
        if not run.branches.rows_at_most(table):
            continue
        if run.reload:
            rows = moved_up(run.spark, run.branches.published_rows(table), run.reload)
        else:
            rows = run.stored_of(table, keys)
        parts.append(columns_or_null(rows.withColumn("living", F.lit(living)), STORED))
    return reduce(DataFrame.unionByName, parts) if parts else columns_or_null(run.spark.range(0), STORED)


def candidates(
    spark: SparkSession, branches: Branches, good: DataFrame, reload: Reload | None, file_ids: list[str]
) -> DataFrame:
    """Return the rows that may become the state of their key: the run's own, and those that a reload moves."""
    rows = good.select(*STATE, "op", "line", F.lit(True).alias("is_input"))
    if reload is None:
        return rows
    earlier = [file for file in reload.starts if file not in file_ids]
    history = spark.table(branches.table("transaction_history")).where(F.col("file_id").isin(earlier))
    moved = history.select(*STATE, "op", "line", F.lit(False).alias("is_input"))
    return rows.unionByName(moved_up(spark, moved, reload))


def repeated_keys(rows: DataFrame) -> DataFrame:
    """Return the keys that stand in several rows."""
    return settled(rows.groupBy("dms_id").agg(F.count(F.lit(1)).alias("rows")).where("rows > 1").select("dms_id"))


def newest_orders(rows: DataFrame, keys: DataFrame, floor: str | None) -> DataFrame:
    """Return `dms_id, newest_order` of these keys, few of those that the rows hold."""
    of_keys = rows.where(~below(floor)).join(F.broadcast(keys), on="dms_id", how="left_semi")
    return settled(of_keys.groupBy("dms_id").agg(F.max("row_order").alias("newest_order")))


def classify(
    rows: DataFrame,
    stored: DataFrame,
    *,
    key: str = "dms_id",
    floor: str | None = None,
    newest_of: DataFrame | None = None,
) -> DataFrame:
    """Give each row its outcome and the change that it makes, if any; add `is_newest`, `stored` and `effect_amount`.

    `stored` has the key and a struct `stored`: the state of the key, `living` or deleted. Whatever moves money moves
    it in an exact comparison too, a hash alone does not vouch for it. `newest_of` has the newest order of the keys that
    stand in several rows; without it the rows are brought together by key.
    """
    had = F.coalesce(F.col("stored.living"), F.lit(False))
    exact = [F.col(name) == F.col(f"stored.{name}") for name in ("amount", "transacted_at") if name in rows.columns]
    identical = reduce(Column.__and__, exact, F.col("content_hash") == F.col("stored.content_hash"))
    same = F.when(F.col("op") == "D", ~had).otherwise(had & F.coalesce(identical, F.lit(False)))
    # Equal is only the stored row itself, where a reload gives it its place.
    newer = ~below(floor) & (F.col("stored").isNull() | (F.col("row_order") >= F.col("stored.row_order")))
    if newest_of is None:
        newest = F.max(F.when(F.col("newer"), F.col("row_order"))).over(Window.partitionBy(key))
    else:
        rows = rows.join(F.broadcast(newest_of), on=key, how="left")
        newest = F.coalesce("newest_order", "row_order")
    change = F.when(F.col("op") == "D", F.lit("deleted")).when(had, F.lit("updated")).otherwise(F.lit("inserted"))
    outcome = (
        F.when(F.col("same"), "unchanged")
        .when(~F.col("newer"), "stale")
        .when(~F.col("is_newest"), "superseded")
        .otherwise(change)
    )
    return (
        rows.join(stored, on=key, how="left")
        .withColumns({"same": same, "newer": newer, "had": had})
        .withColumn("is_newest", F.col("newer") & (F.col("row_order") == newest))
        .withColumn("change", F.when(F.col("is_newest") & ~F.col("same"), change))
        .withColumn("outcome", outcome)
    )


def with_effect(classified: DataFrame) -> DataFrame:
    """Add `effect_amount`: what a change adds to Silver, new minus before."""
    after = F.when(F.col("change").isin("inserted", "updated"), F.col("amount"))
    before = F.when(F.col("change").isin("updated", "deleted"), F.col("stored.amount"))
    nothing = F.lit(Decimal(0))
    return classified.withColumn(
        "effect_amount", (F.coalesce(after, nothing) - F.coalesce(before, nothing)).cast(EFFECT)
    )


def image(of: str = "") -> Column:
    return F.struct(*[F.col(f"{of}{name}").alias(name) for name in VALUES])


def effects(classified: DataFrame, *, run_seq: int) -> DataFrame:
    """Return one row per key whose value a row of this run changes, with its image before and after."""
    changed = classified.where(F.col("change").isNotNull())
    return conform(
        changed.withColumns(
            {
                "run_seq": F.lit(run_seq),
                "cause": F.when(F.col("is_input"), "file").otherwise("load"),
                "before": F.when(F.col("had"), image("stored.")),
                "after": F.when(F.col("op") != "D", image()),
            }
        ),
        EFFECTS,
    )


def missing_rows(stored: DataFrame, classified: DataFrame, reload: Reload) -> DataFrame:
    """Return the living rows that a reload leaves below its floor: nothing in it, or after it, names their keys."""
    living = stored.where(F.col("living") & below(reload.floor))
    return living.join(classified.where("is_newest").select("dms_id"), on="dms_id", how="left_anti")


def missing_effects(missing: DataFrame, reload: Reload, *, run_seq: int) -> DataFrame:
    return conform(
        missing.select("dms_id", image().alias("before"), (-F.col("amount")).alias("effect_amount")).withColumns(
            {
                "run_seq": F.lit(run_seq),
                "cause": F.lit("load"),
                "after": F.lit(None),
                "file_id": F.lit(reload.marker_id),
                "row": F.lit(None),
            }
        ),
        EFFECTS,
    )


# ## Proof
# Two proofs, both at the cost of the change. On reading: the rows and the money of each file are what the KPI function,
# another engine,
# found in it. On writing: the branches are read back, and must hold exactly what was decided.


def profile(rows: DataFrame) -> DataFrame:
    """Return per file and partition what the KPI function counts too, and the range of the good keys."""
    good = F.size("rules") == 0
    is_delete = F.coalesce(F.col("op") == "D", F.lit(False))
    value = F.col("amount") if "amount" in rows.columns else F.lit(Decimal(0)).cast(MONEY)
    key = F.col("dms_id") if "dms_id" in rows.columns else F.lit(None).cast("bigint")
    return rows.groupBy("file_id", F.spark_partition_id().alias("partition")).agg(
        F.count(F.lit(1)).alias("row_count"),
        F.sum(F.when(~good, 1).otherwise(0)).alias("bad_rows"),
        F.sum((value.isNull() & ~is_delete).cast("int")).alias("unreadable_amounts"),
        F.sum(value.cast(TOTAL)).alias("total_amount"),
        F.min(F.when(good, key)).alias("low"),
        F.max(F.when(good, key)).alias("high"),
    )


def collected(profiles: list[DataFrame]) -> list[Item]:
    """Return the profiles of all subjects."""
    return [row.asDict() for row in reduce(DataFrame.unionByName, profiles).collect()] if profiles else []


def grouped(profiles: list[Item], by: str) -> dict[object, list[Item]]:
    groups: dict[object, list[Item]] = {}
    for found in profiles:
        groups.setdefault(found[by], []).append(found)
    return groups


def check_against_kpis(files: list[Item], profiles: list[Item]) -> None:
    """Hold each file's rows and money to the figures of the KPI function, to the row and the cent."""
    by_file = grouped(profiles, "file_id")
    for file in files:
        parts = by_file.get(file["file_id"], [])
        found = {name: sum(part[name] for part in parts) for name in ("row_count", "bad_rows", "unreadable_amounts")}
        amounts = [part["total_amount"] for part in parts if part["total_amount"] is not None]
        for name, value in {**found, "total_amount": cents(sum(amounts, Decimal(0)))}.items():
            if value != file["kpis"][name]:
                raise FileBroken(
                    file["file_id"], f"{name} is {value} in Silver but {file['kpis'][name]} in the KPI function"
                )


COUNTED = {
    "file_id": "string", "outcome": "string", "amount": MONEY, "effect_amount": EFFECT, "change": "string",
    "had": "boolean", "had_tombstone": "boolean", "is_newest": "boolean", "op": "string",
}  # fmt: skip


def decisions(classified: DataFrame, reload: Reload | None) -> DataFrame:
    """Return what a run decided over its rows, in the form that is counted; a reload's moves are its marker's."""
    marker = F.lit(reload.marker_id if reload else None)
    return conform(
        classified.withColumns(
            {
                "file_id": F.when(F.col("is_input"), F.col("file_id")).otherwise(marker),
                "outcome": F.when(F.col("is_input"), F.col("outcome")),
                "had_tombstone": ~F.col("stored.living"),
            }
        ),
        COUNTED,
    )


def reference_decisions(classified: DataFrame) -> DataFrame:
    """Return the outcomes of rows without money."""
    return columns_or_null(classified.select("file_id", "outcome"), COUNTED)


def quarantined(rows: DataFrame) -> DataFrame:
    """Return quarantine rows in the form that is counted."""
    found = columns_or_null(rows, {"file_id": "string", "amount": MONEY})
    return columns_or_null(found.withColumn("outcome", F.lit("quarantined")), COUNTED)


def by_outcome(rows: DataFrame) -> list[Item]:
    """Count what was decided, by file and outcome; `None` is the outcome of rows that a reload moves."""
    living, deleted = F.col("is_newest") & (F.col("op") != "D"), F.col("is_newest") & (F.col("op") == "D")

    def number(condition: Column) -> Column:
        return F.count(F.when(condition, 1))

    counted = rows.groupBy("file_id", "outcome").agg(
        F.count(F.lit(1)).alias("row_count"),
        F.sum(F.col("amount").cast(TOTAL)).alias("amount"),
        total("effect_amount").alias("effect"),
        number(F.col("change").isNotNull()).alias("changes"),
        number(living).alias("state_rows"),
        F.coalesce(F.sum(F.when(living, F.col("amount")).cast(TOTAL)), F.lit(Decimal(0))).alias("state_amount"),
        number(living & F.col("had")).alias("state_known"),
        number(F.col("change") == "deleted").alias("deletions"),
        number(deleted).alias("tombstones"),
        number(deleted & F.col("had_tombstone")).alias("tombstones_known"),
        number(living & F.col("had_tombstone")).alias("revived"),
    )
    return [row.asDict() for row in counted.collect()]


SUMS = (
    "changes", "state_rows", "state_amount", "state_known", "deletions", "tombstones", "tombstones_known", "revived",
)  # fmt: skip


def summed(counted: list[Item]) -> Item:
    """Return what the tables of state must show after the run."""
    return {name: sum((row[name] for row in counted), Decimal(0) if name == "state_amount" else 0) for name in SUMS}


def of_files(counted: list[Item]) -> dict[str, Item]:
    """Return per file the count and the amounts of each outcome, and the sum of the effects."""
    report: dict[str, Item] = {}
    for row in counted:
        facts = report.setdefault(row["file_id"], no_rows())
        facts["effect"] += row["effect"]
        if row["outcome"] is not None:
            facts["outcomes"][row["outcome"]] = row["row_count"]
            facts["amounts"][row["outcome"]] = cents(row["amount"])
    return report


def no_rows() -> Item:
    return {"outcomes": dict.fromkeys(OUTCOMES, 0), "amounts": {}, "effect": Decimal(0)}


def read_back(branches: Branches, written: list[str]) -> dict[str, Item]:
    """Count rows, amounts and effects of the run in its branches."""
    parts = []
    for table in written:
        if table in ("transaction_history", "quarantine", *REFERENCES):
            rows = branches.new_rows(table)
            if table == "transaction_history":
                parts.append(columns_or_null(rows, COUNTED))
            else:
                parts.append(quarantined(rows) if table == "quarantine" else reference_decisions(rows))
    return of_files(by_outcome(reduce(DataFrame.unionByName, parts))) if parts else {}


def prove_effects(branches: Branches, marker_id: str | None) -> Item:
    """Return what the written effects say: keys that came and went, money before and after, the sum by file."""
    change = branches.new_rows("transaction_effects")
    cause = F.when(F.col("cause") == "load", F.lit(marker_id)).otherwise(F.col("file_id"))
    found = change.groupBy(cause.alias("file_id")).agg(
        F.count("before").alias("had"),
        F.count("after").alias("have"),
        total("before.amount").alias("amount_before"),
        total("after.amount").alias("amount_after"),
        total("effect_amount").alias("effect"),
    )
    files = {row.file_id: row.asDict() for row in found.collect()}
    whole = {name: sum((row[name] for row in files.values()), nothing) for name, nothing in NO_EFFECTS.items()}
    require("sum of effects", found=whole["effect"], expected=whole["amount_after"] - whole["amount_before"])
    return {**whole, "files": {file: row["effect"] for file, row in files.items()}}


NO_EFFECTS = {"had": 0, "have": 0, "amount_before": Decimal(0), "amount_after": Decimal(0), "effect": Decimal(0)}


# ## One run
# History, quarantine, effects and state are written to the run's branches; `transactions` and `tombstones` only where a
# key is new, its
# newest row is, or it is gone.


@dataclass(frozen=True)
class Decided:
    """What a run decided over transactions: each row's outcome, the keys that a reload leaves behind, the counts."""

    classified: DataFrame
    missing: DataFrame | None
    purged: DataFrame | None
    sums: Item
    lost: Item
    in_key_order: bool  # over all partitions


NOTHING_LOST = {"rows": 0, "amount": Decimal(0), "purged": 0}


def decide(run: Run, good: DataFrame, floor: str | None, file_ids: list[str]) -> tuple[DataFrame, DataFrame, bool]:
    """Return the classified rows, the stored rows that they were held against, and whether rows kept their places."""
    rows = candidates(run.spark, run.branches, good, run.reload, file_ids)
    keys = rows.select("dms_id")
    stored = stored_rows(run, keys)
    known = stored.join(keys.distinct(), on="dms_id", how="left_semi") if run.reload else stored
    known = known.select("dms_id", F.struct(*OF_STORED).alias("stored"))
    if run.is_large_first:
        repeated = repeated_keys(rows)
        if repeated.count() <= BROADCAST_KEYS:
            # Almost every row is the only one of its key, and to look up the others costs less than to keep the result.
            newest_of = newest_orders(rows, repeated, floor)
            return with_effect(classify(rows, known, floor=floor, newest_of=newest_of)), stored, True
    return settled(with_effect(classify(rows, known, floor=floor))), stored, False


def lost_by(run: Run, classified: DataFrame, stored: DataFrame) -> tuple[DataFrame | None, DataFrame | None, Item]:
    """Return the living rows and the tombstones that a reload leaves below its floor, and how many there are."""
    if run.reload is None:
        return None, None, NOTHING_LOST
    missing = settled(missing_rows(stored, classified, run.reload))
    purged = settled(
        stored.where(~F.col("living") & below(run.reload.floor))
        .join(classified.where("is_newest").select("dms_id"), on="dms_id", how="left_anti")
        .select(*TOMBSTONES)
    )
    found = missing.agg(F.count(F.lit(1)).alias("rows"), total("amount").alias("amount")).first().asDict()
    return missing, purged, {**found, "purged": purged.count()}


def write_state(run: Run, decided: Decided) -> None:
    """Bring `transactions` to the newest row of each key, in key order, so that file statistics can prune."""
    newest, sums = decided.classified.where(F.col("is_newest")), decided.sums
    if replaced := sums["state_known"] + sums["deletions"] + decided.lost["rows"]:
        places = newest.where(F.col("had")).select("stored.place.*")
        places = places.unionByName(decided.missing.select("place.*")) if decided.missing is not None else places
        run.branches.remove("transactions", places, replaced)
    if sums["state_rows"]:
        state = conform(newest.where(F.col("op") != "D"), STATE)
        order = () if decided.in_key_order else ("dms_id",)
        run.branches.append("transactions", laid_out(state, sums["state_rows"], *order))


def write_tombstones(run: Run, decided: Decided) -> None:
    """Leave a tombstone where a delete is the newest row of its key; take away those of keys that live again."""
    newest = decided.classified.where(F.col("is_newest"))
    fresh = conform(newest.where(F.col("op") == "D"), TOMBSTONES).withColumn("gone", F.lit(False))
    revived = newest.where((F.col("op") != "D") & ~F.col("stored.living")).select("dms_id")
    gone = revived.unionByName(decided.purged.select("dms_id")) if decided.purged is not None else revived
    rows = fresh.unionByName(gone.withColumn("gone", F.lit(True)), allowMissingColumns=True)
    run.branches.merge("tombstones", rows, on=run.same_key, clauses=with_gone(TOMBSTONES))


def write_effects(run: Run, decided: Decided) -> None:
    changed = effects(decided.classified, run_seq=run.run_seq)
    if decided.missing is not None and run.reload is not None:
        changed = changed.unionByName(missing_effects(decided.missing, run.reload, run_seq=run.run_seq))
    run.branches.append("transaction_effects", laid_out(changed, decided.sums["changes"] + decided.lost["rows"]))


def in_own_place(rows: DataFrame) -> DataFrame:
    """Give rows the order that is their own: where a load begins is not their business, and not all runs know it."""
    own_position = F.when(F.col("row_order.phase") == 0, F.lit(MINUS_INFINITY).cast("timestamp")).otherwise(
        F.col("row_order.position")
    )
    return rows.withColumn("row_order", F.col("row_order").withField("position", own_position))


def write_history(run: Run, decided: Decided, count: int) -> None:
    rows = decided.classified.where("is_input").transform(in_own_place)
    run.branches.append("transaction_history", laid_out(conform(run.numbered(rows), HISTORY), count))


def write_quarantine(run: Run, bad: list[DataFrame], count: int) -> None:
    kept = [columns_or_null(run.numbered(rows).transform(in_own_place), QUARANTINE) for rows in bad]
    run.branches.append("quarantine", laid_out(reduce(DataFrame.unionByName, kept), count))


def write(
    run: Run, decided: Decided, bad: list[DataFrame], references: dict[str, DataFrame], counted: list[Item]
) -> list[str]:
    """Write what the run decided to its branches; return the names of the tables written."""
    sums, lost = decided.sums, decided.lost
    quarantined_rows = sum(row["row_count"] for row in counted if row["outcome"] == "quarantined")
    accepted_rows = sum(row["row_count"] for row in counted if row["outcome"] not in (None, "quarantined"))
    history_rows = accepted_rows - sums["reference_rows"]
    wanted = {
        "quarantine": (quarantined_rows, partial(write_quarantine, run, bad, quarantined_rows)),
        "transaction_history": (history_rows, partial(write_history, run, decided, history_rows)),
        "transaction_effects": (sums["changes"] + lost["rows"], partial(write_effects, run, decided)),
        "tombstones": (sums["tombstones"] + sums["revived"] + lost["purged"], partial(write_tombstones, run, decided)),
        "transactions": (sums["state_rows"] + sums["deletions"] + lost["rows"], partial(write_state, run, decided)),
    }
    for name, rows in references.items():
        schema = {**REFERENCES[name].image, **OF_A_ROW}
        kept = laid_out(conform(run.numbered(rows), schema), sums["reference_rows"])
        wanted[name] = (1, partial(run.branches.append, name, kept))
    written = [name for name, (rows, _) in wanted.items() if rows]
    together([wanted[name][1] for name in written])
    step("written", tables=written)
    return written


def prove(run: Run, written: list[str], decided: Decided, report: dict[str, Item], before: Item) -> Item:
    """Hold the branches to what was decided; return the totals of `transactions` after the run."""
    branches, sums, lost = run.branches, decided.sums, decided.lost
    marker_id = run.reload.marker_id if run.reload else None
    checks = {"rows": partial(read_back, branches, written)}
    if "transaction_effects" in written:
        checks["effects"] = partial(prove_effects, branches, marker_id)
    if "transactions" in written:
        checks["added"] = partial(branches.added, "transactions", "amount")
    found = at_once(checks)
    change = found.get("effects", NO_EFFECTS)
    taken = {file: facts for file, facts in report.items() if sum(facts["outcomes"].values())}
    own = {file: {**no_rows(), **{name: facts[name] for name in no_rows()}} for file, facts in taken.items()}
    require("rows by outcome", found=found["rows"], expected=own)
    by_file = {file: facts["effect"] for file, facts in report.items() if facts["effect"]}
    require("effects by file", found={f: e for f, e in change.get("files", {}).items() if e}, expected=by_file)
    published = before.get("published", {"row_count": 0, "total_amount": "0.00"})
    row_count = published["row_count"] + change["have"] - change["had"]
    total_amount = Decimal(published["total_amount"]) + change["effect"]
    require("tombstones", found=tombstones_moved(branches, written), expected=expected_tombstones(sums, lost))
    if "transactions" in written:
        require("keys moved", found=branches.rows_moved("transactions"), expected=change["have"] - change["had"])
        added = (sums["state_rows"], sums["state_amount"])
        require("rows and money in the files added", found=found["added"], expected=added)
        branches.note(
            "transactions",
            {
                "assay.run-seq": str(run.run_seq),
                "assay.row-count": str(row_count),
                "assay.total-amount": cents(total_amount),
            },
        )
    return {"row_count": row_count, "total_amount": cents(total_amount)}


def tombstones_moved(branches: Branches, written: list[str]) -> int:
    """Return by how many rows the tombstones grow."""
    return branches.rows_moved("tombstones") if "tombstones" in written else 0


def expected_tombstones(sums: Item, lost: Item) -> int:
    return sums["tombstones"] - sums["tombstones_known"] - sums["revived"] - lost["purged"]


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
        counted = {name: file[1][name] for name in ("outcomes", "amounts", "missing", "moved") if name in file[1]}
        facts = {"run_seq": intent["run_seq"], "snapshots": promised, "effect_amount": file[1]["effect"], **counted}
        ledger.advance(file[0], status="in_silver", waiting_for="gold", facts=facts)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(advance, report["files"].items()))
    step("files_advanced")
    ledger.finish({"run_seq": intent["run_seq"], "snapshots": snapshots, **report["totals"]})
    branches.drop_older(promised)
    step(
        "published",
        run_seq=intent["run_seq"],
        **{name: report["totals"][name] for name in ("row_count", "total_amount")},
    )
    step("compacted", tables=branches.compact(promised))


def read_subjects(spark: SparkSession, files: list[Item], staging: Staging) -> dict[str, DataFrame]:
    """Return the normalised rows of a run, by subject; each is computed once."""
    rows = {}
    for subject in ("transactions", *REFERENCES):
        members = [file for file in files if file["subject"] == subject]
        if members:
            texts = read(spark, members, staging)
            reference = REFERENCES.get(subject)
            typed = texts.transform(normalise_reference, reference) if reference else texts.transform(normalise)
            rows[subject] = settled(typed)
    return rows


def classify_reference(run: Run, good: DataFrame, name: str) -> DataFrame:
    """Give the rows of a reference file their outcomes against the newest row of each key."""
    key = REFERENCES[name].key
    stored = run.spark.table(run.branches.table(name)).groupBy(key)
    state = F.struct("content_hash", "row_order", (F.col("op") != "D").alias("living"))
    newest = stored.agg(F.max_by(state, "row_order").alias("stored"))
    return settled(classify(good, newest, key=key))


def limit_missing(run: Run, lost: Item, living: int, maximum_share: Decimal) -> None:
    """Refuse a reload that would delete too large a share of the living rows."""
    if run.reload is None:
        return
    if lost["rows"] > maximum_share * living:
        raise LoadRefused(
            run.reload.marker_id,
            f"The reload would delete {lost['rows']:,} rows of {living:,} "
            f"({100 * Decimal(lost['rows']) / living:.1f} %), the maximum is {100 * maximum_share:f} %.",
        )


def key_range(profiles: list[Item]) -> tuple[int, int]:
    """Return the lowest and the highest good key of a run; an empty range when there is none."""
    lows = [found["low"] for found in profiles if found["low"] is not None]
    highs = [found["high"] for found in profiles if found["high"] is not None]
    return min(lows, default=0), max(highs, default=-1)


def in_key_order(profiles: list[Item]) -> bool:
    """Tell whether the partitions of a run's rows hold keys of one range each, as a table exported by key has them."""
    with_keys = [found for found in profiles if found["low"] is not None]
    ranges = sorted(key_range(parts) for parts in grouped(with_keys, "partition").values())
    return all(high < next_low for (_, high), (next_low, _) in pairwise(ranges))


def process(spark: SparkSession, ledger: Ledger, job: argparse.Namespace, files: list[Item], attempts: int = 1) -> None:
    """Take these files through one run, from staging to publication; leave the readers' tables alone on any error."""
    before = ledger.state()
    run_seq, token = before["run_seq"] + 1, uuid.uuid4().hex
    file_ids = [file["file_id"] for file in files]
    begun = {"run_seq": run_seq, "token": token, "files": file_ids, "attempts": attempts, "started_at": now_text()}
    ledger.begin(begun, after=before["run_seq"])
    step("begun", run_seq=run_seq, files=len(files))

    size_shuffles(spark, sum(file["kpis"]["row_count"] for file in files))
    reload = reload_of(ledger, files, before.get("published", {}))
    floor = reload.floor if reload else before.get("published", {}).get("floor")
    if reload:
        files = [{**file, "load_start": reload.starts.get(file["file_id"])} for file in files]
    staging = staging_of(job)
    stage(files, staging)
    step("staged")
    rows = read_subjects(spark, files, staging)
    profiles = collected([found.transform(profile) for found in rows.values()])
    check_against_kpis(files, profiles)
    row_count = sum(found["row_count"] for found in profiles)
    step("read", rows=row_count)
    size_scans(spark)

    branches = Branches(spark, job.silver_database, Branches.name_of_run(run_seq, token))
    run = Run(spark, branches, run_seq, reload, row_count, *key_range(profiles))
    good = {name: found.where(F.size("rules") == 0) for name, found in rows.items()}
    bad = [found.where(F.size("rules") > 0) for found in rows.values()]
    transactions = good.get("transactions", columns_or_null(spark.range(0), NORMALISED))
    references = {name: classify_reference(run, good[name], name) for name in REFERENCES if name in good}
    classified, stored, in_place = decide(run, transactions, floor, file_ids)
    counted = by_outcome(
        reduce(
            DataFrame.unionByName,
            [
                decisions(classified, reload),
                *[reference_decisions(found) for found in references.values()],
                *[quarantined(found) for found in bad],
            ],
        )
    )
    missing, purged, lost = lost_by(run, classified, stored)
    limit_missing(run, lost, before.get("published", {}).get("row_count", 0), Decimal(job.maximum_missing_share))
    report = report_of(files, counted, run, lost)
    sums = {**summed(counted), "reference_rows": reference_rows(files, report)}
    decided = Decided(classified, missing, purged, sums, lost, in_place and in_key_order(profiles))
    step(
        "classified", **{outcome: sum(facts["outcomes"][outcome] for facts in report.values()) for outcome in OUTCOMES}
    )

    written = write(run, decided, bad, references, counted)
    totals = prove(run, written, decided, report, before)
    step("proved", **totals)
    totals |= loads_after(before.get("published", {}), reload)
    intent = {
        "run_seq": run_seq,
        "branch": branches.name,
        "snapshots": branches.snapshots(),
        "report": put_report(job, "silver", branches, {"files": report, "totals": totals}),
    }
    step("before_intent")
    ledger.commit(intent, token=token)
    step("after_intent")
    publish(spark, ledger, job, intent)


def report_of(files: list[Item], counted: list[Item], run: Run, lost: Item) -> dict[str, Item]:
    """Return what a run did with each of its files, as their passports tell it."""
    report = {**{file["file_id"]: no_rows() for file in files}, **of_files(counted)}
    if run.reload:
        facts = report[run.reload.marker_id]
        facts["effect"] -= lost["amount"]
        facts["missing"] = lost["rows"]
        facts["moved"] = sum(row["changes"] for row in counted if row["file_id"] == run.reload.marker_id)
    return report


def reference_rows(files: list[Item], report: dict[str, Item]) -> int:
    """Return how many accepted rows of a run belong to reference tables."""
    of_references = [file["file_id"] for file in files if file["subject"] in REFERENCES]
    accepted = [
        sum(report[file]["outcomes"].values()) - report[file]["outcomes"]["quarantined"] for file in of_references
    ]
    return sum(accepted)


def loads_after(published: Item, reload: Reload | None) -> Item:
    """Return the floor and the complete loads after a run."""
    if reload is None:
        return {name: published[name] for name in ("floor", "loads") if name in published}
    loads = {**published.get("loads", {}), reload.marker_id: reload.marker["load"]["start_at"]}
    return {"floor": reload.floor, "loads": loads}


# ## Reloads
# A marker is taken together with its files: the run in which the last of them is there completes the load. One reload a
# run.


class LoadRefused(Exception):  # noqa: N818 - a decision, not an error of the program
    """A reload would delete more than the stack allows, or lists a file that was rejected."""

    def __init__(self, marker_id: str, reason: str, code: str = "would_delete") -> None:
        super().__init__(reason)
        self.marker_id = marker_id
        self.reason = {"code": code, "text": reason}


def with_ready_marker(ledger: Ledger, files: list[Item]) -> list[Item]:
    """Return the files of the next run: all but the markers, and the oldest marker whose files are all there.

    Listed files that the index of waiting files does not show yet come along.
    """
    markers = [file for file in files if file["subject"] == "load"]
    others = {file["file_id"]: file for file in files if file["subject"] != "load"}
    for marker in markers:
        listed = {file["file_id"]: file for file in ledger.files(marker["load"]["files"])}
        for file in listed.values():
            is_failed = file["status"] == "accepted" and "failed" in file
            if file["status"] == "rejected" or is_failed:
                reason = f"The reload lists {file['key']}, which {'failed' if is_failed else 'was rejected'}."
                raise LoadRefused(marker["file_id"], reason, "load_file_missing")
        arriving = {file_id: file for file_id, file in listed.items() if file.get("waiting_for") == "silver"}
        there = [file for file in listed.values() if file["status"] in ("in_silver", "published") and file["in_effect"]]
        if len(arriving) + len(there) == len(set(marker["load"]["files"])):
            return [*{**others, **arriving}.values(), marker]
    return list(others.values())


def reload_of(ledger: Ledger, files: list[Item], published: Item) -> Reload | None:
    """Return the reload that this run completes; a file that several loads list begins with the newest of them."""
    marker = next((file for file in files if file["subject"] == "load"), None)
    if marker is None:
        return None
    starts: dict[str, str] = {}
    for load in [*ledger.files(published.get("loads", {})), marker]:
        for listed in load["load"]["files"]:
            starts[listed] = max(starts.get(listed, ""), load["load"]["start_at"])
    listed_here = {file: starts[file] for file in marker["load"]["files"]}
    return Reload(marker, max(published.get("floor", ""), marker["load"]["start_at"]), listed_here)


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
        staging = staging_of(job)
        stage([file], staging)
        rows = read_subjects(spark, [file], staging)
        for found in rows.values():
            found.write.format("noop").mode("overwrite").save()
        check_against_kpis([file], collected([found.transform(profile) for found in rows.values()]))
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
            if not (ready := with_ready_marker(ledger, files)):
                break
            return process(spark, ledger, job, ready, attempts)
        except FencedOut:
            raise
        except LoadRefused as error:
            ledger.reject(error.marker_id, [error.reason])
            put_passport(job, ledger.files([error.marker_id])[0])
            step("load_refused", file_id=error.marker_id, **error.reason)
            files = [file for file in files if file["file_id"] != error.marker_id]
            continue
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
    elif job.rebuild_from:
        ledger.abandon()  # a rebuild mends what a failed run has left
    elif "in_progress" in state:
        left = state["in_progress"]
        files = [file for file in ledger.files(left["files"]) if file.get("waiting_for") == "silver"]
        step("running_again", run_seq=left["run_seq"], attempts=left["attempts"])
        if left["attempts"] < ATTEMPTS or not files:
            process_all(spark, ledger, job, files, left["attempts"] + 1)
        elif len(left["files"]) > 1:
            # Any of them may be to blame, also one that has been given up since.
            process_singly(spark, ledger, job, files)
        else:
            ledger.fail(
                files[0]["file_id"],
                f"the Silver job ended without a word {left['attempts']} times while it held this file",
            )
            ledger.abandon()


# ## Rebuilding
# A replay has made the same tables anew from Bronze, in a database of its own; one run puts them in the place of the
# present ones.


def rebuild(spark: SparkSession, ledger: Ledger, job: argparse.Namespace) -> None:
    """Publish the tables of another database as this layer's, in one commit."""
    before = ledger.state()
    run_seq, token = begin_rebuild(ledger, before, job)
    branches = Branches(spark, job.silver_database, Branches.name_of_run(run_seq, token))
    branches.take_over(TABLES, job.rebuild_from, last_run=before["run_seq"])
    transactions = branches.open("transactions")
    found = spark.table(transactions).agg(F.count(F.lit(1)).alias("row_count"), total("amount").alias("amount")).first()
    totals = {"row_count": found.row_count, "total_amount": cents(found.amount)}
    expected = {"row_count": job.expected_row_count, "total_amount": job.expected_total_amount}
    require(
        "rows and money taken over",
        found=totals,
        expected={**totals, **{k: v for k, v in expected.items() if v is not None}},
    )
    step("proved", **totals)
    totals |= loads_after(before["published"], None)
    report = put_report(job, "silver", branches, {"files": {}, "totals": totals})
    intent = {"run_seq": run_seq, "branch": branches.name, "snapshots": branches.snapshots(), "report": report}
    ledger.commit(intent, token=token)
    publish(spark, ledger, job, intent)


# ## The job


def arguments(argv: list[str]) -> argparse.Namespace:
    """Read the job's arguments; Glue adds some of its own, which are passed over."""
    parser = argparse.ArgumentParser(prog="silver", allow_abbrev=False)
    required = ("lake_bucket", "ledger_table", "silver_database")
    for name in (*required, "maximum_missing_share", "card_key_secret", "prefix"):
        parser.add_argument(f"--{name}", default=globals()[name])
    parser.add_argument("--file_id", default=file_id, help="the file whose execution started this run")
    parser.add_argument("--rebuild_from", default="", help="a database whose tables take the place of this layer's")
    parser.add_argument("--expected_run_seq", type=int, help="with --rebuild_from: the last run that it contains")
    parser.add_argument("--expected_row_count", type=int, help="with --rebuild_from: the rows of its transactions")
    parser.add_argument("--expected_total_amount", help="with --rebuild_from: the sum of their amounts")
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
        # User files may hold columns that differ in case only.
        "spark.sql.caseSensitive": "true",
        # Nanosecond timestamps are read as numbers and cut to microseconds here; Spark 3.5 refuses them otherwise.
        "spark.sql.legacy.parquet.nanosAsLong": "true",
        # Instants before 1900 mean what they say, unless an old Spark has signed the file.
        "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
        "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
    }
    builder = SparkSession.builder.appName("silver")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def main(job: argparse.Namespace) -> None:
    """Finish what was left, then take every waiting file through one run."""
    spark = session()
    # The lines of a file are counted by one scan and read by another: both must cut it into the same blocks, also when
    # executors come in between.
    spark.conf.set("spark.sql.files.minPartitionNum", str(spark.sparkContext.defaultParallelism))
    ledger = Ledger(job.ledger_table, "silver")
    create_tables(spark, job.silver_database, TABLES)
    step("started")
    recover(spark, ledger, job)
    if job.rebuild_from:
        rebuild(spark, ledger, job)
    elif job.maintain:
        step("compacted", tables=Branches(spark, job.silver_database, "maintain").compact_all(TABLES))
    elif files := ledger.waiting(job.file_id or None):
        process_all(spark, ledger, job, files, attempts=1)
    step("done")
    spark.stop()


if __name__ == "__main__":
    main(arguments(sys.argv[1:]))
