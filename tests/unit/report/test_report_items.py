"""What a report makes of the ledger's items: their state at the readers' cut, and sums in which nothing is lost."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from contract.runs import Cut
from generated_month import Month, month

from assay.report.items import READ, file_of, fold, state_of
from assay.report.period import Period, divide, of_month

JUNE = of_month("2026-06")


@pytest.fixture
def made() -> Month:
    return month(60)


def cut_at(run: int) -> Cut:
    return {"run_seq": run, "silver_run_seq": run, "at": "2026-07-01T00:00:00.000000Z", "snapshots": {}}


def test_effects_add_up_to_gold__whatever_the_period_leaves_out(made: Month) -> None:
    """The files and the decision before, in and after a period are all that Gold came from."""
    cuts = ("2026-06-01", "2026-06-10", "2026-06-19T12", "2026-06-25", "2026-08-01")
    for first, end in pairwise(cuts):
        found = fold(made.items, Period("any", f"{first}T", f"{end}T"), made.cut)
        assert found.effects_before + found.effects + found.effects_after == made.lake.amount
    assert fold(made.items, JUNE, made.cut).effects == made.lake.amount


def test_file_is_waiting__its_run_is_later_than_the_cut(made: Month) -> None:
    item = made.items[40]
    run = item["silver"]["run_seq"]
    file = file_of(item, silver_run=run - 1, gold_run=run - 1)
    assert (file.state, file.effect, file.outcomes, file.silver_run) == ("waiting", Decimal(0), {}, None)
    assert file_of(item, silver_run=run, gold_run=run - 1).state == "waiting"
    assert file_of(item, silver_run=run, gold_run=run).state == "published"


def test_effects_are_those_of_the_cut__later_runs_do_not_count(made: Month) -> None:
    early = [item for item in made.items if "silver" in item and item["silver"]["run_seq"] <= 4]
    expected = sum(Decimal(item["silver"]["effect_amount"]) for item in early)
    assert fold(made.items, JUNE, cut_at(4)).effects == expected


@pytest.mark.parametrize(("still_open", "is_green"), [(0, True), (1, False)])
def test_file_is_green__all_of_its_quarantined_rows_are_repaired_or_waived(
    made: Month, still_open: int, is_green: bool
) -> None:
    item = next(each for each in made.items if each.get("silver", {}).get("outcomes", {}).get("quarantined", 0) > 2)
    rows = item["silver"]["outcomes"]["quarantined"]
    item["repaired"] = {"by": ["a" * 64, "b" * 64], "repaired": rows - still_open - 1, "waived": 1}
    (file,) = fold([{name: item[name] for name in READ if name in item}], JUNE, made.cut).files
    assert (file.is_green, file.outcomes["quarantined"]) == (is_green, rows)


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({}, "published"),
        ({"status": "rejected"}, "rejected"),
        ({"failed": {"stage": "silver", "reason": "r", "attempts": 3, "at": ""}}, "failed"),
        ({"in_effect": False, "decisions": [{"run_seq": 5, "in_effect": False}]}, "undone"),
        ({"in_effect": False, "decisions": [{"run_seq": 9, "in_effect": False}]}, "published"),
        ({"decisions": [{"run_seq": 5, "in_effect": False}, {"run_seq": 6, "in_effect": True}]}, "published"),
        ({"in_effect": False, "decisions": [{"run_seq": 5, "in_effect": True}], "status": "published"}, "published"),
    ],
)
def test_state_is_that_of_the_cut__each(more: dict[str, Any], state: str) -> None:
    item = {"status": "published", "in_effect": True, "gold": {"run_seq": 3}, **more}
    assert state_of(item, silver_run=8, gold_run=7) == state


def test_decision_counts_when_it_was_made__not_when_its_file_came(made: Month) -> None:
    found = fold(made.items, Period("later", "2026-06-15T"), made.cut)
    assert [(action.what, action.reason) for action in found.actions] == [("undo", "x 10")]
    assert made.items[1]["file_id"] not in {file.file_id for file in found.files}


def test_movements_are_told_once_a_run__by_all_of_its_files(made: Month) -> None:
    found = fold(made.items, JUNE, made.cut).groups_moved
    assert [moved.run for moved in found] == sorted({moved.run for moved in found}, reverse=True)


def test_closed_months_are_told_once_a_run__by_its_decision_too(made: Month) -> None:
    totals = {side: {"row_count": 1, "total_amount": f"{amount}.00"} for side, amount in (("closed", 1), ("before", 2))}
    moved = {"month": "2026-05", "channel": "chip", **totals, "after": {"row_count": 0, "total_amount": "0.00"}}
    for item in made.items[-2:]:  # a file that waits, and the decision
        item["gold"] = {"run_seq": 10, "closed": [moved]}
    (found,) = fold(made.items[-2:], JUNE, made.cut).months_moved
    assert (found.run, found.month, found.channel) == (10, "2026-05", "chip")
    assert (found.closed, found.before, found.after) == (Decimal("1.00"), Decimal("2.00"), Decimal("0.00"))
    assert fold(made.items[-2:], JUNE, cut_at(9)).months_moved == []


@pytest.mark.parametrize(
    ("instants", "width", "names"),
    [
        (["2026-06-01T23:59:59Z", "2026-06-02T01:00:00Z"], 13, ["2026-06-01T23", "2026-06-02T00", "2026-06-02T01"]),
        (["2026-02-27T00:00:00Z", "2026-03-01T00:00:00Z"], 10, ["2026-02-27", "2026-02-28", "2026-03-01"]),
        (["2025-11-30T00:00:00Z", "2026-03-31T00:00:00Z"], 7, ["2025-11", "2025-12", "2026-01", "2026-02", "2026-03"]),
        ([], 10, []),
    ],
)
def test_intervals_have_no_gap__hours_days_months(instants: list[str], width: int, names: list[str]) -> None:
    assert divide(instants) == (width, names)


def test_month_ends_where_the_next_begins__leap_year() -> None:
    assert of_month("2028-02") == Period("2028-02", "2028-02-01T00:00:00.000000Z", "2028-03-01T00:00:00.000000Z")
    assert of_month("2028-02").holds("2028-02-29T23:59:59.999999Z")
    assert not of_month("2028-02").holds("2028-03-01T00:00:00.000000Z")
