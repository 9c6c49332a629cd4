"""Makes moto's Glue run interactive sessions, and as strict with them as Glue is."""

from __future__ import annotations

import json
import re
import zipfile
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from moto.core.responses import ActionResult
from moto.glue import models
from moto.glue.exceptions import EntityNotFoundException, IllegalSessionStateException, InvalidInputException
from moto.glue.models import FakeSession
from moto.glue.responses import GlueResponse
from moto.s3.models import s3_backends

from devcloud.local import jars, spark
from devcloud.local.glue import parse_conf
from devcloud.local.jvm_pool import JvmPool
from devcloud.local.patching import Function, wrap
from devcloud.local.session_process import (
    ENDED,
    FINAL,
    ExtraFileError,
    SessionOrder,
    SessionProcess,
    SessionStateError,
    Statement,
)
from devcloud.local.state_folder import StateFolder

GLUE_VERSION = "5.1"
# A call that asks for something unsettled waits so long for it: AWS's kernel sleeps a second after each such answer.
_WAIT_SECONDS = 10
_DEFAULT_IDLE_MINUTES = 2880
_SECONDS_PER_MINUTE = 60
_MOST_CHARACTERS = 4096
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_WORKER_TYPES = frozenset({"G.1X", "G.2X", "G.4X", "G.8X", "G.12X", "G.16X", "R.1X", "R.2X", "R.4X", "R.8X"})
# What Glue takes as a session's arguments; a misspelt key of `%%configure` would be another one.
_ARGUMENTS = frozenset({
    "--additional-python-modules", "--conf", "--datalake-formats", "--enable-auto-scaling",
    "--enable-continuous-cloudwatch-log", "--enable-glue-datacatalog", "--enable-metrics",
    "--enable-observability-metrics", "--enable-spark-ui", "--extra-jars", "--extra-files", "--extra-py-files",
    "--glue_kernel_version", "--spark-event-logs-path", "--TempDir",
})  # fmt: skip
# Arguments of Glue that do something there and would do nothing here.
_NOT_EMULATED = frozenset({"--additional-python-modules", "--extra-jars", "--extra-files"})


class Sessions:
    """All interactive sessions of the local cloud."""

    def __init__(self, folder: StateFolder, jvms: JvmPool, *, endpoint: str) -> None:
        self._folder = folder
        self._jvms = jvms
        self._endpoint = endpoint
        self._started: list[SessionProcess] = []

    def start(self, session: LocalSession) -> SessionProcess:
        arguments = session.default_arguments or {}
        order = SessionOrder(
            session_id=session.session_id,
            fetch_extra=partial(fetch_extra, arguments.get("--extra-py-files", ""), session.backend.account_id),
            spark_conf=self._conf(arguments),
            idle_seconds=(session.idle_timeout or _DEFAULT_IDLE_MINUTES) * _SECONDS_PER_MINUTE,
            log=self._folder.glue_log("sessions", run_id=session.session_id),
        )
        process = SessionProcess(order, self._jvms)
        self._started.append(process)
        process.start()
        return process

    def close(self) -> None:
        for process in self._started:
            if process.state not in ENDED:
                process.stop(at_once=True)

    def _conf(self, arguments: dict[str, str]) -> dict[str, str]:
        """Return the settings of a job with these arguments, so that a JVM that was warmed for it serves a session."""
        given = parse_conf(arguments.get("--conf", ""))
        scratch = {"spark.sql.warehouse.dir": str(self._folder.scratch / "warehouse")}
        without_iceberg = {"spark.driver.extraClassPath": jars.class_path(iceberg=False)}
        has_iceberg = "iceberg" in arguments.get("--datalake-formats", "").split(",")
        jar_conf = {} if has_iceberg else without_iceberg
        return {**spark.SIZING, **scratch, **given, **spark.endpoint_conf(self._endpoint), **jar_conf}


class LocalSession(FakeSession):
    """A session whose state is that of its process."""

    process: SessionProcess

    @property
    def state(self) -> str:
        return self.process.state

    @state.setter
    def state(self, value: str) -> None:
        """Ignore what moto would set: the process decides."""

    def as_dict(self) -> dict[str, Any]:
        described = {**super().as_dict(), "ErrorMessage": self.process.error, "Progress": int(self.state == "READY")}
        described |= {"WorkerType": self.worker_type, "NumberOfWorkers": self.number_of_workers}
        described |= {"IdleTimeout": self.idle_timeout or _DEFAULT_IDLE_MINUTES}
        described |= {"MaxCapacity": self.max_capacity or self.number_of_workers}
        return {name: value for name, value in described.items() if value is not None}

    def stop_session(self) -> None:
        _allowed(self.process.stop)

    def statement(self, number: Any) -> Statement:
        found = next((each for each in self.process.statements if each.number == int(number)), None)
        if found is None:
            raise EntityNotFoundException(f"Statement {number} not found in session {self.session_id}")
        return found


def fetch_extra(places: str, account_id: str, folder: Path) -> list[Path]:
    """Put the files of `--extra-py-files` into a folder; return what has to be on Python's path."""
    path: list[Path] = []
    for address in filter(None, (place.strip() for place in places.split(","))):
        place = urlparse(address)
        name = Path(place.path).name
        if place.scheme != "s3" or not name.endswith((".py", ".zip")):
            raise ExtraFileError(f"{address} is not the address of a .py or .zip file in S3")
        found = s3_backends[account_id]["aws"].buckets.get(place.netloc)
        content = found and found.keys.get(place.path.lstrip("/"))
        if not content:
            raise ExtraFileError(f"{address} does not exist")
        file = folder / name
        file.write_bytes(content.value)
        if name.endswith(".zip") and not zipfile.is_zipfile(file):
            raise ExtraFileError(f"{address} is not a zip file")
        path.append(folder if name.endswith(".py") else file)
    return list(dict.fromkeys(path))


