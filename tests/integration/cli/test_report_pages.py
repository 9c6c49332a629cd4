"""The page of each month in the lake: what a publication writes anew, at what cost, and never over a later one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import write_pages
from deployed_stack import NAMES, DeployedStack, file_item, identifier_of, layer_items

from assay.ledger import Ledger
from assay.report import gathering, page, pages
from assay.report.period import of_month
from assay.target import LOCAL_STACK, Target, find_target

LAKE, NOW = NAMES["LakeBucket"], "2026-12-01T08:00:00.000000Z"
OCTOBER, NOVEMBER = "reports/2026-10.html", "reports/2026-11.html"
Item = dict[str, Any]


class Lake:
    """Gold, run by run: each publishes some files and adds what they bring to one day."""

    def __init__(self, stack: DeployedStack) -> None:
        self.stack, self.run, self.amount = stack, 0, Decimal("0.00")
        self.target = find_target(stack=None, region=None, profile=None, project=Path.cwd())
        self.ledger = Ledger(self.target.dynamodb, NAMES["LedgerTable"])

    def publish(self, *items: Item, effect: str = "10.00", reported: bool = True) -> None:
        self.run += 1
        for item in items:
            for layer in ("silver", "gold"):
                item[layer]["run_seq"] = self.run
        self.stack.put(*items)
        added = Decimal(effect) * len(items)
        self.amount += added
        totals = layer_items(rows=2, silver=str(self.amount))
        for layer in totals:
            layer["published"]["run_seq"] = self.run
        self.stack.put(*totals)
        self.stack.write("gold.daily_totals", (date(2010, 1, 1), "swipe", 2 if self.run == 1 else 0, added))
        if reported:
            report = json.dumps({"files": [item["file_id"] for item in items]})
            self._put(f"reports/gold/run_{self.run:08}_abc.json", report)
        snapshot = self.stack.catalog.load_table(identifier_of("gold.daily_totals")).current_snapshot()
        assert snapshot is not None
        cut = {"run_seq": self.run, "silver_run_seq": self.run, "at": NOW}
        self._put(
            "current.json",
            json.dumps({**cut, "snapshots": {"silver": {}, "gold": {"daily_totals": snapshot.snapshot_id}}}),
        )

    def _put(self, key: str, body: str) -> None:
        self.stack.client("s3").put_object(Bucket=LAKE, Key=key, Body=body)

    def bring_up_to_date(self) -> list[str]:
        return pages.bring_up_to_date(self.target, self.ledger, now=NOW)

    def object(self, key: str) -> str:
        return str(self.stack.client("s3").get_object(Bucket=LAKE, Key=key)["Body"].read().decode())

    def by_command(self, month: str) -> str:
        """Write the page as `assay report` does."""
        return page.write(gathering.summarise(self.target, self.ledger, of_month(month), now=NOW))


@pytest.fixture
def lake(stack: DeployedStack) -> Lake:
    return Lake(stack)


def came(name: str, month: str, **more: Any) -> Item:
    return file_item(name) | {"last_modified_at": f"{month}-23T06:00:00.000000Z"} | more


def undo(file: Item) -> Item:
    """Make the action that takes a file back, decided in November, and note it in the file."""
    decision = {"in_effect": False, "who": "ann", "at": "2026-11-24T00:00:00.000000Z", "reason": "x 10"}
    changes = {"settled": {}, "run_seq": 0, "effect_amount": "-10.00", "outcomes": {}, "amounts": {}}
    decides = {"file_id": file["file_id"], "number": 0, **decision}
    action = {**file, "file_id": "a" * 64, "kind": "action", "subject": "undo", "decides": decides, "silver": changes}
    file["decisions"] = [{"action": "a" * 64, "run_seq": 0, **decision}]
    return action | {"gold": {"run_seq": 0}}


@pytest.fixture
def without_scan(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Have each scan of the ledger fail from now on."""

    def refuse(*_: object) -> Iterator[Item]:
        raise AssertionError("the ledger was scanned")

    return lambda: monkeypatch.setattr(Ledger, "_scan", refuse)


def test_pages_are_written__of_the_months_that_a_run_touches(lake: Lake, without_scan: Callable[[], None]) -> None:
    lake.publish(came("a.csv", "2026-10"))
    assert lake.bring_up_to_date() == [OCTOBER]
    assert lake.object(OCTOBER) == lake.by_command("2026-10")
    lake.publish(came("b.csv", "2026-11"), came("c.csv", "2026-11"))
    expected = lake.by_command("2026-11")
    without_scan()
    assert lake.bring_up_to_date() == [NOVEMBER]
    assert lake.object(NOVEMBER) == expected
    assert "before this period" in expected
    told = json.loads(lake.object("reports/months.json"))
    assert told == {"run_seq": 2, "effects": {"2026-10": "10.00", "2026-11": "20.00"}}


