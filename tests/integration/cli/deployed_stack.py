"""A deployed stack in moto, with a ledger and small Iceberg tables as the data contract describes them."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pyarrow as pa
import pytest
from boto3.dynamodb.types import TypeSerializer
from pyiceberg.catalog.glue import GlueCatalog
from typer.testing import CliRunner, Result

from assay import cli, target
from assay.ledger import OUTCOMES, file_id

REGION = "eu-central-1"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}
NAMES = {
    "BronzeBucket": "assay-bronze",
    "CardsKey": f"arn:aws:kms:{REGION}:123456789012:key/of-cards",
    "LakeBucket": "assay-lake",
    "LedgerTable": "assay-ledger",
    "KpiFunction": "assay-kpi",
    "SweepFunction": "assay-sweep",
    "MailTopic": f"arn:aws:sns:{REGION}:123456789012:assay-mail",
    "Workflow": f"arn:aws:states:{REGION}:123456789012:stateMachine:assay-workflow",
    "SilverJob": "assay-silver",
    "GoldJob": "assay-gold",
    "SilverDatabase": "assay_silver",
    "GoldDatabase": "assay_gold",
    "NotebookRole": "arn:aws:iam::123456789012:role/assay-notebooks",
    "ReplayLedgerTable": "assay-replay-ledger",
    "ReplaySilverJob": "assay-silver-replay",
    "ReplayGoldJob": "assay-gold-replay",
    "ReplaySilverDatabase": "assay_replay_silver",
    "ReplayGoldDatabase": "assay_replay_gold",
    "SigningKey": "none",
    "ReportPages": "s3://assay-lake/reports/",
}
IMAGE = [("dms_id", pa.int64()), ("amount", pa.decimal128(18, 2)), ("channel", pa.string())]
TOTALS = [("row_count", pa.int64()), ("total_amount", pa.decimal128(38, 2))]
TABLES: dict[str, list[tuple[str, pa.DataType]]] = {
    "silver.transactions": [*IMAGE, ("transacted_at", pa.timestamp("us", tz="UTC"))],
    "silver.transaction_history": [*IMAGE, ("file_id", pa.string()), ("outcome", pa.string())],
    "silver.transaction_effects": [("run_seq", pa.int64()), ("effect_amount", pa.decimal128(18, 2))],
    "silver.quarantine": [
        ("file_id", pa.string()),
        ("row", pa.int64()),
        ("amount", pa.decimal128(18, 2)),
        ("repaired_by", pa.string()),
    ],
    "silver.cards": [("file_id", pa.string()), ("row", pa.int64()), ("credit_limit", pa.decimal128(18, 2))],
    "gold.fact_transactions": [
        ("dms_id", pa.int64()),
        ("amount", pa.decimal128(18, 2)),
        ("channel_key", pa.int64()),
        ("transacted_on", pa.date32()),
    ],
    "gold.dim_channel": [("channel_key", pa.int64()), ("channel", pa.string())],
    "gold.daily_totals": [("transacted_on", pa.date32()), ("channel", pa.string()), *TOTALS],
    "gold.monthly_merchant_totals": [("merchant_key", pa.int64()), *TOTALS],
    "gold.monthly_client_totals": [("client_key", pa.int64()), *TOTALS],
}


_with_given_keys = cache(boto3.Session)


def session(**arguments: Any) -> boto3.Session:
    """Make a session, but share those with given keys: each reads the services' models anew, which takes a while."""
    return _with_given_keys(**arguments) if "aws_access_key_id" in arguments else boto3.session.Session(**arguments)


