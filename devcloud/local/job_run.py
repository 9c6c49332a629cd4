"""One run of a Glue job: the uploaded script, unmodified, in a fresh Python process that uses a warm JVM."""

from __future__ import annotations

import contextlib
import logging
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Lock, Thread

from devcloud.local.jvm import Jvm, JvmStartError
from devcloud.local.jvm_pool import JvmPool, kill_session, start_python

_LOG = logging.getLogger(__name__)
ACTIVE = frozenset({"STARTING", "RUNNING", "STOPPING"})
# Glue's own arguments: it acts on them and does not hand them to the script as options of the user.
_RESERVED = frozenset({"conf", "datalake-formats", "extra-py-files", "extra-jars", "extra-files", "job-language"})
_RESERVED_PREFIXES = ("enable-", "continuous-log-", "spark-event-logs-", "job-bookmark-")
_TRACEBACK = "Traceback (most recent call last):"
_ERROR_LINE = re.compile(r"^[A-Za-z_][\w.]*(: .*)?$")


@dataclass(frozen=True)
class Order:
    """What is to be run; `announce` is called with the state in which it has ended."""

    job: str
    run_id: str
    script: Callable[[], str]
    caller: str
    announce: Callable[[str], None]
    arguments: Mapping[str, str]
    spark_conf: Mapping[str, str]
    timeout_seconds: float
    log: Path


@dataclass
class JobProcess:
    """A run and its state, which is one of Glue's: STARTING RUNNING STOPPING STOPPED SUCCEEDED FAILED TIMEOUT."""

    order: Order
    jvms: JvmPool
    state: str = "STARTING"
    error: str | None = None
    ended_at: datetime | None = None
    ended: Event = field(default_factory=Event)
    _process: subprocess.Popen[bytes] | None = None
    _lock: Lock = field(default_factory=Lock)

    def start(self) -> None:
        Thread(target=self._run, name=self.order.run_id, daemon=True).start()

    def stop(self) -> bool:
        """Kill the run; false when it has ended already."""
        with self._lock:
            if self.state not in ACTIVE:
                return False
            self.state = "STOPPING"
            if self._process is not None:
                kill_session(self._process)
            return True

    def _run(self) -> None:
        try:
            script = self.order.script()
            jvm = self.jvms.take(self.order.spark_conf)
        except (JvmStartError, OSError) as error:
            self._end("FAILED", f"{type(error).__name__}: {error}")
            return
        ended, error_message, healthy = "FAILED", None, False
        try:
            offset = jvm.log.stat().st_size
            ended, error_message = self._run_script(script, jvm)
        except OSError as error:  # logs that somebody removed, a disk that is full: a run must end all the same
            error_message = f"{type(error).__name__}: {error}"
        else:
            healthy = ended in ("SUCCEEDED", "FAILED")
            with contextlib.suppress(OSError):
                _append_jvm_log(self.order.log, jvm.log, offset)
        # Before the run is seen to end: the job that is started then is to find this JVM.
        self.jvms.give_back(jvm, healthy=healthy)
        self._end(ended, error_message)

    def _run_script(self, text: str, jvm: Jvm) -> tuple[str, str | None]:
        self.order.log.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="assay-job-") as folder, self.order.log.open("ab") as log:
            script = Path(folder) / "script.py"
            script.write_text(text)
            with self._lock:
                if self.state == "STOPPING":
                    return "STOPPED", None
                self.state = "RUNNING"
                environment = {**self.jvms.environment(key_id=self.order.caller), **jvm.environment()}
                arguments = ["-u", "-m", "devcloud.local.job_main", str(script), *command_line(self.order)]
                self._process = process = start_python(arguments, environment, folder=Path(folder), log=log)
            return self._await(process)

    def _await(self, process: subprocess.Popen[bytes]) -> tuple[str, str | None]:
        try:
            code = process.wait(self.order.timeout_seconds)
        except subprocess.TimeoutExpired:
            kill_session(process)
            process.wait()
            return "TIMEOUT", f"JobRun timed out after {self.order.timeout_seconds:.0f} seconds"
        if self.state == "STOPPING":
            return "STOPPED", None
        return ("SUCCEEDED", None) if code == 0 else ("FAILED", failure(self.order.log, code=code))

    def _end(self, state: str, error: str | None) -> None:
        with self._lock:
            self.state, self.error, self.ended_at = state, error, datetime.now(UTC)
        _LOG.info("job run %s %s: %s %s", self.order.job, self.order.run_id, state, error or "")
        self.ended.set()
        self.order.announce(state)


def command_line(order: Order) -> list[str]:
    """Return the script's arguments: the job's own first, then those of the run without what Glue keeps for itself."""
    given = {"--JOB_NAME": order.job, "--JOB_RUN_ID": order.run_id, **order.arguments}
    return [part for name, value in given.items() if not _is_reserved(name) for part in (name, value)]


def failure(log: Path, *, code: int) -> str:
    """Return the last line of the exception that ended the script, as Glue's ErrorMessage does."""
    lines = log.read_text(errors="replace").splitlines()
    starts = [number for number, line in enumerate(lines) if line == _TRACEBACK]
    tail = lines[starts[-1] + 1 :] if starts else []
    found = next((line for line in tail if _ERROR_LINE.match(line)), None)
    return found or f"the script ended with exit code {code}, see {log.name}"


def _is_reserved(name: str) -> bool:
    plain = name.removeprefix("--")
    return plain in _RESERVED or plain.startswith(_RESERVED_PREFIXES)


def _append_jvm_log(target: Path, source: Path, offset: int) -> None:
    with source.open("rb") as jvm_log, target.open("ab") as log:
        jvm_log.seek(offset)
        written = jvm_log.read()
        if written:
            log.write(b"\n--- what the JVM wrote meanwhile ---\n" + written)
