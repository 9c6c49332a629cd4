"""`assay close` and `status --closed` over small Iceberg tables: what they show, write and refuse."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from contract.closings import ClosedItem, ClosedMonthsItem
from deployed_stack import NAMES, DeployedStack, identifier_of
from documented_answers import conform
from item_types import differences

from assay import closing
from assay.ledger import Ledger

JUNE = [
    (date(2020, 5, 31), "chip", 1, Decimal("1.00")),
    (date(2020, 6, 1), "chip", 2, Decimal("10.50")),
    (date(2020, 6, 30), "chip", 1, Decimal("-0.25")),
    (date(2020, 6, 30), "online", 3, Decimal("1204.11")),
    (date(2020, 7, 1), "online", 1, Decimal("9.00")),
]
CHANNELS = {
    "chip": {"row_count": 3, "total_amount": "10.25"},
    "online": {"row_count": 3, "total_amount": "1204.11"},
}


def show_run(stack: DeployedStack, run_seq: int, *, committed: int | None = None) -> None:
    """Let readers see what the tables hold now, as Gold does; the layer's item names the last committed run."""
    snapshot = stack.catalog.load_table(identifier_of("gold.daily_totals")).current_snapshot()
    assert snapshot is not None
    snapshots = {"silver": {}, "gold": {"daily_totals": snapshot.snapshot_id}}
    cut = {
        "run_seq": run_seq,
        "silver_run_seq": run_seq + 1,
        "at": "2026-07-01T00:00:00.000000Z",
        "snapshots": snapshots,
    }
    stack.client("s3").put_object(Bucket=NAMES["LakeBucket"], Key="current.json", Body=json.dumps(cut))
    stack.put({"file_id": "layer#gold", "kind": "layer", "run_seq": committed or run_seq})


@pytest.fixture
def published(stack: DeployedStack) -> DeployedStack:
    stack.write("gold.daily_totals", *JUNE)
    show_run(stack, 4)
    return stack


def cells(drawn: str) -> list[list[str]]:
    """Return the rows of tables as their words."""
    rows = [line.replace("│", " ").split() for line in drawn.splitlines()]
    return [words for words in rows if len(words) > 2]


def item_of(stack: DeployedStack, month: str = "2020-06") -> dict[str, Any]:
    ledger = Ledger(stack.client("dynamodb"), NAMES["LedgerTable"])
    return ledger.get([f"closed#{month}"]).get(f"closed#{month}", {})


def test_close_writes_the_months_totals_by_channel__with_runs_and_cut(published: DeployedStack) -> None:
    result = published.assay("close", "2020-06", "--yes", "--reason", "books of June")

    assert result.exit_code == 0, result.output
    assert "2020-06 (UTC) by Gold run 4, which shows Silver run 5" in result.stdout
    drawn = {words[0]: words[1:] for words in cells(result.stdout)}
    assert (drawn["chip"], drawn["online"], drawn["all"]) == (["3", "10.25"], ["3", "1,204.11"], ["6", "1,214.36"])
    item = item_of(published)
    assert list(differences(item, ClosedItem)) == []
    assert (item["channels"], item["run_seq"], item["silver_run_seq"]) == (CHANNELS, 4, 5)
    named = Ledger(published.client("dynamodb"), NAMES["LedgerTable"]).get(["closed"])["closed"]
    assert (named["months"], list(differences(named, ClosedMonthsItem))) == ({"2020-06"}, [])
    assert (item["reason"], set(item["snapshots"])) == ("books of June", {"silver", "gold"})


def test_close_shows_and_changes_nothing__dry_run(published: DeployedStack) -> None:
    result = published.assay("close", "2020-06", "--dry-run")
    told = conform("close", published.assay("close", "2020-06", "--dry-run", "--json").stdout)

    assert (result.exit_code, "1,214.36" in result.stdout, item_of(published)) == (0, True, {})
    assert (told["preview"]["channels"], told["result"]) == (CHANNELS, None)
    assert published.assay("close", "2020-06", "--json").exit_code == 2


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("2020-6",), "2020-6 is no month"),
        (("2020-13",), "2020-13 is no month"),
        ((f"{datetime.now(UTC):%Y-%m}",), "is not over (UTC)"),
        (("2999-01",), "2999-01 is not over (UTC)"),
        (("2020-06", "--again"), "--again needs a reason"),
        (("2020-06", "--again", "--reason", "x"), "2020-06 was never closed"),
    ],
)
def test_close_refuses_and_changes_nothing(published: DeployedStack, words: tuple[str, ...], error: str) -> None:
    result = published.assay("close", *words, "--yes")

    assert (result.exit_code, error in result.stderr) == (2, True), result.output
    assert item_of(published) == {}


