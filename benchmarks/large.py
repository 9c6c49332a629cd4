"""Measures what a large run takes: one gzip file through both jobs, then one that changes each of its rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

from benchmarks import results
from benchmarks.cloud import BenchCloud, Sent, deployed
from benchmarks.job_runs import JobRun
from benchmarks.layers import told
from benchmarks.profiles import Profile
from benchmarks.samples import Samples
from devcloud.local.state_folder import StateFolder

LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Taken:
    """What the jobs hold at an instant: bytes on the disk of Spark, bytes in memory of its largest JVM."""

    at: datetime
    disk: int
    memory: int


@dataclass
class Watch:
    """Looks again and again at what the jobs of a local cloud hold."""

    scratch: Path
    seen: list[Taken] = field(default_factory=list)
    _ended: Event = field(default_factory=Event)

    def look(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            self.seen.append(Taken(datetime.now(UTC), _bytes_below(self.scratch), max(self._jvms(), default=0)))

    def end(self) -> None:
        self._ended.set()

    def peaks(self, run: JobRun) -> dict[str, int]:
        """Return the most that was held during a job run."""
        during = [taken for taken in self.seen if run.started_at <= taken.at <= run.ended_at]
        return {name: max((getattr(taken, name) for taken in during), default=0) for name in ("disk", "memory")}

    def _jvms(self) -> Iterator[int]:
        """Yield the resident bytes of the JVMs whose scratch files lie here."""
        mark = f"SPARK_LOCAL_DIRS={self.scratch}".encode()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "comm").read_text() == "java\n" and mark in (process / "environ").read_bytes():
                    yield int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            except OSError:
                continue  # it has ended, or is somebody else's


def _bytes_below(folder: Path) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(path) / name).stat().st_blocks * 512
            except OSError:
                continue  # deleted meanwhile
    return total


@contextmanager
def watching(bench: BenchCloud) -> Iterator[Watch]:
    """Look at a cloud's jobs for as long as the context lasts."""
    watch = Watch(StateFolder(bench.cloud.state_folder).scratch)
    thread = Thread(target=watch.look, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.end()
        thread.join()


def told_run(sent: Sent, watch: Watch) -> dict[str, Any]:
    """Return what a file has taken in each layer; the KPI function's seconds lie between its first two statuses."""
    received, accepted = (datetime.fromisoformat(change["at"]) for change in sent.items[0]["changes"][:2])
    layers = {"silver": sent.silver[-1], "gold": sent.gold[-1]}
    return {
        "bytes": sent.items[0]["size"],
        "kpi_seconds": (accepted - received).total_seconds(),
        **{name: {**told(run), **watch.peaks(run)} for name, run in layers.items()},
    }


def measure(folder: Path, profile: Profile, *, seed: int) -> None:
    """Send a history as one gzip file, then another history of the same keys."""
    found: dict[str, Any] = {"rows": profile.large_rows}
    with deployed(folder / "large") as bench, watching(bench) as watch:
        for number, what in enumerate(("first load", "all rows changed")):
            samples = Samples.of(folder / f"large-{number}", profile.large_rows, seed=seed + number)
            found[what] = told_run(bench.send([samples.history("csv.gz")]), watch)
            results.save("large", found, profile=profile.name)
    results.finish("large", profile=profile.name)
