"""Declared reloads: the floor, the missing keys, and the rows that only now get their place in the order."""

from __future__ import annotations

import json
from decimal import Decimal
from unittest.mock import patch

import boto3
import pytest
from glue_pipeline import SILVER, Event, Pipeline, csv, put

from glue.lake.ledger import Ledger

HEADER = "dms_id,amount,date"
START = "2023-06-01T00:00:00Z"


def load_file(*rows: str) -> bytes:
    return csv(*rows, header=HEADER)


def marker_of(*events: Event, start: str = START, name: str = "june") -> Event:
    objects = [event["Records"][0]["s3"]["object"] for event in events]
    files = [{"key": described["key"], "version": described["versionId"]} for described in objects]
    return put("transactions/_load.json", json.dumps({"load": name, "start": start, "files": files}).encode())


@pytest.fixture(scope="module")
def filled(empty: Pipeline, at_the_server_for_module: None) -> Pipeline:
    """A pipeline with rows from before and after the reload's start."""
    pipeline = empty.fork()
    before = load_file("1,1.00,2023-01-01", "2,2.00,2023-01-01", "3,3.00,2023-01-01")
    pipeline.upload("transactions/before.csv", before, as_of="2023-05-01T00:00:00Z")
    after = load_file("3,3.50,2023-01-01", "4,4.00,2023-01-01")
    pipeline.upload("transactions/after.csv", after, as_of="2023-07-01T00:00:00Z")
    pipeline.silver()
    return pipeline


@pytest.fixture
def allowing(filled: Pipeline) -> Pipeline:
    """The same, to be changed: a pipeline that lets a reload delete every row."""
    return filled.fork()


@pytest.fixture(scope="module")
def completing(filled: Pipeline) -> tuple[Pipeline, str]:
    """A load whose file is in Silver and whose marker has come, and the marker's id."""
    pipeline = filled.fork()
    part = put("transactions/LOAD00000001.csv", load_file("1,1.50,2023-01-01", "5,5.00,2023-01-01"))
    pipeline.arrive(part)
    pipeline.silver()
    return pipeline, pipeline.arrive(marker_of(part))


@pytest.fixture(scope="module")
def completed(completing: tuple[Pipeline, str]) -> Pipeline:
    pipeline = completing[0].fork()
    with patch.object(SILVER, "limit_missing"):
        pipeline.silver()
    return pipeline


def amounts(pipeline: Pipeline) -> dict[int, Decimal]:
    return {row["dms_id"]: row["amount"] for row in pipeline.rows("silver.transactions")}


def whole(pipeline: Pipeline) -> dict[str, list[dict[str, object]]]:
    return {name: pipeline.rows(f"silver.{name}") for name in ("transactions", "tombstones")}


