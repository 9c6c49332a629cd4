"""Follow uploaded files through the layers until all have ended; the ledger is the only source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from time import sleep
from typing import TYPE_CHECKING, Protocol

from contract.vocabulary import STATUSES
from rich.console import Group
from rich.live import Live
from rich.text import Text

from assay import console
from assay.grid import Grid
from assay.ledger import Item, Ledger, ending
from assay.options import CHECK_FAILED, INTERRUPTED
from assay.stages import Pipeline, drawn
from assay.upload import Uploaded

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

    from assay.target import Target

CHANGES = ("inserted", "updated", "deleted")
UNSUCCESSFUL = {"FAILED", "TIMED_OUT", "ABORTED"}
WAITING = ("Assay.FileWaits", "Assay.Parked")  # errors of the workflow for a file that has not failed
CHECK_WORKFLOW_EVERY = 10  # polls: a workflow that ends without a word in the ledger is rare


@dataclass
class FileProgress:
    """How far an uploaded file has come."""

    file: Uploaded
    item: Item | None = None
    workflow: str | None = None  # its status, when it ended and the ledger does not say so
    is_waiting: bool = False  # it has not failed, but nothing sees it through any more

    @property
    def end(self) -> str | None:
        in_ledger = ending(self.item) if self.item else None
        return in_ledger or (("waiting" if self.is_waiting else "failed") if self.workflow else None)

    @property
    def status(self) -> str:
        return self.end or (self.item["status"] if self.item else "uploaded")

    @property
    def end_in_words(self) -> str:
        """Return how it ended as a person says it: a published action has undone a file, or redone it."""
        decides = (self.item or {}).get("decides")
        if decides and self.end == "published":
            return "redone" if decides["in_effect"] else "undone"
        return self.end or "still under way"

    @property
    def rows(self) -> str:
        kpis = (self.item or {}).get("kpis")
        return console.count(kpis["row_count"]) if kpis else ""

    def instants(self) -> list[tuple[str, datetime]]:
        """Return each status and when it began, from the upload on."""
        changes = (self.item or {}).get("changes", [])
        reached = [(change["status"], parse_instant(change["at"])) for change in changes]
        return [("uploaded", self.file.uploaded_at), *reached]

    def last_instant(self) -> datetime:
        """Return when the file reached its current status."""
        failed = (self.item or {}).get("failed")
        return parse_instant(failed["at"]) if failed else self.instants()[-1][1]

    def seconds(self, now: datetime) -> dict[str, float]:
        """Return how many seconds the file took to reach each status; the next one counts up to `now`."""
        instants = self.instants()
        took = {after[0]: (after[1] - before[1]).total_seconds() for before, after in pairwise(instants)}
        last = instants[-1][0]
        if not self.end and last != STATUSES[-1]:
            following = STATUSES[STATUSES.index(last) + 1] if last in STATUSES else STATUSES[0]
            took[following] = (now - instants[-1][1]).total_seconds()
        return {status: max(0.0, value) for status, value in took.items()}

    def result(self) -> str:
        """Return in words how the file ended, or why."""
        if self.is_waiting:
            return "it keeps its place, but its execution has ended: assay status, then assay resume"
        if self.workflow:
            return f"the workflow ended {self.workflow}"
        item = self.item or {}
        if item.get("failed"):
            return f"in {item['failed']['stage']}: {item['failed']['reason']}"
        if item.get("reasons"):
            return str(item["reasons"][0]["text"])
        if self.end == "published":
            told = item.get("warnings", [])
            warnings = f"; {len(told)} {'warning' if len(told) == 1 else 'warnings'}" if told else ""
            return f"{outcomes_in_words(item)}{warnings}"
        return ""

    def as_json(self) -> dict[str, object]:
        """Return how far the file has come, for programs."""
        return {
            "file_id": self.file.file_id,
            "key": self.file.key,
            "version_id": self.file.version_id,
            "status": self.status,
            "at": self.last_instant(),
            "rows": (self.item or {}).get("kpis", {}).get("row_count"),
            "result": self.result(),
        }

    def why(self) -> list[str]:
        """Return in words why the file was not published, a line for each reason."""
        reasons = (self.item or {}).get("reasons", [])
        return [reason["text"] for reason in reasons] if reasons and not self.workflow else [self.result()]


class Show(Protocol):
    """Something that shows the progress of files."""

    def __call__(self, files: Sequence[FileProgress], now: datetime) -> None: ...


def outcomes_in_words(item: Item) -> str:
    """Return in words what became of a file's rows; of the keys that a reload moves, or an undo."""
    silver = item.get("silver", {})
    counts = {**silver.get("outcomes", {}), **silver.get("settled", {})}
    told = sorted(counts.items()) + [(name, silver.get(name)) for name in ("missing", "moved")]
    return ", ".join(f"{console.count(number)} {outcome}" for outcome, number in told if number)


