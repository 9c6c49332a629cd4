"""The pipeline without its workflow: real objects and ledger items in moto, the real KPI handler, the real Glue jobs.

A pipeline can be *forked*: the copy has tables, ledger and reports of its own that begin where the original stands.
Iceberg tables are files that never change and one pointer, so a copy is a copy of the pointer.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from unittest.mock import patch
from urllib.parse import quote_plus

import app
import boto3
from contract.closings import ChannelTotals, ClosedItem
from item_types import differences
from layer_notebooks import GOLD, SILVER
from pyiceberg.table import StaticTable
from pyspark.sql import DataFrame, SparkSession

from assay import closing
from assay.closing import Month
from assay.evidence.chain import Evidence
from assay.undo.actions import item_of
from glue.lake import closings
from glue.lake.ledger import plain
from glue.lake.run import Job, arguments, main

BRONZE, WAREHOUSE = "bronze", "lake"
MACHINE = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
NUMBERS = itertools.count(1)
SEQUENCERS = itertools.count(1)
READ: dict[tuple[str, tuple[str, ...]], list[dict[str, Any]]] = {}
Event = dict[str, Any]
Item = dict[str, Any]


class Killed(BaseException):
    """Stands for the end of the process: nothing in a job may catch it."""


JOBS = {"silver": SILVER, "gold": GOLD}


@contextmanager
def immortal_session() -> Iterator[None]:
    """Keep the Spark session when a job stops it: one JVM serves all tests. What a job cached goes."""

    def clear(session: SparkSession) -> None:
        session.catalog.clearCache()

    with patch.object(SparkSession, "stop", clear):
        yield


@dataclass(frozen=True)
class Context:
    """As much of Lambda's context as the logger reads."""

    aws_request_id: str = "request"
    function_name: str = "kpi"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:kpi"


def put(key: str, body: bytes, **metadata: str) -> Event:
    """Put an object version into Bronze; return the event that S3 sends of it."""
    tags = {name.replace("_", "-"): value for name, value in metadata.items()}
    version_id = boto3.client("s3").put_object(Bucket=BRONZE, Key=key, Body=body, Metadata=tags)["VersionId"]
    described = {
        "key": quote_plus(key, safe="/"),
        "versionId": version_id,
        "size": len(body),
        "sequencer": f"{next(SEQUENCERS):016X}",
    }
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": datetime.now(UTC).isoformat(),
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": BRONZE}, "object": described},
    }
    return {"Records": [record]}


def file_id_of(event: Event) -> str:
    return app.object_version(event["Records"][0]).file_id


def csv(*rows: str, header: str = "dms_id,amount,date,use_chip,merchant_id,errors") -> bytes:
    """Return a CSV file of these lines."""
    return "".join(f"{line}\n" for line in (header, *rows)).encode()


