"""The stored rows under a run's keys: all of them, none that is dead, and by code that the next run finds compiled."""

from __future__ import annotations

from typing import Any

import pytest
from glue_pipeline import Pipeline, csv, put

from glue.lake.branches import Branches

STORED = range(101, 131)
REPLACED = 110


@pytest.fixture(scope="module")
def history(empty: Pipeline, at_the_server_for_module: None) -> Pipeline:
    """Keys 101 to 130 of one file, and a second version of key 110."""
    pipeline = empty.fork()
    rows = [f"{key},{key}.00,2023-01-01,chip,5," for key in STORED]
    for number, body in enumerate([csv(*rows), csv(f"{REPLACED},1.00,2023-01-01,chip,5,")], start=1):
        pipeline.arrive(put(f"transactions/{number}.csv", body, as_of=f"2024-01-0{number}T00:00:00Z"))
        pipeline.run("silver")
    return pipeline


def stored(pipeline: Pipeline, keys: list[int], between: tuple[int, int]) -> list[tuple[int, Any]]:
    """Return key and amount of the stored rows under these keys, as a run looks them up."""
    branches = Branches(pipeline.spark, pipeline.database("silver"), "run_00000009")
    wanted = pipeline.spark.createDataFrame([(key,) for key in keys], "dms_id bigint")
    found = branches.published_rows_of("transactions", wanted, ["dms_id", "amount"], between=between, most=len(keys))
    return sorted((row.dms_id, row.amount) for row in found.collect())


@pytest.mark.parametrize(
    "between",
    [
        pytest.param((1, 999), id="all files lie in the range"),
        pytest.param((105, 120), id="the file reaches beyond the range"),
        pytest.param((120, 999), id="the range begins within the file"),
    ],
)
def test_living_rows_are_found__ranges_of_any_width(history: Pipeline, between: tuple[int, int]) -> None:
    keys = [key for key in (105, REPLACED, 120, 125, 500) if between[0] <= key <= between[1]]
    found = stored(history, keys, between)
    assert found == [(key, 1 if key == REPLACED else key) for key in keys if key in STORED]


def test_nothing_is_found__range_beyond_all_files(history: Pipeline) -> None:
    assert stored(history, [500], (500, 600)) == []


def test_no_code_is_made_anew__another_wide_range(history: Pipeline) -> None:
    compiled = history.spark._jvm.org.apache.spark.metrics.source.CodegenMetrics.METRIC_COMPILATION_TIME()
    stored(history, [105, 125], (1, 999))
    before = compiled.getCount()
    assert stored(history, [106, 126], (2, 998)) == [(106, 106), (126, 126)]
    assert compiled.getCount() == before
