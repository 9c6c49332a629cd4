"""What is outside of the learned range widens it only after a day, or when the sender vouches for it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import app
import pytest
from cloud.ledger import RANGE_TRIES
from contract.limits import PENDING_FILES
from judging.kpis import Kpis
from judging.learned_range import LearnedRange, learned_with
from kpi_cloud import Cloud, handle

HEADER = b"dms_id,amount,date\n"
USUAL = HEADER + b"1,10.00,2023-05-06\n2,20.00,2023-05-06\n"
TENFOLD = HEADER + b"1,100.00,2023-05-06\n2,200.00,2023-05-06\n"
OUTSIDE = "Its mean amount 150.00 is outside of the range of 1 earlier file, 15.00 to 15.00."
NOW = datetime(2024, 1, 1, tzinfo=UTC)


def learned(cloud: Cloud) -> dict[str, Any]:
    item = cloud.table.get_item(Key={"file_id": "range#transactions"})["Item"]
    return {name: item[name] for name in ("files", "min_mean", "max_mean")} | {"pending": len(item.get("pending", []))}


def outside(cloud: Cloud, key: str) -> list[str]:
    return [warning for warning in cloud.item(key)["warnings"] if "outside of the range" in warning]


def a_day_later(monkeypatch: pytest.MonkeyPatch) -> None:
    later = datetime.now(UTC) + timedelta(days=1, minutes=1)
    monkeypatch.setattr(app, "_now", lambda: later)


def test_mistake_does_not_let_the_next_one_pass__both_are_warned_of(cloud: Cloud) -> None:
    for name, body in (("a", USUAL), ("b", TENFOLD), ("c", TENFOLD)):
        handle(cloud.put(f"transactions/{name}.csv", body))
    assert outside(cloud, "transactions/b.csv") == outside(cloud, "transactions/c.csv") == [OUTSIDE]
    assert cloud.item("transactions/b.csv")["notice"]["ending"] == "published with warnings"
    assert learned(cloud) == {"files": 1, "min_mean": "15.00", "max_mean": "15.00", "pending": 2}


def test_file_that_stayed_for_a_day_widens_the_range__next_file_is_compared_with_it(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(cloud.put("transactions/a.csv", USUAL))
    handle(cloud.put("transactions/b.csv", TENFOLD))
    a_day_later(monkeypatch)
    handle(cloud.put("transactions/c.csv", TENFOLD))
    assert outside(cloud, "transactions/c.csv") == []
    assert learned(cloud) == {"files": 3, "min_mean": "15.00", "max_mean": "150.00", "pending": 0}


@pytest.mark.parametrize(
    "change", [{"in_effect": False}, {"failed": {"stage": "silver", "reason": "", "attempts": 1, "at": ""}}]
)
def test_file_that_did_not_stay_never_widens_the_range__undone_or_failed(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    handle(cloud.put("transactions/a.csv", USUAL))
    handle(cloud.put("transactions/b.csv", TENFOLD))
    cloud.table.put_item(Item=cloud.item("transactions/b.csv") | change)
    a_day_later(monkeypatch)
    handle(cloud.put("transactions/c.csv", USUAL))
    assert learned(cloud) == {"files": 2, "min_mean": "15.00", "max_mean": "15.00", "pending": 0}


@pytest.mark.parametrize("vouched", [{"accept_range": "true"}, {"row_count": "2"}, {"total_amount": "300.00"}])
def test_file_widens_the_range_at_once_and_is_not_warned_of__sender_vouches(
    cloud: Cloud, vouched: dict[str, str]
) -> None:
    handle(cloud.put("transactions/a.csv", USUAL))
    handle(cloud.put("transactions/b.csv", TENFOLD, **vouched))
    assert outside(cloud, "transactions/b.csv") == []
    assert learned(cloud) == {"files": 2, "min_mean": "15.00", "max_mean": "150.00", "pending": 0}


def test_accept_range_is_true_or_false__anything_else_is_refused(cloud: Cloud) -> None:
    handle(cloud.put("transactions/a.csv", USUAL, accept_range="maybe"))
    assert [reason["code"] for reason in cloud.item("transactions/a.csv")["reasons"]] == ["unreadable_control"]


def test_range_is_widened_by_each_of_two_calls_at_once__one_keeps_a_file_aside(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(cloud.put("transactions/a.csv", USUAL))
    ledger = app.services().ledger
    real, other = ledger.range_of, cloud.put("transactions/b.csv", TENFOLD)

    def range_of(folder: str) -> Any:
        found = real(folder)
        monkeypatch.setattr(ledger, "range_of", real)
        handle(other)
        return found

    event = cloud.put("transactions/c.csv", TENFOLD, accept_range="true")
    monkeypatch.setattr(ledger, "range_of", range_of)
    handle(event)
    assert learned(cloud) == {"files": 2, "min_mean": "15.00", "max_mean": "150.00", "pending": 1}


def test_range_is_widened_after_the_workflow_has_started(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, started = app.services().ledger, []
    real = ledger.widen_range

    def widen_range(*arguments: Any) -> bool:
        started.append(("execution_arn" in cloud.item("transactions/a.csv"), len(cloud.executions())))
        return real(*arguments)

    monkeypatch.setattr(ledger, "widen_range", widen_range)
    handle(cloud.put("transactions/a.csv", USUAL))
    assert (started, learned(cloud)["files"]) == ([(True, 1)], 1)


def test_file_goes_on_without_the_range__others_change_it_at_each_try(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(cloud.put("transactions/a.csv", USUAL))
    ledger, tries = app.services().ledger, []
    real = ledger.range_of

    def range_of(folder: str) -> Any:
        found = real(folder)
        tries.append(folder)
        if found:
            cloud.table.put_item(Item={**found, "files": found["files"] + 1})
        return found

    event = cloud.put("transactions/b.csv", USUAL, accept_range="true")
    monkeypatch.setattr(ledger, "range_of", range_of)
    assert handle(event) == {"handled": 1}
    assert len(tries) == RANGE_TRIES
    assert "execution_arn" in cloud.item("transactions/b.csv")


def test_files_kept_aside_are_bounded__the_first_stay() -> None:
    found: LearnedRange | None = LearnedRange(1, 2, 2, 1_500, 1_500)
    for number in range(PENDING_FILES + 5):
        found = learned_with(found, Kpis(row_count=9), str(number), NOW, belongs=False)
    assert found is not None
    assert [pending.file_id for pending in found.pending] == [str(number) for number in range(PENDING_FILES)]


def test_file_with_warnings_is_rejected_with_the_way_out__stack_holds_them(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(cloud.put("transactions/a.csv", USUAL))
    monkeypatch.setenv("HOLD_WARNINGS", "true")
    app.services.cache_clear()
    handle(cloud.put("transactions/b.csv", TENFOLD))
    item = cloud.item("transactions/b.csv")
    assert {reason["code"] for reason in item["reasons"]} == {"held_warnings"}
    texts = [reason["text"] for reason in item["reasons"]]
    assert texts[0] == "The parameter HoldWarnings rejects files with warnings; this one has 2."
    assert OUTSIDE in texts
    assert "--accept-range" in texts[-1]
    assert learned(cloud)["pending"] == 0
    [(_, body)] = cloud.mails()
    assert body.count(OUTSIDE) == 1
