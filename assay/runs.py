"""Runs a Glue job and waits for its end; an interruption stops the run."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Event
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from assay.errors import UserError
from assay.target import Target

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import JobRunTypeDef

ACTIVE = ("STARTING", "WAITING", "RUNNING", "STOPPING")
LOCAL_POLL_S = 1
POLL_S = 5
STARTS = 12


class RunFailedError(UserError):
    """A job run that ended otherwise than by success."""


def run(target: Target, job: str, arguments: Mapping[str, str]) -> None:
    """Start a job and return when it has succeeded."""
    run_id = _start(target, job, arguments)
    try:
        ended = _await(target, job, run_id)
    except KeyboardInterrupt:
        target.glue.batch_stop_job_run(JobName=job, JobRunIds=[run_id])
        raise
    if ended["JobRunState"] != "SUCCEEDED":
        said = ended.get("ErrorMessage") or "it left no message"
        raise RunFailedError(f"the job {job} ended {ended['JobRunState']}: {said}", f"see {', '.join(target.logs())}")


def _start(target: Target, job: str, arguments: Mapping[str, str]) -> str:
    pause = Event()
    for _ in range(STARTS):
        try:
            return target.glue.start_job_run(JobName=job, Arguments=dict(arguments))["JobRunId"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ConcurrentRunsExceededException":
                raise
        if _is_active(target, job):
            break
        # Glue goes on refusing for some seconds after a run has ended.
        pause.wait(LOCAL_POLL_S if target.is_local else POLL_S)
    raise UserError(f"the job {job} is running already", "wait until it has ended, then run this again")


def _is_active(target: Target, job: str) -> bool:
    return any(run["JobRunState"] in ACTIVE for run in target.glue.get_job_runs(JobName=job, MaxResults=10)["JobRuns"])


def _await(target: Target, job: str, run_id: str) -> JobRunTypeDef:
    pause = Event()
    while True:
        described = target.glue.get_job_run(JobName=job, RunId=run_id)["JobRun"]
        if described["JobRunState"] not in ACTIVE:
            return described
        pause.wait(LOCAL_POLL_S if target.is_local else POLL_S)