@dataclass(frozen=True)
class Pipeline:
    """One set of names: ledger table, lake bucket, databases."""

    spark: SparkSession
    number: int = field(default_factory=lambda: next(NUMBERS))

    @property
    def ledger_table(self) -> str:
        return f"ledger-{self.number}"

    @property
    def lake_bucket(self) -> str:
        return f"lake-{self.number}"

    def database(self, layer: str) -> str:
        return f"{layer}_{self.number}"

    def arguments(self, layer: str, file_id: str = "") -> list[str]:
        """Return the job's arguments as Glue passes them, with one of Glue's own."""
        names = {
            "lake_bucket": self.lake_bucket,
            "ledger_table": self.ledger_table,
            "silver_database": self.database("silver"),
            "file_id": file_id,
            "JOB_NAME": layer,
        }
        if layer == "gold":
            names |= {"gold_database": self.database("gold"), "stage": "test"}
        return [part for name, value in names.items() for part in (f"--{name}", value)]

    def create(self) -> Pipeline:
        """Make ledger, lake and databases, all empty."""
        boto3.client("s3").create_bucket(Bucket=self.lake_bucket)
        names = ("file_id", "waiting_for", "waiting_since")
        keys = [{"AttributeName": "waiting_for", "KeyType": "HASH"}, {"AttributeName": names[2], "KeyType": "RANGE"}]
        boto3.client("dynamodb").create_table(
            TableName=self.ledger_table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "file_id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            GlobalSecondaryIndexes=[
                {"IndexName": "waiting", "KeySchema": keys, "Projection": {"ProjectionType": "KEYS_ONLY"}}
            ],
        )
        for layer in JOBS:
            name = self.database(layer)
            location = f"s3://{WAREHOUSE}/warehouse/{name}.db"
            boto3.client("glue").create_database(DatabaseInput={"Name": name, "LocationUri": location})
        return self

    def fork(self) -> Pipeline:
        """Return a pipeline of its own that begins where this one stands."""
        other = Pipeline(self.spark).create()
        glue, s3 = boto3.client("glue"), boto3.client("s3")
        for layer in JOBS:
            for table in iceberg_tables(self.database(layer)):
                kept = {name: table[name] for name in ("Name", "TableType", "Parameters", "StorageDescriptor")}
                glue.create_table(DatabaseName=other.database(layer), TableInput=kept)
        with other.table.batch_writer() as batch:
            for item in self.items():
                batch.put_item(Item=item)
        for found in s3.list_objects_v2(Bucket=self.lake_bucket).get("Contents", []):
            source = {"Bucket": self.lake_bucket, "Key": found["Key"]}
            s3.copy_object(CopySource=source, Bucket=other.lake_bucket, Key=found["Key"])
        return other

    @property
    def table(self) -> Any:
        return boto3.resource("dynamodb").Table(self.ledger_table)

    def arrive(self, event: Event) -> str:
        """Let the KPI function handle the event of an object; return the file's id."""
        names = {
            "LEDGER_TABLE": self.ledger_table,
            "LAKE_BUCKET": self.lake_bucket,
            "STAGE": "test",
            "MAXIMUM_BAD_SHARE": "1",
            "CARD_SECURITY_CODES": "empty",
        }
        machine = "arn:aws:states:us-east-1:123456789012:stateMachine:workflow"
        names |= {"STATE_MACHINE_ARN": machine, "TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:notices"}
        with patch.dict(os.environ, names):
            app.services.cache_clear()
            app.handler(event, Context())
            app.services.cache_clear()
        return file_id_of(event)

    def upload(self, key: str, body: bytes, **metadata: str) -> str:
        """Put a file into Bronze and let the KPI function handle it; return its id."""
        return self.arrive(put(key, body, **metadata))

    def run(
        self, layer: str, file_id: str = "", *, at_step: Callable[..., None] | None = None, more: Iterable[str] = ()
    ) -> None:
        """Run a job; `at_step` is called with the name and facts of each step that it logs."""
        layer_of_job = JOBS[layer].LAYER
        # What one job sets on its session, the other never sees in a process of its own.
        for name in ("spark.sql.caseSensitive", "spark.sql.legacy.parquet.nanosAsLong", "spark.sql.shuffle.partitions"):
            self.spark.conf.unset(name)
        with immortal_session(), patch.object(Job, "step", lambda _, name, **found: at_step and at_step(name, **found)):
            try:
                main(layer_of_job, arguments(layer_of_job, [*self.arguments(layer, file_id), *more]))
            finally:
                self.spark.catalog.clearCache()

    def decide(self, file_id: str) -> str:
        """Have an operator undo a file, or redo it; return the action, which waits for Silver."""
        action = item_of(self.item(file_id), who="operator", reason="a test", at=datetime.now(UTC))
        self.table.put_item(Item=action, ConditionExpression="attribute_not_exists(file_id)")
        return str(action["file_id"])

    def close(self, month: str) -> None:
        """Close a month as the command line does, with what Gold holds of it."""
        cut = json.loads(boto3.client("s3").get_object(Bucket=self.lake_bucket, Key="current.json")["Body"].read())
        channels: dict[str, ChannelTotals] = {}
        for row in self.rows("gold.daily_totals"):
            if f"{row['transacted_on']:%Y-%m}" == month:
                held = channels.get(row["channel"], closings.NOTHING)
                channels[row["channel"]] = {
                    "row_count": held["row_count"] + row["row_count"],
                    "total_amount": str(Decimal(held["total_amount"]) + row["total_amount"]),
                }
        item = closing.item_of(Month(month, cut, channels, None), who="ann", reason="", at=datetime.now(UTC))
        assert list(differences(item, ClosedItem)) == []
        self.table.put_item(Item=item)
        self.table.put_item(Item={"file_id": "closed", "kind": "closed months", "months": {month}})

    def silver(self, file_id: str = "", *, more: Iterable[str] = ()) -> None:
        self.run("silver", file_id, more=more)

    def gold(self, file_id: str = "") -> None:
        self.run("gold", file_id)

    def take_over(self, layer: str, other: Pipeline, **expected: int | str) -> None:
        """Put another pipeline's tables in the place of a layer's: `run_seq`, and what else is expected."""
        more = [part for name, value in expected.items() for part in (f"--expected_{name}", str(value))]
        self.run(layer, more=["--rebuild_from", other.database(layer), *more])

    def kill(self, layer: str, step: str, **facts: object) -> None:
        """Run a job that dies at a step, at the one that logs these facts where it is logged several times."""
        if not self.is_killed(layer, step, **facts):
            raise AssertionError(f"the {layer} job never came to its step {step} {facts or ''}")

    def is_killed(self, layer: str, step: str, *, more: Iterable[str] = (), **facts: object) -> bool:
        """Run a job that dies at a step, if it comes there; tell whether it did."""

        def die(name: str, **logged: object) -> None:
            if name == step and facts.items() <= logged.items():
                raise Killed(name)

        try:
            self.run(layer, at_step=die, more=more)
        except Killed:
            return True
        return False

    def frame(self, table: str) -> DataFrame:
        """Return a table as readers see it: `silver.transactions`."""
        layer, name = table.split(".")
        return self.spark.table(f"glue_catalog.{self.database(layer)}.{name}")

    def commits(self, layer: str) -> dict[str, int]:
        """Return how often each table of a layer was committed: Iceberg numbers its metadata files."""
        tables = iceberg_tables(self.database(layer))
        files = {table["Name"]: table["Parameters"]["metadata_location"].rpartition("/")[2] for table in tables}
        return {name: int(file.partition("-")[0]) for name, file in files.items()}

    def rows(self, table: str, *columns: str) -> list[dict[str, Any]]:
        """Return a table's rows, sorted, as plain values: as another reader than Spark sees them, and in less time.

        What a metadata file names never changes, so a state that was read before, also of a pipeline from which this
        one is forked, is not read again.
        """
        layer, name = table.split(".")
        described = boto3.client("glue").get_table(DatabaseName=self.database(layer), Name=name)["Table"]
        state = (described["Parameters"]["metadata_location"], columns)
        if state not in READ:
            found = StaticTable.from_metadata(state[0], _reader_settings()).scan(selected_fields=columns or ("*",))
            rows = found.to_arrow().to_pylist()
            READ[state] = sorted(({name: _naive(row[name]) for name in columns or row} for row in rows), key=repr)
        return deepcopy(READ[state])

    def items(self) -> list[Item]:
        return [plain(item) for item in self.table.scan(ConsistentRead=True)["Items"]]

    def item(self, file_id: str) -> Item:
        return plain(self.table.get_item(Key={"file_id": file_id}, ConsistentRead=True)["Item"])

    def tables(self, *layers: str) -> dict[str, list[dict[str, Any]]]:
        """Return the content of all tables."""
        return {
            f"{layer}.{name}": self.rows(f"{layer}.{name}")
            for layer in layers or tuple(JOBS)
            for name in JOBS[layer].LAYER.tables
        }

    def evidence(self) -> Evidence:
        """Return what `assay verify` collects, but for Bronze and the tables."""
        s3, items = boto3.client("s3"), {item["file_id"]: item for item in self.items()}
        keys = [found["Key"] for found in s3.list_objects_v2(Bucket=self.lake_bucket).get("Contents", [])]
        bodies = {key: s3.get_object(Bucket=self.lake_bucket, Key=key)["Body"].read() for key in keys}
        passports = {key[10:-5]: body for key, body in bodies.items() if key.startswith("passports/")}
        return Evidence(
            layers={layer: items[f"layer#{layer}"] for layer in JOBS},
            items={name: item for name, item in items.items() if item["kind"] in ("file", "action")},
            reports={key: body for key, body in bodies.items() if key.startswith("reports/")},
            passports=passports,
            bronze={},
            tables={},
            cut=json.loads(bodies["current.json"]),
        )

    def passports(self) -> dict[str, Item]:
        """Return what stays of each file's passport when the instants and snapshots of its runs are left out."""
        return {item["file_id"]: _without_run(item) for item in self.items() if "status" in item}


