"""Following all files, and what is said of the layers meanwhile: from the ledger and the jobs' states alone."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console
from rich.text import Text

from assay import console, durations
from assay.stages import Pipeline, Stage
from assay.upload import Uploaded
from assay.watch import FileProgress, closing_line
from assay.watching import Following, JsonLines

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def text(seconds: float) -> str:
    return at(seconds).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def item(name: str, status: str = "accepted", **more: Any) -> dict[str, Any]:
    changes = [{"status": status, "at": text(1)}]
    key = f"transactions/{name}.csv"
    return {
        "file_id": name,
        "key": key,
        "version_id": "v1",
        "last_modified_at": text(0),
        "status": status,
        "changes": changes,
        "kpis": {"row_count": 1_000},
        **more,
    }


class FakeLedger:
    """A ledger that a test writes."""

    def __init__(self, *items: dict[str, Any]) -> None:
        self.items = {each["file_id"]: each for each in items}
        self.scans = 0
        self.layers: dict[str, dict[str, Any]] = {}

    def files(self) -> list[dict[str, Any]]:
        self.scans += 1
        return list(reversed(self.items.values()))

    def get(self, file_ids: Any) -> dict[str, dict[str, Any]]:
        return {file_id: self.items[file_id] for file_id in file_ids if file_id in self.items}

    def layer(self, name: str) -> dict[str, Any] | None:
        return self.layers.get(name)


def following(ledger: FakeLedger) -> Following:
    return Following(ledger, scan_every=timedelta(seconds=10))  # type: ignore[arg-type]


def told(files: list[FileProgress]) -> dict[str, str]:
    return {progress.file.file_id: progress.status for progress in files}


def test_following_begins_with_what_is_under_way__and_not_with_what_has_ended() -> None:
    ledger = FakeLedger(item("old", "published"), item("going"), item("bad", "rejected"))
    assert told(following(ledger).look(NOON)) == {"going": "accepted"}


def test_following_shows_how_a_file_ends__without_another_scan() -> None:
    ledger = FakeLedger(item("going"))
    followed = following(ledger)
    followed.look(NOON)
    ledger.items["going"] = item("going", "published")
    assert (told(followed.look(at(1))), ledger.scans) == ({"going": "published"}, 1)


def test_following_takes_up_new_files__also_those_that_end_at_once() -> None:
    ledger = FakeLedger(item("old", "published"))
    followed = following(ledger)
    followed.look(NOON)
    ledger.items |= {"new": item("new"), "bad": item("bad", "rejected")}
    assert told(followed.look(at(9))) == {}
    assert told(followed.look(at(10))) == {"new": "accepted", "bad": "rejected"}


def failed(name: str) -> dict[str, Any]:
    return item(name, failed={"stage": "silver", "at": text(1), "reason": "no memory"})


@pytest.mark.parametrize("began", ["before the first look", "under way"])
def test_following_shows_a_failed_file_again__resumed(began: str) -> None:
    ledger = FakeLedger(failed("a") if began == "before the first look" else item("a"))
    followed = following(ledger)
    followed.look(NOON)
    ledger.items["a"] = failed("a")
    followed.look(at(1))
    ledger.items["a"] = item("a")
    assert told(followed.look(at(11))) == {"a": "accepted"}
    ledger.items["a"] = item("a", "published")
    assert told(followed.look(at(12))) == {"a": "published"}


def test_changes_are_objects_of_a_line_each__json(capsys: pytest.CaptureFixture[str]) -> None:
    ledger = FakeLedger(item("a"))
    followed, show = following(ledger), JsonLines()
    for second in (0, 1):
        show(followed.look(at(second)), at(second))
    ledger.items["a"] = item("a", "rejected", reasons=[{"code": "no_rows", "text": "no rows"}])
    show(followed.look(at(2)), at(2))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["key"], line["status"], line["result"]) for line in lines] == [
        ("transactions/a.csv", "accepted", ""),
        ("transactions/a.csv", "rejected", "no rows"),
    ]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "assay" / "durations.json"
    monkeypatch.setattr("assay.durations.path", lambda: file)
    return file


class FakeGlue:
    def __init__(self) -> None:
        self.state: str | None = None

    def get_job_runs(self, *, JobName: str, MaxResults: int) -> dict[str, Any]:  # noqa: N803
        return {"JobRuns": [{"JobRunState": self.state, "StartedOn": at(-5)}][:MaxResults] if self.state else []}


def pipeline(ledger: FakeLedger, *, is_local: bool = True) -> Pipeline:
    stack = SimpleNamespace(silver_job="silver-job", gold_job="gold-job")
    target = SimpleNamespace(glue=FakeGlue(), stack=stack, is_local=is_local, stack_name="assay-dev")
    return Pipeline(target, ledger, pause_s=0)  # type: ignore[arg-type]


def lines(stages: list[Stage], now: datetime = NOON) -> list[str]:
    return [stage.told(now) for stage in stages]


@pytest.mark.parametrize(
    ("state", "is_local", "line"),
    [
        ("STARTING", True, ["Silver: Spark is starting, for 5 s"]),
        ("STARTING", False, ["Silver: AWS Glue is starting the job, for 5 s"]),
        ("RUNNING", False, ["Silver: Spark is starting, for 5 s"]),
        ("SUCCEEDED", True, []),
        (None, True, []),
    ],
)
def test_layer_tells_what_is_waited_for__before_the_run(
    cache: Path, state: str | None, is_local: bool, line: list[str]
) -> None:
    watched = pipeline(FakeLedger(item("a")), is_local=is_local)
    watched.target.glue.state = state  # type: ignore[attr-defined]
    assert lines(watched.doing(["accepted"], NOON)) == line


def test_layer_is_silent__caller_may_not_look_at_jobs(cache: Path) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetJobRuns")

    watched = pipeline(FakeLedger(item("a")))
    watched.target.glue.get_job_runs = refuse  # type: ignore[method-assign,assignment]
    assert watched.doing(["accepted"], NOON) == []


def running(ledger: FakeLedger, holder: str = "t1", **more: Any) -> None:
    run = {"run_seq": 4, "token": holder, "files": ["a", "b"], "started_at": text(-20)}
    ledger.layers["silver"] = {"run_seq": 3, "in_progress": run, **more}


def test_layer_tells_files_and_rows_of_its_run__in_progress_then_publishing(cache: Path) -> None:
    ledger = FakeLedger(item("a"), item("b"))
    running(ledger)
    watched = pipeline(ledger)
    assert lines(watched.doing(["accepted"], NOON)) == ["Silver: run 4 takes 2 files with 2,000 rows, for 20 s"]
    running(ledger, intent={})
    assert lines(watched.doing(["accepted"], NOON)) == ["Silver: run 4 publishes 2 files with 2,000 rows, for 20 s"]


def test_layer_tells_the_time_left__as_long_as_an_earlier_run_took(cache: Path) -> None:
    ledger = FakeLedger(item("a"), item("b"))
    running(ledger)
    watched = pipeline(ledger)
    watched.doing(["accepted"], NOON)
    running(ledger, holder="t2")
    assert lines(watched.doing(["accepted"], at(10)), at(10))[0].endswith("for 30 s, longer than usual")
    running(ledger, holder="t3")
    assert lines(watched.doing(["accepted"], at(10)), at(0))[0].endswith("for 20 s, about 10 s left")


def test_time_of_a_run_is_kept__the_only_file_has_left_its_layer(cache: Path) -> None:
    ledger = FakeLedger(item("a"), item("b"))
    running(ledger)
    watched = pipeline(ledger)
    watched.doing(["accepted"], NOON)
    watched.doing([], at(7))
    watched.doing([], at(9))
    assert json.loads(cache.read_text()) == {"local assay-dev silver": [[2_000, 27]]}


def test_layers_are_silent__no_file_waits_for_them(cache: Path) -> None:
    ledger = FakeLedger(item("a"), item("b"))
    running(ledger)
    assert pipeline(ledger).doing(["received", "published"], NOON) == []


def test_usual_duration_is_that_of_the_nearest_amount__and_more_for_more(cache: Path) -> None:
    assert durations.usual("step", 10) is None
    durations.remember("step", 20, 28)
    durations.remember("step", 100, 1_000_000)
    amounts = (10, 28, 50_000, 100_000, 200_000, 900_000, 2_000_000)
    assert [durations.usual("step", amount) for amount in amounts] == [20, 20, 20, 20, 40, 100, 200]


def test_usual_duration_is_unknown__step_took_less_than_half_a_second(cache: Path) -> None:
    durations.remember("step", round(0.4))
    assert durations.usual("step") is None


@pytest.mark.parametrize("content", ["", "[]", '{"step": 1}', '{"step": [["x"]]}'])
def test_usual_duration_is_unknown__cache_is_damaged(cache: Path, content: str) -> None:
    cache.parent.mkdir()
    cache.write_text(content)
    assert durations.usual("step") is None
    durations.remember("step", 3)
    assert durations.usual("step") == 3


def test_closing_line_counts_ends_and_rows() -> None:
    files = [
        FileProgress(Uploaded("k", "v", str(n), 1, NOON), item(str(n), status))
        for n, status in enumerate(("published", "published", "rejected", "accepted"))
    ]
    assert closing_line(files[:2], timedelta(seconds=41)) == "✓ 2 published: 2,000 rows in 41 s"
    assert closing_line(files, timedelta(seconds=130)) == (
        "✗ 2 published, 1 rejected, 1 still under way: 2,000 rows in 2 min 10 s"
    )


def test_closing_line_counts_the_keys_that_a_decision_moves() -> None:
    settled = {"inserted": 1, "updated": 2, "deleted": 3, "unchanged": 4}
    undo = item("a", "published", silver={"settled": settled}, decides={"in_effect": False}, kpis={})
    undone = FileProgress(Uploaded("k", "v", "a", 1, NOON), undo)
    assert closing_line([undone], timedelta(seconds=7)) == "✓ 1 undone: 6 keys in 7 s"
    assert undone.end == "published"


def test_layer_tells_decisions_apart__a_run_that_undoes_and_takes_files(cache: Path) -> None:
    ledger = FakeLedger(item("a"), item("b", decides={"in_effect": False}, kpis={}))
    running(ledger)
    told = "Silver: run 4 takes 1 file with 1,000 rows and 1 decision on files, for 20 s"
    assert lines(pipeline(ledger).doing(["accepted"], NOON)) == [told]


@pytest.mark.parametrize(("usual_s", "words"), [(None, "replaying …"), (600, "about 10 min 0 s left")])
def test_long_step_shows_a_bar_where_it_was_seen_before__terminal(
    cache: Path, monkeypatch: pytest.MonkeyPatch, usual_s: int | None, words: str
) -> None:
    written = io.StringIO()
    screen = Console(file=written, force_terminal=True, width=100, markup=False, highlight=False)
    monkeypatch.setattr(console, "err", lambda: screen)
    if usual_s:
        durations.remember("replaying", usual_s)
    with console.working("replaying"):
        pass
    assert words in written.getvalue()
    assert ("━" in written.getvalue()) == bool(usual_s)
    assert written.getvalue().rstrip().endswith("s  replaying\x1b[0m")


def test_transfer_counts_bytes__terminal_and_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    for is_terminal in (True, False):
        written = io.StringIO()
        screen = Console(file=written, force_terminal=is_terminal, width=100)
        monkeypatch.setattr(console, "err", lambda screen=screen: screen)
        with console.transferring("uploading", 2_000_000) as on_sent:
            on_sent(1_000_000)
        assert ("1.0/2.0 MB" in written.getvalue()) == is_terminal


def test_answer_goes_through_the_pager__longer_than_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    paged: list[str] = []
    written = io.StringIO()
    screen = Console(file=written, force_terminal=True, width=80, height=10)
    monkeypatch.setattr(console, "out", lambda: screen)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setenv("PAGER", "cat -u")
    monkeypatch.setattr(console.subprocess, "run", lambda command, **given: paged.append(given["input"].decode()))
    for lines in (5, 50):
        console.page(Text("\n".join(map(str, range(lines)))))
    assert written.getvalue().splitlines() == [str(line) for line in range(5)]
    assert [text.splitlines()[-1] for text in paged] == ["49"]
