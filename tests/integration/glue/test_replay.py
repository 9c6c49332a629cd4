"""What the real jobs make anew from Bronze is what they made before, and can take its place."""

from __future__ import annotations

from random import Random

import pytest
from glue_pipeline import Pipeline, csv
from replaying import comparable, replayed

from glue.lake.failures import AuditFailed, FencedOut

RUNS = 3


@pytest.fixture
def published(after_each_file: list[Pipeline]) -> Pipeline:
    """Three files, one by one."""
    assert len(after_each_file) == RUNS
    return after_each_file[-1].fork()


def test_replay_takes_the_place_of_both_layers__rows_changed_behind_their_backs(
    published: Pipeline, empty: Pipeline
) -> None:
    before = comparable(published)
    facts = f"glue_catalog.{published.database('gold')}.fact_transactions"
    published.spark.sql(f"UPDATE {facts} SET amount = 3.01 WHERE dms_id = 3")
    twin = replayed(published, empty, Random(1))
    assert comparable(twin) == before
    assert [table for table, rows in comparable(published).items() if rows != before[table]] == [
        "gold.fact_transactions"
    ]

    totals = {name: twin.item("layer#silver")["published"][name] for name in ("row_count", "total_amount")}
    published.take_over("silver", twin, run_seq=RUNS, **totals)
    published.take_over("gold", twin, run_seq=RUNS, silver_run=RUNS + 1)
    assert comparable(published) == before
    published.upload("transactions/d.csv", csv("6,6.00,2023-03-05,chip,7,"), as_of="2024-04-01T00:00:00Z")
    published.silver()
    published.gold()
    assert [row["dms_id"] for row in published.rows("gold.fact_transactions", "dms_id")] == [1, 2, 3, 4, 5, 6]


def test_replay_is_refused__a_run_came_between(published: Pipeline) -> None:
    before = published.tables()
    with pytest.raises(FencedOut, match="rebuild it again"):
        published.take_over("silver", published, run_seq=2)
    with pytest.raises(FencedOut, match="rebuild it again"):
        published.take_over("gold", published, run_seq=4)
    with pytest.raises(FencedOut, match="rebuild it again"):
        published.take_over("gold", published, run_seq=RUNS, silver_run=RUNS + 1)
    assert published.tables() == before


def test_replay_is_refused__tables_hold_less_than_was_rebuilt(published: Pipeline) -> None:
    before = published.tables()
    totals = {name: published.item("layer#silver")["published"][name] for name in ("row_count", "total_amount")}
    with pytest.raises(AuditFailed, match="taken over"):
        published.take_over("silver", published, run_seq=RUNS, **{**totals, "row_count": 99})
    assert published.tables() == before
    published.silver()
    assert "in_progress" not in published.item("layer#silver")
