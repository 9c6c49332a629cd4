"""Tables that have gathered small files and deletes are compacted after publishing: other files, the same rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from glue_pipeline import SILVER, Event, Pipeline, csv, put
from moto.s3.models import s3_backends

from glue.lake import compaction
from glue.lake.branches import Branches
from glue.lake.tables import create_tables


def run(pipeline: Pipeline, events: list[Event]) -> dict[str, list[str]]:
    """Process each file by itself; return the tables that were compacted, by layer."""
    compacted: dict[str, list[str]] = {"silver": [], "gold": []}
    for event in events:
        pipeline.arrive(event)
        for layer, tables in compacted.items():

            def note(name: str, into: list[str] = tables, **facts: object) -> None:
                into += facts["tables"] if name == "compacted" else []

            pipeline.run(layer, at_step=note)
    return compacted


def data_files(pipeline: Pipeline) -> int:
    return pipeline.spark.table(f"glue_catalog.{pipeline.database('gold')}.fact_transactions.data_files").count()


def test_compaction_changes_files_and_no_rows__crowded_tables(
    after_each_file: list[Pipeline], three_files: list[Event]
) -> None:
    pipeline = after_each_file[1].fork()
    with patch.object(compaction, "CROWD", 2):
        compacted = run(pipeline, three_files[2:])
    assert {"transactions"} <= set(compacted["silver"])
    assert {"fact_transactions", "daily_totals"} <= set(compacted["gold"])
    assert pipeline.tables() == after_each_file[-1].tables()
    files = {"plain": data_files(after_each_file[-1]), "compacted": data_files(pipeline)}
    assert files["compacted"] < files["plain"]


@pytest.mark.parametrize("goes_on", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_all_is_compacted__asked_for(after_each_file: list[Pipeline], three_files: list[Event], goes_on: bool) -> None:
    pipeline = after_each_file[1].fork()
    for layer in ("silver", "gold"):
        pipeline.run(layer, more=["--maintain", "true"])
    for layer, table in (("silver", "transactions"), ("gold", "fact_transactions"), ("gold", "daily_totals")):
        assert (delete_files(after_each_file[1], layer, table), delete_files(pipeline, layer, table)) == (1, 0)
    assert (data_files(after_each_file[1]), data_files(pipeline)) == (2, 1)
    if goes_on:
        run(pipeline, [three_files[2]])
    assert pipeline.tables() == after_each_file[2 if goes_on else 1].tables()


def compacted_by_another(pipeline: Pipeline, layer: str = "silver", *tables: str) -> list[str]:
    return compaction.compact(pipeline.spark, pipeline.database(layer), tables or ["transactions"], named=set)


def delete_files(pipeline: Pipeline, layer: str, table: str) -> int:
    return pipeline.spark.table(f"glue_catalog.{pipeline.database(layer)}.{table}.delete_files").count()


def as_spark_reads(pipeline: Pipeline, table: str) -> list[tuple[int, Decimal]]:
    """Return keys and amounts of a table of Silver."""
    return sorted((row.dms_id, row.amount) for row in pipeline.frame(f"silver.{table}").collect())


def test_deletes_are_merged_into_one_file__no_data_file_is_small(after_each_file: list[Pipeline]) -> None:
    pipeline = after_each_file[-1].fork()
    crowded = {"silver": ["transactions"], "gold": ["fact_transactions", "daily_totals"]}
    with patch.multiple(compaction, CROWD=2, SMALL_FILE_BYTES=0, DEAD_SHARE=100):
        for layer, tables in crowded.items():
            assert compacted_by_another(pipeline, layer, *tables) == tables
    assert pipeline.tables() == after_each_file[-1].tables()
    for layer, tables in crowded.items():
        for table in tables:
            assert [delete_files(one, layer, table) for one in (after_each_file[-1], pipeline)] == [2, 1]
    assert data_files(pipeline) == data_files(after_each_file[-1])
    rows = pipeline.rows("silver.transactions", "dms_id", "amount")
    assert as_spark_reads(pipeline, "transactions") == [(row["dms_id"], row["amount"]) for row in rows]


@pytest.mark.slow
def test_next_run_goes_on__killed_while_deletes_of_rewritten_files_remain(
    pipeline: Pipeline, three_files: list[Event]
) -> None:
    """An old file that is not rewritten keeps all later deletes alive, those of files that are gone among them."""
    old = put(
        "transactions/old.csv",
        csv(*(f"{key},{key}.00,2022-01-01,chip,{key % 97}," for key in range(1000, 6000))),
        as_of="2023-12-01T00:00:00Z",
    )
    *before, last = three_files
    for event in (old, *before):
        pipeline.arrive(event)
        pipeline.silver()
    pipeline.arrive(last)
    plain = pipeline.fork()
    plain.silver()
    small = "map('min-input-files', '2', 'min-file-size-bytes', '30000')"
    with (
        patch.multiple(compaction, CROWD=2, SMALL_FILES=small),
        patch.object(compaction, "merge_deletes", side_effect=MemoryError),
        pytest.raises(MemoryError),
    ):
        pipeline.run("silver")
    assert delete_files(pipeline, "silver", "transactions") == 2
    assert pipeline.tables("silver") == plain.tables("silver")
    again = put("transactions/again.csv", csv("2,8.00,2023-01-02,chip,5,", "1001,9.00,2022-01-01,chip,5,"))
    for one in (plain, pipeline):
        one.arrive(again)
        one.silver()
    assert pipeline.tables("silver") == plain.tables("silver")
    with patch.multiple(compaction, CROWD=2, SMALL_FILE_BYTES=0):
        assert compacted_by_another(pipeline) == ["transactions"]
    assert delete_files(pipeline, "silver", "transactions") == 1
    assert pipeline.tables("silver") == plain.tables("silver")


def test_files_of_a_killed_run_are_removed__after_three_days(
    after_each_file: list[Pipeline], three_files: list[Event]
) -> None:
    pipeline = after_each_file[0].fork()
    pipeline.arrive(three_files[1])
    objects = s3_backends["123456789012"]["aws"].buckets["lake"].keys
    # A fork writes where the table that it began with lies.
    described = boto3.client("glue").get_table(DatabaseName=pipeline.database("silver"), Name="transactions")["Table"]
    place = described["Parameters"]["metadata_location"].partition("/metadata/")[0]
    folder = f"{place.removeprefix('s3://lake/')}/data/"
    before = set(data_of(objects, folder))
    pipeline.kill("silver", "written")
    younger, *older = sorted(set(data_of(objects, folder)) - before)
    assert older
    for days, keys in ((2, [younger]), (4, older)):
        for key in keys:
            objects[key].last_modified = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days)
    pipeline.run("silver", more=["--maintain", "orphans"])
    assert {younger, *older} & set(data_of(objects, folder)) == {younger}
    pipeline.silver()
    assert pipeline.tables("silver") == after_each_file[1].tables("silver")


def data_of(objects: Any, folder: str) -> list[str]:
    return [key for key in objects if key.startswith(folder)]


def test_earlier_tables_get_the_properties_of_today__in_one_commit(empty: Pipeline) -> None:
    pipeline, property_name = empty.fork(), "write.metadata.delete-after-commit.enabled"
    database, tables = pipeline.database("silver"), SILVER.LAYER.tables
    pipeline.spark.sql(f"ALTER TABLE glue_catalog.{database}.transactions UNSET TBLPROPERTIES ('{property_name}')")
    counts = [pipeline.commits("silver")]
    for _ in range(2):
        create_tables(pipeline.spark, database, tables)
        counts.append(pipeline.commits("silver"))
    assert counts[1] == counts[2] == counts[0] | {"transactions": counts[0]["transactions"] + 1}
    held = boto3.client("glue").get_table(DatabaseName=database, Name="transactions")["Table"]["Parameters"]
    bucket, _, key = held["metadata_location"].removeprefix("s3://").partition("/")
    metadata = json.loads(boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    assert metadata["properties"][property_name] == "true"


def test_processes_of_one_run_write_apart__one_was_given_up(after_each_file: list[Pipeline]) -> None:
    pipeline = after_each_file[0].fork()
    database = pipeline.database("silver")
    given_up, other = (
        Branches(pipeline.spark, database, Branches.name_of_run(2, token)) for token in ("b" * 32, "a" * 32)
    )
    for branches in (given_up, other):
        branches.open("transactions")
    given_up.append("transactions", pipeline.frame("silver.transactions"))
    other.note("transactions", {"assay.run-seq": "2"})
    assert other.rows_moved("transactions") == 0
    other.fast_forward("transactions", other.snapshots()["transactions"])
    refs = pipeline.spark.table(f"glue_catalog.{database}.transactions.refs").select("name").collect()
    assert {row.name for row in refs} == {"main", other.name}


def test_places_are_refused__table_was_compacted_since_rows_were_found(after_each_file: list[Pipeline]) -> None:
    pipeline = after_each_file[1].fork()
    database, before = pipeline.database("silver"), pipeline.tables("silver")
    branches = Branches(pipeline.spark, database, "run_00000003")
    places = branches.published_rows("transactions").select("place.*")
    with patch.object(compaction, "CROWD", 0):
        assert compacted_by_another(pipeline) == ["transactions"]
    with pytest.raises(RuntimeError, match="run it again"):
        branches.remove("transactions", places, 1)
    assert pipeline.tables("silver") == before


def test_deletes_are_refused__table_was_compacted_before_they_were_committed(after_each_file: list[Pipeline]) -> None:
    pipeline = after_each_file[1].fork()
    database, before = pipeline.database("silver"), pipeline.tables("silver")
    branches = Branches(pipeline.spark, database, "run_00000003")
    branches.remove("transactions", branches.published_rows("transactions").select("place.*"), 4)
    with patch.object(compaction, "CROWD", 0):
        assert compacted_by_another(pipeline) == ["transactions"]
    with pytest.raises(RuntimeError, match="run it again"):
        branches.snapshots()
    assert pipeline.tables("silver") == before


def test_run_is_published__another_has_compacted_meanwhile(
    after_each_file: list[Pipeline], three_files: list[Event]
) -> None:
    pipeline = after_each_file[0].fork()
    pipeline.arrive(three_files[1])
    pipeline.kill("silver", "after_intent")
    with patch.object(compaction, "CROWD", 0):
        assert compacted_by_another(pipeline) == ["transactions"]
    pipeline.silver()
    assert pipeline.tables("silver") == after_each_file[1].tables("silver")
