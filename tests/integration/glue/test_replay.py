"""What the real jobs make anew from Bronze is what they made before, and can take its place."""

from __future__ import annotations

from random import Random

import pytest
from glue_pipeline import Pipeline, csv
from replaying import comparable, replayed

from glue.lake.failures import AuditFailed, FencedOut

FILES = {
    "transactions/a.csv": csv("1,1.00,2023-01-01,chip,5,", "2,2.00,2023-01-31,,5,", "x,1.00,,,,"),
    "transactions/b.csv": csv("2,2.50,2023-02-01,swipe,6,", "3,3.00,2023-02-01,online,6,"),
    "transactions/c.csv": csv("1,9.99,2023-03-01,online,7,", "4,-4.00,2023-01-01,,7,"),
}


@pytest.fixture(scope="module")
def brought_in(empty: Pipeline, at_the_server_for_module: None) -> Pipeline:
    """Three files, one by one."""
    pipeline = empty.fork()
    for month, (key, body) in enumerate(FILES.items(), start=1):
        pipeline.upload(key, body, as_of=f"2024-{month:02d}-01T00:00:00Z")
        pipeline.silver()
        pipeline.gold()
    return pipeline


@pytest.fixture
def published(brought_in: Pipeline) -> Pipeline:
    return brought_in.fork()


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
    published.take_over("silver", twin, run_seq=len(FILES), **totals)
    published.take_over("gold", twin, run_seq=len(FILES), silver_run=len(FILES) + 1)
    assert comparable(published) == before
    published.upload("transactions/d.csv", csv("5,5.00,2023-03-05,chip,7,"), as_of="2024-04-01T00:00:00Z")
    published.silver()
    published.gold()
    assert [row["dms_id"] for row in published.rows("gold.fact_transactions", "dms_id")] == [1, 2, 3, 4, 5]


def test_replay_is_refused__a_run_came_between(published: Pipeline) -> None:
    before = published.tables()
    with pytest.raises(FencedOut, match="rebuild it again"):
        published.take_over("silver", published, run_seq=2)
    with pytest.raises(FencedOut, match="rebuild it again"):
        published.take_over("gold", published, run_seq=4)
    with pytest.raises(FencedOut, match="rebuild it again"):
        published.take_over("gold", published, run_seq=len(FILES), silver_run=len(FILES) + 1)
    assert published.tables() == before


def test_replay_is_refused__tables_hold_less_than_was_rebuilt(published: Pipeline) -> None:
    before = published.tables()
    totals = {name: published.item("layer#silver")["published"][name] for name in ("row_count", "total_amount")}
    with pytest.raises(AuditFailed, match="taken over"):
        published.take_over("silver", published, run_seq=len(FILES), **{**totals, "row_count": 99})
    assert published.tables() == before
    published.silver()
    assert "in_progress" not in published.item("layer#silver")
