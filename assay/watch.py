"""Shows each file's way through the layers until all have ended; the ledger is the only source."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from rich.live import Live
from rich.table import Table
from rich.text import Text

from assay import console
from assay.ledger import STATUSES, Item, Ledger, ending
from assay.upload import Uploaded

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

UNSUCCESSFUL = {"FAILED", "TIMED_OUT", "ABORTED"}
CHECK_WORKFLOW_EVERY = 10  # polls: a workflow that ends without a word in the ledger is rare


@dataclass
class Way:
    """How far an uploaded file has come."""

    file: Uploaded
    item: Item | None = None
    workflow: str | None = None  # its status, when it ended without the ledger saying so

    @property
    def end(self) -> str | None:
        in_ledger = ending(self.item) if self.item else None
        return in_ledger or ("failed" if self.workflow else None)

    @property
    def status(self) -> str:
        return self.end or (self.item["status"] if self.item else "uploaded")

    @property
    def rows(self) -> str:
        kpis = (self.item or {}).get("kpis")
        return console.count(kpis["row_count"]) if kpis else ""

    def instants(self) -> list[tuple[str, datetime]]:
        """Give each status and when it began, from the upload on."""
        changes = (self.item or {}).get("changes", [])
        reached = [(change["status"], parse_instant(change["at"])) for change in changes]
        return [("uploaded", self.file.uploaded_at), *reached]

    def last_instant(self) -> datetime:
        """Give when the file came to the status that it has."""
        failed = (self.item or {}).get("failed")
        return parse_instant(failed["at"]) if failed else self.instants()[-1][1]

    def seconds(self, now: datetime) -> dict[str, float]:
        """Give for each status how long the file took to reach it; the one to come counts up to `now`."""
        instants = self.instants()
        took = {after[0]: (after[1] - before[1]).total_seconds() for before, after in pairwise(instants)}
        last = instants[-1][0]
        if not self.end and last != STATUSES[-1]:
            following = STATUSES[STATUSES.index(last) + 1] if last in STATUSES else STATUSES[0]
            took[following] = (now - instants[-1][1]).total_seconds()
        return {status: max(0.0, value) for status, value in took.items()}

    def result(self) -> str:
        """Say in words how the file ended, or why."""
        if self.workflow:
            return f"the workflow ended {self.workflow}"
        item = self.item or {}
        if item.get("failed"):
            return f"in {item['failed']['stage']}: {item['failed']['reason']}"
        if item.get("reasons"):
            return "; ".join(reason["text"] for reason in item["reasons"])
        if self.end == "published":
            return outcomes_in_words(item)
        return ""


class Show(Protocol):
    """Something that shows the ways of files as they change."""

    def __call__(self, ways: Sequence[Way], now: datetime) -> None: ...


def outcomes_in_words(item: Item) -> str:
    """Tell what became of a file's rows; of a reload, what became of keys that were there."""
    silver = item.get("silver", {})
    told = sorted(silver.get("outcomes", {}).items()) + [(name, silver.get(name)) for name in ("missing", "moved")]
    return ", ".join(f"{console.count(number)} {outcome}" for outcome, number in told if number)


def parse_instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def wait(
    ways: Sequence[Way],
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
        waiting = [way for way in ways if not way.end]
        items = ledger.get(way.file.file_id for way in waiting)
        for way in waiting:
            way.item = items.get(way.file.file_id)
            if polls % CHECK_WORKFLOW_EVERY == CHECK_WORKFLOW_EVERY - 1:
                _check_workflow(way, ledger, workflows)
        show(ways, now())
        if all(way.end for way in ways):
            return True
        if (now() - began).total_seconds() >= timeout_s:
            return False
        polls += 1
        time.sleep(poll_s)


def _check_workflow(way: Way, ledger: Ledger, workflows: SFNClient) -> None:
    arn = (way.item or {}).get("execution_arn")
    if not arn or way.end:
        return
    status = workflows.describe_execution(executionArn=arn)["status"]
    if status not in UNSUCCESSFUL:
        return
    # The ledger may have been written between the two reads; what it says goes first.
    way.item = ledger.get([way.file.file_id]).get(way.file.file_id, way.item)
    if not way.end:
        way.workflow = status


@contextmanager
def showing() -> Iterator[Show]:
    """Choose how to show: a live table on a terminal, else a plain line for each change."""
    screen = console.out()
    if not screen.is_terminal:
        yield Lines()
        return
    with Live(console=screen, auto_refresh=False, vertical_overflow="ellipsis") as live:
        yield lambda ways, now: live.update(live_table(ways, now, height=screen.height), refresh=True)


@dataclass
class Lines:
    """Prints a line when a file reaches a new status."""

    shown: dict[str, str] = field(default_factory=dict)

    def __call__(self, ways: Sequence[Way], now: datetime) -> None:
        for way in ways:
            if self.shown.get(way.file.file_id) == way.status:
                continue
            self.shown[way.file.file_id] = way.status
            console.out().print(line(way, now), soft_wrap=True)


def line(way: Way, now: datetime) -> str:
    elapsed = (way.last_instant() if way.item else now) - way.file.uploaded_at
    rows = f", {way.rows} rows" if way.rows else ""
    result = f": {way.result()}" if way.result() else ""
    return f"{max(0.0, elapsed.total_seconds()):7.1f} s  {way.file.key}  {way.status}{rows}{result}"


def live_table(ways: Sequence[Way], now: datetime, *, height: int) -> Table:
    """Draw the files' ways, those still under way first where the screen is too small for all."""
    room = max(3, height - 6)
    shown = list(ways) if len(ways) <= room else sorted(ways, key=lambda way: way.end is not None)[:room]
    ended = sum(1 for way in ways if way.end)
    grid = console.table("", ("file", "rows", *STATUSES, "end"), right=("rows", *STATUSES))
    grid.caption = f"{ended} of {len(ways)} files have ended"
    for way in shown:
        grid.add_row(way.file.key, way.rows, *_stage_cells(way, now), _end_cell(way))
    return grid


def _stage_cells(way: Way, now: datetime) -> list[Text]:
    seconds = way.seconds(now)
    reached = {status for status, _ in way.instants()}
    return [
        Text(f"{seconds[status]:.1f} s", style="green" if status in reached else "yellow")
        if status in seconds
        else Text("")
        for status in STATUSES
    ]


def _end_cell(way: Way) -> Text:
    if not way.end:
        return Text("…", style="dim")
    good = way.end == "published"
    words = way.result() if good else f"{way.end}: {way.result()}"
    return Text.assemble(console.mark(good), " ", words)