def refusal(given: dict[str, Any]) -> str | None:
    """Return why Glue would not create this session, given the members of the request."""
    arguments = given.get("DefaultArguments") or {}
    command = given.get("Command") or {}
    by_workers = given.get("WorkerType") is not None and given.get("NumberOfWorkers") is not None
    reasons = {
        f"{given.get('Role')} is not the ARN of a role": not _ROLE.fullmatch(given.get("Role") or ""),
        f"command {command.get('Name')} is not emulated, only glueetl is": command.get("Name") != "glueetl",
        f"Python version {command.get('PythonVersion')} is not 3": command.get("PythonVersion", "3") != "3",
        f"Glue version {given.get('GlueVersion')} is not emulated, only {GLUE_VERSION} is": (
            given.get("GlueVersion") != GLUE_VERSION
        ),
        "MaxCapacity is not for a session with workers": by_workers and given.get("MaxCapacity") is not None,
        "WorkerType and NumberOfWorkers must be set together": not by_workers,
        f"worker type {given.get('WorkerType')} is unknown": given.get("WorkerType") not in _WORKER_TYPES,
        "a session needs two workers at the least": by_workers and given["NumberOfWorkers"] < 2,
        "IdleTimeout is at least one minute": given.get("IdleTimeout", 1) < 1,
    }
    reasons |= {f"argument {name} is unknown": name not in _ARGUMENTS for name in arguments}
    reasons |= {f"argument {name} is not emulated": True for name in _NOT_EMULATED & set(arguments)}
    reasons |= {
        f"argument {name} is longer than {_MOST_CHARACTERS} characters": len(value) > _MOST_CHARACTERS
        for name, value in arguments.items()
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def install(sessions: Sessions) -> None:
    # moto makes its sessions by this name.
    models.FakeSession = LocalSession  # type: ignore[misc]
    wrap(models.GlueBackend, "create_session", lambda original: _starting_a_process(original, sessions))
    wrap(GlueResponse, "create_session", _checking_and_describing)
    wrap(GlueResponse, "get_session", _waiting)
    wrap(GlueResponse, "delete_session", _only_ended)
    # Until moto has these actions.
    for action in (run_statement, get_statement, list_statements, cancel_statement):
        setattr(GlueResponse, action.__name__, action)


def _starting_a_process(original: Function, sessions: Sessions) -> Function:
    def create_session(backend: Any, session_id: str, *args: Any, **kwargs: Any) -> None:
        original(backend, session_id, *args, **kwargs)
        created = backend.sessions[session_id]
        created.process = sessions.start(created)

    return create_session


def _checking_and_describing(original: Function) -> Function:
    def create_session(response: GlueResponse) -> ActionResult:
        reason = refusal(dict(response.parameters))
        if reason is not None:
            raise InvalidInputException("CreateSession", reason)
        original(response)
        return ActionResult({"Session": response.glue_backend.get_session(response._get_param("Id")).as_dict()})

    return create_session


def _waiting(original: Function) -> Function:
    def get_session(response: GlueResponse) -> ActionResult:
        process = response.glue_backend.get_session(response._get_param("Id")).process  # type: ignore[attr-defined]
        process.await_change(lambda: process.state in ("PROVISIONING", "STOPPING"), seconds=_WAIT_SECONDS)
        result: ActionResult = original(response)
        return result

    return get_session


def _only_ended(original: Function) -> Function:
    def delete_session(response: GlueResponse) -> ActionResult:
        session = response.glue_backend.get_session(response._get_param("Id"))
        if session.state not in ENDED:
            raise IllegalSessionStateException(f"Session {session.session_id} is in {session.state} status")
        result: ActionResult = original(response)
        return result

    return delete_session


def run_statement(response: GlueResponse) -> ActionResult:
    session = _session(response)
    if session.state == "TIMEOUT":
        # The kernel begins a session anew on this error alone.
        raise InvalidInputException("RunStatement", f"Session {session.session_id} is in TIMEOUT status")
    return ActionResult({"Id": _allowed(partial(session.process.run, response._get_param("Code")))})


def get_statement(response: GlueResponse) -> Any:
    session = _session(response)
    statement = session.statement(response._get_param("Id"))
    session.process.await_change(lambda: statement.state not in FINAL, seconds=_WAIT_SECONDS)
    return _as_json({"Statement": statement.as_dict()})


def list_statements(response: GlueResponse) -> Any:
    return _as_json({"Statements": [statement.as_dict() for statement in _session(response).process.statements]})


def cancel_statement(response: GlueResponse) -> ActionResult:
    session = _session(response)
    session.process.cancel(session.statement(response._get_param("Id")))
    return ActionResult({})


def _session(response: GlueResponse) -> LocalSession:
    session: LocalSession = response.glue_backend.get_session(response._get_param("SessionId"))  # type: ignore[assignment]
    return session


def _allowed(act: Any) -> Any:
    try:
        return act()
    except SessionStateError as error:
        raise IllegalSessionStateException(str(error)) from None


def _as_json(body: dict[str, Any]) -> tuple[int, dict[str, str], str]:
    # moto's serialiser drops the output's nested members.
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(body)
