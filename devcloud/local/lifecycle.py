"""Starts, finds and stops the local cloud of a project."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from assay.errors import UserError
from devcloud.local.environment import aws_environment, inherited_environment
from devcloud.local.state_folder import StateFolder

FOLDER = ".assay"
_END_SECONDS = 20.0
_POLL_SECONDS = 0.05
_SHOWN_LINES = 15


@dataclass(frozen=True)
class Cloud:
    """A running local cloud."""

    endpoint: str
    port: int
    pid: int
    state_folder: Path

    def environment(self) -> dict[str, str]:
        """Return the variables that send every AWS client to this cloud, and to nothing else."""
        return aws_environment(self.endpoint)


class CloudStartError(UserError):
    """The local cloud ended before it answered."""

    def __init__(self, *, log: Path, lines: list[str]) -> None:
        what = "\n".join([f"the local cloud did not start; the end of {log}:", *lines])
        super().__init__(what, "fix what the lines above name, then try again: assay up")


def start(project: Path, *, port: int | None = None, parent: int | None = None, record_calls: bool = False) -> Cloud:
    """Start the local cloud and return when it answers; if it runs already, return the running one.

    It goes on after this process, unless `parent` names a process with whose end it ends. With `record_calls` it writes
    each call to a file (`StateFolder.calls`).
    """
    found = running(project)
    if found is not None:
        return found
    folder = StateFolder((project / FOLDER).resolve())
    folder.server_log.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "devcloud.local.server", "--state-folder", str(folder.path)]
    command += ["--port", str(port or 0)]
    command += ["--parent", str(parent)] if parent is not None else []
    command += ["--record-calls"] if record_calls else []
    with folder.server_log.open("ab") as log:
        # A session of its own: Ctrl-C in the terminal is meant for the command, not for the cloud.
        process = subprocess.Popen(
            command,
            env=inherited_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    with process.stdout:  # type: ignore[union-attr]  # opened as a pipe above
        line = process.stdout.readline()  # type: ignore[union-attr]
    if not line:
        process.wait()
        lines = folder.server_log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:]
        raise CloudStartError(log=folder.server_log, lines=lines)
    # It outlives this object on purpose; without a return code Python would warn about that.
    process.returncode = 0
    return _cloud(json.loads(line))


def running(project: Path) -> Cloud | None:
    """Return the running local cloud of a project; a state file that a killed server left does not count."""
    folder = StateFolder((project / FOLDER).resolve())
    if not _is_locked(folder):
        return None
    try:
        return _cloud(state := json.loads(folder.state_file.read_text()))
    except FileNotFoundError:
        # Just starting, or just ending.
        return None
    except KeyError as error:
        what = "the local cloud that runs here was started by another version of this project"
        raise UserError(what, f"stop it, then try again: kill {state['pid']}") from error


def stop(project: Path) -> bool:
    """Stop the local cloud and all that it started; false when none was running."""
    folder = StateFolder((project / FOLDER).resolve())
    found = running(project)
    if found is None:
        folder.state_file.unlink(missing_ok=True)
        return False
    _signal(found.pid, signal.SIGTERM)
    if not _await_end(folder, seconds=_END_SECONDS):
        _signal(found.pid, signal.SIGKILL)
        _await_end(folder, seconds=_END_SECONDS)
        folder.state_file.unlink(missing_ok=True)
    # Only a child of this process needs it, and then it keeps no zombie.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(found.pid, 0)
    return True


def _cloud(state: dict[str, object]) -> Cloud:
    return Cloud(
        endpoint=str(state["endpoint"]),
        port=int(str(state["port"])),
        pid=int(str(state["pid"])),
        state_folder=Path(str(state["state_folder"])),
    )


def _is_locked(folder: StateFolder) -> bool:
    """Return whether a server lives: it holds the lock, and the system frees it however the server ends."""
    try:
        with folder.lock_file.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _await_end(folder: StateFolder, *, seconds: float) -> bool:
    waiting, until = Event(), time.monotonic() + seconds
    while _is_locked(folder):
        if time.monotonic() > until:
            return False
        waiting.wait(_POLL_SECONDS)
    return True
