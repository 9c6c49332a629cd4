"""Every row gets one outcome, and a file's passport adds up in rows and cents."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from equal_hashes import twin_card
from glue_pipeline import Item, Pipeline, csv

OUTCOMES = {"quarantined", "unchanged", "stale", "superseded", "inserted", "updated", "deleted"}
EARLY, LATE, LATEST = "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"


# Each test has keys and files of its own; the files of all tests go through the same three runs.
CONSERVED = [
    csv("101,10.01,2023-01-01,,,", "102,$-20.02,2023-01-01,,,", "102,0.10,2023-01-01,,,", "103,1.234,2023-01-01,,,"),
    csv("101,10.01,2023-01-01,,,", "102,99.99,2023-01-01,,,", "109,abc,2023-01-01,tap,,", "107,7.07,2023-01-01,,,"),
    csv("101,-0.01,2023-01-01,,,", "108,8.00,2030-01-01,,,", "107,7.07,2023-01-01,,,"),
]
PLACES = csv(
    "201,1.00,2023-01-01 07:08,chip,5,Bad PIN", "", "x,1.234,2030-01-01,tap,m,", "2,2.00", '3,3.00,2023-01-01,,,"a'
)
LARGEST_DAY = date(2023, 7, 7)
PAIRED = "dms_id,amount,date,client_id,card_id"
PAIR = (7, 5)
TWIN = (8, twin_card(100, datetime(2023, 1, 1), *PAIR, 8))
RUNS = [
    {
        "1.csv": (
            csv("1,1.00,2023-01-01,,,", "2,2.00,2023-01-01,,,", "3,3.00,2023-01-01,,,", "1,1.50,2023-01-01,,,"),
            LATE,
        ),
        "conserved 1.csv": (CONSERVED[0], EARLY),
        "bad rows.csv": (PLACES, LATE),
        "moved 1.csv": (csv("301,1.00,2023-01-01,,,", "302,2.00,2023-01-01,,,"), EARLY),
        "pair.csv": (csv(f"501,1.00,2023-01-01,{PAIR[0]},{PAIR[1]}", header=PAIRED), EARLY),
        "largest.csv": (csv(f"401,9999999999999999.99,{LARGEST_DAY},,,"), EARLY),
    },
    {
        "2.csv": (
            csv("1,1.50,2023-01-01,,,", "2,2.25,2023-01-01,,,", "4,-4.00,2023-01-01,,,", "x,5.00,2023-01-01,,,"),
            LATEST,
        ),
        "3.csv": (csv("3,9.00,2023-01-01,,,", "2,2.00,2023-01-01,,,"), EARLY),
        "conserved 2.csv": (CONSERVED[1], LATEST),
        "moved 2.csv": (csv("302,2.00,2023-01-01,,,"), LATEST),
        "twin.csv": (csv(f"501,1.00,2023-01-01,{TWIN[0]},{TWIN[1]}", header=PAIRED), LATE),
        "negative.csv": (csv(f"401,-9999999999999999.99,{LARGEST_DAY},,,"), LATE),
    },
    {
        "conserved 3.csv": (CONSERVED[2], LATE),
        "moved 3.csv": (csv("302,3.00,2023-01-01,,,"), LATE),
    },
]


@pytest.fixture(scope="module")
def after(empty: Pipeline, at_the_server_for_module: None) -> list[Pipeline]:
    """The pipeline after each of the three runs; Gold has taken the first two."""
    found, current = [], empty
    for number, files in enumerate(RUNS):
        current = current.fork()
        for name, (body, as_of) in files.items():
            current.upload(f"transactions/{name}", body, as_of=as_of)
        current.silver()
        if number < 2:
            current.gold()
        found.append(current)
    return found


def item_of(pipeline: Pipeline, name: str) -> Item:
    return next(item for item in pipeline.items() if item.get("key") == f"transactions/{name}")


def rows_of(pipeline: Pipeline, table: str, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table that come from a file."""
    file_id = item_of(pipeline, name)["file_id"]
    return [row for row in pipeline.rows(f"silver.{table}") if row["file_id"] == file_id]


def amounts(pipeline: Pipeline, keys: range) -> dict[int, Decimal]:
    return {row["dms_id"]: row["amount"] for row in pipeline.rows("silver.transactions") if row["dms_id"] in keys}


def test_silver_gives_each_outcome__files_in_and_out_of_order(after: list[Pipeline]) -> None:
    keys = range(1, 100)
    assert item_of(after[0], "1.csv")["silver"]["outcomes"] == {
        **dict.fromkeys(OUTCOMES, 0), "inserted": 3, "superseded": 1,
    }  # fmt: skip
    assert amounts(after[0], keys) == {1: Decimal("1.50"), 2: Decimal("2.00"), 3: Decimal("3.00")}
    facts = item_of(after[1], "2.csv")["silver"]
    assert facts["outcomes"] == {
        **dict.fromkeys(OUTCOMES, 0), "unchanged": 1, "updated": 1, "inserted": 1, "quarantined": 1,
    }  # fmt: skip
    assert facts["amounts"] == {"unchanged": "1.50", "updated": "2.25", "inserted": "-4.00", "quarantined": "5.00"}
    assert facts["effect_amount"] == "-3.75"
    third = item_of(after[1], "3.csv")["silver"]
    assert third["outcomes"] == {**dict.fromkeys(OUTCOMES, 0), "stale": 1, "unchanged": 1}
    assert amounts(after[1], keys) == {
        1: Decimal("1.50"), 2: Decimal("2.25"), 3: Decimal("3.00"), 4: Decimal("-4.00"),
    }  # fmt: skip


