"""A publication that changes a closed month says so, with the difference; what it does not touch it does not read."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from contract.closings import ClosedItem
from contract.items import FileItem
from glue_pipeline import Pipeline, csv
from item_types import differences

from assay.closing import Month, item_of
from glue.lake import closings

AT = datetime(2026, 7, 1, 6, tzinfo=UTC)
FIRST = csv(
    "1,10.00,2020-06-01,Chip Transaction,5,",
    "2,20.00,2020-06-30,Swipe Transaction,5,",
    "3,40.00,2020-07-01,Chip Transaction,5,",
)
LATE = csv("4,5.50,2020-06-15,Chip Transaction,5,", "3,41.00,2020-07-01,Chip Transaction,5,")
JULY = csv("5,7.00,2020-07-02,Chip Transaction,5,")
CHIP_IN_JUNE = {
    "month": "2020-06",
    "channel": "chip",
    "closed": {"row_count": 1, "total_amount": "10.00"},
    "before": {"row_count": 1, "total_amount": "10.00"},
    "after": {"row_count": 2, "total_amount": "15.50"},
}


def close(pipeline: Pipeline, month: str) -> ClosedItem:
    """Close a month as the command line does, with what Gold holds of it."""
    cut = json.loads(boto3.client("s3").get_object(Bucket=pipeline.lake_bucket, Key="current.json")["Body"].read())
    channels: dict[str, Any] = {}
    for row in pipeline.rows("gold.daily_totals"):
        if f"{row['transacted_on']:%Y-%m}" == month:
            held = channels.setdefault(row["channel"], {"row_count": 0, "total_amount": "0.00"})
            total = row["total_amount"] + type(row["total_amount"])(held["total_amount"])
            channels[row["channel"]] = {
                "row_count": held["row_count"] + row["row_count"],
                "total_amount": str(total),
            }
    item = item_of(Month(month, cut, channels, None), who="ann", reason="", at=AT)
    assert list(differences(item, ClosedItem)) == []
    pipeline.table.put_item(Item=item)
    pipeline.table.put_item(Item={"file_id": "closed", "kind": "closed months", "months": {month}})
    return item


def publish(pipeline: Pipeline, key: str, body: bytes) -> dict[str, Any]:
    """Take a file to Gold; return what its item says of Gold's run."""
    file_id = pipeline.upload(key, body)
    pipeline.silver()
    pipeline.gold()
    item = pipeline.item(file_id)
    assert list(differences(item, FileItem)) == []
    return dict(item["gold"])


@pytest.fixture(scope="module")
def closed(aws: dict[str, str], empty: Pipeline) -> Pipeline:
    """A pipeline in which June is closed."""
    with patch.dict(os.environ, aws):
        pipeline = empty.fork()
        told = publish(pipeline, "transactions/first.csv", FIRST)
        assert "closed" not in told
        assert told["notice"]["ending"] == ""
        close(pipeline, "2020-06")
        return pipeline


@pytest.fixture(scope="module")
def late(aws: dict[str, str], closed: Pipeline) -> Pipeline:
    """The same with a file of June in Silver."""
    with patch.dict(os.environ, aws):
        pipeline = closed.fork()
        pipeline.upload("transactions/late.csv", LATE)
        pipeline.silver()
        return pipeline


@pytest.fixture(scope="module")
def changed(aws: dict[str, str], late: Pipeline) -> Pipeline:
    """The same after a publication that changes June."""
    with patch.dict(os.environ, aws):
        pipeline = late.fork()
        pipeline.gold()
        assert list(differences(item_of_late(pipeline), FileItem)) == []
        return pipeline


def item_of_late(pipeline: Pipeline) -> dict[str, Any]:
    return next(item for item in pipeline.items() if item.get("key") == "transactions/late.csv")


def test_publication_says_that_it_changes_a_closed_month__with_the_difference(changed: Pipeline) -> None:
    told = item_of_late(changed)["gold"]

    assert told["closed"] == [CHIP_IN_JUNE]
    assert told["notice"]["ending"] == ", and changed a closed month"
    lines = told["notice"]["text"].splitlines()
    assert "  2020-06, chip: 10.00 → 15.50; closed with 10.00, now +5.50 in +1 facts" in lines
    assert "Gold, by all files of the run: facts 1 inserted, 1 updated, on 2 days" in lines
    assert "  2020-07-01, chip: 40.00 → 41.00" in lines


def test_publication_says_nothing_of_months_that_it_does_not_touch__nor_reads_them(
    closed: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = closed.fork()
    read: list[list[str]] = []
    monkeypatch.setattr(closings, "_totals", lambda _, __, months: read.append([*months]))

    told = publish(pipeline, "transactions/july.csv", JULY)

    assert ("closed" in told, told["notice"]["ending"], read) == (False, "", [])


@pytest.mark.slow
def test_publication_says_the_same__killed_after_its_commit(late: Pipeline) -> None:
    pipeline = late.fork()
    pipeline.kill("gold", "fast_forwarded", table="daily_totals")
    pipeline.gold()

    assert item_of_late(pipeline)["gold"]["closed"] == [CHIP_IN_JUNE]


@pytest.mark.slow
def test_undo_says_that_the_month_is_as_it_was_closed(changed: Pipeline) -> None:
    pipeline = changed.fork()
    action = pipeline.decide(item_of_late(pipeline)["file_id"])
    pipeline.silver()
    pipeline.gold()

    told = pipeline.item(action)["gold"]
    assert told["closed"] == [{**CHIP_IN_JUNE, "before": CHIP_IN_JUNE["after"], "after": CHIP_IN_JUNE["before"]}]
    assert "closed with 10.00, now as closed" in told["notice"]["text"]