@cache
def client(service: str, endpoint: str) -> Any:
    shared = _with_given_keys(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    return shared.client(service, endpoint_url=endpoint)


@dataclass
class DeployedStack:
    """A stack in moto, and the command line that works on it."""

    endpoint: str
    catalog: GlueCatalog

    def client(self, service: str) -> Any:
        return client(service, self.endpoint)

    def assay(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli.app, list(arguments))

    def put(self, *items: dict[str, Any], table: str = "LedgerTable") -> None:
        for item in items:
            form = {name: TypeSerializer().serialize(value) for name, value in item.items()}
            self.client("dynamodb").put_item(TableName=NAMES[table], Item=form)

    def drop(self, table: str) -> None:
        self.catalog.drop_table(identifier_of(table))

    def write(self, table: str, *rows: tuple[Any, ...]) -> None:
        """Append rows to a table, which is made if need be; the columns are those of TABLES, the last ones may lack."""
        columns = pa.schema(TABLES[table.removeprefix("replay_")])
        identifier = identifier_of(table)
        data = [dict(zip(columns.names, row, strict=False)) for row in rows]
        self.catalog.create_table_if_not_exists(identifier, columns).append(pa.Table.from_pylist(data, columns))


def identifier_of(table: str) -> tuple[str, str]:
    """Name a table such as `replay_silver.transactions` as the catalog does."""
    schema, name = table.split(".")
    return NAMES["".join(part.capitalize() for part in schema.split("_")) + "Database"], name


@contextmanager
def account(server: str, folder: Path) -> Iterator[DeployedStack]:
    """Give an empty account that the command line takes for the local cloud of the project in `folder`."""
    cloud = SimpleNamespace(endpoint=server, environment=lambda: KEYS)
    properties = {
        "s3.endpoint": server,
        "s3.region": REGION,
        "s3.access-key-id": "test",
        "s3.secret-access-key": "test",
        "s3.force-virtual-addressing": "false",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "ASSAY_STACK"):
            patch.delenv(name, raising=False)
        for name, value in KEYS.items():
            patch.setenv(name, value)
        patch.chdir(folder)
        patch.setattr(target.boto3, "Session", session)
        patch.setattr("devcloud.local.lifecycle.running", lambda project: cloud)
        yield DeployedStack(server, GlueCatalog("test", client=client("glue", server), **properties))
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST")).close()  # noqa: S310


def deploy(bare: DeployedStack) -> None:
    """Make what the template declares: outputs, versioned Bronze, ledger, databases."""
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in NAMES.items()},
    }
    bare.client("cloudformation").create_stack(StackName=target.LOCAL_STACK, TemplateBody=json.dumps(template))
    s3 = bare.client("s3")
    for name in ("BronzeBucket", "LakeBucket"):
        s3.create_bucket(Bucket=NAMES[name], CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=NAMES["BronzeBucket"], VersioningConfiguration={"Status": "Enabled"})
    for name in ("LedgerTable", "ReplayLedgerTable"):
        bare.client("dynamodb").create_table(
            TableName=NAMES[name],
            KeySchema=[{"AttributeName": "file_id", "KeyType": "HASH"}],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("file_id", "kind", "last_modified_at")
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "arrivals",
                    "KeySchema": [
                        {"AttributeName": "kind", "KeyType": "HASH"},
                        {"AttributeName": "last_modified_at", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    for name in ("SilverDatabase", "GoldDatabase", "ReplaySilverDatabase", "ReplayGoldDatabase"):
        bare.client("glue").create_database(
            DatabaseInput={"Name": NAMES[name], "LocationUri": f"s3://{NAMES['LakeBucket']}/warehouse/{NAMES[name]}.db"}
        )


def file_item(
    name: str = "a.csv", *, version: str = "v1", outcomes: dict[str, int] | None = None, amount: str = "10.00"
) -> dict[str, Any]:
    """Make the ledger item of a published file whose rows were all inserted, if nothing else is said."""
    key = f"transactions/{name}"
    counts = dict.fromkeys(OUTCOMES, 0) | (outcomes or {"inserted": 2})
    return {
        "file_id": file_id(NAMES["BronzeBucket"], key, version),
        "kind": "file",
        "bucket": NAMES["BronzeBucket"],
        "key": key,
        "version_id": version,
        "sequencer": "00",
        "size": 120,
        "last_modified_at": "2026-11-23T06:00:00.000000Z",
        "status": "published",
        "in_effect": True,
        "kpis": {
            "row_count": sum(counts.values()),
            "distinct_keys": 2,
            "duplicate_keys": 0,
            "bad_rows": 0,
            "total_amount": amount,
            "first_at": "2010-01-01T00:01:00.000000Z",
            "last_at": "2010-01-01T00:02:00.000000Z",
            "channels": {"swipe": 2, "chip": 0, "online": 0, "unknown": 0},
        },
        "control": {"source": "none", "proven": False},
        "warnings": ["control totals are missing"],
        "silver": {
            "run_seq": 1,
            "outcomes": counts,
            "amounts": dict.fromkeys(OUTCOMES, "0.00") | {"inserted": amount},
            "effect_amount": amount,
            "snapshots": {"transactions": 1234567890123456789},
        },
        "gold": {"run_seq": 1, "snapshots": {"fact_transactions": 987654321098765432}},
        "execution_arn": f"arn:aws:states:{REGION}:123456789012:execution:assay-workflow:a",
        "changes": [
            {"status": status, "at": f"2026-11-23T06:00:0{second}.000000Z"}
            for second, status in enumerate(("received", "accepted", "in_silver", "published"), 1)
        ],
    }


def layer_items(*, rows: int, silver: str, gold: str | None = None, taken: int = 1) -> list[dict[str, Any]]:
    """Make the items of both layers after Silver's first run."""
    published = {"run_seq": 1, "row_count": rows, "snapshots": {}}
    return [
        {"file_id": "layer#silver", "kind": "layer", "run_seq": 1, "published": published | {"total_amount": silver}},
        {
            "file_id": "layer#gold",
            "kind": "layer",
            "run_seq": 1,
            "published": published | {"total_amount": gold or silver, "silver_run_seq": taken},
        },
    ]
