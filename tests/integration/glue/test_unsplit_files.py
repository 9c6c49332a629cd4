"""A gzip file, which one task must unpack, is worked on by all of them: in its order, with its own row numbers."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from glue_pipeline import SILVER, Item, Pipeline, csv
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from glue.lake.spark import size_shuffles
from glue.reading.figures import check_against_kpis, figures_of, in_key_order
from glue.reading.staging import Staging, staged

ROWS = 2_000
A_PARTITION = 100
BODY = csv(*[f"{key},{key % 7}.25,2023-01-01,,{key % 5},{'a' * (key % 90)}" for key in range(1, ROWS + 1)])


@pytest.fixture
def small_partitions() -> Iterator[None]:
    """Let few rows make a partition, as ten thousand times as many do otherwise."""
    with (
        patch("glue.lake.spark.ROWS_A_PARTITION", A_PARTITION),
        patch("glue.reading.lines.ROWS_A_PARTITION", A_PARTITION),
        patch("glue.reading.records.ROWS_A_PARTITION", A_PARTITION),
    ):
        yield


def read(pipeline: Pipeline, files: list[Item]) -> DataFrame:
    """Return the rows of staged files, computed."""
    rows = SILVER.read_subjects(pipeline.spark, files, Staging(pipeline.lake_bucket))["transactions"]
    rows.count()
    return rows


def placed(rows: DataFrame) -> list[tuple[int, ...]]:
    """Return key, row number and line of each row."""
    found = rows.select("dms_id", "row_order.row", "line").orderBy("row_order.object_key", "dms_id").collect()
    return [tuple(row) for row in found]


@pytest.mark.usefixtures("small_partitions")
def test_gzip_is_spread_over_tasks_in_its_order__more_rows_than_a_partition_has(pipeline: Pipeline) -> None:
    file_id = pipeline.upload("transactions/large.csv.gz", gzip.compress(BODY))
    files = [pipeline.item(file_id)]
    with staged(files, Staging(pipeline.lake_bucket)):
        rows = read(pipeline, files)
        figures = figures_of([rows])
    held = [found["row_count"] for found in figures]
    assert len(held) == ROWS // A_PARTITION + 2, "as many tasks as its rows need, a partition each"
    assert max(held) <= A_PARTITION
    assert in_key_order(figures), "neighbours stay together: what comes in key order is not sorted again"
    assert placed(rows) == [(key, key, key + 1) for key in range(1, ROWS + 1)]
    check_against_kpis(files, figures)


@pytest.mark.usefixtures("small_partitions")
def test_rows_keep_their_numbers__large_gzip_beside_others(pipeline: Pipeline) -> None:
    bodies = {
        "large.csv.gz": gzip.compress(BODY),
        "plain.csv": BODY,
        "small.csv.gz": gzip.compress(csv("1,1.00,2023-01-01,,,")),
    }
    files = [pipeline.item(pipeline.upload(f"transactions/{name}", body)) for name, body in bodies.items()]
    with staged(files, Staging(pipeline.lake_bucket)):
        rows = read(pipeline, files)
        check_against_kpis(files, figures_of([rows]))
    whole = [(key, key, key + 1) for key in range(1, ROWS + 1)]
    assert placed(rows) == [*whole, *whole, (1, 1, 2)]


@pytest.mark.usefixtures("small_partitions")
def test_rows_are_numbered_by_many_tasks__large_gzip_with_blank_lines_and_records_of_several(
    pipeline: Pipeline,
) -> None:
    lines = BODY.decode().splitlines()
    lines[1000:1000] = ["", '9000,1.25,2023-01-01,,1,"a', "", 'b"', ""]
    files = [pipeline.item(pipeline.upload("transactions/large.csv.gz", gzip.compress("\n".join(lines).encode())))]
    size_shuffles(pipeline.spark, ROWS)  # as a run does before it reads
    pipeline.spark.conf.set("spark.sql.adaptive.coalescePartitions.enabled", "false")  # so small ones stay apart
    try:
        with staged(files, Staging(pipeline.lake_bucket)):
            figures = figures_of([rows := read(pipeline, files)])
    finally:
        pipeline.spark.conf.unset("spark.sql.adaptive.coalescePartitions.enabled")
    check_against_kpis(files, figures)
    before, after = [(key, key, key + 1) for key in range(1, 1000)], range(1000, ROWS + 1)
    assert placed(rows) == [*before, *[(key, key + 1, key + 6) for key in after], (9000, 1000, 1002)]
    assert max(found["row_count"] for found in figures) < ROWS // 2


def test_small_gzip_is_read_as_it_lies__it_fits_into_a_task(pipeline: Pipeline) -> None:
    files = [pipeline.item(pipeline.upload("transactions/small.csv.gz", gzip.compress(BODY)))]
    with staged(files, Staging(pipeline.lake_bucket)):
        rows = read(pipeline, files)
    assert rows.select(F.spark_partition_id()).distinct().count() == 1


def test_parquet_is_cut_by_its_rows__a_block_would_hold_more(pipeline: Pipeline) -> None:
    columns = {"dms_id": range(ROWS), "amount": ["1.00"] * ROWS, "date": ["2023-01-01"] * ROWS}
    pq.write_table(pa.table({name: list(values) for name, values in columns.items()}), written := io.BytesIO(), 200)
    files = [pipeline.item(pipeline.upload("transactions/large.parquet", written.getvalue()))]
    pipeline.spark.conf.set("spark.sql.files.openCostInBytes", "1")  # so small files are never cut otherwise
    try:
        with patch.object(SILVER, "ROWS_A_BLOCK", 250), staged(files, Staging(pipeline.lake_bucket)):
            held = [found["row_count"] for found in figures_of([read(pipeline, files)])]
    finally:
        pipeline.spark.conf.unset("spark.sql.files.openCostInBytes")
    assert (sum(held), len(held) >= 5, max(held) <= 600) == (ROWS, True, True)