def test_close_refuses__nothing_published(stack: DeployedStack) -> None:
    result = stack.assay("close", "2020-06", "--yes")

    assert (result.exit_code, "nothing published yet" in result.stderr) == (2, True)


def test_month_is_closed_once__and_anew_with_a_reason(published: DeployedStack) -> None:
    assert published.assay("close", "2020-06", "--yes").exit_code == 0
    published.write("gold.daily_totals", (date(2020, 6, 2), "swipe", 1, Decimal("2.00")))
    show_run(published, 5)

    twice = published.assay("close", "2020-06", "--yes")
    anew = published.assay("close", "2020-06", "--again", "--reason", "late files", "--yes", "--json")

    assert (twice.exit_code, "2020-06 was closed by" in twice.stderr) == (2, True)
    assert anew.exit_code == 0, anew.output
    item = item_of(published)
    told = conform("close", anew.stdout)
    assert (told["preview"]["closed"]["run_seq"], told["result"]) == (4, item)
    assert (item["run_seq"], item["reason"], sorted(item["channels"])) == (5, "late files", ["chip", "online", "swipe"])
    assert [(each["run_seq"], each["channels"]) for each in item["earlier"]] == [(4, CHANNELS)]
    assert list(differences(item, ClosedItem)) == []


def test_status_shows_closed_months__then_and_now(published: DeployedStack) -> None:
    assert "No month is closed" in published.assay("status", "--closed").stdout
    published.assay("close", "2020-06", "--yes")
    published.assay("close", "2020-07", "--yes")
    published.write("gold.daily_totals", (date(2020, 6, 2), "online", 1, Decimal("-16.09")))
    show_run(published, 5)

    shown = published.assay("status", "--closed")
    told = conform("status", published.assay("status", "--closed", "--json").stdout)

    assert shown.exit_code == 0
    rows = {tuple(words[:2]): words[2:8] for words in cells(shown.stdout)}
    assert rows["2020-06", "online"] == ["3", "4", "1,204.11", "1,188.02", "-16.09", "✗"]
    assert rows["2020-06", "chip"] == ["3", "3", "10.25", "10.25", "+0.00", "✓"]
    assert rows["2020-07", "online"] == ["1", "1", "9.00", "9.00", "+0.00", "✓"]
    assert told[0]["channels"]["online"]["total_amount"] == "1204.11"
    assert told[0]["now"]["online"]["total_amount"] == "1188.02"


def test_close_takes_the_totals_of_the_run_that_was_committed_meanwhile(
    published: DeployedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That run has looked for closed months before this one was there: it says nothing of it."""
    put, puts = closing._put, list[int]()

    def put_and_publish(*given: Any) -> None:
        put(*given)
        puts.append(given[1]["run_seq"])
        if len(puts) == 1:
            published.write("gold.daily_totals", (date(2020, 6, 2), "swipe", 1, Decimal("2.00")))
            show_run(published, 5)

    monkeypatch.setattr(closing, "_put", put_and_publish)
    result = published.assay("close", "2020-06", "--yes")

    assert (result.exit_code, puts) == (0, [4, 5]), result.output
    item = item_of(published)
    assert (item["run_seq"], "swipe" in item["channels"], "earlier" in item) == (5, True, False)


def test_second_operator_is_told__two_close_at_once(published: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    look = closing.look

    def look_and_be_overtaken(*given: Any, **more: Any) -> Any:
        found = look(*given, **more)
        published.put({"file_id": "closed#2020-06", "kind": "closed", "at": "x", "who": "bob"})
        monkeypatch.setattr(closing, "look", lambda *_, **__: found)
        return found

    monkeypatch.setattr(closing, "look", look_and_be_overtaken)
    result = published.assay("close", "2020-06", "--yes")

    assert (result.exit_code, "somebody else has just closed 2020-06" in result.stderr) == (2, True), result.output
    assert item_of(published)["who"] == "bob"


def test_close_waits_for_the_cut__and_says_so_where_it_does_not_come(
    published: DeployedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    show_run(published, 4, committed=5)
    monkeypatch.setattr(closing, "LOOKS", 1)

    result = published.assay("close", "2020-06", "--yes")

    assert (result.exit_code, "Gold's run 5 is committed" in result.stderr, item_of(published)) == (2, True, {})