def test_silver_conserves_rows_and_cents__every_file(after: list[Pipeline]) -> None:
    total = Decimal(0)
    for number, pipeline in enumerate(after, start=1):
        item = item_of(pipeline, f"conserved {number}.csv")
        facts, kpis = item["silver"], item["kpis"]
        assert set(facts["outcomes"]) == OUTCOMES
        assert sum(facts["outcomes"].values()) == kpis["row_count"]
        assert facts["outcomes"]["quarantined"] == kpis["bad_rows"] > 0
        assert sum(Decimal(amount) for amount in facts["amounts"].values()) == Decimal(kpis["total_amount"])
        now = sum(amounts(pipeline, range(101, 200)).values(), Decimal(0))
        assert Decimal(facts["effect_amount"]) == now - total
        total = now
        effects = rows_of(pipeline, "transaction_effects", f"conserved {number}.csv")
        assert sum(row["effect_amount"] for row in effects) == Decimal(facts["effect_amount"])
        for row in effects:
            assert row["effect_amount"] == row["after"]["amount"] - (row["before"]["amount"] if row["before"] else 0)


def test_silver_conserves_rows_and_cents__every_run(after: list[Pipeline]) -> None:
    total = Decimal(0)
    for pipeline, files in zip(after, RUNS, strict=True):
        found = amounts(pipeline, range(1, 1000))
        effects = [Decimal(item_of(pipeline, name)["silver"]["effect_amount"]) for name in files]
        assert sum(effects) == sum(found.values()) - total
        total = sum(found.values(), Decimal(0))
        published = pipeline.item("layer#silver")["published"]
        assert (published["row_count"], Decimal(published["total_amount"])) == (len(found), total)


def test_silver_keeps_where_and_why__good_and_bad_rows(after: list[Pipeline]) -> None:
    pipeline = after[0]
    item = item_of(pipeline, "bad rows.csv")
    (good,) = rows_of(pipeline, "transaction_history", "bad rows.csv")
    at = datetime(2024, 2, 1)
    assert {name: good[name] for name in ("row", "line", "outcome", "effect_amount", "run_seq")} == {
        "row": 1, "line": 2, "outcome": "inserted", "effect_amount": Decimal("1.00"), "run_seq": 1,
    }  # fmt: skip
    assert good["row_order"] == {
        "position": at, "phase": 1, "instant": at, "object_key": "transactions/bad rows.csv",
        "sequencer": item["sequencer"].ljust(32, "0"), "version_id": item["version_id"], "row": 1, "repair": None,
    }  # fmt: skip
    found = {row["row"]: row for row in rows_of(pipeline, "quarantine", "bad rows.csv")}
    assert {row: (bad["line"], bad["raw"], bad["rules"], bad["amount"]) for row, bad in found.items()} == {
        2: (
            4,
            "x,1.234,2030-01-01,tap,m,",
            ["dms_id_unreadable", "amount_too_precise", "date_in_future", "use_chip_unknown", "merchant_id_unreadable"],
            None,
        ),
        3: (5, "2,2.00", ["too_few_fields"], None),
        4: (6, '3,3.00,2023-01-01,,,"a', ["malformed_quotes"], None),
    }
    assert {bad["row_order"]["position"] for bad in found.values()} == {at}


def test_silver_moves_order_and_writer_on__newer_unchanged_row(after: list[Pipeline]) -> None:
    same = item_of(after[1], "moved 2.csv")
    assert same["silver"]["outcomes"]["unchanged"] == 1
    moved = next(row for row in after[1].rows("silver.transactions") if row["dms_id"] == 302)
    assert (moved["file_id"], moved["row"]) == (same["file_id"], 1)
    assert moved["row_order"]["position"] == datetime(2024, 3, 1)
    effects = [row["dms_id"] for row in after[2].rows("silver.transaction_effects") if row["dms_id"] in (301, 302)]
    assert sorted(effects) == [301, 302]
    assert item_of(after[2], "moved 3.csv")["silver"]["outcomes"]["stale"] == 1
    assert amounts(after[2], range(302, 303)) == {302: Decimal("2.00")}


def test_silver_counts_every_cent__change_from_the_largest_amount_to_a_negative_one(after: list[Pipeline]) -> None:
    totals = [
        [row["total_amount"] for row in pipeline.rows("gold.daily_totals") if row["transacted_on"] == LARGEST_DAY]
        for pipeline in after[:2]
    ]
    assert item_of(after[1], "negative.csv")["silver"]["effect_amount"] == "-19999999999999999.98"
    assert amounts(after[1], range(401, 402)) == {401: Decimal("-9999999999999999.99")}
    assert totals == [[Decimal("9999999999999999.99")], [Decimal("-9999999999999999.99")]]


def test_silver_and_gold_take_a_row_of_equal_hash__other_client_and_card(after: list[Pipeline]) -> None:
    pipeline = after[1]
    hashes = {row["content_hash"] for row in pipeline.rows("silver.transaction_history") if row["dms_id"] == 501}
    assert len(hashes) == 1
    outcomes = item_of(pipeline, "twin.csv")["silver"]["outcomes"]
    assert {name: count for name, count in outcomes.items() if count} == {"updated": 1}
    for table in ("silver.transactions", "gold.fact_transactions"):
        (row,) = [row for row in pipeline.rows(table) if row["dms_id"] == 501]
        assert (row["client_id"], row["card_id"]) == TWIN, table
