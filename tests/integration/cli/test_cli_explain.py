"""`assay explain` over small Iceberg tables: lines that add up to a cell, the life of a key, what it refuses."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from contract.sql_types import ORDER_FIELDS
from deployed_stack import NAMES, TABLES, TOTALS, DeployedStack, file_item
from documented_answers import conform

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
FIRST, WRONG = file_item(), file_item("b.csv")
FIRST_ID, WRONG_ID = FIRST["file_id"], WRONG["file_id"]
INSTANT, TEXT, NUMBER, MONEY = pa.timestamp("us", tz="UTC"), pa.string(), pa.int64(), pa.decimal128(18, 2)
VALUES = pa.struct([("amount", MONEY), ("transacted_at", INSTANT), ("channel", TEXT), ("merchant_id", NUMBER)])
TYPES = {"timestamp": INSTANT, "int": pa.int32(), "string": TEXT, "bigint": NUMBER}
ORDER = pa.struct([(name, TYPES[sql_type]) for name, sql_type in ORDER_FIELDS.items() if sql_type in TYPES])
"""As tables had it before there were repairs."""
WRITER: list[tuple[str, pa.DataType]] = [("file_id", TEXT), ("row", NUMBER)]
WITH_STRUCTS: dict[str, list[tuple[str, pa.DataType]]] = {
    "silver.transaction_effects": [
        *[("run_seq", NUMBER), ("cause", TEXT), ("dms_id", NUMBER), ("before", VALUES), ("after", VALUES)],
        *[("effect_amount", MONEY), *WRITER],
    ],
    "silver.transaction_history": [
        *[("run_seq", NUMBER), *WRITER, ("line", NUMBER), ("op", TEXT), ("outcome", TEXT), ("dms_id", NUMBER)],
        *[("amount", MONEY), ("transacted_at", INSTANT), ("effect_amount", MONEY), ("row_order", ORDER)],
    ],
    "silver.transactions": [("dms_id", NUMBER), ("amount", MONEY), *WRITER, ("row_order", ORDER)],
    "silver.tombstones": [("dms_id", NUMBER), *WRITER, ("row_order", ORDER)],
    "silver.decisions": [("run_seq", NUMBER), ("file_id", TEXT), ("in_effect", pa.bool_()), ("at", INSTANT)],
    "gold.monthly_merchant_totals": [("month", pa.date32()), ("merchant_key", NUMBER), *TOTALS],
    "gold.dim_merchant": [("merchant_key", NUMBER), ("merchant_id", NUMBER)],
}


def image(amount: str, channel: str | None = "chip", merchant: int | None = 5) -> dict[str, Any]:
    return {"amount": Decimal(amount), "transacted_at": NOON, "channel": channel, "merchant_id": merchant}


def order(second: int, row: int) -> dict[str, Any]:
    at = NOON.replace(second=second)
    return dict(zip(ORDER_FIELDS, (at, 1, at, "k", "00", "v", row), strict=False))


ROWS: dict[str, list[tuple[Any, ...]]] = {
    "silver.transaction_effects": [
        (1, "file", 1, None, image("12.50"), Decimal("12.50"), FIRST_ID, 1),
        (1, "file", 2, None, image("1.00", None, None), Decimal("1.00"), FIRST_ID, 2),
        (2, "file", 1, image("12.50"), image("125.00"), Decimal("112.50"), WRONG_ID, 1),
        (2, "file", 2, image("1.00", None, None), image("1.00"), Decimal("0.00"), WRONG_ID, 2),
        (3, "load", 2, image("1.00"), None, Decimal("-1.00"), FIRST_ID, None),
    ],
    "silver.transaction_history": [
        (1, FIRST_ID, 1, 2, None, "inserted", 1, Decimal("12.50"), NOON, Decimal("12.50"), order(1, 1)),
        (1, FIRST_ID, 3, 4, None, "superseded", 1, Decimal("9.00"), NOON, Decimal(0), order(0, 3)),
        (2, WRONG_ID, 1, 2, None, "updated", 1, Decimal("125.00"), NOON, Decimal("112.50"), order(2, 1)),
        (3, FIRST_ID, 4, 5, None, "stale", 1, Decimal("7.00"), NOON, Decimal(0), order(0, 4)),
    ],
    "silver.transactions": [(1, Decimal("125.00"), WRONG_ID, 1, order(2, 1))],
    "silver.tombstones": [],
    "gold.daily_totals": [(date(2024, 3, 1), "chip", 1, Decimal("125.00"))],
    "gold.monthly_merchant_totals": [(date(2024, 3, 1), 77, 1, Decimal("125.00"))],
    "gold.dim_merchant": [(0, None), (77, 5)],
}


@pytest.fixture(scope="module")
def published(shared_stack: DeployedStack) -> Iterator[DeployedStack]:
    """Two files: the second has ten times the amount of key 1, and key 2 by chip; a load deletes that."""
    with pytest.MonkeyPatch.context() as patch:
        for name, columns in WITH_STRUCTS.items():
            patch.setitem(TABLES, name, columns)
        shared_stack.put(FIRST, WRONG)
        for table, rows in ROWS.items():
            shared_stack.write(table, *rows)
        cuts = [{"run_seq": run, "silver_run_seq": run, "at": f"2024-03-0{run}T00:00:00.000000Z"} for run in (1, 2, 3)]
        body = json.dumps(cuts).encode()
        shared_stack.client("s3").put_object(Bucket=NAMES["LakeBucket"], Key="cuts.json", Body=body)
        yield shared_stack


def test_cell_is_explained__largest_file_first_and_the_sum_is_the_cell(published: DeployedStack) -> None:
    result = published.assay("explain", "gold.daily_totals", "2024-03-01", "chip", "--json")

    assert result.exit_code == 0, result.output
    told = conform("explain", result.stdout)
    lines = [(each["run_seq"], each["cause"], each["key"], each["facts"], each["amount"]) for each in told["files"]]
    assert lines == [
        (2, "file", "transactions/b.csv", 1, "113.50"),
        (1, "file", "transactions/a.csv", 1, "12.50"),
        (3, "load", "transactions/a.csv", -1, "-1.00"),
    ]
    assert (told["row_count"], told["total_amount"], told["adds_up"]) == (1, "125.00", True)
    assert [told["largest_rows"][0][name] for name in ("dms_id", "old", "new")] == [1, "12.50", "125.00"]


@pytest.mark.parametrize("member", ["5", "77"])
def test_member_is_named_by_its_natural_or_its_surrogate_key__same_lines(published: DeployedStack, member: str) -> None:
    result = published.assay("explain", "monthly_merchant_totals", "2024-03", member)

    assert result.exit_code == 0, result.output
    assert "gold.monthly_merchant_totals  2024-03-01 5" in result.output
    assert "the cell: 1 fact, 125.00 = the sum of these effects" in result.output


def test_cell_that_was_left__its_effects_come_to_nothing(published: DeployedStack) -> None:
    result = published.assay("explain", "gold.daily_totals", "2024-03-01", "unknown", "--json")

    told = json.loads(result.stdout)
    assert [(each["run_seq"], each["facts"], each["amount"]) for each in told["files"]] == [
        (1, 1, "1.00"),
        (2, -1, "-1.00"),
    ]
    assert (told["total_amount"], told["adds_up"]) == ("0.00", True)


@pytest.mark.parametrize("since", ["1", "2024-03-01T12:00:00Z"])
def test_later_changes_alone__what_was_there_is_one_sum(published: DeployedStack, since: str) -> None:
    result = published.assay("explain", "gold.daily_totals", "2024-03-01", "chip", "--since", since, "--json")

    told = json.loads(result.stdout)
    assert (told["since_run"], told["before"]) == (1, {"row_count": 1, "total_amount": "12.50"})
    assert [each["run_seq"] for each in told["files"]] == [2, 3]
    assert told["adds_up"]


def test_effect_is_missing__exit_1(published: DeployedStack) -> None:
    published.write("gold.daily_totals", (date(2024, 3, 2), "chip", 1, Decimal("0.01")))

    result = published.assay("explain", "gold.daily_totals", "2024-03-02", "chip")

    assert result.exit_code == 1
    assert "1 fact, 0.01 ≠ the sum of these effects" in result.output


def test_life_of_a_key__every_row_says_why_it_did_or_did_not_win(published: DeployedStack) -> None:
    result = published.assay("explain", "1", "--json")

    assert result.exit_code == 0, result.output
    told = conform("explain", result.stdout)
    assert [(row["run_seq"], row["outcome"], row["reason"]) for row in told["rows"]] == [
        (1, "superseded", "newer in the same run: row 1 of transactions/a.csv"),
        (1, "inserted", "the newest row of its key"),
        (2, "updated", "the newest row of its key"),
        (3, "stale", "older than row 1 of transactions/b.csv"),
    ]
    assert [effect["effect_amount"] for effect in told["effects"]] == ["12.50", "112.50"]
    drawn = published.assay("explain", "1").output
    assert "it lives, as row 1 of transactions/b.csv left it: 125.00 = the sum of its effects, 125.00" in drawn


def test_life_of_a_key_says_which_rows_are_of_undone_files__redone_ones_are_not(published: DeployedStack) -> None:
    published.write(
        "silver.decisions", (4, WRONG_ID, False, NOON), (5, FIRST_ID, False, NOON), (6, FIRST_ID, True, NOON)
    )

    told = json.loads(published.assay("explain", "1", "--json").stdout)
    published.drop("silver.decisions")

    assert [row["reason"] for row in told["rows"] if "undone" in row["reason"]] == ["its file is undone"]
    assert [row["key"] for row in told["rows"] if "undone" in row["reason"]] == ["transactions/b.csv"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["gold.fact_transactions"], "is no aggregate"),
        (["gold.daily_totals", "2024-03-01"], "named by 2 values, not by 1"),
        (["gold.daily_totals", "yesterday", "chip"], "yesterday is no day"),
        (["gold.daily_totals", "2024-03-01", "blub"], "no fact has ever been in the cell 2024-03-01 blub"),
        (["4711"], "no accepted row names the key 4711"),
        (["1", "2024-03-01"], "a key has neither values nor --since"),
        (["gold.daily_totals", "2024-03-01", "chip", "--since", "yesterday"], "--since"),
    ],
)
def test_question_cannot_be_answered__exit_2_with_a_way_out(
    published: DeployedStack, words: list[str], told: str
) -> None:
    result = published.assay("explain", *words)

    assert result.exit_code == 2
    assert told in result.output
    assert "  do: " in result.output
