"""Gold holds what Silver holds: facts, members and totals, against sums that another engine makes of Silver."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from glue_pipeline import GOLD, Pipeline, csv

HEADER = "dms_id,amount,date,use_chip,merchant_id,merchant_city,merchant_state,zip,mcc,card_id,client_id,errors"
NEWEST = csv(
    "1,10.00,2023-01-31 23:59:59,chip,5,Boston,MA,2139,5411,100,7,Bad PIN",
    "2,-2.50,2023-02-01,swipe,5,Boston,MA,2139,5411,100,7,",
    "3,3.00,2023-02-01,,,,,,,,,",
    "4,4.00,2024-02-29,online,6,ONLINE,,,742,101,8,",
    header=HEADER,
)  # fmt: skip
OLDER = csv(
    "1,10.00,2023-01-31,chip,5,Salem,MA,1970,5411,100,9,",
    "5,5.00,2023-02-01,swipe,5,Salem,MA,1970,742,100,9,",
    "6,6.00,2023-01-31,chip,9,Salem,MA,1970,742,102,9,",
    header=HEADER,
)  # fmt: skip
# Key 4 leaves its day, channel and merchant, which were its alone; 2 changes its channel, 3 gains a merchant.
MOVES = csv(
    "4,4.00,2023-01-31,chip,5,Boston,MA,2139,5411,100,7,",
    "2,-2.50,2023-02-01,online,5,Boston,MA,2139,5411,100,7,",
    "3,3.00,2023-03-01,,6,,,,,,,",
    header=HEADER,
)  # fmt: skip
HIDDEN = "transactions/hidden.csv"
IMAGE = pa.schema(
    [
        ("dms_id", pa.int64()), ("transacted_at", pa.timestamp("us")), ("amount", pa.decimal128(18, 2)),
        ("channel", pa.string()), ("client_id", pa.int64()), ("merchant_id", pa.int64()),
    ]
)  # fmt: skip
Totals = dict[tuple[Any, ...], tuple[int, Decimal]]


@pytest.fixture(scope="module")
def stages(empty: Pipeline, at_the_server_for_module: None) -> list[Pipeline]:
    """The pipeline after each of three files, the second of which is older than the first.

    With the third comes one more, which the index of waiting files does not show when Gold takes its rows.
    """
    found, current = [], empty
    for number, (body, month) in enumerate([(NEWEST, 2), (OLDER, 1), (MOVES, 3)]):
        current = current.fork()
        current.upload(f"transactions/{number}.csv", body, as_of=f"2024-{month:02}-10T00:00:00Z")
        if body == MOVES:
            hidden = current.upload(HIDDEN, csv("8,8.00,2023-03-01,,,"), as_of="2024-03-11T00:00:00Z")
        current.silver()
        if body == MOVES:
            current.table.update_item(Key={"file_id": hidden}, UpdateExpression="REMOVE waiting_for")
        current.gold()
        found.append(current)
    return found


def by_duckdb(pipeline: Pipeline, period: str, group: str) -> Totals:
    """Sum Silver's state by a period and a column, in SQL that is not the job's."""
    state = pa.Table.from_pylist(pipeline.rows("silver.transactions", *IMAGE.names), schema=IMAGE)
    with duckdb.connect() as connection:
        connection.register("state", state)
        rows = connection.execute(
            f"SELECT date_trunc('{period}', transacted_at)::DATE, {group}, count(*), sum(amount)"
            " FROM state GROUP BY ALL"
        ).fetchall()
    return {(day, member): (count, amount) for day, member, count, amount in rows}


def members(pipeline: Pipeline, dimension: str, attribute: str) -> dict[int, Any]:
    key = next(iter(GOLD.DIMENSIONS[dimension].schema))
    return {row[key]: row[attribute] for row in pipeline.rows(f"gold.{dimension}")}


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_gold_totals_are_the_sums_over_silver__after_each_file(stages: list[Pipeline], stage: int) -> None:
    pipeline = stages[stage]
    daily = {
        (row["transacted_on"], None if row["channel"] == "unknown" else row["channel"]): (
            row["row_count"],
            row["total_amount"],
        )
        for row in pipeline.rows("gold.daily_totals")
    }
    assert daily == by_duckdb(pipeline, "day", "channel")
    known = members(pipeline, "dim_merchant", "merchant_id")
    of_row = {"merchant": lambda row: known[row["merchant_key"]], "client": lambda row: row["client_id"]}
    for member, member_id in of_row.items():
        monthly = {
            (row["month"], member_id(row)): (row["row_count"], row["total_amount"])
            for row in pipeline.rows(f"gold.monthly_{member}_totals")
        }
        assert monthly == by_duckdb(pipeline, "month", f"{member}_id")


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_gold_tells_what_a_run_changed__in_the_passport_of_its_file(
    empty: Pipeline, stages: list[Pipeline], stage: int
) -> None:
    before, after = stages[stage - 1] if stage else empty, stages[stage]
    facts = [{row["dms_id"] for row in each.rows("gold.fact_transactions")} for each in (before, after)]
    moved = {
        row["dms_id"]
        for row in after.rows("silver.transaction_effects")
        if row["run_seq"] == stage + 1 and row["before"]
    }
    sums = [
        {(row["transacted_on"], row["channel"]): row["total_amount"] for row in each.rows("gold.daily_totals")}
        for each in (before, after)
    ]
    sides = {group: [held.get(group, Decimal("0.00")) for held in sums] for group in sums[0] | sums[1]}
    by_size = sorted(
        (group for group in sides if sides[group][0] != sides[group][1]),
        key=lambda group: (-abs(sides[group][1] - sides[group][0]), group),
    )
    (changes,) = [
        item["gold"]["changes"]
        for item in after.items()
        if item["kind"] == "file" and item.get("gold", {}).get("run_seq") == stage + 1
    ]
    assert changes["facts"] == {"inserted": len(facts[1] - facts[0]), "updated": len(moved), "deleted": 0}
    assert changes["table"] == "daily_totals"
    assert [(each["group"], each["before"], each["after"]) for each in changes["largest"]] == [
        (f"{day} {channel}", *map(str, sides[day, channel])) for day, channel in by_size
    ]
    assert changes["members"].get("dim_merchant", 0) == sum(
        sign * len(members(each, "dim_merchant", "merchant_id")) for sign, each in ((-1, before), (1, after))
    )
    assert changes["groups"]["daily_totals"] >= len(by_size)


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_gold_facts_are_the_rows_of_silver__after_each_file(stages: list[Pipeline], stage: int) -> None:
    pipeline = stages[stage]
    facts = {row["dms_id"]: row for row in pipeline.rows("gold.fact_transactions")}
    state = {row["dms_id"]: row for row in pipeline.rows("silver.transactions")}
    assert facts.keys() == state.keys()
    channels, mccs = members(pipeline, "dim_channel", "channel"), members(pipeline, "dim_mcc", "mcc")
    merchants = members(pipeline, "dim_merchant", "merchant_id")
    days = {row["date_key"] for row in pipeline.rows("gold.dim_date")}
    places = {
        row["location_key"]: (row["merchant_city"], row["merchant_state"], row["zip"])
        for row in pipeline.rows("gold.dim_location")
    }
    for key, row in state.items():
        fact, at = facts[key], row["transacted_at"]
        assert (fact["amount"], fact["transacted_at"], fact["transacted_on"]) == (row["amount"], at, at.date())
        assert fact["date_key"] == int(f"{at:%Y%m%d}")
        assert fact["date_key"] in days
        assert fact["has_error"] == (row["errors"] is not None)
        assert (fact["card_id"], fact["client_id"]) == (row["card_id"], row["client_id"])
        assert (fact["card_key"], fact["client_key"]) == (0, 0), "no reference file has named a card or a client"
        found = (channels, merchants, mccs)
        keys = (fact["channel_key"], fact["merchant_key"], fact["mcc_key"])
        assert [known[key] for known, key in zip(found, keys, strict=True)] == [
            row["channel"], row["merchant_id"], row["mcc"],
        ]  # fmt: skip
        assert places[fact["location_key"]] == (row["merchant_city"], row["merchant_state"], row["zip"])


def test_gold_points_to_unknown__row_without_values(stages: list[Pipeline]) -> None:
    (fact,) = [row for row in stages[0].rows("gold.fact_transactions") if row["dms_id"] == 3]
    assert {fact[dimension.key] for dimension in GOLD.DIMENSIONS.values()} == {0}
    for name, dimension in GOLD.DIMENSIONS.items():
        (unknown,) = [row for row in stages[0].rows(f"gold.{name}") if row[dimension.key] == 0]
        assert all(value is None for column, value in unknown.items() if column != dimension.key)
    assert [row["date"] for row in stages[0].rows("gold.dim_date") if row["date_key"] == 0] == [None]


def test_gold_takes_attributes_of_the_newest_row__older_file_comes_later(stages: list[Pipeline]) -> None:
    merchants = {row["merchant_id"]: (row["merchant_city"], row["mcc"]) for row in stages[1].rows("gold.dim_merchant")}
    assert merchants == {None: (None, None), 5: ("Boston", "5411"), 6: ("ONLINE", "0742"), 9: ("Salem", "0742")}
    cities = [row["merchant_city"] for row in stages[1].rows("gold.dim_location")]
    assert cities.count("Salem") == 1, "the members of a stale row's values are members all the same"
    later = {row["merchant_id"]: (row["merchant_city"], row["mcc"]) for row in stages[2].rows("gold.dim_merchant")}
    assert later[6] == (None, None)


def test_gold_dates_are_a_calendar__leap_day_and_weekend(stages: list[Pipeline]) -> None:
    days = {row["date_key"]: row for row in stages[2].rows("gold.dim_date")}
    assert set(days) == {0, 20230131, 20230201, 20230301, 20240229}
    leap = days[20240229]
    assert (leap["year"], leap["quarter"], leap["month"], leap["day"], leap["weekday"], leap["is_weekend"]) == (
        2024, 1, 2, 29, 4, False,
    )  # fmt: skip


def test_gold_drops_groups__their_last_fact_has_moved(stages: list[Pipeline]) -> None:
    before = {(str(row["transacted_on"]), row["channel"]) for row in stages[1].rows("gold.daily_totals")}
    after = {(str(row["transacted_on"]), row["channel"]) for row in stages[2].rows("gold.daily_totals")}
    assert before - after == {("2024-02-29", "online"), ("2023-02-01", "unknown")}
    assert after - before == {("2023-02-01", "online"), ("2023-03-01", "unknown")}


def test_gold_publishes_nothing__second_run_without_news(stages: list[Pipeline]) -> None:
    pipeline = stages[2].fork()
    before = (pipeline.item("layer#gold"), pipeline.tables("gold"), pipeline.passports())
    pipeline.gold()
    assert (pipeline.item("layer#gold"), pipeline.tables("gold"), pipeline.passports()) == before


def test_gold_publishes_a_file__its_rows_were_taken_by_an_earlier_run(stages: list[Pipeline]) -> None:
    pipeline = stages[2].fork()
    (hidden,) = [item["file_id"] for item in pipeline.items() if item.get("key") == HIDDEN]
    assert pipeline.item(hidden)["status"] == "in_silver"
    assert 8 in {row["dms_id"] for row in pipeline.rows("gold.fact_transactions")}
    found = {"UpdateExpression": "SET waiting_for = :gold", "ExpressionAttributeValues": {":gold": "gold"}}
    pipeline.table.update_item(Key={"file_id": hidden}, **found)
    run_seq = pipeline.item("layer#gold")["run_seq"]
    pipeline.gold()
    item = pipeline.item(hidden)
    assert (item["status"], item["gold"]["run_seq"], "waiting_for" in item) == ("published", run_seq, False)
    assert pipeline.item("layer#gold")["run_seq"] == run_seq
