"""Makes moto's Glue run jobs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlparse

from moto.core.responses import ActionResult
from moto.glue import models
from moto.glue.models import FakeJob, FakeJobRun
from moto.glue.responses import GlueResponse

from devcloud.local import events, spark
from devcloud.local.environment import caller
from devcloud.local.job_run import ACTIVE, JobProcess, Order
from devcloud.local.jvm_pool import KEY_ID, JvmPool
from devcloud.local.patching import Function, serialise, wrap
from devcloud.local.s3 import object_text
from devcloud.local.state_folder import StateFolder

_SECONDS_PER_MINUTE = 60
_DEFAULT_TIMEOUT_MINUTES = 480


class JobRuns:
    """All job runs of the local cloud."""

    def __init__(self, folder: StateFolder, *, endpoint: str, jvm_per_role: bool = False) -> None:
        self.jvms = JvmPool(folder, endpoint=endpoint)
        self._folder = folder
        self._endpoint = endpoint
        self._jvm_per_role = jvm_per_role
        self._active: list[JobProcess] = []

    def prepare(self, job: FakeJob) -> None:
        """Warm a JVM for a job that was just declared."""
        self.jvms.prepare(job.name, self._conf(job, job.default_arguments))

    def start(self, job: FakeJob, run: FakeJobRun) -> JobProcess:
        arguments = dict(run.arguments or {})
        place = urlparse(job.command["ScriptLocation"])  # type: ignore[index]  # moto calls the mapping a text
        order = Order(
            job=job.name,
            run_id=run.job_run_id,
            script=lambda: object_text(place.netloc, place.path.lstrip("/"), account_id=job.backend.account_id),
            arguments=arguments,
            caller=caller(job.role),
            announce=lambda state: _announce(job, run, state),
            spark_conf=self._conf(job, arguments),
            timeout_seconds=(run.timeout or _DEFAULT_TIMEOUT_MINUTES) * _SECONDS_PER_MINUTE,
            log=self._folder.glue_log(job.name, run_id=run.job_run_id),
        )
        process = JobProcess(order, self.jvms)
        self._active = [each for each in self._active if not each.ended.is_set()] + [process]
        process.start()
        return process

    def close(self) -> None:
        for process in self._active:
            process.stop()
        self.jvms.close()

    def _conf(self, job: FakeJob, arguments: dict[str, str]) -> dict[str, str]:
        whose = {KEY_ID: caller(job.role)} if self._jvm_per_role else {}
        scratch = {"spark.sql.warehouse.dir": str(self._folder.scratch / "warehouse")}
        return {
            **spark.SIZING,
            **scratch,
            **parse_conf(arguments.get("--conf", "")),
            **spark.endpoint_conf(self._endpoint),
            **whose,
        }


def parse_conf(text: str) -> dict[str, str]:
    """Return the settings of Glue's `--conf` argument, which packs several into one: `a=1 --conf b=2`."""
    settings = (part.strip() for part in text.split("--conf"))
    return {name.strip(): value.strip() for name, _, value in (each.partition("=") for each in settings if each)}


class LocalJobRun(FakeJobRun):
    """A job run whose state is that of its process."""

    process: JobProcess | None = None
    glue_version = ""

    @property
    def status(self) -> str:
        return self.process.state if self.process else "STARTING"

    @status.setter
    def status(self, value: str) -> None:
        """Ignore what moto's own state transitions would set."""

    def advance(self) -> None:
        """Ignore moto's clock: the process decides."""

    def as_dict(self) -> dict[str, Any]:
        ended_at = self.process.ended_at if self.process else None
        until = ended_at or datetime.now(UTC)
        described = {**super().as_dict(), "ExecutionTime": int((until - _aware(self.started_on)).total_seconds())}
        described |= {"GlueVersion": self.glue_version, "LogGroupName": "/aws-glue/jobs", "CompletedOn": ended_at}
        described["ErrorMessage"] = self.process.error if self.process else None
        # AWS has no CompletedOn before the end, and ErrorMessage only with an error.
        return {name: value for name, value in described.items() if value is not None}


def is_busy(job: FakeJob) -> bool:
    """Return whether a job has as many runs as it may have at a time."""
    running = sum(run.status in ACTIVE for run in job.job_runs)
    return running >= (job.execution_property or {}).get("MaxConcurrentRuns", 1)


def install(runs: JobRuns) -> None:
    # moto makes its job runs by this name.
    models.FakeJobRun = LocalJobRun  # type: ignore[misc]
    wrap(models.FakeJob, "start_job_run", lambda original: _starting_a_process(original, runs))
    wrap(models.GlueBackend, "create_job", lambda original: _preparing(original, runs))
    wrap(models.GlueBackend, "delete_job", lambda original: _forgetting(original, runs))
    # moto counts the running ones first and adds the new one then.
    serialise(models.FakeJob, "start_job_run")
    # Until moto has this action.
    GlueResponse.batch_stop_job_run = _batch_stop_job_run  # type: ignore[attr-defined]


def _starting_a_process(original: Function, runs: JobRuns) -> Function:
    # Until moto runs what it is told to run. It does merge the arguments and honour MaxConcurrentRuns.
    def start_job_run(job: FakeJob, **kwargs: Any) -> str:
        run_id: str = original(job, **kwargs)
        run = job.job_runs[-1]
        run.glue_version = job.glue_version  # type: ignore[attr-defined]
        run.process = runs.start(job, run)  # type: ignore[attr-defined]
        return run_id

    return start_job_run


def _preparing(original: Function, runs: JobRuns) -> Function:
    def create_job(backend: Any, **kwargs: Any) -> None:
        original(backend, **kwargs)
        runs.prepare(backend.get_job(kwargs["name"]))

    return create_job


def _forgetting(original: Function, runs: JobRuns) -> Function:
    def delete_job(backend: Any, name: str) -> None:
        runs.jvms.forget(name)
        original(backend, name)

    return delete_job


def _batch_stop_job_run(response: GlueResponse) -> ActionResult:
    job_name, run_ids = response._get_param("JobName"), response._get_param("JobRunIds")
    job = response.glue_backend.get_job(job_name)
    stopped = [run_id for run_id in run_ids if job.get_job_run(run_id).process.stop()]  # type: ignore[attr-defined]
    detail = {"ErrorCode": "InvalidInputException", "ErrorMessage": "the run has ended already"}
    return ActionResult(
        {
            "SuccessfulSubmissions": [{"JobName": job_name, "JobRunId": run_id} for run_id in stopped],
            "Errors": [
                {"JobName": job_name, "JobRunId": run_id, "ErrorDetail": detail}
                for run_id in run_ids
                if run_id not in stopped
            ],
        }
    )


def _announce(job: FakeJob, run: FakeJobRun, state: str) -> None:
    # Until moto sends an event to EventBridge when a run ends.
    events.publish(
        source="aws.glue",
        detail_type="Glue Job State Change",
        detail={"jobName": job.name, "state": state, "jobRunId": run.job_run_id},
        resource=job.arn,
    )


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