def _reader_settings() -> dict[str, str]:
    names = {"s3.endpoint": "AWS_ENDPOINT_URL", "s3.access-key-id": "AWS_ACCESS_KEY_ID", "s3.region": "AWS_REGION"}
    secret = {"s3.secret-access-key": os.environ["AWS_SECRET_ACCESS_KEY"], "s3.force-virtual-addressing": "false"}
    return {name: os.environ[variable] for name, variable in names.items()} | secret


def _naive(value: Any) -> Any:
    """Return a value with its instants in UTC and without a zone, as Spark returns them."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, dict):
        return {name: _naive(each) for name, each in value.items()}
    return [_naive(each) for each in value] if isinstance(value, list) else value


def iceberg_tables(database: str) -> list[dict[str, Any]]:
    """Return the catalog's entries of a database but for its views."""
    tables = boto3.client("glue").get_tables(DatabaseName=database)["TableList"]
    return [table for table in tables if "metadata_location" in table["Parameters"]]


def _without_run(item: Item) -> Item:
    of_run = ("snapshots", "report_sha256")  # the chains of both layers are compared by themselves
    layers = {layer: {k: v for k, v in item.get(layer, {}).items() if k not in of_run} for layer in JOBS}
    changes = [change["status"] for change in item["changes"]]
    return {**item, **layers, "changes": changes, "waiting_since": None}


def make_services() -> None:
    """Make what all pipelines share: the buckets and the workflow that the KPI function starts."""
    s3 = boto3.client("s3")
    for bucket in (BRONZE, WAREHOUSE):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=BRONZE, VersioningConfiguration={"Status": "Enabled"})
    role = "arn:aws:iam::123456789012:role/workflow"
    boto3.client("stepfunctions").create_state_machine(name="workflow", definition=json.dumps(MACHINE), roleArn=role)
    boto3.client("sns").create_topic(Name="notices")
