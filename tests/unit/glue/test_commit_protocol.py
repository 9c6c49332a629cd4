"""The commit protocol on a real ledger, with a layer that has no tables: who may give a file up, and when."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from contract.limits import WORKER_ROWS
from contract.runs import ChainHead
from fake_layer import FAILED, Fake, Step

from glue.lake import isolation
from glue.lake.failures import FencedOut, FileBroken, Unfinished
from glue.lake.ledger import Ledger
from glue.lake.run import process_waiting


def raise_at(step: str, error: BaseException) -> Step:
    def look(name: str) -> None:
        if name == step:
            raise error

    return look


@pytest.mark.parametrize("step", ["after_intent", "files_advanced", "published"])
def test_no_file_of_a_committed_run_is_given_up__publication_fails_and_nothing_can_be_read(
    fake: Fake, step: str
) -> None:
    fake.wait("a", "b")
    with (
        patch.object(isolation, "why_unreadable", side_effect=lambda _, file, __: file["file_id"] == "a" and "gone"),
        pytest.raises(Unfinished, match="run 1 is committed, the next one finishes it: OSError: the storage is gone"),
    ):
        fake.run(raise_at(step, OSError("the storage is gone")))
    assert "failed" not in fake.item("a")
    fake.run()
    assert [fake.item(file_id)["waiting_for"] for file_id in "ab"] == ["gold", "gold"]
    assert fake.taken == [["a", "b"]]


def test_file_that_breaks_a_run_is_given_up__before_the_commit(fake: Fake) -> None:
    fake.wait("a", "b")
    broken = iter([FileBroken("a", "a page is damaged")])
    fake.run(lambda name: (_ for _ in ()).throw(error) if name == "proved" and (error := next(broken, None)) else None)
    assert (fake.item("a")["failed"]["reason"], fake.item("b")["status"]) == ("a page is damaged", "in_silver")


def test_run_leaves_a_file_out__given_up_while_it_began(fake: Fake) -> None:
    fake.wait("a", "b")
    fake.run(lambda name: fake.give_up("a") if name == "begun" else None)
    assert fake.taken == [["b"]]
    assert (fake.item("a")["failed"], fake.item("a")["status"]) == (FAILED, "accepted")
    assert "in_progress" not in fake.item("layer#silver")


def test_run_takes_nothing__its_only_file_was_given_up_while_it_began(fake: Fake) -> None:
    fake.wait("a")
    fake.run(lambda name: fake.give_up("a") if name == "begun" else None)
    assert (fake.taken, "in_progress" in fake.item("layer#silver")) == ([], False)


def test_run_over_what_still_waits_is_done_all_the_same__its_only_file_was_given_up(fake: Fake) -> None:
    fake.wait("a")
    files = fake.job.ledger.waiting(None)
    fake.give_up("a")
    process_waiting(fake.job, files)
    assert fake.taken == [[]]
    assert fake.item("layer#silver")["run_seq"] == 1


def test_killed_run_is_done_again_without_a_file__given_up_since(fake: Fake) -> None:
    fake.wait("a", "b")
    with pytest.raises(KeyboardInterrupt):
        fake.run(raise_at("proved", KeyboardInterrupt()))
    fake.give_up("a")
    fake.run()
    assert fake.taken == [["a", "b"], ["b"]]
    assert fake.item("a")["failed"] == FAILED


def test_ledger_gives_up_no_file__a_committed_run_or_another_process_holds_it(fake: Fake) -> None:
    fake.wait("a")
    ledger = Ledger("ledger", "silver")
    ledger.begin({"run_seq": 1, "token": "mine", "files": ["a"], "started_at": ""}, after=0)
    Ledger("ledger", "silver").begin({"run_seq": 1, "token": "other", "files": ["a"], "started_at": ""}, after=0)
    with pytest.raises(FencedOut):
        ledger.fail("a", "a page is damaged")
    committing = Ledger("ledger", "silver")
    head: ChainHead = {"run_seq": 1, "sha256": ""}
    committing.commit({"run_seq": 1, "branch": "", "snapshots": {}, "report": "", "head": head}, token="other")
    with pytest.raises(FencedOut):
        committing.fail("a", "a page is damaged")
    assert "failed" not in fake.item("a")


def test_ledger_gives_up_no_file__it_waits_for_another_layer(fake: Fake) -> None:
    fake.wait("a")
    Ledger("ledger", "gold").fail("a", "a page is damaged")
    assert (fake.item("a")["waiting_for"], "failed" in fake.item("a")) == ("silver", False)


def test_run_takes_those_that_have_waited_longest__as_many_rows_as_it_may(fake: Fake) -> None:
    fake.wait("a", "b", "c", "d", rows=4)
    fake.run(run_rows=8)
    assert fake.taken == [["a", "b"]]
    fake.run(run_rows=11)
    assert fake.taken == [["a", "b"], ["c", "d"]]


def test_run_takes_one_file_in_any_case__it_has_more_rows_than_a_run(fake: Fake) -> None:
    fake.wait("a", rows=0)
    fake.wait("b", "c", rows=9)
    fake.run(run_rows=8)
    fake.run(run_rows=8)
    assert fake.taken == [["a", "b"], ["c"]]


def test_job_takes_the_oldest_and_then_its_own_file__a_queue_is_before_it(fake: Fake) -> None:
    fake.wait("a", "b", "c", "d", "e", "f", rows=4)
    fake.run(run_rows=8, file_id="e")
    assert fake.taken == [["a", "b"], ["e", "c"]], "two runs, none of them longer than it may be"
    fake.run(run_rows=8, file_id="f")
    assert fake.taken == [["a", "b"], ["e", "c"], ["d", "f"]]


def test_every_file_is_taken_within_as_many_jobs_as_were_before_it__later_ones_start_them(fake: Fake) -> None:
    fake.wait("a", "b", "c", rows=8)
    for number in range(3):
        fake.wait(later := f"later-{number}", rows=8)
        fake.run(run_rows=8, file_id=later)
    assert fake.taken == [["a"], ["later-0"], ["b"], ["later-1"], ["c"], ["later-2"]]


def test_run_rows_are_what_the_workers_hold__nothing_is_given(fake: Fake) -> None:
    fake.wait("a", "b", "c", rows=WORKER_ROWS)
    fake.run(workers=3)  # one of them is the driver
    assert fake.taken == [["a", "b"]]


def test_marker_brings_no_more_rows_along_than_a_run_takes__its_files_are_younger(fake: Fake) -> None:
    load = {"name": "l", "start_at": "2024-01-01T00:00:00.000000Z", "files": ["b", "c", "d"]}
    fake.wait("a", subject="load", rows=0, load=load)
    fake.wait("b", "c", "d", rows=4)
    fake.run(run_rows=8)
    fake.run(run_rows=8)
    assert fake.taken == [["b", "c"], ["d", "a"]]
