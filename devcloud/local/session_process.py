"""One Glue interactive session: a Python process on a JVM of the pool, and its statements, one after another."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Thread
from typing import IO, Any, BinaryIO

from devcloud.local.jvm import Jvm, JvmStartError
from devcloud.local.jvm_pool import JvmPool, kill_session, start_python

_LOG = logging.getLogger(__name__)
ENDED = frozenset({"FAILED", "STOPPED", "TIMEOUT"})
FINAL = frozenset({"AVAILABLE", "CANCELLED", "ERROR"})
_PROGRAM = ("-P", "-m", "devcloud.local.session_main")


class ExtraFileError(RuntimeError):
    """A file of `--extra-py-files` cannot be had."""


@dataclass(frozen=True)
class SessionOrder:
    """What a session consists of; `fetch_extra` puts the extra Python files into a folder and returns their paths."""

    session_id: str
    fetch_extra: Callable[[Path], list[Path]]
    spark_conf: Mapping[str, str]
    idle_seconds: float
    log: Path


@dataclass
class Statement:
    """A statement with the state and the output that Glue shows."""

    number: int
    code: str
    state: str = "WAITING"
    output: dict[str, Any] = field(default_factory=dict)
    begun: bool = False
    started_on: int = field(default_factory=lambda: _milliseconds())
    completed_on: int | None = None

    def end(self, state: str, output: dict[str, Any]) -> None:
        self.state, self.output, self.completed_on = state, output, _milliseconds()

    def as_dict(self) -> dict[str, Any]:
        described = {"Id": self.number, "Code": self.code, "State": self.state, "Output": self.output}
        described |= {"Progress": int(self.state in FINAL), "StartedOn": self.started_on}
        return described | ({} if self.completed_on is None else {"CompletedOn": self.completed_on})


class SessionStateError(RuntimeError):
    """The session's state does not allow what was asked."""


