"""A publication that changes a closed month says so, with the difference; what it does not touch it does not read."""

from __future__ import annotations

from typing import Any

import pytest
from contract.items import FileItem
from glue_pipeline import Event, Pipeline, file_id_of
from item_types import differences

CHIP_IN_JANUARY = {
    "month": "2023-01",
    "channel": "chip",
    "closed": {"row_count": 3, "total_amount": "1.50"},
    "before": {"row_count": 3, "total_amount": "1.50"},
    "after": {"row_count": 1, "total_amount": "1.00"},
}


@pytest.fixture
def items(after_each_file: list[Pipeline], three_files: list[Event]) -> list[dict[str, Any]]:
    """The items of the three files, each as it was once Gold had taken it; January was closed after the first."""
    found = [pipeline.item(file_id_of(event)) for pipeline, event in zip(after_each_file, three_files, strict=True)]
    assert [list(differences(item, FileItem)) for item in found] == [[], [], []]
    return found


@pytest.fixture
def late(after_each_file: list[Pipeline], three_files: list[Event]) -> Pipeline:
    """The pipeline in which January is closed, with the second file in Silver."""
    pipeline = after_each_file[0].fork()
    pipeline.arrive(three_files[1])
    pipeline.silver()
    return pipeline


def test_publication_says_that_it_changes_a_closed_month__with_the_difference(items: list[dict[str, Any]]) -> None:
    told = items[1]["gold"]

    assert told["closed"] == [CHIP_IN_JANUARY]
    assert told["notice"]["ending"] == ", and changed a closed month"
    lines = told["notice"]["text"].splitlines()
    assert "  2023-01, chip: 1.50 → 1.00; closed with 1.50, now -0.50 in -2 facts" in lines
    assert "Gold, by all files of the run: facts 1 inserted, 2 updated, on 5 days" in lines
    assert "  2023-02-04, swipe: 0.00 → -2.00" in lines


def test_publication_says_nothing_of_months_that_are_open__or_that_it_does_not_touch_nor_read(
    items: list[dict[str, Any]], months_read: list[list[str]]
) -> None:
    for item in (items[0], items[2]):
        assert ("closed" in item["gold"], item["gold"]["notice"]["ending"]) == (False, "")
    assert months_read == [["2023-01"]], "by the second run alone"


@pytest.mark.slow
def test_publication_says_the_same__killed_after_its_commit(late: Pipeline, three_files: list[Event]) -> None:
    late.kill("gold", "fast_forwarded", table="daily_totals")
    late.gold()

    assert late.item(file_id_of(three_files[1]))["gold"]["closed"] == [CHIP_IN_JANUARY]


@pytest.mark.slow
def test_undo_says_that_the_month_is_as_it_was_closed(
    after_each_file: list[Pipeline], three_files: list[Event]
) -> None:
    pipeline = after_each_file[1].fork()
    action = pipeline.decide(file_id_of(three_files[1]))
    pipeline.silver()
    pipeline.gold()

    told = pipeline.item(action)["gold"]
    before, after = CHIP_IN_JANUARY["after"], CHIP_IN_JANUARY["before"]
    assert told["closed"] == [{**CHIP_IN_JANUARY, "before": before, "after": after}]
    assert "closed with 1.50, now as closed" in told["notice"]["text"]
