"""A local cloud of its own for a benchmark: a copy of the deployed parts, really deployed, with real uploads."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import Any

from assay.ledger import Item, Ledger, ending
from assay.target import Target, local_target
from assay.upload import Source, Uploaded, bronze, upload
from benchmarks.job_runs import JobRun, read_runs
from devcloud.local import deploy, lifecycle
from devcloud.local.lifecycle import Cloud
from devcloud.local.mail import mails

ROOT = Path(__file__).resolve().parents[1]
POLL_SECONDS = 0.5
MOST_SECONDS = 1800.0
LAST_LINES = 30
JOBS = ("silver", "gold")


class BenchmarkError(RuntimeError):
    """What was measured is not what was meant: a file did not end `published`, or a figure is missing."""


@dataclass(frozen=True)
class Sent:
    """A batch of files that were uploaded at once, and what was seen of them."""

    uploads: list[Uploaded]
    items: list[Item]
    silver: list[JobRun]
    gold: list[JobRun]

    @property
    def runs(self) -> list[JobRun]:
        return [*self.silver, *self.gold]


@dataclass(frozen=True)
class BenchCloud:
    """A deployed stack in a local cloud."""

    project: Path
    cloud: Cloud

    @cached_property
    def target(self) -> Target:
        return local_target(self.cloud, project=self.project)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.target.dynamodb, self.target.stack.ledger_table)

    def job_name(self, layer: str) -> str:
        return self.target.stack.silver_job if layer == "silver" else self.target.stack.gold_job

    def job_runs(self, name: str, *, known: int = 0) -> list[JobRun]:
        """Return the runs of a job by its name, oldest first, but for the first `known`."""
        return read_runs(self.target.glue, name, self.cloud.state_folder)[known:]

    def send(self, paths: Sequence[Path], *, prefix: str = "transactions/") -> Sent:
        """Upload files at once and await the end of each, and of its workflow; all must end published."""
        known = {layer: len(self.job_runs(self.job_name(layer))) for layer in JOBS}
        sources = [Source(path, prefix + path.name) for path in paths]
        uploads = upload(bronze(self.target), sources, {})
        file_ids = [each.file_id for each in uploads]
        self.await_end(file_ids)
        found = self.ledger.get(file_ids)
        items = [found[file_id] for file_id in file_ids]
        for item in items:
            if ending(item) != "published":
                raise BenchmarkError(f"{item['key']} ended {ending(item)}: {item.get('failed') or item.get('reasons')}")
        runs = {layer: self.job_runs(self.job_name(layer), known=known[layer]) for layer in JOBS}
        return Sent(uploads, items, runs["silver"], runs["gold"])

    def await_end(self, file_ids: list[str]) -> None:
        """Await the end of files or actions, and of their workflows."""
        until(lambda: self._all_ended(file_ids), what="the end of all files")
        until(self._no_workflow_runs, what="the end of all workflows")

    def mails_about(self, file_id: str) -> int:
        """Count the mails that name a file."""
        return sum(file_id in mail.body for mail in mails(self.cloud.state_folder))

    def _all_ended(self, file_ids: list[str]) -> bool:
        items = self.ledger.get(file_ids)
        return len(items) == len(file_ids) and all(ending(item) for item in items.values())

    def _no_workflow_runs(self) -> bool:
        machine = self.target.stack.workflow
        found = self.target.stepfunctions.list_executions(stateMachineArn=machine, statusFilter="RUNNING")
        return not found["executions"]


def until(ask: Callable[[], Any], *, what: str, seconds: float = MOST_SECONDS) -> None:
    """Ask until the answer is true."""
    pause, end = Event(), time.monotonic() + seconds
    while not ask():
        if time.monotonic() > end:
            raise BenchmarkError(f"{what}: not within {seconds:g} s")
        pause.wait(POLL_SECONDS)


@contextmanager
def deployed(project: Path, *, record_calls: bool = False) -> Iterator[BenchCloud]:
    """Copy the deployed parts, start a local cloud for them and deploy; stop it at the end."""
    for part in deploy.DEPLOYED_PARTS:
        source, copy = ROOT / part, project / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, copy)
    cloud = lifecycle.start(project, parent=os.getpid(), record_calls=record_calls)
    try:
        _deploy(project, cloud)
        bench = BenchCloud(project, cloud)
        if not record_calls:  # then each role gets a JVM of its own, at its first run
            until(lambda: _is_warm(bench), what="a warm JVM")
        yield bench
    finally:
        lifecycle.stop(project)


def _deploy(project: Path, cloud: Cloud) -> None:
    lines: list[str] = []
    try:
        deploy.deploy(project, cloud, on_line=lines.append)
    except deploy.DeployError as error:
        raise BenchmarkError("\n".join([str(error), *lines[-LAST_LINES:]])) from error


def _is_warm(bench: BenchCloud) -> bool:
    return "warm JVM" in (bench.cloud.state_folder / "logs" / "server.log").read_text(errors="replace")
