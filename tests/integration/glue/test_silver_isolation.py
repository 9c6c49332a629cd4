"""One bad file does not hold up the others, and of two writers only one publishes."""

from __future__ import annotations

import io
from datetime import date
from decimal import Decimal
from unittest.mock import patch

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from glue_pipeline import BRONZE, SILVER, Pipeline, csv, put

from glue.lake.failures import FencedOut


def with_cities(rows: int = 500, *, damaged: bool = False) -> bytes:
    """Return a Parquet file; a damaged one is good in its footer, and not in a page of a text column."""
    columns = {
        "dms_id": pa.array(range(rows), pa.int64()),
        "amount": pa.array([Decimal("1.00")] * rows, pa.decimal128(10, 2)),
        "date": pa.array([date(2023, 1, 1)] * rows),
        "merchant_city": pa.array([f"city {number * number}" for number in range(rows)]),
    }
    written = io.BytesIO()
    pq.write_table(pa.table(columns), written, compression="snappy", use_dictionary=False)
    body = bytearray(written.getvalue())
    if not damaged:
        return bytes(body)
    chunk = pq.read_metadata(io.BytesIO(body)).row_group(0).column(3)
    assert chunk.path_in_schema == "merchant_city"
    end = chunk.data_page_offset + chunk.total_compressed_size
    middle = (chunk.data_page_offset + end) // 2
    body[middle:end] = b"\xff" * (end - middle)
    return bytes(body)


def test_silver_fails_bad_files_and_takes_the_others__damaged_page_deleted_version_and_other_figures(
    pipeline: Pipeline,
) -> None:
    good = [pipeline.upload(f"transactions/{n}.csv", csv(f"{n}000,{n}.00,2023-01-01,,,")) for n in (1, 2)]
    damaged = pipeline.upload("transactions/damaged.parquet", with_cities())
    event = put("transactions/gone.csv", csv("9,9.00,2023-01-01,,,"))
    gone = pipeline.arrive(event)
    version_id = event["Records"][0]["s3"]["object"]["versionId"]
    boto3.client("s3").delete_object(Bucket=BRONZE, Key="transactions/gone.csv", VersionId=version_id)
    wrong = pipeline.upload("transactions/wrong.csv", csv("8,1.00,2023-01-01,,,"))
    assert [pipeline.item(file_id)["status"] for file_id in (*good, damaged, gone, wrong)] == ["accepted"] * 5
    # Silver is the second guard: the storage gives it other bytes than the KPI function has read.
    other = put("transactions/damaged.parquet", with_cities(damaged=True))["Records"][0]["s3"]["object"]["versionId"]
    pipeline.table.update_item(
        Key={"file_id": damaged},
        UpdateExpression="SET version_id = :other",
        ExpressionAttributeValues={":other": other},
    )
    pipeline.table.update_item(
        Key={"file_id": wrong},
        UpdateExpression="SET kpis.total_amount = :amount",
        ExpressionAttributeValues={":amount": "1.01"},
    )
    pipeline.silver(damaged)
    assert [pipeline.item(file_id)["status"] for file_id in good] == ["in_silver"] * 2
    assert [row["dms_id"] for row in pipeline.rows("silver.transactions")] == [1000, 2000]
    for file_id in (damaged, gone, wrong):
        item = pipeline.item(file_id)
        assert (item["status"], item["failed"]["stage"], item["failed"]["attempts"]) == ("accepted", "silver", 1)
        assert "waiting_for" not in item
    assert "deleted from Bronze" in pipeline.item(gone)["failed"]["reason"]
    assert pipeline.item(damaged)["failed"]["reason"]
    assert "1.00 in Silver but 1.01 in the KPI function" in pipeline.item(wrong)["failed"]["reason"]
    runs = pipeline.item("layer#silver")["run_seq"]
    pipeline.silver(gone)
    assert pipeline.item("layer#silver")["run_seq"] == runs, "a failed file is taken again before it is resumed"


def test_silver_publishes_nothing__another_writer_has_taken_over(pipeline: Pipeline) -> None:
    file_id = pipeline.upload("transactions/1.csv", csv("1,1.00,2023-01-01,,,"))

    def take_over(step: str, **_: object) -> None:
        if step == "before_intent":
            pipeline.table.update_item(
                Key={"file_id": "layer#silver"},
                UpdateExpression="SET in_progress.#token = :other",
                ExpressionAttributeNames={"#token": "token"},
                ExpressionAttributeValues={":other": "other"},
            )

    with pytest.raises(FencedOut):
        pipeline.run("silver", at_step=take_over)
    assert not any(pipeline.tables("silver").values())
    item, layer = pipeline.item(file_id), pipeline.item("layer#silver")
    assert (item["status"], item["waiting_for"], "failed" in item) == ("accepted", "silver", False)
    assert ("intent" in layer, layer["run_seq"], layer["in_progress"]["token"]) == (False, 0, "other")


def test_reason_of_a_run_that_failed_for_all__file_of_its_execution_until_it_is_taken(pipeline: Pipeline) -> None:
    asked, other = (pipeline.upload(f"transactions/{n}.csv", csv(f"{n},{n}.00,2023-01-01,,,")) for n in (1, 2))
    with (
        patch.object(SILVER, "read_subjects", side_effect=OSError("the storage is gone")),
        pytest.raises(OSError, match="the storage is gone"),
    ):
        pipeline.silver(asked)
    noted = pipeline.item(asked)
    assert {**noted["last_error"], "at": ""} == {"stage": "silver", "reason": "OSError: the storage is gone", "at": ""}
    assert (noted["waiting_for"], "failed" in noted) == ("silver", False)
    assert "last_error" not in pipeline.item(other)
    pipeline.silver(asked)
    assert [
        ("last_error" in pipeline.item(file_id), pipeline.item(file_id)["status"]) for file_id in (asked, other)
    ] == [(False, "in_silver")] * 2


def test_job_takes_a_run_of_the_oldest_and_one_with_its_own_file__more_rows_wait_than_a_run_takes(
    pipeline: Pipeline,
) -> None:
    first, second, own = (
        pipeline.upload(f"transactions/{n}.csv", csv(f"{n},{n}.00,2023-01-01,,,", f"9,{n}.50,2023-01-01,,,"))
        for n in (1, 2, 3)
    )
    pipeline.silver(own, more=["--run_rows", "2"])
    taken = {file_id: pipeline.item(file_id).get("silver", {}).get("run_seq") for file_id in (first, second, own)}
    assert taken == {first: 1, second: None, own: 2}
    assert {row["dms_id"]: str(row["amount"]) for row in pipeline.rows("silver.transactions")} == {
        1: "1.00",
        3: "3.00",
        9: "3.50",
    }
    pipeline.silver(second, more=["--run_rows", "2"])
    assert (
        pipeline.item(second)["silver"]["outcomes"] | {"stale": 1, "inserted": 1}
        == (pipeline.item(second)["silver"]["outcomes"])
    )