def parse_instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def wait(
    files: Sequence[FileProgress],
    ledger: Ledger,
    workflows: SFNClient,
    show: Show,
    *,
    timeout_s: float,
    poll_s: float,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> bool:
    """Follow the files until all have ended; False if `timeout_s` passed before."""
    began = now()
    polls = 0
    while True:
        waiting = [progress for progress in files if not progress.end]
        items = ledger.get(progress.file.file_id for progress in waiting)
        for progress in waiting:
            progress.item = items.get(progress.file.file_id)
            if polls % CHECK_WORKFLOW_EVERY == CHECK_WORKFLOW_EVERY - 1:
                _check_workflow(progress, ledger, workflows)
        show(files, now())
        if all(progress.end for progress in files):
            return True
        if (now() - began).total_seconds() >= timeout_s:
            return False
        polls += 1
        sleep(poll_s)


def _check_workflow(progress: FileProgress, ledger: Ledger, workflows: SFNClient) -> None:
    arn = (progress.item or {}).get("execution_arn")
    if not arn or progress.end:
        return
    execution = workflows.describe_execution(executionArn=arn)
    if execution["status"] not in UNSUCCESSFUL:
        return
    # The ledger may have been written between the two reads; what it says goes first.
    progress.item = ledger.get([progress.file.file_id]).get(progress.file.file_id, progress.item)
    if not progress.end:
        progress.workflow, progress.is_waiting = execution["status"], execution.get("error") in WAITING


@contextmanager
def showing(pipeline: Pipeline | None = None) -> Iterator[Show]:
    """Show files in a live table on a terminal, else with a plain line for each change; and what the pipeline does."""
    screen = console.out()
    if not screen.is_terminal:
        yield Lines(pipeline)
        return

    with Live(console=screen, auto_refresh=False, vertical_overflow="ellipsis") as live:

        def show(files: Sequence[FileProgress], now: datetime) -> None:
            stages = pipeline.doing(under_way(files), now) if pipeline else []
            grid = live_table(files, now, height=screen.height - len(stages))
            live.update(Group(grid, drawn(stages, now, screen.width)), refresh=True)

        yield show


def under_way(files: Sequence[FileProgress]) -> list[str]:
    """Return the statuses of the files that have not ended."""
    return [progress.status for progress in files if not progress.end]


@dataclass
class Lines:
    """Prints a line when a file reaches a new status; on stderr one when a layer begins something else."""

    pipeline: Pipeline | None = None
    shown: dict[str, str] = field(default_factory=dict)
    told: set[tuple[str, str]] = field(default_factory=set)

    def __call__(self, files: Sequence[FileProgress], now: datetime) -> None:
        for progress in files:
            if self.shown.get(progress.file.file_id) == progress.status:
                continue
            self.shown[progress.file.file_id] = progress.status
            console.out().print(line(progress, now), soft_wrap=True)
        for stage in self.pipeline.doing(under_way(files), now) if self.pipeline else ():
            if (stage.layer, stage.words) not in self.told:
                self.told.add((stage.layer, stage.words))
                console.note(f"{stage.told(now)}")


def line(progress: FileProgress, now: datetime) -> str:
    elapsed = (progress.last_instant() if progress.item else now) - progress.file.uploaded_at
    rows = f", {progress.rows} rows" if progress.rows else ""
    result = f": {progress.result()}" if progress.result() else ""
    seconds = f"{max(0.0, elapsed.total_seconds()):7.1f}"
    return console.shown(f"{seconds} s  {progress.file.key}  {progress.status}{rows}{result}")


def live_table(files: Sequence[FileProgress], now: datetime, *, height: int) -> Grid:
    """Draw a table of the files, those still in progress first where the screen is too small for all."""
    room = max(3, height - 6)
    shown = list(files) if len(files) <= room else sorted(files, key=lambda progress: progress.end is not None)[:room]
    ended = sum(1 for progress in files if progress.end)
    columns = ("file", "rows", *STATUSES, "end")
    grid = console.table(
        "", columns, right=("rows", *STATUSES), keys=("file",), lines=("end",), spare=(*STATUSES, "rows")
    )
    grid.caption = f"{ended} of {len(files)} files have ended"
    for progress in shown:
        grid.add_row(console.shown(progress.file.key), progress.rows, *_stage_cells(progress, now), _end_cell(progress))
    return grid


def _stage_cells(progress: FileProgress, now: datetime) -> list[Text]:
    seconds = progress.seconds(now)
    reached = {status for status, _ in progress.instants()}
    return [
        Text(f"{seconds[status]:.1f} s", style="green" if status in reached else "yellow")
        if status in seconds
        else Text("")
        for status in STATUSES
    ]


def _end_cell(progress: FileProgress) -> Text:
    if not progress.end:
        return Text(f"{progress.status} …", style="dim")
    good = progress.end == "published"
    words = progress.result() if good else f"{progress.end}: {progress.result()}"
    return Text.assemble(console.mark(good), " ", console.shown(words))


def follow(
    target: Target,
    ledger: Ledger,
    files: Sequence[FileProgress],
    *,
    timeout_s: float,
    show: Show | None = None,
) -> int:
    """Show files until all have ended, in a way of one's own if it is given; return the exit code."""
    poll_s, began = 0.5 if target.is_local else 2.0, datetime.now(UTC)
    try:
        with (
            nullcontext(show)
            if show
            else showing(Pipeline(target, ledger, pause_s=1 if target.is_local else 4)) as shown
        ):
            in_time = wait(files, ledger, target.stepfunctions, shown, timeout_s=timeout_s, poll_s=poll_s)
    except KeyboardInterrupt:
        console.note("Stopped waiting; the files are still being processed: assay status", style="yellow")
        return INTERRUPTED
    for progress in files:
        _report_failure(progress)
        _report_warnings(progress)
    console.note(closing_line(files, datetime.now(UTC) - began), style="bold")
    if not in_time:
        minutes = f"{timeout_s / 60:g}"
        console.note(
            f"Not all files have ended after {minutes} minutes; they are still being processed: assay status",
            style="red",
        )
    if all(progress.end == "published" for progress in files):
        return 0
    for place in target.logs():
        console.note(f"logs: {place}")
    return CHECK_FAILED


def closing_line(files: Sequence[FileProgress], took: timedelta) -> str:
    """Return in one line how files have ended, and how long that took."""
    ends = Counter(progress.end_in_words for progress in files)
    order = ("published", "undone", "redone", "rejected", "failed", "waiting", "still under way")
    told = ", ".join(f"{console.count(ends[end])} {end}" for end in order if ends[end])
    published = [progress.item or {} for progress in files if progress.end == "published"]
    rows = sum(item.get("kpis", {}).get("row_count", 0) for item in published)
    keys = sum(item["silver"]["settled"][change] for item in published if "decides" in item for change in CHANGES)
    moved = console.counted(keys, "key") if ends["undone"] + ends["redone"] else f"{console.count(rows)} rows"
    good = console.mark(len(published) == len(files)).plain
    return f"{good} {told or 'no file'}: {moved} in {console.duration(int(took.total_seconds()))}"


def silent(files: Sequence[FileProgress], now: datetime) -> None:
    """Show nothing: what is printed at the end is for programs."""


def _report_failure(progress: FileProgress) -> None:
    key = console.shown(progress.file.key)
    if progress.end in ("rejected", "failed", "waiting"):
        for line in progress.why():
            console.note(f"{progress.end}: {key}: {console.shown(line)}", style="red")
    elif progress.end is None:
        console.note(f"not ended: {key} is {progress.status}", style="red")


def _report_warnings(progress: FileProgress) -> None:
    if progress.end == "published":
        for warning in (progress.item or {}).get("warnings", []):
            console.note(f"warning: {console.shown(progress.file.key)}: {console.shown(warning)}", style="yellow")
