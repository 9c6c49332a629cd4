"""An increment refers to its history: what is new, changed and repeated is known exactly beforehand."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.errors import UserError
from devcloud.sample.extent import Extent, Keys
from devcloud.sample.history import History
from devcloud.sample.increment import Mix, increment

BASE = Extent(20_000, seed=4)
MIX = Mix(new=300, changed=200, repeated=100)
# A change of place is one of city, state and zip together.
CHANGES = [{"amount_cents"}, {"merchant_id"}, {"card_id"}, {"date"}]
PLACE = {"merchant_city", "merchant_state", "zip"}


@pytest.fixture(scope="module")
def base() -> pl.DataFrame:
    return pl.concat(list(History(BASE)))


def made(mix: Mix, *, seed: int = 1, keys: Keys = "recent", part: int = 1) -> pl.DataFrame:
    return pl.concat(list(increment(BASE, mix, seed=seed, keys=keys, part=part)))


@settings(max_examples=15, deadline=None)
@given(
    mix=st.builds(Mix, new=st.integers(0, 500), changed=st.integers(0, 500), repeated=st.integers(1, 500)),
    keys=st.sampled_from(["recent", "scattered"]),
    seed=st.integers(0, 1000),
)
def test_increment_has_exactly_its_mix__for_any_counts(base: pl.DataFrame, mix: Mix, keys: Keys, seed: int) -> None:
    rows = made(mix, seed=seed, keys=keys)
    known = rows.join(base, on="id", how="semi")
    same = rows.join(base, on=rows.columns, how="semi", nulls_equal=True)
    assert rows["id"].n_unique() == len(rows)
    assert (len(rows) - len(known), len(known) - len(same), len(same)) == (mix.new, mix.changed, mix.repeated)


def test_increment_changes_one_thing_of_a_row__each_kind_of_change_occurs(base: pl.DataFrame) -> None:
    rows = made(Mix(new=0, changed=1000, repeated=0), keys="scattered")
    before = rows.select("id").join(base, on="id", how="left", maintain_order="left")
    differ = [
        {name for name in rows.columns if old[name] != new[name]}
        for old, new in zip(before.to_dicts(), rows.to_dicts(), strict=True)
    ]
    kinds = [names if names in CHANGES else PLACE & names for names in differ]
    assert all(kinds)
    assert [names for names in differ if names not in CHANGES and not names <= PLACE] == []
    assert all(kinds.count(change) > 100 for change in CHANGES)
    assert sum("zip" in names for names in differ) > 100


def test_increment_goes_on_after_the_history__with_its_clients(base: pl.DataFrame) -> None:
    rows = made(Mix(new=2000, changed=0, repeated=0))
    assert rows["id"].min() > base["id"].max()
    assert rows["date"].min() >= base["date"].max()
    assert rows["date"].dt.date().n_unique() > 50
    assert set(rows["card_id"]) <= set(base["card_id"]) | set(range(6146))
    assert set(rows["client_id"]) <= set(base["client_id"])
    owners = pl.concat([base, rows]).group_by("card_id").agg(pl.col("client_id").n_unique())
    assert (owners["client_id"] == 1).all()


def test_increment_takes_recent_keys__from_the_last_rows(base: pl.DataFrame) -> None:
    rows = made(Mix(new=0, changed=200, repeated=200))
    assert rows.join(base.tail(800), on="id", how="semi").height == 400


def test_increment_takes_scattered_keys__from_the_whole_history(base: pl.DataFrame) -> None:
    rows = made(Mix(new=0, changed=200, repeated=200), keys="scattered")
    hits = [rows.join(part, on="id", how="semi").height for part in base.iter_slices(2_000)]
    assert hits == [40] * 10


def test_increment_is_the_same__for_the_same_seed_and_differs_otherwise() -> None:
    assert made(MIX).equals(made(MIX))
    assert not made(MIX).equals(made(MIX, seed=2))


def test_increment_parts_have_their_own_new_keys__one_after_another() -> None:
    new = Mix(new=1000, changed=0, repeated=0)
    first, second = made(new, part=1), made(new, part=2)
    assert first["id"].max() < second["id"].min()
    assert first["date"].max() <= second["date"].min()


def test_mix_splits_rows_by_percent__the_rest_is_new() -> None:
    assert Mix.of(999, changed_percent=30, repeated_percent=20) == Mix(new=501, changed=299, repeated=199)


def test_mix_refuses__more_than_all_rows() -> None:
    with pytest.raises(UserError, match="more than 100 %"):
        Mix.of(10, changed_percent=60, repeated_percent=41)


def test_increment_refuses__more_known_keys_than_the_history_has() -> None:
    with pytest.raises(UserError, match="only 50 rows"):
        list(increment(Extent(50, seed=1), Mix(new=0, changed=51, repeated=0), seed=1))


@pytest.mark.parametrize(("rows", "part"), [(300, 1), (300, 40), (300, 5_000), (50_000, 3)])
def test_new_rows_lie_between_the_history_and_now__any_size_and_part(rows: int, part: int) -> None:
    new = made(Mix(new=rows, changed=0, repeated=0), part=part)
    assert len(new) == rows
    assert History(BASE).end_on <= new["date"].min().date()
    assert new["date"].max().date() < date(2026, 1, 1)


def test_increment_refuses__more_new_rows_than_a_part_has_ids() -> None:
    with pytest.raises(UserError, match="more ids than a part has"):
        made(Mix(new=14_000_000, changed=0, repeated=0))
