"""Runs that die name no file: their files are taken in halves, until the one that kills them is alone."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from unittest.mock import MagicMock

import pytest
from contract.runs import BreakerItem, LayerItem
from fake_layer import Fake, Killed
from hypothesis import given, settings
from hypothesis import strategies as st
from item_types import differences
from py4j.protocol import Py4JNetworkError

from glue.lake.isolation import take_all

MOST_RUNS = 30


def name(number: int) -> str:
    return f"{number:04}"


def dies(fake: Fake) -> bool:
    """Run the job once, as the workflow does; tell whether the run died."""
    try:
        fake.run(start=f"start {len(fake.taken)}")
    except Killed:
        return True
    return False


def failures(fake: Fake) -> int:
    """Return how many runs have died since the last one that succeeded in anything."""
    return len(fake.table.get_item(Key={"file_id": "breaker#silver"}).get("Item", {}).get("starts", ()))


def failed(fake: Fake) -> set[str]:
    return {item["file_id"] for item in fake.items() if "failed" in item}


def run_until_all_is_decided(fake: Fake) -> tuple[int, int]:
    """Run the job until no file waits; return how many runs died, and how many of them in a row at the most."""
    deaths = most = 0
    for _ in range(MOST_RUNS):
        deaths += dies(fake)
        most = max(most, failures(fake))
        if not any(item.get("waiting_for") == "silver" for item in fake.items()):
            return deaths, most
    raise AssertionError(f"files still wait after {MOST_RUNS} runs")


@pytest.mark.parametrize(
    ("files", "place"), [(20, 13), *(pytest.param(100, place, marks=pytest.mark.slow) for place in (0, 37, 99))]
)
def test_one_file_of_many_kills_the_job__it_alone_is_given_up_and_the_layer_is_never_in_doubt(
    fake: Fake, files: int, place: int
) -> None:
    fake.wait(*map(name, range(files)))
    fake.killers.add(name(place))

    deaths, in_a_row = run_until_all_is_decided(fake)

    assert failed(fake) == {name(place)}
    held = [taken for taken in fake.taken if name(place) in taken]
    given_up = fake.item(name(place))["failed"]
    assert (given_up["stage"], given_up["attempts"]) == ("silver", len(held))
    assert given_up["reason"].endswith("that took this file failed, the last of them with this file alone")
    assert (len(held), deaths) == (deaths, deaths)
    assert deaths <= 9, "a list of a hundred is alone after seven halvings"
    assert in_a_row <= 2
    assert failures(fake) == 0


def test_no_file_is_given_up__every_run_dies(fake: Fake) -> None:
    fake.wait(*map(name, range(20)))
    fake.killers.update(map(name, range(20)))

    assert [dies(fake) for _ in range(10)] == [True] * 10

    assert failed(fake) == set()
    assert failures(fake) == 10
    assert list(differences(fake.item("layer#silver"), LayerItem)) == []
    assert list(differences(fake.item("breaker#silver"), BreakerItem)) == []


@pytest.mark.parametrize(
    ("state", "is_to_blame"), [(False, True), (True, False), (Py4JNetworkError("gone"), False), (OSError(111), False)]
)
def test_file_that_cannot_be_read_is_to_blame__unless_the_session_is_gone(
    fake: Fake, state: bool | Exception, is_to_blame: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("its page is damaged, or nothing answers")

    fake.wait("a")
    spark = MagicMock()
    spark.sparkContext._jsc.sc.return_value.isStopped.side_effect = [state]
    layer = replace(fake.job.layer, write=refuse, take=lambda job: take_all(job, refuse))
    fake.job = replace(fake.job, layer=layer, spark=spark)

    with nullcontext() if is_to_blame else pytest.raises(OSError, match="its page is damaged"):
        fake.run(start="1")

    assert failed(fake) == ({"a"} if is_to_blame else set())
    assert ("waiting_for" in fake.item("a")) is not is_to_blame


def test_first_three_runs_that_die_take_all_files_and_each_half(fake: Fake) -> None:
    fake.wait(*"abcd")
    fake.killers.update("abcd")

    for _ in range(3):
        dies(fake)

    assert fake.taken == [["a", "b", "c", "d"], ["a", "b"], ["c", "d"]]


def test_file_that_kills_the_job_alone_is_given_up__others_go_well_in_between(fake: Fake) -> None:
    fake.wait("a")
    fake.killers.add("a")
    for _ in range(4):
        assert dies(fake)
    assert failed(fake) == set(), "nothing tells it from a layer that does not work"

    fake.wait("b")
    assert dies(fake)
    assert fake.item("b")["status"] == "in_silver"
    assert failures(fake) == 0

    assert not dies(fake)
    assert failed(fake) == {"a"}
    assert fake.item("a")["failed"]["attempts"] == 5


def test_files_that_come_later_go_first__suspects_wait(fake: Fake) -> None:
    fake.wait("a", "b")
    fake.killers.add("b")
    dies(fake)
    fake.wait("c")

    dies(fake)

    assert fake.taken == [["a", "b"], ["c"], ["a"], ["b"]]


def test_killed_run_is_done_again_with_the_same_files__workflow_did_not_start_it(fake: Fake) -> None:
    fake.wait("a", "b")
    fake.killers.add("b")
    for _ in range(2):
        with pytest.raises(Killed):
            fake.run()
    fake.killers.clear()

    fake.run()

    assert fake.taken == [["a", "b"]] * 3


def test_reload_comes_after_the_suspects__it_would_bring_them_together(fake: Fake) -> None:
    fake.wait("a", "b", "c")
    fake.wait("z", subject="load", load={"files": ["a", "b", "c"], "name": "june", "start_at": ""})
    fake.killers.add("b")
    dies(fake)
    fake.wait("y", subject="load", load={"files": [], "name": "july", "start_at": ""})

    dies(fake)

    assert fake.taken == [["a", "b", "c", "z"], ["a", "b"]]


@pytest.mark.parametrize("examples", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_files_that_kill_the_job_are_given_up_and_no_others__any_of_them(fake: Fake, examples: int) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(st.integers(2, 9), st.data())
    def decide(files: int, data: st.DataObject) -> None:
        for item in fake.table.scan()["Items"]:
            fake.table.delete_item(Key={"file_id": item["file_id"]})
        fake.wait(*map(name, range(files)))
        fake.killers.clear()
        fake.killers.update(map(name, data.draw(st.sets(st.integers(0, files - 1), max_size=files - 1))))

        run_until_all_is_decided(fake)

        assert failed(fake) == fake.killers
        assert {item["status"] for item in fake.items() if "failed" not in item} == {"in_silver"}

    decide()