@pytest.mark.parametrize("files_first", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_reload_replaces_what_is_older__files_before_or_with_the_marker(allowing: Pipeline, files_first: bool) -> None:
    pipeline = allowing
    rows = ("1,1.50,2023-01-01", "3,3.00,2023-01-01", "5,5.00,2023-01-01", "x,7.00,2023-01-01")
    part = put("transactions/LOAD00000001.csv", load_file(*rows))
    pipeline.arrive(part)
    if files_first:
        pipeline.silver()
        assert amounts(pipeline)[1] == Decimal("1.00"), "a full load that nobody declared is older than anything"
    marker = pipeline.arrive(marker_of(part))
    with patch.object(SILVER, "limit_missing"):
        pipeline.silver()
    # 2 is missing in the load, 3 and 4 were changed after its start.
    assert amounts(pipeline) == {1: Decimal("1.50"), 3: Decimal("3.50"), 4: Decimal("4.00"), 5: Decimal("5.00")}
    (bad,) = pipeline.rows("silver.quarantine")
    assert bad["row_order"]["position"].year == 1800, "where the load begins is known only if it completes in this run"
    facts = pipeline.item(marker)["silver"]
    assert facts["missing"] == 1
    assert facts["moved"] == (1 if files_first else 0)
    assert pipeline.item("layer#silver")["published"]["floor"] == "2023-06-01T00:00:00.000000Z"
    late = pipeline.upload(
        "transactions/late.csv", load_file("2,9.00,2023-01-01", "6,6.00,2023-01-01"), as_of="2023-05-31T00:00:00Z"
    )
    pipeline.silver()
    assert pipeline.item(late)["silver"]["outcomes"]["stale"] == 2, (
        "also a key that was never seen lies below the floor"
    )
    pipeline.gold()
    assert sum(row["total_amount"] for row in pipeline.rows("gold.daily_totals")) == Decimal("14.00")
    assert pipeline.item(marker)["status"] == "published"


def test_reload_is_rejected__it_would_delete_too_much(allowing: Pipeline) -> None:
    before = whole(allowing)
    part = put("transactions/LOAD00000001.csv", load_file("5,5.00,2023-01-01"))
    allowing.arrive(part)
    marker = allowing.arrive(marker_of(part))
    allowing.silver()
    item = allowing.item(marker)
    assert (item["status"], item["in_effect"], "waiting_for" in item) == ("rejected", False, False)
    assert item["reasons"][0]["code"] == "would_delete"
    assert "would delete 2 rows of 4" in item["reasons"][0]["text"]
    assert "sent_at" in item["rejection_mail"], "the workflow mails it, the function need not"
    passport = boto3.client("s3").get_object(Bucket=allowing.lake_bucket, Key=f"passports/{marker}.json")["Body"].read()
    assert json.loads(passport) == item
    after = whole(allowing)
    assert [row["dms_id"] for row in after["transactions"]] == [1, 2, 3, 4, 5]
    assert [row for row in after["transactions"] if row["dms_id"] != 5] == before["transactions"]


@pytest.mark.parametrize(
    "step", ["before_intent", *(pytest.param(step, marks=pytest.mark.slow) for step in ("written", "after_intent"))]
)
def test_reload_is_recovered__killed_while_it_completes(
    completing: tuple[Pipeline, str], completed: Pipeline, step: str
) -> None:
    pipeline, marker = completing[0].fork(), completing[1]
    with patch.object(SILVER, "limit_missing"):
        pipeline.kill("silver", step)
        pipeline.silver()
    assert pipeline.tables("silver") == completed.tables("silver")
    assert pipeline.passports() == completed.passports()
    assert pipeline.item(marker)["silver"]["missing"] == 1


def test_marker_waits_for_its_file__then_tombstones_below_the_floor_go_and_stay_away(allowing: Pipeline) -> None:
    gone = csv("D,9,,,2023-02-01 00:00:00", header=f"op,{HEADER},commit_ts")
    allowing.upload("transactions/20230201-000000001.csv", gone, as_of="2023-08-01T00:00:00Z")
    part = put("transactions/LOAD00000001.csv", load_file("1,1.50,2023-01-01", "2,2.00,2023-01-01"))
    marker = allowing.arrive(marker_of(part))
    allowing.silver()
    assert allowing.item(marker)["status"] == "accepted"
    assert "floor" not in allowing.item("layer#silver")["published"]
    assert [row["dms_id"] for row in allowing.rows("silver.tombstones")] == [9]
    allowing.arrive(part)
    allowing.silver()
    assert allowing.item(marker)["status"] == "in_silver"
    assert amounts(allowing) == {1: Decimal("1.50"), 2: Decimal("2.00"), 3: Decimal("3.50"), 4: Decimal("4.00")}
    assert allowing.rows("silver.tombstones") == []
    again = csv("D,8,,,2023-02-02 00:00:00", header=f"op,{HEADER},commit_ts")
    late = allowing.upload("transactions/20230202-000000001.csv", again, as_of="2023-08-02T00:00:00Z")
    allowing.silver()
    assert allowing.item(late)["silver"]["outcomes"]["unchanged"] == 1
    assert allowing.rows("silver.tombstones") == []


@pytest.mark.parametrize("together", [pytest.param(True, marks=pytest.mark.slow), False])
def test_file_that_is_no_full_load_keeps_its_instants__listed_all_the_same(allowing: Pipeline, together: bool) -> None:
    plain = put("transactions/june.csv", load_file("1,1.50,2023-01-01"), as_of="2023-05-02T00:00:00Z")
    part = put("transactions/LOAD00000001.csv", load_file("2,2.00,2023-01-01", "3,3.00,2023-01-01"))
    for event in (plain, part):
        allowing.arrive(event)
    if not together:
        allowing.silver()
        assert amounts(allowing)[1] == Decimal("1.50")
    allowing.arrive(marker_of(plain, part))
    with patch.object(SILVER, "limit_missing"):
        allowing.silver()
    assert amounts(allowing) == {2: Decimal("2.00"), 3: Decimal("3.50"), 4: Decimal("4.00")}


@pytest.mark.parametrize("stage", ["silver", pytest.param("gold", marks=pytest.mark.slow)])
def test_load_is_refused_at_once__a_listed_file_cannot_come_into_silver(allowing: Pipeline, stage: str) -> None:
    part = put("transactions/LOAD00000001.csv", load_file("1,1.50,2023-01-01"))
    failed = allowing.arrive(part)
    if stage == "gold":
        allowing.silver()
    Ledger(allowing.ledger_table, stage).fail(failed, "a damaged page")
    marker = allowing.arrive(marker_of(part))
    with patch.object(SILVER, "limit_missing"):
        allowing.silver()
    item = allowing.item(marker)
    if stage == "gold":
        assert item["status"] == "in_silver", "its rows are in Silver, whatever became of Gold"
    else:
        assert [reason["code"] for reason in item["reasons"]] == ["load_file_missing"]
        assert "LOAD00000001.csv, which failed" in item["reasons"][0]["text"]