class SessionProcess:
    """A session with one of Glue's states: PROVISIONING READY STOPPING STOPPED FAILED TIMEOUT."""

    def __init__(self, order: SessionOrder, jvms: JvmPool) -> None:
        self.order = order
        self.jvms = jvms
        self.state = "PROVISIONING"
        self.error: str | None = None
        self.statements: list[Statement] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._changed = Condition()

    def start(self) -> None:
        Thread(target=self._live, name=self.order.session_id, daemon=True).start()

    def run(self, code: str) -> int:
        """Take a statement and return its number; it runs when those before it have ended."""
        with self._changed:
            if self.state != "READY":
                raise SessionStateError(f"Session {self.order.session_id} is in {self.state} status")
            statement = Statement(len(self.statements) + 1, code)
            self.statements.append(statement)
            self._changed.notify_all()
            return statement.number

    def cancel(self, statement: Statement) -> None:
        """Take a waiting statement out of the queue, or interrupt the one that runs."""
        with self._changed:
            if statement.state == "WAITING":
                statement.end("CANCELLED", {})
            elif statement.state == "RUNNING":
                statement.state = "CANCELLING"
                if statement.begun:
                    self._interrupt()
            self._changed.notify_all()

    def stop(self, *, at_once: bool = False) -> None:
        """Let the session end; a statement that runs is killed."""
        with self._changed:
            if self.state not in ("PROVISIONING", "READY"):
                raise SessionStateError(f"Session {self.order.session_id} is in {self.state} status")
            self.state = "STOPPING"
            if self._process is not None and (at_once or self._running() is not None):
                kill_session(self._process)
            self._changed.notify_all()

    def await_change(self, unsettled: Callable[[], bool], *, seconds: float) -> None:
        """Return as soon as something is settled, or when the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: not unsettled(), seconds)

    def _live(self) -> None:
        ended, error = "FAILED", None
        try:
            with tempfile.TemporaryDirectory(prefix="assay-session-") as folder:
                extra = self.order.fetch_extra(Path(folder))
                jvm = self.jvms.take(self.order.spark_conf)
                ended, error = "FAILED", "the session's process ended"
                try:
                    ended, error = self._serve(jvm, extra, folder=Path(folder))
                finally:
                    self.jvms.give_back(jvm, healthy=ended != "FAILED")
        except (ExtraFileError, JvmStartError, OSError) as failure:
            error = f"{type(failure).__name__}: {failure}"
        self._end(ended, error)

    def _serve(self, jvm: Jvm, extra: Iterable[Path], *, folder: Path) -> tuple[str, str | None]:
        """Run statements until the session is to end; return the state it ends in, and why if it failed."""
        their_orders, orders = os.pipe()
        answers, their_answers = os.pipe()
        arguments = [*_PROGRAM, str(their_orders), str(their_answers), *map(str, extra)]
        self.order.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Unbuffered: a buffer's rest would be written, in vain, when the orders of a lost process are closed.
            with open(orders, "wb", 0) as to_session, open(answers) as from_session, self.order.log.open("ab") as log:
                try:
                    environment = {**self.jvms.environment(), **jvm.environment()}
                    self._process = start_python(
                        arguments, environment, folder=folder, log=log, pass_fds=(their_orders, their_answers)
                    )
                finally:
                    os.close(their_orders)
                    os.close(their_answers)
                return self._converse(to_session, from_session)
        finally:
            if self._process is not None:
                # Its orders have ended, so it ends; what it has started does not outlive it.
                self._process.wait()
                kill_session(self._process)

    def _converse(self, orders: BinaryIO, answers: IO[str]) -> tuple[str, str | None]:
        if not answers.readline():
            return self._lost()
        with self._changed:
            if self.state == "PROVISIONING":
                self.state = "READY"
            self._changed.notify_all()
        while (statement := self._next()) is not None:
            with contextlib.suppress(BrokenPipeError):  # then the answers have ended, too
                orders.write(json.dumps({"code": statement.code, "number": statement.number}).encode() + b"\n")
            self._begin(statement, answers.readline())
            if not self._complete(statement, answers.readline()):
                return self._lost()
        return ("STOPPED", None) if self.state == "STOPPING" else ("TIMEOUT", None)

    def _next(self) -> Statement | None:
        """Return the next statement, as running; None when the session is to stop, or has been idle for too long."""
        with self._changed:
            self._changed.wait_for(lambda: self.state != "READY" or self._waiting(), self.order.idle_seconds)
            if self.state != "READY" or not self._waiting():
                return None
            statement = self._waiting()[0]
            statement.state = "RUNNING"
            return statement

    def _begin(self, statement: Statement, told: str) -> None:
        with self._changed:
            statement.begun = bool(told)
            if statement.begun and statement.state == "CANCELLING":
                self._interrupt()
            self._changed.notify_all()

    def _complete(self, statement: Statement, told: str) -> bool:
        """Take the answer to a statement; false when the process is gone."""
        with self._changed:
            if told:
                answer = json.loads(told)
                cancelled = statement.state == "CANCELLING"
                statement.end("CANCELLED" if cancelled else answer["State"], answer["Output"])
            self._changed.notify_all()
            return bool(told)

    def _lost(self) -> tuple[str, str | None]:
        return ("STOPPED", None) if self.state == "STOPPING" else ("FAILED", "the session's process ended")

    def _end(self, state: str, error: str | None) -> None:
        with self._changed:
            self.state, self.error = state, error
            for statement in self.statements:
                if statement.state not in FINAL:
                    lost = state == "FAILED" and statement.state != "WAITING"
                    statement.end("ERROR" if lost else "CANCELLED", _lost_output(error) if lost else {})
            self._changed.notify_all()
        _LOG.info("session %s %s: %s", self.order.session_id, state, error or "")

    def _waiting(self) -> list[Statement]:
        return [statement for statement in self.statements if statement.state == "WAITING"]

    def _running(self) -> Statement | None:
        return next((each for each in self.statements if each.state in ("RUNNING", "CANCELLING")), None)

    def _interrupt(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGINT)


def _lost_output(error: str | None) -> dict[str, Any]:
    return {"Status": "error", "ErrorName": "SessionLost", "ErrorValue": error or "", "Traceback": []}


def _milliseconds() -> int:
    return int(time.time() * 1000)
