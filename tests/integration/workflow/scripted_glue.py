"""A Glue service that answers each start of a job from a script, and may move the ledger while it does."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEventException
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_glue import (
    StateTaskServiceGlue,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment

# What an outcome does when its job is started: it may move the ledger, and gives the run as Glue would show it.
Outcome = Callable[[], dict[str, Any]]

TIMED_OUT = "timed out on the workflow's side"  # no state of Glue's: Step Functions stops waiting


def succeed(effect: Callable[[], None] = lambda: None) -> Outcome:
    """Change the ledger as a whole run would, and succeed."""

    def outcome() -> dict[str, Any]:
        effect()
        return {"JobRunState": "SUCCEEDED"}

    return outcome


def fail(message: str | None, effect: Callable[[], None] = lambda: None, *, state: str = "FAILED") -> Outcome:
    """End as a run does for which Glue shows `message`; a job that still can changes the ledger before it dies."""
    said = {} if message is None else {"ErrorMessage": message}

    def outcome() -> dict[str, Any]:
        effect()
        return {"JobRunState": state, **said}

    return outcome


def time_out() -> dict[str, Any]:
    """Run beyond the limit of the workflow's task."""
    return {"JobRunState": TIMED_OUT}


def refuse(code: str, effect: Callable[[], None] = lambda: None, *, says: str = "refused as scripted") -> Outcome:
    """Refuse to start the job with one of Glue's error codes; meanwhile another run may change the ledger."""

    def outcome() -> dict[str, Any]:
        effect()
        raise ClientError({"Error": {"Code": code, "Message": says}}, "StartJobRun")

    return outcome


class ScriptedGlue:
    """Answers StartJobRun and GetJobRun from one script per job; a start beyond the script fails the test."""

    def __init__(self) -> None:
        self.script: dict[str, list[Outcome]] = defaultdict(list)
        self.starts: list[tuple[str, dict[str, str]]] = []
        self._runs: dict[str, dict[str, Any]] = {}

    def start_job_run(self, **request: Any) -> dict[str, Any]:
        job, arguments = request["JobName"], request["Arguments"]
        self.starts.append((job, arguments))
        run = self.script[job].pop(0)()
        run_id = f"jr_{len(self.starts)}"
        self._runs[run_id] = {"Id": run_id, "JobName": job, **run}
        return {"JobRunId": run_id}

    def get_job_run(self, **request: Any) -> dict[str, Any]:
        return {"JobRun": dict(self._runs[request["RunId"]])}


def wait_for_run(
    task: StateTaskServiceGlue,
    env: Environment,
    resource_runtime_part: Any,
    normalised_parameters: dict[str, Any],
    state_credentials: Any,
) -> None:
    """Stand in for moto's `.sync`, which always fails: ask once, because a scripted run has ended when it began."""
    run_id = env.stack[-1]["JobRunId"]
    client = task._get_glue_client(resource_runtime_part, state_credentials)
    if client.get_job_run(JobName=normalised_parameters["JobName"], RunId=run_id)["JobRun"]["JobRunState"] == TIMED_OUT:
        raise FailureEventException(task._get_timed_out_failure_event(env))
    resolve = task._sync_to_start_job_run(env, resource_runtime_part, normalised_parameters, state_credentials)
    env.stack.append(json.loads(json.dumps(resolve())))
