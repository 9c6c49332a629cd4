"""The audit over small Iceberg tables: each table has a row too many once, and each time it is named."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from deployed_stack import DeployedStack, file_item, layer_items

NOON = datetime(2010, 1, 1, 12, tzinfo=UTC)
FILE = file_item()
CARDS = file_item("cards.csv", outcomes={"inserted": 2}, amount="0.00") | {"subject": "cards"}
ONE, OTHER, BOTH = Decimal("12.50"), Decimal("-2.50"), Decimal("10.00")
ROWS: dict[str, list[tuple[Any, ...]]] = {
    "silver.transactions": [(1, ONE, "chip", NOON), (2, OTHER, None, NOON)],
    "silver.transaction_history": [
        (1, ONE, "chip", FILE["file_id"], "inserted"),
        (2, OTHER, None, FILE["file_id"], "inserted"),
    ],
    "silver.transaction_effects": [(1, ONE), (1, OTHER)],
    "silver.quarantine": [],
    "silver.cards": [(CARDS["file_id"], 1, ONE), (CARDS["file_id"], 2, None)],
    "gold.fact_transactions": [(1, ONE, 7, NOON.date()), (2, OTHER, 0, NOON.date())],
    "gold.dim_channel": [(0, None), (7, "chip"), (8, "swipe")],
    "gold.daily_totals": [(date(2010, 1, 1), "chip", 1, ONE), (date(2010, 1, 1), "unknown", 1, OTHER)],
    "gold.monthly_merchant_totals": [(1, 2, BOTH)],
    "gold.monthly_client_totals": [(1, 2, BOTH)],
}


@pytest.fixture(scope="module")
def published(shared_stack: DeployedStack) -> DeployedStack:
    """One file of two rows, 10.00 in all, in every table of both layers, and one of two cards."""
    shared_stack.put(FILE, CARDS, *layer_items(rows=2, silver="10.00"))
    for table, rows in ROWS.items():
        shared_stack.write(table, *rows)
    return shared_stack


@pytest.fixture
def with_row(published: DeployedStack, request: pytest.FixtureRequest) -> Iterator[DeployedStack]:
    table, row = request.param
    published.write(table, row)
    yield published
    published.drop(table)
    published.write(table, *ROWS[table])


@pytest.mark.parametrize("form", [[], ["--full"]])
def test_audit_agrees__everything_is_there(published: DeployedStack, form: list[str]) -> None:
    result = published.assay("audit", *form)

    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("with_row", "words"),
    [
        (
            ("silver.transactions", (3, Decimal("0.01"), None, NOON)),
            "running total = silver.transactions: 10.00 against 10.01",
        ),
        (("silver.transaction_effects", (2, Decimal("0.01"))), "sum of all effects: 10.00 against 10.01"),
        (("silver.transaction_effects", (1, Decimal("0.01"))), "Silver run that it shows: 10.00 against 10.01"),
        (
            ("silver.quarantine", (FILE["file_id"], 3, Decimal("0.01"))),
            "transactions/a.csv (v1): rows in file = rows in history and quarantine: 2 against 3",
        ),
        (
            ("silver.cards", (CARDS["file_id"], 3, None)),
            "transactions/cards.csv (v1): rows in file = rows in history and quarantine: 2 against 3",
        ),
        (
            ("gold.fact_transactions", (3, Decimal("0.00"))),
            "rows: Gold's running total = gold.fact_transactions: 2 against 3",
        ),
        (("gold.daily_totals", (date(2010, 1, 2), "chip", 1, Decimal(0))), "gold.daily_totals: 2 against 3"),
        (("gold.monthly_merchant_totals", (1, 0, Decimal("0.01"))), "monthly_merchant_totals: 10.00 against 10.01"),
        (("gold.monthly_client_totals", (1, 0, Decimal("0.01"))), "monthly_client_totals: 10.00 against 10.01"),
    ],
    indirect=["with_row"],
)
def test_audit_full_names_the_difference__one_row_too_many(with_row: DeployedStack, words: str) -> None:
    assert with_row.assay("audit").exit_code == 0

    result = with_row.assay("audit", "--full")

    assert (result.exit_code, words in result.stderr) == (1, True), result.stderr


@pytest.mark.parametrize(
    ("facts", "differing"),
    [
        ([(1, ONE, 8, NOON.date()), (2, OTHER, 0, NOON.date())], {"channel": 1}),
        ([(1, ONE, 9, NOON.date()), (2, OTHER, 7, NOON.date())], {"channel": 2}),
        ([(1, OTHER, 7, NOON.date()), (2, ONE, 0, NOON.date())], {"amount": 2}),
        ([(1, ONE, 7, NOON.date()), (2, OTHER, 0, NOON.date() + timedelta(1))], {"transacted_on": 1}),
        ([(1, ONE, 7, NOON.date()), (3, OTHER, 0, NOON.date())], {"no fact": 1, "no transaction": 1}),
    ],
    ids=["another member", "a member that is not there", "amounts exchanged", "another day", "another key"],
)
def test_audit_full_counts_differing_facts_by_column__rows_and_money_agree(
    published: DeployedStack, facts: list[tuple[Any, ...]], differing: dict[str, int]
) -> None:
    published.drop("gold.fact_transactions")
    published.write("gold.fact_transactions", *facts)
    try:
        assert published.assay("audit").exit_code == 0
        result = published.assay("audit", "--full", "--json")
    finally:
        published.drop("gold.fact_transactions")
        published.write("gold.fact_transactions", *ROWS["gold.fact_transactions"])

    wrong = {each["what"]: each["found"] for each in json.loads(result.stdout)["comparisons"] if not each["equal"]}
    every = "facts that are not as silver.transactions has them"
    number = 2 if "no fact" in differing else sum(differing.values())
    assert (result.exit_code, wrong) == (1, {every: number, **{f"{every}: {name}": n for name, n in differing.items()}})
