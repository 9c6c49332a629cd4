"""Questions to the lake that the ledger alone answers, or that come too early."""

import json
from decimal import Decimal

import pytest
from deployed_stack import DeployedStack, layer_items


def test_query_says_nothing_is_published__first_day(stack: DeployedStack) -> None:
    result = stack.assay("query", "SELECT * FROM gold.daily_totals")

    assert (result.exit_code, "nothing published yet" in result.stderr) == (2, True)


@pytest.mark.parametrize("name", ["gold.daily_totals", "daily_totals"])
def test_query_says_nothing_is_published__some_tables_are_there_while_the_first_run_publishes(
    stack: DeployedStack, name: str
) -> None:
    stack.write("gold.fact_transactions", (1, Decimal("1.00")))

    result = stack.assay("query", f"SELECT * FROM {name}")

    assert (result.exit_code, "nothing published yet" in result.stderr) == (2, True)


def test_audit_says_nothing_is_published__first_day(stack: DeployedStack) -> None:
    result = stack.assay("audit")

    assert (result.exit_code, "nothing published yet" in result.stderr) == (2, True)


def test_audit_names_the_difference__gold_is_a_cent_off(stack: DeployedStack) -> None:
    stack.put(*layer_items(rows=2, silver="10.00", gold="10.01"))

    result = stack.assay("audit")

    assert result.exit_code == 1
    assert "difference: amount: Silver = Gold: 10.00 against 10.01" in result.stderr


def test_audit_tells_it__gold_is_behind(stack: DeployedStack) -> None:
    stack.put(*layer_items(rows=2, silver="10.00", taken=0))

    result = stack.assay("audit", "--json")

    report = json.loads(result.stdout)
    assert (result.exit_code, report["agrees"]) == (1, False)
    assert report["comparisons"][0]["found"] == 0
    assert "Gold has not taken Silver's last run yet" in result.stderr
