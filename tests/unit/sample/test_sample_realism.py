"""The rows look like the source's: shares within bounds that chance alone does not leave."""

from datetime import datetime

import polars as pl
import pytest

from devcloud.sample import figures

CHIP_ERA = pl.col("date") >= datetime(2015, 1, 1)
ONLINE_CITY = pl.col("merchant_city") == "ONLINE"


def share(rows: pl.DataFrame, condition: pl.Expr) -> float:
    return rows.select(condition.mean()).item()


@pytest.mark.parametrize(
    ("era", "channel", "expected"),
    [
        (~CHIP_ERA, "Swipe Transaction", 0.886),
        (~CHIP_ERA, "Chip Transaction", 0.0),
        (~CHIP_ERA, "Online Transaction", 0.114),
        (CHIP_ERA, "Swipe Transaction", 0.144),
        (CHIP_ERA, "Chip Transaction", 0.732),
        (CHIP_ERA, "Online Transaction", 0.124),
    ],
)
def test_channel_share_is_the_source_s__in_its_era(
    rows: pl.DataFrame, era: pl.Expr, channel: str, expected: float
) -> None:
    assert share(rows.filter(era), pl.col("use_chip") == channel) == pytest.approx(expected, abs=0.02 * (expected > 0))


@pytest.mark.parametrize(
    ("condition", "low", "high"),
    [
        (pl.col("amount_cents") < 0, 0.045, 0.054),
        (pl.col("amount_cents") == 0, 0.0003, 0.002),
        (pl.col("amount_cents") == 8000, 0.008, 0.012),
        (pl.col("errors").is_not_null(), 0.0145, 0.0175),
        (ONLINE_CITY, 0.112, 0.124),
        (pl.col("zip").is_null(), 0.118, 0.132),
        (pl.col("zip").is_null() & ~ONLINE_CITY, 0.005, 0.009),
        (ONLINE_CITY & (pl.col("use_chip") == "Chip Transaction"), 0.0001, 0.0009),
    ],
    ids=["negative", "zero", "eighty", "errors", "online", "no zip", "abroad", "online chip"],
)
def test_share_is_the_source_s__over_all_rows(rows: pl.DataFrame, condition: pl.Expr, low: float, high: float) -> None:
    assert low < share(rows, condition) < high


@pytest.mark.parametrize(
    ("quantile", "low", "high"),
    [
        (0.001, -45000, -42000),
        (0.01, -9900, -9400),
        (0.1, 140, 230),
        (0.25, 850, 1000),
        (0.5, 2700, 3150),
        (0.75, 5800, 6700),
        (0.9, 9500, 11000),
        (0.99, 29000, 34500),
        (0.999, 74000, 85000),
    ],
)
def test_amount_quantile_is_the_source_s__in_cents(rows: pl.DataFrame, quantile: float, low: int, high: int) -> None:
    assert low <= rows["amount_cents"].quantile(quantile) <= high


def test_amount_mean_is_the_source_s__within_a_dollar_and_a_half(rows: pl.DataFrame) -> None:
    assert 4150 < rows["amount_cents"].mean() < 4450
    assert rows["amount_cents"].min() >= -50000


def test_hours_are_the_source_s__within_a_fifth(rows: pl.DataFrame) -> None:
    counts = rows.group_by(pl.col("date").dt.hour().alias("hour")).len().sort("hour")["len"]
    expected = pl.Series(figures.HOUR_COUNTS) / sum(figures.HOUR_COUNTS) * len(rows)
    assert ((counts / expected - 1).abs() < 0.2).all()


def test_hours_of_a_client_are_spiky__four_hold_two_thirds(rows: pl.DataFrame) -> None:
    by_hour = rows.group_by("client_id", pl.col("date").dt.hour()).len()
    top = by_hour.group_by("client_id").agg((pl.col("len").top_k(4).sum() / pl.col("len").sum()).alias("top"))
    assert 0.58 < top["top"].mean() < 0.76


def test_categories_have_their_shares__the_great_ones_within_a_twentieth(rows: pl.DataFrame) -> None:
    counts = dict(rows["mcc"].value_counts().iter_rows())
    for code, per_hundred_million in zip(figures.CODES, figures.SHARE.tolist(), strict=True):
        if per_hundred_million > 2_000_000:
            assert counts[code] / len(rows) == pytest.approx(per_hundred_million / 1e8, rel=0.05)
    assert len(counts) == len(figures.CODES) == 109


def test_refunds_are_whole_dollars__with_their_purchase_of_same_card_and_merchant(rows: pl.DataFrame) -> None:
    refunds = rows.filter((pl.col("amount_cents") < 0) & pl.col("mcc").is_in([5499, 5541]))
    pairs = refunds.join(
        rows.with_columns(-pl.col("amount_cents")), on=["card_id", "merchant_id", "amount_cents"], how="inner"
    ).with_columns(lag=(pl.col("date") - pl.col("date_right")).dt.total_minutes().abs())
    same_day = pl.col("date").dt.date() == pl.col("date_right").dt.date()
    near = pairs.filter(same_day & (pl.col("lag") < 30))["id"].n_unique()
    assert near == len(refunds)
    assert (refunds["amount_cents"] % 100 == 0).all()
    assert refunds["amount_cents"].is_between(-10000, -5000).all()


