"""Keeps JVMs warm for Glue jobs: jobs with the same settings share them, and what one has compiled serves the next."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from devcloud.local import jvm_options
from devcloud.local.environment import OPERATOR
from devcloud.local.jvm import Jvm, JvmStartError
from devcloud.local.spark import process_environment
from devcloud.local.state_folder import StateFolder

_LOG = logging.getLogger(__name__)
_WARM_UP = Path(__file__).with_name("warmup.py")
_MOST_IDLE = 2
# Among the settings of a JVM: whose calls it makes. It cannot change while the JVM runs.
KEY_ID = "spark.executorEnv.AWS_ACCESS_KEY_ID"

Settings = frozenset[tuple[str, str]]


class JvmPool:
    """Idle JVMs by their Spark settings, those used last at the end. Settings that no job has any more lose theirs."""

    def __init__(self, folder: StateFolder, *, endpoint: str) -> None:
        self._folder = folder
        self._endpoint = endpoint
        self._numbers = itertools.count(1)
        self._idle: dict[Settings, list[Future[Jvm]]] = defaultdict(list)
        self._wanted: dict[str, Settings] = {}
        self._all: set[Jvm] = set()
        self._lock = Lock()
        self._closed = False
        # One at a time: two cores warm two JVMs no faster side by side, and the first is needed first.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="jvm")

    def prepare(self, job: str, conf: Mapping[str, str]) -> None:
        """Start warming a JVM in the background, for each of the first two jobs with these settings."""
        settings = _settings(conf)
        with self._lock:
            if self._closed or self._wanted.get(job) == settings:
                return
            self._wanted[job] = settings
            outdated = self._unwanted()
            idle, jobs = self._idle[settings], list(self._wanted.values()).count(settings)
            # None of a role is warmed: what exercises it are calls that the role itself would never make.
            if jobs <= _MOST_IDLE and len(idle) < _MOST_IDLE and KEY_ID not in conf:
                # In front: what is warmed first is taken first, and a JVM that has run a job before either.
                idle.insert(0, self._starter.submit(self._start_warm, dict(conf)))
        self._drop(outdated)

    def take(self, conf: Mapping[str, str]) -> Jvm:
        """Return a JVM for one run: of the idle ones with these settings that used last, or else a cold one."""
        with self._lock:
            idle = self._idle.get(_settings(conf))
            warm = idle.pop() if idle else None
        # A cancelled one had not begun to start: starting cold is quicker than waiting for its turn.
        if warm is None or warm.cancel():
            return self._start(conf)
        return warm.result()

    def give_back(self, jvm: Jvm, *, healthy: bool) -> None:
        """Keep the JVM for the next run; after a script that was killed or left its session open, start another.

        That one is not exercised beforehand: the next run is likely to come at once, to isolate the file that failed.
        It is not started while another is idle: a second is needed only when two jobs run at once, and comes by that.
        """
        settings = _settings(jvm.conf)
        reusable = healthy and jvm.is_clean()
        with self._lock:
            wanted = not self._closed and settings in self._wanted.values()
            idle = self._idle[settings] if wanted else []
            if reusable:
                idle.append(_done(jvm))
            elif wanted and not idle:
                idle.append(self._starter.submit(self._start, jvm.conf))
            surplus = idle[: -_MOST_IDLE if wanted else None]
            del idle[: len(surplus)]
        if not reusable:
            self._retire(jvm)
        self._drop(surplus)

    def forget(self, job: str) -> None:
        with self._lock:
            self._wanted.pop(job, None)
            outdated = self._unwanted()
        self._drop(outdated)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            jvms = set(self._all)
        self._starter.shutdown(wait=False, cancel_futures=True)
        for jvm in jvms:
            self._retire(jvm)

    def environment(self, *, key_id: str = OPERATOR) -> dict[str, str]:
        """Return what a Spark process needs, JVM or Python, that makes calls under this access key id."""
        scratch = {"SPARK_LOCAL_DIRS": str(self._folder.scratch)}
        return {**process_environment(self._endpoint, key_id=key_id), **scratch}

    def _unwanted(self) -> list[Future[Jvm]]:
        """Take out the idle JVMs whose settings no job has; the caller holds the lock."""
        outdated = [settings for settings in self._idle if settings not in self._wanted.values()]
        return [future for settings in outdated for future in self._idle.pop(settings)]

    def _drop(self, futures: list[Future[Jvm]]) -> None:
        for future in futures:
            if not future.cancel():
                future.add_done_callback(lambda done: self._retire(done.result()))

    def _start_warm(self, conf: dict[str, str]) -> Jvm:
        jvm = self._start(conf)
        with jvm.log.open("ab") as log:
            command = [sys.executable, "-m", "devcloud.local.job_main", str(_WARM_UP)]
            environment = {**self.environment(), **jvm.environment()}
            done = subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
            )
        if done.returncode or not jvm.is_clean():
            # Only speed is lost: the JVM is replaced by a fresh one, and the log says why.
            _LOG.warning("warming up failed, see %s", jvm.log)
            self._retire(jvm)
            return self._start(conf)
        _LOG.info("warm JVM, see %s", jvm.log)
        return jvm

    def _start(self, conf: Mapping[str, str]) -> Jvm:
        log = self._folder.glue_log("jvm", run_id=str(next(self._numbers)))
        environment = self.environment(key_id=conf.get(KEY_ID, OPERATOR))
        jvm = Jvm(conf, environment=environment, log=log, java_options=jvm_options.java_options())
        with self._lock:
            if not self._closed:
                self._all.add(jvm)
                return jvm
        jvm.close()
        raise JvmStartError(log=log)

    def _retire(self, jvm: Jvm) -> None:
        with self._lock:
            self._all.discard(jvm)
        jvm.close()


def _settings(conf: Mapping[str, str]) -> Settings:
    return frozenset(conf.items())


def _done(jvm: Jvm) -> Future[Jvm]:
    future: Future[Jvm] = Future()
    future.set_result(jvm)
    return future


def start_python(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    folder: Path,
    log: BinaryIO,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a Python process in a session of its own, which `kill_session` ends."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        pass_fds=pass_fds,
    )


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that leads a session, and those that it has started; nothing happens when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
