"""Every row gets one outcome, and a file's passport adds up in rows and cents."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from glue_pipeline import Pipeline, csv

OUTCOMES = {"quarantined", "unchanged", "stale", "superseded", "inserted", "updated", "deleted"}
EARLY, LATE, LATEST = "2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"


def amounts(pipeline: Pipeline) -> dict[int, Decimal]:
    return {row["dms_id"]: row["amount"] for row in pipeline.rows("silver.transactions")}


def test_silver_gives_each_outcome__files_in_and_out_of_order(pipeline: Pipeline) -> None:
    first = pipeline.upload(
        "transactions/1.csv",
        csv("1,1.00,2023-01-01,,,", "2,2.00,2023-01-01,,,", "3,3.00,2023-01-01,,,", "1,1.50,2023-01-01,,,"),
        as_of=LATE,
    )
    pipeline.silver(first)
    assert pipeline.item(first)["silver"]["outcomes"] == {
        **dict.fromkeys(OUTCOMES, 0), "inserted": 3, "superseded": 1,
    }  # fmt: skip
    assert amounts(pipeline) == {1: Decimal("1.50"), 2: Decimal("2.00"), 3: Decimal("3.00")}
    second = pipeline.upload(
        "transactions/2.csv",
        csv("1,1.50,2023-01-01,,,", "2,2.25,2023-01-01,,,", "4,-4.00,2023-01-01,,,", "x,5.00,2023-01-01,,,"),
        as_of=LATEST,
    )
    third = pipeline.upload("transactions/3.csv", csv("3,9.00,2023-01-01,,,", "2,2.00,2023-01-01,,,"), as_of=EARLY)
    pipeline.silver()
    facts = pipeline.item(second)["silver"]
    assert facts["outcomes"] == {
        **dict.fromkeys(OUTCOMES, 0), "unchanged": 1, "updated": 1, "inserted": 1, "quarantined": 1,
    }  # fmt: skip
    assert facts["amounts"] == {"unchanged": "1.50", "updated": "2.25", "inserted": "-4.00", "quarantined": "5.00"}
    assert facts["effect_amount"] == "-3.75"
    assert pipeline.item(third)["silver"]["outcomes"] == {**dict.fromkeys(OUTCOMES, 0), "stale": 1, "unchanged": 1}
    assert amounts(pipeline) == {1: Decimal("1.50"), 2: Decimal("2.25"), 3: Decimal("3.00"), 4: Decimal("-4.00")}


def test_silver_conserves_rows_and_cents__every_file_and_run(pipeline: Pipeline) -> None:
    bodies = [
        csv("1,10.01,2023-01-01,,,", "2,$-20.02,2023-01-01,,,", "2,0.10,2023-01-01,,,", "3,1.234,2023-01-01,,,"),
        csv("1,10.01,2023-01-01,,,", "2,99.99,2023-01-01,,,", "9,abc,2023-01-01,tap,,", "7,7.07,2023-01-01,,,"),
        csv("1,-0.01,2023-01-01,,,", "8,8.00,2030-01-01,,,", "7,7.07,2023-01-01,,,"),
    ]
    silver_total = Decimal(0)
    for number, body in enumerate(bodies):
        file_id = pipeline.upload(f"transactions/{number}.csv", body, as_of=(EARLY, LATEST, LATE)[number])
        pipeline.silver()
        item = pipeline.item(file_id)
        facts, kpis = item["silver"], item["kpis"]
        assert set(facts["outcomes"]) == OUTCOMES
        assert sum(facts["outcomes"].values()) == kpis["row_count"]
        assert facts["outcomes"]["quarantined"] == kpis["bad_rows"] > 0
        assert sum(Decimal(amount) for amount in facts["amounts"].values()) == Decimal(kpis["total_amount"])
        after = sum(amounts(pipeline).values(), Decimal(0))
        assert Decimal(facts["effect_amount"]) == after - silver_total
        silver_total = after
        effects = pipeline.frame("silver.transaction_effects").where(f"file_id = '{file_id}'").collect()
        assert sum(row.effect_amount for row in effects) == Decimal(facts["effect_amount"])
        for row in effects:
            assert row.effect_amount == row.after.amount - (row.before.amount if row.before else 0)
    published = pipeline.item("layer#silver")["published"]
    assert (published["row_count"], Decimal(published["total_amount"])) == (len(amounts(pipeline)), silver_total)


def test_silver_keeps_where_and_why__good_and_bad_rows(pipeline: Pipeline) -> None:
    body = csv(
        "1,1.00,2023-01-01 07:08,chip,5,Bad PIN", "", "x,1.234,2030-01-01,tap,m,", "2,2.00", '3,3.00,2023-01-01,,,"a'
    )
    file_id = pipeline.upload("transactions/bad rows.csv", body, as_of=LATE)
    pipeline.silver()
    (good,) = pipeline.rows("silver.transaction_history")
    at = datetime(2024, 2, 1)
    assert {name: good[name] for name in ("file_id", "row", "line", "outcome", "effect_amount", "run_seq")} == {
        "file_id": file_id, "row": 1, "line": 2, "outcome": "inserted", "effect_amount": Decimal("1.00"), "run_seq": 1,
    }  # fmt: skip
    item = pipeline.item(file_id)
    assert good["row_order"] == {
        "position": at, "phase": 1, "instant": at, "object_key": "transactions/bad rows.csv",
        "sequencer": item["sequencer"].ljust(32, "0"), "version_id": item["version_id"], "row": 1,
    }  # fmt: skip
    found = {row["row"]: row for row in pipeline.rows("silver.quarantine")}
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
    assert {bad["file_id"] for bad in found.values()} == {file_id}
    assert {bad["row_order"]["position"] for bad in found.values()} == {at}


def test_silver_moves_order_and_writer_on__newer_unchanged_row(pipeline: Pipeline) -> None:
    pipeline.upload("transactions/1.csv", csv("1,1.00,2023-01-01,,,", "2,2.00,2023-01-01,,,"), as_of=EARLY)
    pipeline.silver()
    same = pipeline.upload("transactions/2.csv", csv("2,2.00,2023-01-01,,,"), as_of=LATEST)
    pipeline.silver()
    assert pipeline.item(same)["silver"]["outcomes"]["unchanged"] == 1
    moved = next(row for row in pipeline.rows("silver.transactions") if row["dms_id"] == 2)
    assert (moved["file_id"], moved["row"]) == (same, 1)
    assert moved["row_order"]["position"] == datetime(2024, 3, 1)
    assert len(pipeline.rows("silver.transaction_effects")) == 2
    between = pipeline.upload("transactions/3.csv", csv("2,3.00,2023-01-01,,,"), as_of=LATE)
    pipeline.silver()
    assert pipeline.item(between)["silver"]["outcomes"]["stale"] == 1
    assert amounts(pipeline)[2] == Decimal("2.00")


def test_silver_counts_every_cent__change_from_the_largest_amount_to_a_negative_one(pipeline: Pipeline) -> None:
    for amount, as_of in (("9999999999999999.99", "2023-01-01"), ("-9999999999999999.99", "2023-01-02")):
        last = pipeline.upload("transactions/1.csv", csv(f"1,{amount},2023-01-01,,,"), as_of=f"{as_of}T00:00:00Z")
        pipeline.silver()
        pipeline.gold()
    assert pipeline.item(last)["silver"]["effect_amount"] == "-19999999999999999.98"
    assert [row["amount"] for row in pipeline.rows("silver.transactions")] == [Decimal("-9999999999999999.99")]
    assert [row["total_amount"] for row in pipeline.rows("gold.daily_totals")] == [Decimal("-9999999999999999.99")]