def test_travel_refunds_follow_their_purchase__within_four_weeks(rows: pl.DataFrame) -> None:
    refunds = rows.filter((pl.col("amount_cents") < 0) & ~pl.col("mcc").is_in([5499, 5541]))
    # The first weeks also hold refunds' purchases; every refund's own purchase is in the history.
    pairs = refunds.join(
        rows.with_columns(-pl.col("amount_cents")), on=["card_id", "merchant_id", "amount_cents"], how="inner"
    ).with_columns(days=(pl.col("date") - pl.col("date_right")).dt.total_days())
    matched = pairs.filter(pl.col("days").is_between(1, 25))
    assert matched["id"].n_unique() == len(refunds) > 1000
    assert 2 <= matched["days"].median() <= 4


def test_zips_are_numbers__that_lost_their_leading_zero(rows: pl.DataFrame) -> None:
    assert rows["zip"].drop_nulls().is_between(1000, 99999).all()
    assert 0.04 < share(rows.filter(pl.col("zip").is_not_null()), pl.col("zip") < 10000) < 0.1


def test_places_are_consistent__online_at_home_and_abroad(rows: pl.DataFrame) -> None:
    online, in_person = rows.filter(ONLINE_CITY), rows.filter(~ONLINE_CITY)
    assert online.select(pl.col("merchant_state", "zip").is_null().all()).row(0) == (True, True)
    assert in_person["merchant_state"].null_count() == 0
    assert (in_person["merchant_state"].str.len_chars() == 2).eq(in_person["zip"].is_not_null()).all()
    assert (
        in_person.group_by("zip")
        .agg(pl.struct("merchant_city", "merchant_state").n_unique().alias("n"))
        .filter(pl.col("zip").is_not_null() & (pl.col("n") > 1))
        .is_empty()
    )


def test_clients_stay_in_their_state__nine_rows_of_ten(rows: pl.DataFrame) -> None:
    at_home = (
        rows.filter(~ONLINE_CITY)
        .group_by("client_id")
        .agg((pl.col("merchant_state") == pl.col("merchant_state").mode().first()).mean().alias("share"))
    )
    assert 0.86 < at_home["share"].mean() < 0.93


def test_clients_stay_in_their_city__two_rows_of_three(rows: pl.DataFrame) -> None:
    at_home = (
        rows.filter(~ONLINE_CITY)
        .group_by("client_id")
        .agg((pl.col("zip") == pl.col("zip").mode().first()).mean().alias("share"))
    )
    assert 0.6 < at_home["share"].mean() < 0.72


def test_merchants_have_one_category__and_the_local_ones_one_place(rows: pl.DataFrame) -> None:
    merchants = rows.group_by("merchant_id").agg(
        pl.col("mcc").n_unique().alias("categories"), pl.struct("merchant_city", "zip").n_unique().alias("places")
    )
    assert merchants.filter(pl.col("categories") > 1).height <= 2
    assert merchants.filter(pl.col("places") == 1).height > 15_000
    assert merchants.filter(pl.col("places") > 1).height < 250
    assert rows["merchant_id"].is_between(22, 100_340).all()


def test_errors_fit_their_channel__and_combine(rows: pl.DataFrame) -> None:
    errors = rows.filter(pl.col("errors").is_not_null())
    online = pl.col("use_chip") == "Online Transaction"
    only_online = pl.col("errors").str.contains("CVV|Card Number|Expiration")
    assert errors.filter(only_online & ~online).is_empty()
    assert errors.filter(online & pl.col("errors").str.contains("PIN|Zipcode")).is_empty()
    assert 0.5 < share(errors, pl.col("errors") == "Insufficient Balance") < 0.7
    assert share(errors, pl.col("errors").str.contains(",")) > 0.001


def test_cards_belong_to_one_client__and_without_a_chip_never_use_one(rows: pl.DataFrame) -> None:
    cards = rows.group_by("card_id").agg(
        pl.col("client_id").n_unique().alias("clients"),
        (CHIP_ERA & ~ONLINE_CITY).sum().alias("chances"),
        (pl.col("use_chip") == "Chip Transaction").sum().alias("chips"),
    )
    assert (cards["clients"] == 1).all()
    often = cards.filter(pl.col("chances") >= 10)
    assert 0.06 < share(often, pl.col("chips") == 0) < 0.16


def test_weekend_wanders__with_the_year(rows: pl.DataFrame) -> None:
    by_day = rows.group_by(pl.col("date").dt.year().alias("year"), pl.col("date").dt.weekday().alias("weekday")).len()
    for year, quiet in figures.QUIET_PAIR.items():
        lowest = by_day.filter(pl.col("year") == year).sort("len").head(2)["weekday"]
        assert set(lowest) == {quiet + 1, (quiet + 1) % 7 + 1}
