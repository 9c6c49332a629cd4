"""Which files a replay takes, as what, and in which batches."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import UserError
from assay.replay import items as choosing


def item(name: str = "a", status: str = "published", **more: Any) -> dict[str, Any]:
    reached = ("received", "accepted", "in_silver", "published")
    return {
        "file_id": name,
        "key": f"transactions/{name}.csv",
        "status": status,
        "in_effect": status != "rejected",
        "kpis": {"row_count": 2},
        "silver": {"run_seq": 1},
        "gold": {"run_seq": 1},
        "execution_arn": "arn",
        "changes": [{"status": each, "at": f"2026-11-23T06:00:0{second}Z"} for second, each in enumerate(reached)],
        **more,
    }


FAILED = {"stage": "silver", "reason": "x", "attempts": 1, "at": "x"}


def test_in_silver_takes_undone_files_too__all_ended() -> None:
    taken = [item("published"), item("in silver", "in_silver", failed=FAILED | {"stage": "gold"})]
    taken.append(item("undone", in_effect=False))
    others = [item("rejected", "rejected"), item("failed", "accepted", failed=FAILED)]
    stuck = item("stuck", "received")

    assert choosing.in_silver([*others, stuck, *taken]) == taken
    assert choosing.never_accepted([*others, stuck, *taken]) == [stuck]


def test_up_to_takes_what_silver_held_then__whatever_came_of_it() -> None:
    held = [item("published"), item("failed", "in_silver", failed=FAILED | {"stage": "gold"}, silver={"run_seq": 2})]
    held.append(item("undone", in_effect=False))
    later = [item("later", silver={"run_seq": 3})]
    waiting = item("waiting", "accepted")
    del waiting["silver"]

    assert choosing.up_to([*later, waiting, *held], 2) == held


def test_never_accepted_tells_those_before_an_instant() -> None:
    before, after = item("a", "received"), item("b", "received")
    after["changes"] = [{"status": "received", "at": "2026-11-24T06:00:00Z"}]

    assert choosing.never_accepted([after, before], before="2026-11-24T00:00:00Z") == [before]


@pytest.mark.parametrize("status", ["accepted", "in_silver"])
def test_in_silver_refuses_and_names_the_file__still_on_its_way(status: str) -> None:
    with pytest.raises(UserError, match=r"1 files are still being processed: transactions/late\.csv") as refused:
        choosing.in_silver([item(), item("late", status)])

    assert "wait until they have ended" in refused.value.do


def test_as_accepted_forgets_all_that_came_after__published() -> None:
    before = item(failed=FAILED)

    after = choosing.as_accepted(before)

    assert after == {
        "file_id": "a",
        "key": "transactions/a.csv",
        "status": "accepted",
        "in_effect": True,
        "kpis": {"row_count": 2},
        "changes": before["changes"][:2],
        "waiting_for": "silver",
        "waiting_since": "2026-11-23T06:00:01Z",
    }


@given(number=st.integers(0, 60), seed=st.integers(0, 1_000))
def test_batches_hold_each_file_once__any_seed(number: int, seed: int) -> None:
    files = [item(f"{n:02d}") for n in range(number)]

    parts = choosing.batches(files, Random(seed))

    assert sorted(file["file_id"] for part in parts for file in part) == [file["file_id"] for file in files]
    assert all(parts)
    assert all(len(part) <= max(1, number // 3) for part in parts)


def test_batches_are_those_of_the_seed__whatever_order_the_ledger_gives() -> None:
    files = [item(f"{n:02d}") for n in range(20)]

    def order(given: list[dict[str, Any]], seed: int) -> list[list[str]]:
        return [[file["file_id"] for file in part] for part in choosing.batches(given, Random(seed))]

    assert order(files, 1) == order(files[::-1], 1)
    assert order(files, 1) != order(files, 2)
    assert [name for part in order(files, 1) for name in part] != [file["file_id"] for file in files]


def decision(file_id: str, number: int) -> dict[str, Any]:
    return {"file_id": f"{file_id}{number}", "decides": {"file_id": file_id, "number": number}}


def test_due_is_the_first_decision_of_each_file__that_the_replay_has_in_silver() -> None:
    decisions = [decision("a", 1), decision("b", 0), decision("a", 0), decision("c", 0)]
    replayed = {"a": item("a", "in_silver"), "b": item("b", "accepted"), "c": item("c")}

    assert [each["file_id"] for each in choosing.due(decisions, replayed)] == ["a0", "c0"]


def test_as_accepted_is_in_effect_and_undecided__file_was_undone() -> None:
    after = choosing.as_accepted(item(in_effect=False, decisions=[{"in_effect": False}]))

    assert (after["in_effect"], "decisions" in after) == (True, False)
