"""What the pipeline does while files are on their way, told by the layers' items and the runs of their jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from assay import durations
from assay.console import bar, counted, duration
from assay.grid import GAP

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import JobRunTypeDef
    from rich.table import Table

    from assay.ledger import Item, Ledger
    from assay.target import Target

LAYERS = {"accepted": "silver", "in_silver": "gold"}
"""The layer that a file with a status waits for."""
STARTING = ("STARTING", "WAITING")
ACTIVE = (*STARTING, "RUNNING", "STOPPING")


@dataclass(frozen=True)
class Stage:
    """What one layer does: in words, since when, and about how many seconds such a run takes (None if unknown)."""

    layer: str
    words: str
    began_at: datetime
    usual_s: int | None = None

    def told(self, now: datetime) -> str:
        """Return the stage in one line, with the time left as earlier runs have it."""
        seconds = max(0, int((now - self.began_at).total_seconds()))
        told = [f"{self.layer.capitalize()}: {self.words}", *([f"for {duration(seconds)}"] if seconds else [])]
        if self.usual_s is not None:
            left = self.usual_s - seconds
            told.append(f"about {duration(left)} left" if left > 0 else "longer than usual")
        return ", ".join(told)


@dataclass
class Pipeline:
    """Watches the layers of a stack; asks AWS no more often than every `pause_s` seconds."""

    target: Target
    ledger: Ledger
    pause_s: int = 1
    _stages: list[Stage] = field(default_factory=list)
    _asked_at: datetime | None = None
    _runs: dict[str, tuple[str, datetime, int, str]] = field(default_factory=dict)
    """The run that was seen last in each layer: its token, its start, how many rows it takes, and what in words."""

    def doing(self, statuses: Sequence[str], now: datetime) -> list[Stage]:
        """Return what the layers do for which files of these statuses wait."""
        layers = sorted({LAYERS[status] for status in statuses if status in LAYERS}, reverse=True)
        for layer in self._runs.keys() - set(layers):
            self._remember(layer, now)
        if self._asked_at is None or (now - self._asked_at).total_seconds() >= self.pause_s:
            self._asked_at = now
            self._stages = [stage for layer in layers if (stage := self._stage(layer, now))]
        return [stage for stage in self._stages if stage.layer in layers]

    def _stage(self, layer: str, now: datetime) -> Stage | None:
        item = self.ledger.layer(layer) or {}
        self._remember_ended(layer, item, now)
        if running := item.get("in_progress"):
            return self._of_run(layer, item, running)
        run = self._job_run(layer)
        if run is None or run["JobRunState"] not in ACTIVE:
            return None
        words = "AWS Glue is starting the job" if self._is_queued(run["JobRunState"]) else "Spark is starting"
        return Stage(layer, words, run["StartedOn"].astimezone(UTC))

    def _job_run(self, layer: str) -> JobRunTypeDef | None:
        """Return the newest run of a layer's job; None if there is none, or one may not look: files are shown then."""
        stack = self.target.stack
        job = stack.silver_job if layer == "silver" else stack.gold_job
        try:
            runs = self.target.glue.get_job_runs(JobName=job, MaxResults=1)["JobRuns"]
        except ClientError:
            return None
        return runs[0] if runs else None

    def _is_queued(self, state: str) -> bool:
        return state in STARTING and not self.target.is_local

    def _of_run(self, layer: str, item: Item, running: Item) -> Stage:
        began_at = datetime.fromisoformat(running["started_at"]).astimezone(UTC)
        if layer not in self._runs or self._runs[layer][0] != running["token"]:
            self._runs[layer] = running["token"], began_at, *self._taken(running["files"])
        *_, rows, what = self._runs[layer]
        doing = "publishes" if "intent" in item else "takes"
        words = f"run {running['run_seq']} {doing} {what}"
        return Stage(layer, words, began_at, durations.usual(self._step(layer), rows))

    def _taken(self, file_ids: Sequence[str]) -> tuple[int, str]:
        """Return how many rows the files of a run have, and in words what it takes: files, and decisions on files."""
        items = self.ledger.get(file_ids)
        decisions = sum("decides" in item for item in items.values())
        rows = sum(item.get("kpis", {}).get("row_count", 0) for item in items.values())
        files = len(file_ids) - decisions
        told = [f"{counted(files, 'file')} with {counted(rows, 'row')}"] if files else []
        return rows, " and ".join([*told, *([f"{counted(decisions, 'decision')} on files"] if decisions else [])])

    def _remember_ended(self, layer: str, item: Item, now: datetime) -> None:
        """Keep how long a run took that was seen, once its place is free or another's."""
        if layer in self._runs and item.get("in_progress", {}).get("token") != self._runs[layer][0]:
            self._remember(layer, now)

    def _remember(self, layer: str, now: datetime) -> None:
        """Keep how long the run took that was seen last: its place is free, or no file waits for the layer any more."""
        _, began_at, rows, _ = self._runs.pop(layer)
        durations.remember(self._step(layer), int((now - began_at).total_seconds()), rows)

    def _step(self, layer: str) -> str:
        return f"{'local' if self.target.is_local else 'aws'} {self.target.stack_name} {layer}"


def drawn(stages: Sequence[Stage], now: datetime, width: int) -> Table:
    """Draw a line for each stage, with a bar where it is known how long such a run takes."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, GAP, 0, 0))
    for stage in stages:
        seconds = int((now - stage.began_at).total_seconds())
        shown = bar(seconds, stage.usual_s) if stage.usual_s and width >= 100 else Text("")
        grid.add_row(Text(stage.told(now), style="dim"), shown)
    return grid
