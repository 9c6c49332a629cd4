"""The local cloud's process: `python -m devcloud.local.server --state-folder .assay [--port N] [--parent PID]
[--record-calls]`.

Prints one line of JSON when it answers, and runs until it is told to end, by SIGTERM or SIGINT, or until the process
named as its parent is gone. Nothing that it started outlives it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import logging
import os
import shutil
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import IO

from devcloud.local.state_folder import StateFolder

_LOG = logging.getLogger(__name__)
_PARENT_POLL_SECONDS = 1.0
_LOCK_ATTEMPTS = 10
_LOCK_PAUSE_SECONDS = 0.05
# Bound to the loopback address but served under this name: clients of S3 then put the bucket into the path.
_HOST = "localhost"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state-folder", type=Path, required=True, help="folder of state and logs")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--parent", type=int, help="end when this process is gone")
    parser.add_argument("--record-calls", action="store_true", help="write each call to logs/calls.jsonl")
    given = parser.parse_args()
    folder = StateFolder(given.state_folder.resolve())
    with _locked(folder):
        _serve(folder, port=given.port, parent=given.parent, record_calls=given.record_calls)


def _locked(folder: StateFolder) -> IO[str]:
    """Lock the folder for this process's life; a second server for the same project gives up here."""
    folder.path.mkdir(parents=True, exist_ok=True)
    file = folder.lock_file.open("w")
    for _ in range(_LOCK_ATTEMPTS):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        # Who only asks whether a server runs holds the lock for a moment, too.
        Event().wait(_LOCK_PAUSE_SECONDS)
    sys.exit(f"a local cloud is running already in {folder.path}")


def _serve(folder: StateFolder, *, port: int, parent: int | None, record_calls: bool) -> None:
    # An optional checker of addresses, that jsonschema would spend three seconds on compiling and moto never uses.
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    # What an earlier cloud unpacked, and what JVMs that were killed have left.
    for left in (folder.functions, folder.scratch):
        shutil.rmtree(left, ignore_errors=True)
    from devcloud.local import cloud  # takes seconds: after the lock, so that a second server gives up at once

    end = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    if parent is not None:
        Thread(target=_watch, args=(parent, end), daemon=True).start()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # A line for each request would be most of the log, and a good part of the work.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = cloud.EmulatedCloud(folder, port=port, record_calls=record_calls)
    try:
        _announce(folder, endpoint=f"http://{_HOST}:{server.port}", port=server.port)
        end.wait()
    finally:
        folder.state_file.unlink(missing_ok=True)
        server.close()
    _LOG.info("ended")
    logging.shutdown()
    # Threads of moto's state machines may still wait for something; there is nothing left to wait for.
    os._exit(0)


def _announce(folder: StateFolder, *, endpoint: str, port: int) -> None:
    started_at = datetime.now(UTC).isoformat(timespec="seconds")
    state = {
        "endpoint": endpoint,
        "port": port,
        "pid": os.getpid(),
        "started_at": started_at,
        "state_folder": str(folder.path),
    }
    part = folder.state_file.with_suffix(".part")
    part.write_text(json.dumps(state, indent=2) + "\n")
    part.rename(folder.state_file)
    print(json.dumps(state), flush=True)


def _watch(parent: int, end: Event) -> None:
    while not end.wait(_PARENT_POLL_SECONDS):
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            end.set()


if __name__ == "__main__":
    main()