def test_pages_are_written__of_a_month_that_is_undone_or_repaired_later(
    lake: Lake, without_scan: Callable[[], None]
) -> None:
    file, other = came("a.csv", "2026-09"), came("b.csv", "2026-10")
    lake.publish(file, other)
    assert lake.bring_up_to_date() == ["reports/2026-09.html", OCTOBER]
    without_scan()
    lake.publish(undo(file), effect="-10.00")
    assert lake.bring_up_to_date() == ["reports/2026-09.html", NOVEMBER]
    lake.publish(came("repair.csv", "2026-11", repairs=other["file_id"]), effect="10.00")
    assert lake.bring_up_to_date() == [OCTOBER, NOVEMBER]


def test_nothing_is_written__the_pages_are_up_to_date(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lake.bring_up_to_date() == []
    lake.publish(came("a.csv", "2026-10"))
    lake.bring_up_to_date()
    monkeypatch.setattr(pages, "_put", None)
    assert lake.bring_up_to_date() == []


def test_runs_that_no_call_saw_are_caught_up_with(lake: Lake) -> None:
    lake.publish(came("a.csv", "2026-09"))
    lake.bring_up_to_date()
    lake.publish(came("b.csv", "2026-10"))
    lake.publish(came("c.csv", "2026-11"))
    assert lake.bring_up_to_date() == [OCTOBER, NOVEMBER]


@pytest.mark.parametrize("spoilt", ["figures", "report"])
def test_months_are_added_up_anew__what_is_kept_does_not_do(lake: Lake, spoilt: str) -> None:
    lake.publish(came("a.csv", "2026-10"))
    lake.bring_up_to_date()
    if spoilt == "figures":
        told = {"run_seq": 1, "effects": {"2026-10": "9.99"}}
        lake.stack.client("s3").put_object(Bucket=LAKE, Key="reports/months.json", Body=json.dumps(told))
    else:
        lake.publish(came("x.csv", "2026-10"), reported=False)
    lake.publish(came("c.csv", "2026-09"))
    lake.publish(came("b.csv", "2026-11"))
    assert lake.bring_up_to_date() == ["reports/2026-09.html", NOVEMBER]
    assert lake.object(NOVEMBER) == lake.by_command("2026-11")
    assert "differs" not in lake.object(NOVEMBER)
    assert json.loads(lake.object("reports/months.json"))["effects"]["2026-10"] == f"{10 * (lake.run - 2)}.00"


@pytest.mark.parametrize(("theirs", "stays"), [(1, False), (3, True)])
def test_later_page_stays__two_calls_at_once(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, theirs: int, stays: bool
) -> None:
    """Another call writes between this one's look and its own write, which S3 therefore refuses."""
    lake.publish(came("a.csv", "2026-11"))
    lake.publish(came("b.csv", "2026-11"))
    look, looked = pages._head, list[str]()

    def interrupted(target: Target, bucket: str, key: str) -> Any:
        found = look(target, bucket, key)
        if key not in looked:
            looked.append(key)
            target.s3.put_object(Bucket=bucket, Key=key, Body=b"theirs", Metadata={"run": str(theirs)})
        return found

    monkeypatch.setattr(pages, "_head", interrupted)
    assert lake.bring_up_to_date() == ([] if stays else [NOVEMBER])
    assert (lake.object(NOVEMBER) == "theirs") is stays
    assert (lake.object("reports/months.json") == "theirs") is stays


def test_page_is_opened_by_a_browser__its_kind_and_its_run_are_told(lake: Lake) -> None:
    lake.publish(came("a.csv", "2026-11"))
    lake.bring_up_to_date()
    told = lake.stack.client("s3").head_object(Bucket=LAKE, Key=NOVEMBER)
    assert (told["ContentType"], told["Metadata"]) == ("text/html; charset=utf-8", {"run": "1"})


def test_function_writes_the_pages__of_the_stack_that_it_is_told(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.publish(came("a.csv", "2026-11"))
    monkeypatch.setenv("STACK_NAME", LOCAL_STACK)
    monkeypatch.setenv("AWS_ENDPOINT_URL", lake.stack.endpoint)
    assert write_pages.handler({}, None) == {"pages": [NOVEMBER]}
    assert write_pages.handler({}, None) == {"pages": []}
    assert "Every figure adds up to the cent" in lake.object(NOVEMBER)
