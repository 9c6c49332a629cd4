"""The catalog describes every table and column, of tables that are older than their descriptions, too."""

from __future__ import annotations

import base64
import json
from typing import Any

import boto3
from contract.descriptions import column_description
from contract.tables import TABLES
from glue_pipeline import SILVER, Pipeline

from glue.lake.tables import create_tables


def described(pipeline: Pipeline, table: str) -> dict[str, Any]:
    layer, name = table.split(".")
    found: dict[str, Any] = boto3.client("glue").get_table(DatabaseName=pipeline.database(layer), Name=name)["Table"]
    return found


def comments(pipeline: Pipeline, table: str) -> dict[str, str | None]:
    """Return what the table's own metadata say of its columns."""
    frame = pipeline.frame(table)
    return {field.name: field.metadata.get("comment") for field in frame.schema.fields}


def test_tables_are_made_with_what_they_and_their_columns_mean(empty: Pipeline) -> None:
    for name, table in TABLES.items():
        assert comments(empty, name) == {column: column_description(column) for column in table.schema}, name
        assert described(empty, name).get("Description") or described(empty, name)["Parameters"]["comment"]
    columns = described(empty, "gold.fact_transactions")["StorageDescriptor"]["Columns"]
    assert {each["Name"]: each.get("Comment") for each in columns}["amount"] == column_description("amount")


def test_earlier_tables_get_their_descriptions__in_one_commit_each_and_once(empty: Pipeline) -> None:
    pipeline = empty.fork()
    name = f"glue_catalog.{pipeline.database('silver')}.transactions"
    pipeline.spark.sql(f"ALTER TABLE {name} ALTER COLUMN amount COMMENT 'something else'")
    pipeline.spark.sql(f"ALTER TABLE {name} ALTER COLUMN zip COMMENT ''")
    counts = [pipeline.commits("silver")]
    for _ in range(2):
        create_tables(pipeline.spark, pipeline.database("silver"), SILVER.LAYER.tables)
        counts.append(pipeline.commits("silver"))
    assert counts[1] == counts[2] == counts[0] | {"transactions": counts[0]["transactions"] + 1}
    wanted = {column: column_description(column) for column in SILVER.LAYER.tables["transactions"].schema}
    assert comments(pipeline, "silver.transactions") == wanted


def test_gold_job_makes_the_view__and_passes_over_it_afterwards(empty: Pipeline) -> None:
    pipeline = empty.fork()
    for _ in range(2):
        pipeline.gold()
    view = described(pipeline, "gold.transactions_flat")
    text = view["ViewOriginalText"].removeprefix("/* Presto View: ").removesuffix(" */")
    assert json.loads(base64.b64decode(text))["schema"] == pipeline.database("gold")
    shown = pipeline.spark.sql(f"SHOW TABLES IN glue_catalog.{pipeline.database('gold')}").collect()
    assert "transactions_flat" not in {row.tableName for row in shown}, "what is no Iceberg table is none of the job's"
