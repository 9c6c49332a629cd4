"""A file's progress as the ledger shows it, without a cloud."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assay.upload import Uploaded
from assay.watch import FileProgress, line, live_table, wait

BEGAN = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


def at(seconds: float) -> str:
    return (BEGAN + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def uploaded(name: str = "a.csv") -> Uploaded:
    return Uploaded(f"transactions/{name}", "v1", f"id-{name}", 10, BEGAN)


def item(*reached: tuple[str, float], name: str = "a.csv", **more: Any) -> dict[str, Any]:
    changes = [{"status": status, "at": at(seconds)} for status, seconds in reached]
    return {"file_id": f"id-{name}", "status": reached[-1][0], "changes": changes, **more}


class FakeLedger:
    """Answers each poll with the next state of the files."""

    def __init__(self, *states: dict[str, dict[str, Any]]) -> None:
        self.states = list(states)
        self.asked: list[list[str]] = []

    def get(self, file_ids: Any) -> dict[str, dict[str, Any]]:
        self.asked.append(list(file_ids))
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


class FakeWorkflows:
    def __init__(self, status: str, error: str) -> None:
        self.ended = {"status": status, "error": error}

    def describe_execution(self, *, executionArn: str) -> dict[str, str]:  # noqa: N803
        return self.ended


def follow(
    ledger: FakeLedger, *files: FileProgress, status: str = "RUNNING", error: str = "", timeout_s: float = 60
) -> tuple[bool, list[list[str]]]:
    shown: list[list[str]] = []
    clock = iter(range(10_000))
    in_time = wait(
        list(files),
        ledger,  # type: ignore[arg-type]
        FakeWorkflows(status, error),  # type: ignore[arg-type]
        lambda files, now: shown.append([progress.status for progress in files]),
        timeout_s=timeout_s,
        poll_s=0,
        now=lambda: BEGAN + timedelta(seconds=next(clock)),
    )
    return in_time, shown


def test_way_counts_seconds_per_stage__on_its_way() -> None:
    progress = FileProgress(uploaded(), item(("received", 1), ("accepted", 3.5)))

    assert progress.seconds(BEGAN + timedelta(seconds=10)) == {"received": 1, "accepted": 2.5, "in_silver": 6.5}


def test_way_stops_counting__rejected() -> None:
    progress = FileProgress(
        uploaded(), item(("received", 1), ("rejected", 2), reasons=[{"code": "no_rows", "text": "no rows"}])
    )

    assert progress.seconds(BEGAN + timedelta(seconds=10)) == {"received": 1, "rejected": 1}
    assert progress.result() == "no rows"


def test_way_never_shows_less_than_nothing__clocks_differ() -> None:
    progress = FileProgress(uploaded(), item(("received", -5)))

    assert progress.seconds(BEGAN)["received"] == 0


def test_wait_shows_each_status__until_published() -> None:
    progress = FileProgress(uploaded())
    ledger = FakeLedger({}, {"id-a.csv": item(("received", 1))}, {"id-a.csv": item(("published", 2))})

    assert follow(ledger, progress) == (True, [["uploaded"], ["received"], ["published"]])


def test_wait_asks_only_for_files_under_way__some_have_ended() -> None:
    ledger = FakeLedger(
        {"id-a.csv": item(("published", 1))},
        {"id-b.csv": item(("rejected", 2), name="b.csv")},
    )

    follow(ledger, FileProgress(uploaded()), FileProgress(uploaded("b.csv")))

    assert ledger.asked == [["id-a.csv", "id-b.csv"], ["id-b.csv"]]


def test_wait_ends_a_file__failed_in_a_stage() -> None:
    failed = {"stage": "silver", "reason": "page is damaged", "attempts": 1, "at": at(9)}
    progress = FileProgress(uploaded())

    in_time, _ = follow(FakeLedger({"id-a.csv": item(("accepted", 1), failed=failed)}), progress)

    assert (in_time, progress.end, progress.result()) == (True, "failed", "in silver: page is damaged")
    assert line(progress, BEGAN) == "    9.0 s  transactions/a.csv  failed: in silver: page is damaged"


def test_wait_ends_a_file__workflow_ended_without_a_word() -> None:
    progress = FileProgress(uploaded())
    silent = item(("accepted", 1), execution_arn="arn:x")

    in_time, _ = follow(FakeLedger({"id-a.csv": silent}), progress, status="TIMED_OUT")

    assert (in_time, progress.end, progress.result()) == (True, "failed", "the workflow ended TIMED_OUT")


@pytest.mark.parametrize("error", ["Assay.FileWaits", "Assay.Parked"])
def test_wait_ends_a_file__nothing_sees_it_through_any_more(error: str) -> None:
    progress = FileProgress(uploaded())
    waits = item(("accepted", 1), execution_arn="arn:x")

    in_time, _ = follow(FakeLedger({"id-a.csv": waits}), progress, status="FAILED", error=error)

    assert (in_time, progress.end) == (True, "waiting")
    assert progress.result() == "it keeps its place, but its execution has ended: assay status, then assay resume"


def test_wait_gives_up__time_limit() -> None:
    in_time, shown = follow(FakeLedger({}), FileProgress(uploaded()), timeout_s=5)

    assert not in_time
    assert shown


def test_live_table_keeps_files_under_way__small_screen() -> None:
    ended = [FileProgress(uploaded(f"{n}.csv"), item(("published", 1))) for n in range(30)]

    grid = live_table([*ended, FileProgress(uploaded("last.csv"))], BEGAN, height=10)

    assert grid.row_count == 4
    assert "transactions/last.csv" in list(grid.columns[0].cells)
    assert grid.caption == "30 of 31 files have ended"


def test_way_tells_what_it_deleted_and_moved__reload() -> None:
    progress = FileProgress(
        uploaded(), item(("published", 1), silver={"outcomes": {"inserted": 0}, "missing": 1200, "moved": 7})
    )

    assert progress.result() == "1,200 missing, 7 moved"


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [({"inserted": 1200, "stale": 0}, "1,200 inserted"), ({"updated": 2, "inserted": 1}, "1 inserted, 2 updated")],
)
def test_way_tells_outcomes__published(outcomes: dict[str, int], words: str) -> None:
    progress = FileProgress(uploaded(), item(("published", 1), silver={"outcomes": outcomes}))

    assert progress.result() == words
