"""Reads what a job run tells of itself: its instants from Glue, its steps from its log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from devcloud.local.state_folder import StateFolder


@dataclass(frozen=True)
class Step:
    """A line of a job's log: a step and when it was done."""

    name: str
    at: datetime
    facts: dict[str, Any]


@dataclass(frozen=True)
class JobRun:
    """A job run that has ended."""

    run_id: str
    started_at: datetime
    ended_at: datetime
    steps: tuple[Step, ...]

    @property
    def whole_seconds(self) -> float:
        """Return the seconds from the start of the process to its end."""
        return (self.ended_at - self.started_at).total_seconds()

    @property
    def work_seconds(self) -> float:
        """Return the seconds from the step `started` to the last `published`: without the process's own start."""
        return (self._last("published").at - self._first("started").at).total_seconds()

    def step_seconds(self) -> dict[str, float]:
        """Return how long each step took, in the order of the log; steps of one name are added up."""
        seconds: dict[str, float] = {}
        for before, step in zip(self.steps, self.steps[1:], strict=False):
            seconds[step.name] = seconds.get(step.name, 0.0) + (step.at - before.at).total_seconds()
        return seconds

    def _first(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    def _last(self, name: str) -> Step:
        return next(step for step in reversed(self.steps) if step.name == name)


def read_runs(glue: Any, job: str, state_folder: Path) -> list[JobRun]:
    """Return the runs of a job, oldest first."""
    pages = glue.get_paginator("get_job_runs").paginate(JobName=job)
    found = [run for page in pages for run in page["JobRuns"] if run.get("CompletedOn")]
    runs = [
        JobRun(
            run["Id"],
            run["StartedOn"],
            run["CompletedOn"],
            read_steps(StateFolder(state_folder).glue_log(job, run_id=run["Id"])),
        )
        for run in found
    ]
    return sorted(runs, key=lambda run: run.started_at)


def read_steps(log: Path) -> tuple[Step, ...]:
    """Return the steps that a job has logged, in their order."""
    lines = [json.loads(line) for line in log.read_text(errors="replace").splitlines() if line.startswith('{"layer"')]
    return tuple(
        Step(
            line["step"],
            datetime.fromisoformat(line["at"]),
            {name: value for name, value in line.items() if name not in ("layer", "step", "at")},
        )
        for line in lines
    )
