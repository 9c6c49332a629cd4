"""Keeps warm worker processes for one version of one function, and ends them when they overrun their time."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from queue import LifoQueue
from select import select
from threading import Lock
from typing import IO, Any
from uuid import uuid4

from devcloud.local.state_folder import StateFolder

_WORKER = Path(__file__).with_name("lambda_worker.py")


@dataclass(frozen=True)
class Outcome:
    """What an invocation came to; `error` is the runtime's error object."""

    request_id: str
    log: Path
    payload: Any = None
    error: dict[str, Any] | None = None


@dataclass(frozen=True)
class Definition:
    """All that makes a worker process what it is; when it changes the workers are replaced."""

    name: str
    arn: str
    package: Path
    handler: str
    timeout_seconds: int
    environment: Mapping[str, str] = field(hash=False)


class Worker:
    """One process that has imported the function, or is about to."""

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        reading, writing = os.pipe()
        # -P: the folder of the worker's own script must not hide a module of the package.
        command = [sys.executable, "-P", str(_WORKER), str(definition.package), definition.handler, str(writing)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            env=dict(definition.environment),
            pass_fds=[writing],
            cwd=definition.package,
            text=True,
            start_new_session=True,
        )
        os.close(writing)
        self._results = os.fdopen(reading)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def call(self, event: Any, *, request_id: str, log: Path) -> Outcome:
        timeout = self._definition.timeout_seconds
        deadline = time.time() + timeout
        described = {"request_id": request_id, "event": event, "log": str(log), "arn": self._definition.arn}
        answer = self._ask({**described, "deadline": deadline}, timeout_seconds=timeout)
        if answer.pop("fatal", False):
            self.close()
        return Outcome(request_id, log, **answer)

    def _ask(self, message: dict[str, Any], *, timeout_seconds: int) -> dict[str, Any]:
        stdin: IO[str] = self._process.stdin  # type: ignore[assignment]  # opened as a pipe above
        try:
            with contextlib.suppress(BrokenPipeError):  # a dead process is told below, by the end of its results
                stdin.write(json.dumps(message) + "\n")
                stdin.flush()
            ready, _, _ = select([self._results], [], [], timeout_seconds)
            line = self._results.readline() if ready else ""
        except ValueError:  # a deployment has closed this worker's files since it was chosen
            return {**_replaced(), "fatal": True}
        if not ready:
            return {**_error("Sandbox.Timedout", f"Task timed out after {timeout_seconds} seconds"), "fatal": True}
        answer: dict[str, Any] = (
            json.loads(line) if line else {**_error("Runtime.ExitError", "the process ended"), "fatal": True}
        )
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()  # type: ignore[union-attr]
        self._results.close()


class Pool:
    """At most `size` workers; an invocation beyond that waits, where AWS would start another sandbox."""

    def __init__(self, definition: Definition, folder: StateFolder, *, size: int) -> None:
        self.definition = definition
        self._folder = folder
        self._workers: list[Worker] = []
        self._lock = Lock()
        self._closed = False
        # The last one used comes first, so one sandbox stays warm rather than all lukewarm. None: not started yet.
        self._free: LifoQueue[Worker | None] = LifoQueue()
        for _ in range(size):
            self._free.put(None)

    def invoke(self, event: Any) -> Outcome:
        request_id = str(uuid4())
        log = self._folder.lambda_log(self.definition.name, at=datetime.now(UTC), request_id=request_id)
        log.parent.mkdir(parents=True, exist_ok=True)
        worker = self._free.get()
        try:
            worker = worker if worker and worker.alive else self._start()
            if worker is None:
                return Outcome(request_id, log, **_replaced())
            return worker.call(event, request_id=request_id, log=log)
        finally:
            self._free.put(worker if worker and worker.alive else None)

    def _start(self) -> Worker | None:
        with self._lock:
            if self._closed:
                return None
            worker = Worker(self.definition)
            self._workers = [each for each in self._workers if each.alive] + [worker]
            return worker

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.close()


def _replaced() -> dict[str, Any]:
    return _error("Runtime.Replaced", "the function is being replaced")


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"errorType": kind, "errorMessage": message}}
