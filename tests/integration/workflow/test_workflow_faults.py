"""Many executions and jobs whose runs die: what is mailed, which files fail, and how many runs are started."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock
from time import monotonic
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from fake_layer import Fake, Killed, made
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_glue import (
    StateTaskServiceGlue,
)
from pipeline import Pipeline
from scripted_glue import TIMED_OUT

from glue.lake.ledger import Ledger

WITHIN_SECONDS = 240
RUN_SECONDS = 3
LATE_STARTS = 2
"""Of a hundred executions in one process, some start after a look at the breaker that is older than the run before."""


@dataclass
class RealJobs:
    """A Glue service that runs one run of a job at a time: Silver's as it is, but for its tables, and a Gold."""

    layer: Fake
    pipeline: Pipeline
    starts: Counter[tuple[str, bool]] = field(default_factory=Counter)
    """How often each job was started, and whether its breaker was open."""
    deaths: int = 0
    busy: dict[str, Any] = field(default_factory=lambda: {"silver": Lock(), "gold": Lock()})
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def start_job_run(self, **request: Any) -> dict[str, Any]:
        job = request["JobName"]
        if not self.busy[job].acquire(blocking=False):
            refusal = {"Code": "ConcurrentRunsExceededException", "Message": "one run at a time"}
            raise ClientError({"Error": refusal}, "StartJobRun")
        try:
            self.starts[job, "prober" in self.pipeline.breaker(job)] += 1
            run_id = f"jr_{len(self.runs)}"
            arguments = request["Arguments"]
            ended = self.run(job, arguments["--file_id"], arguments["--start"])
            self.runs[run_id] = {"Id": run_id, "JobName": job, **ended}
        finally:
            self.busy[job].release()
        return {"JobRunId": run_id}

    def run(self, job: str, file_id: str, start: str) -> dict[str, Any]:
        if job == "silver":
            try:
                self.layer.run(file_id=file_id, start=start)
            except Killed:
                self.deaths += 1
                Event().wait(RUN_SECONDS if len(self.layer.items()) > 2 else 0)
                return {"JobRunState": TIMED_OUT}
        else:
            self.publish(file_id, start)
        return {"JobRunState": "SUCCEEDED"}

    def publish(self, file_id: str, start: str) -> None:
        gold = Ledger("ledger", "gold")
        gold.count_start(start)
        for item in gold.waiting(file_id):
            gold.advance(item["file_id"], status="published", waiting_for=None, found={"run_seq": 1, "snapshots": {}})
        gold.count_success()

    def get_job_run(self, **request: Any) -> dict[str, Any]:
        return {"JobRun": dict(self.runs[request["RunId"]])}


@dataclass
class Stack:
    """Files that wait, each with an execution, and what becomes of them."""

    pipeline: Pipeline
    jobs: RealJobs
    arns: list[str] = field(default_factory=list)

    def accept(self, *file_ids: str) -> None:
        for file_id in file_ids:
            notice = {"name": file_id, "ending": "published", "text": ""}
            kpis = {"total_amount": "0.00", "row_count": 1}
            more = {"version_id": "v1", "key": file_id, "notice": notice, "kpis": kpis}
            self.jobs.layer.wait(file_id, **more)
        self.arns = self.pipeline.start(*file_ids)

    def ends(self) -> Counter[str | None]:
        return Counter(self.pipeline.ended(arn).error for arn in self.arns)

    def running(self) -> int:
        describe = boto3.client("stepfunctions").describe_execution
        return sum(describe(executionArn=arn)["status"] == "RUNNING" for arn in self.arns)

    def mails(self) -> Counter[str]:
        return Counter(subject.removeprefix("[assay test] ") for subject, _ in self.pipeline.mails())

    def statuses(self) -> Counter[str]:
        items = self.jobs.layer.items()
        return Counter("failed" if "failed" in item else str(item["status"]) for item in items)


@pytest.fixture
def stack(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Stack:
    pipeline.substitutions |= {"PollSeconds": "1", "ProbeSeconds": "1"}
    monkeypatch.setattr(retrier_decl, "time", time)
    jobs = RealJobs(made(pipeline.ledger), pipeline)
    monkeypatch.setattr(StateTaskServiceGlue, "_get_glue_client", lambda *_, **__: jobs)
    return Stack(pipeline, jobs)


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition of the stack."""
    began, pause = monotonic(), Event()
    while not condition():
        assert monotonic() - began < WITHIN_SECONDS
        pause.wait(0.1)


@pytest.mark.parametrize("files", [2, pytest.param(100, marks=pytest.mark.slow)])
def test_three_runs_are_started_and_one_mail_is_sent_and_no_file_fails__every_run_times_out(
    stack: Stack, files: int
) -> None:
    names = [f"{number:03}" for number in range(files)]
    stack.jobs.layer.killers.update(names)
    stack.accept(*names)

    until(lambda: stack.running() == 1)
    until(lambda: stack.jobs.starts["silver", True] >= 2)

    assert 3 <= stack.jobs.starts["silver", False] <= 3 + (LATE_STARTS if files > 2 else 0)
    assert stack.mails() == {"a job failed three times in a row": 1}
    assert stack.statuses() == {"accepted": files}
    assert len(stack.pipeline.breaker("silver")["failures"]) == 3

    stack.jobs.layer.killers.clear()  # and the probe, which goes on by itself, takes them all

    assert stack.ends() == {None: 1, "Assay.Parked": files - 1}
    assert stack.statuses() == {"published": files}
    assert stack.mails() == {
        "a job failed three times in a row": 1,
        "a job works again": 1,
        "a file was published": 1,
    }
    assert stack.pipeline.breaker("silver").keys() == {"succeeded_at"}


@pytest.mark.parametrize("files", [4, *(pytest.param(count, marks=pytest.mark.slow) for count in (12, 100))])
def test_one_file_fails_and_all_others_are_published__it_kills_each_run_that_takes_it(stack: Stack, files: int) -> None:
    names = [f"{number:03}" for number in range(files)]
    killer = names[42 * files // 100]
    stack.jobs.layer.killers.add(killer)
    stack.accept(*names)

    assert stack.ends() == {None: files - 1, "Assay.FileFailed": 1}

    assert stack.statuses() == {"published": files - 1, "failed": 1}
    told = Counter(text.partition("\n")[0] for _, text in stack.pipeline.mails())
    assert told == {f"Failed: {killer}": 1} | {f"Published: {name}": 1 for name in names if name != killer}
    failed = stack.jobs.layer.item(killer)["failed"]
    assert failed["attempts"] == stack.jobs.deaths == sum(killer in taken for taken in stack.jobs.layer.taken)
    assert stack.jobs.deaths <= 9
    assert stack.jobs.starts["silver", True] == 0, "the breaker has opened"
