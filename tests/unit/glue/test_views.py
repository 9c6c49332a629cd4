"""The view for analysts in the catalog: made once, made anew when its statement changes, as Athena reads it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import boto3
import duckdb
import pytest
from contract.subjects import REFERENCES
from contract.tables import GOLD_TABLES
from contract.views import TRANSACTIONS_FLAT
from moto import mock_aws

from glue.lake.views import put_view


@pytest.fixture
def glue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("glue")
        client.create_database(DatabaseInput={"Name": "dev_gold"})
        yield client


def view_of(glue: Any) -> dict[str, Any]:
    found: dict[str, Any] = glue.get_table(DatabaseName="dev_gold", Name="transactions_flat")["Table"]
    return found


def statement_of(view: dict[str, Any]) -> dict[str, Any]:
    text = view["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    found: dict[str, Any] = json.loads(base64.b64decode(text))
    return found


def test_view_is_as_athena_keeps_its_own(glue: Any) -> None:
    put_view("dev_gold", TRANSACTIONS_FLAT)
    view = view_of(glue)
    assert (view["TableType"], view["ViewExpandedText"]) == ("VIRTUAL_VIEW", "/* Presto View */")
    assert view["Parameters"]["presto_view"] == "true"
    statement = statement_of(view)
    assert (statement["catalog"], statement["schema"]) == ("awsdatacatalog", "dev_gold")
    assert 'FROM "dev_gold"."fact_transactions"' in statement["originalSql"]
    types = {column["name"]: column["type"] for column in statement["columns"]}
    assert (types["dms_id"], types["channel"], types["year"]) == ("bigint", "varchar", "integer")
    assert (types["amount"], types["transacted_at"], types["has_error"]) == ("decimal(18,2)", "timestamp", "boolean")
    hive = {column["Name"]: column["Type"] for column in view["StorageDescriptor"]["Columns"]}
    assert (list(hive), hive["channel"], hive["year"]) == (list(types), "string", "int")
    assert all(column["Comment"] for column in view["StorageDescriptor"]["Columns"])


def test_view_has_a_name_for_each_key_and_no_key() -> None:
    columns = set(TRANSACTIONS_FLAT.columns)
    assert {"channel", "merchant_city", "zip", "merchant_id", "mcc", "mcc_description", "card_brand"} <= columns
    keys = {name for name in columns if name.endswith("_key")}
    assert keys == set()


def test_view_tells_of_a_client_the_id_alone() -> None:
    told = REFERENCES["users"].image.keys() & TRANSACTIONS_FLAT.columns.keys()
    assert (told, "dim_client" in TRANSACTIONS_FLAT.sql("gold")) == ({"client_id"}, False)


def test_view_is_made_anew__its_statement_has_changed(glue: Any) -> None:
    put_view("dev_gold", TRANSACTIONS_FLAT)
    before = view_of(glue)
    put_view("dev_gold", TRANSACTIONS_FLAT)
    assert view_of(glue) == before, "nothing is written where nothing has changed"
    fewer = {name: column for name, column in TRANSACTIONS_FLAT.columns.items() if name != "zip"}
    put_view("dev_gold", replace(TRANSACTIONS_FLAT, columns=fewer))
    assert '"zip"' not in statement_of(view_of(glue))["originalSql"]


def test_view_is_made_anew__a_column_is_described_otherwise(glue: Any) -> None:
    put_view("dev_gold", TRANSACTIONS_FLAT)
    with patch("glue.lake.views.LONGEST_COMMENT", 3):
        put_view("dev_gold", TRANSACTIONS_FLAT)
    assert all(len(column["Comment"]) <= 3 for column in view_of(glue)["StorageDescriptor"]["Columns"])


def test_view_gives_each_fact_its_names__also_where_a_member_is_unknown() -> None:
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    database.execute("CREATE SCHEMA gold")
    for name in TRANSACTIONS_FLAT.tables:
        columns = [f'"{column}" {_duckdb(kind)}' for column, kind in GOLD_TABLES[name].schema.items()]
        database.execute(f"CREATE TABLE gold.{name} ({', '.join(columns)})")
    database.execute(
        "INSERT INTO gold.fact_transactions (dms_id, transacted_at, amount, channel_key, date_key) VALUES "
        "(1, '2026-06-01 10:00:00.999700+02', 1.50, 7, 20260601), (2, NULL, 2.50, 0, 0)"
    )
    database.execute("INSERT INTO gold.dim_channel (channel_key, channel) VALUES (7, 'chip'), (0, NULL)")
    database.execute("INSERT INTO gold.dim_date (date_key, year) VALUES (20260601, 2026)")
    shown = "SELECT dms_id, transacted_at::VARCHAR, amount::VARCHAR, channel, year"
    found = database.execute(f"{shown} FROM ({TRANSACTIONS_FLAT.sql('gold')}) ORDER BY 1").fetchall()
    assert found == [(1, "2026-06-01 08:00:00.999", "1.50", "chip", 2026), (2, None, "2.50", None, None)]


def _duckdb(kind: str) -> str:
    simple = {"string": "VARCHAR", "timestamp": "TIMESTAMPTZ"}
    return "VARCHAR" if kind.startswith("struct") else simple.get(kind, kind)
