"""A history is a function of its extent: complete, unique, in order, and to be had in parts."""

from datetime import date, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import UserError
from devcloud.sample import purchases
from devcloud.sample import rows as sample_rows
from devcloud.sample.days import days
from devcloud.sample.extent import Extent
from devcloud.sample.history import FIRST_ID, History


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 3000), seed=st.integers(0, 2**63), days=st.integers(1, 800), clients=st.integers(0, 1219))
def test_history_has_exactly_its_rows__for_any_extent(rows: int, seed: int, days: int, clients: int) -> None:
    history = History(Extent(rows, seed, days=days, clients=clients))
    frame = pl.concat(list(history))
    assert len(frame) == rows
    assert frame.schema == pl.Schema(sample_rows.SCHEMA)
    assert frame["id"].n_unique() == rows
    assert frame["date"].is_sorted()
    assert frame["date"].min() >= datetime(2010, 1, 1)
    assert frame["date"].max().date() < history.end_on
    assert frame["id"].min() >= FIRST_ID
    assert frame["id"].max() < history.ids.at(rows)


def test_history_can_be_made_in_any_order__block_by_block() -> None:
    extent = Extent(130_000, seed=5)
    forward = list(History(extent))
    history = History(extent)
    backward = [history.block(block) for block in reversed(history.blocks)][::-1]
    assert len(forward) == 4
    assert pl.concat(forward).equals(pl.concat(backward))


def test_history_differs__with_another_seed() -> None:
    first, second = (pl.concat(list(History(Extent(1000, seed)))) for seed in (1, 2))
    assert not first["amount_cents"].equals(second["amount_cents"])
    assert not first["client_id"].equals(second["client_id"])


def test_history_blocks_cover_all_rows_and_days__without_gaps() -> None:
    blocks = History(Extent(1_000_000, seed=1)).blocks
    assert [block.number for block in blocks] == list(range(25))
    assert [block.first_row for block in blocks[1:]] == [block.first_row + block.rows for block in blocks[:-1]]
    assert [block.first_day for block in blocks[1:]] == [block.end_day for block in blocks[:-1]]
    assert blocks[-1].first_row + blocks[-1].rows == 1_000_000
    assert max(block.rows for block in blocks) < 45_000


def test_history_spans_ten_years_but_one_leap_day__for_few_rows_too() -> None:
    frame = pl.concat(list(History(Extent(100_000, seed=1))))
    years = set(frame["date"].dt.year().to_list())
    assert years == set(range(2010, 2020))
    assert frame["date"].max().date() <= date(2019, 10, 31)
    assert frame.filter(pl.col("date").dt.date() == date(2016, 2, 29)).is_empty()
    assert not frame.filter(pl.col("date").dt.date() == date(2016, 2, 28)).is_empty()


def test_days_have_no_rows_on_one_leap_day__and_few_on_another() -> None:
    around = {year: days(seed, date(year, 2, 28), 3) for seed, year in ((1, 2012), (1, 2016))}
    first = date(2016, 2, 28).toordinal() - date(1970, 1, 1).toordinal()
    assert around[2016].number.tolist() == [first, first + 2]
    assert 0.005 < around[2012].weight[1] / around[2012].weight[0] < 0.02


def test_days_refuse__a_span_without_rows() -> None:
    with pytest.raises(UserError, match="2016-02-29"):
        days(1, date(2016, 2, 29), 1)


def test_late_refunds_reach_over_blocks__each_in_the_block_of_its_day() -> None:
    history = History(Extent(200_000, seed=1, days=54))
    blocks = list(history)
    last = blocks[-1]
    refunds = last.filter((pl.col("amount_cents") < 0) & ~pl.col("mcc").is_in([5499, 5541]))
    bought = pl.concat(blocks[:-1]).with_columns(-pl.col("amount_cents"))
    from_before = refunds.join(bought, on=["card_id", "merchant_id", "amount_cents"], how="semi")
    expected = len(last) * purchases.LATE_PER_MILLION // 1_000_000
    assert len(refunds) == pytest.approx(expected, rel=0.2)
    assert len(refunds) // 5 < len(from_before) < len(refunds)


def test_history_orders_by_minute_then_client__with_few_ids_backwards(rows: pl.DataFrame) -> None:
    assert rows.select("date", "client_id").equals(rows.select("date", "client_id").sort("date", "client_id"))
    backwards = rows.filter(pl.col("id").diff() < 0)
    same = (rows["date"].diff().dt.total_minutes() == 0) & (rows["client_id"].diff() == 0)
    assert 0 < len(backwards) < len(rows) // 200
    assert backwards["id"].is_in(rows.filter(same)["id"].implode()).all()


@pytest.mark.parametrize("wrong", [{"rows": 0}, {"days": 0}, {"clients": 1220}])
def test_extent_refuses__what_no_history_can_have(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Extent(**({"rows": 10, "seed": 1} | wrong))


@pytest.mark.parametrize(
    ("rows", "days", "clients"), [(1000, 3591, 50), (1_000_000, 3591, 92), (13_000_000, 3591, 1206), (10_000, 3, 1111)]
)
def test_extent_takes_fewer_clients__for_fewer_rows(rows: int, days: int, clients: int) -> None:
    assert Extent(rows, seed=1, days=days).client_count == clients
