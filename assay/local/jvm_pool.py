"""Keeps one warm JVM ready per Glue job, and replaces those that a script left in disorder."""

from __future__ import annotations

import itertools
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from assay.local import archive
from assay.local.home import Home
from assay.local.jvm import Jvm, JvmStartError
from assay.local.spark import aws_environment, java_environment

_LOG = logging.getLogger(__name__)
_WARM_UP = Path(__file__).with_name("warmup.py")


class JvmPool:
    """JVMs by job name. A job whose settings change gets a new one."""

    def __init__(self, home: Home, *, endpoint: str) -> None:
        self._home = home
        self._endpoint = endpoint
        self._numbers = itertools.count(1)
        self._warm: dict[str, Future[Jvm]] = {}
        self._wanted: dict[str, dict[str, str]] = {}
        self._all: set[Jvm] = set()
        self._lock = Lock()
        self._closed = False
        # One at a time: two cores warm two JVMs no faster side by side, and the first is needed first.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="jvm")

    def prepare(self, job: str, conf: Mapping[str, str]) -> None:
        """Start warming a JVM for a job, in the background."""
        with self._lock:
            if self._closed or self._wanted.get(job) == dict(conf):
                return
            self._wanted[job] = dict(conf)
            outdated = self._warm.pop(job, None)
            self._warm[job] = self._starter.submit(self._start_warm, job, dict(conf))
        if outdated is not None and not outdated.cancel():
            outdated.add_done_callback(lambda future: self._retire(future.result()))

    def take(self, job: str, conf: Mapping[str, str]) -> Jvm:
        """Return a JVM for one run: the warm one, or a cold one when there is none with these settings."""
        with self._lock:
            warm = self._warm.pop(job, None) if self._wanted.get(job) == dict(conf) else None
        # A cancelled one had not begun to start: starting cold is quicker than waiting for its turn.
        if warm is None or warm.cancel():
            return self._start(job, conf)
        return warm.result()

    def give_back(self, job: str, jvm: Jvm, *, healthy: bool) -> None:
        """Keep the JVM for the job's next run; after a script that was killed or left its session open, start another.

        That one is not exercised beforehand: the next run is likely to come at once, to isolate the file that failed.
        """
        reusable = healthy and jvm.is_clean()
        with self._lock:
            if self._closed or self._wanted.get(job) != jvm.conf or job in self._warm:
                reusable = False
            elif reusable:
                self._warm[job] = _done(jvm)
            else:
                self._warm[job] = self._starter.submit(self._start, job, jvm.conf)
        if not reusable:
            self._retire(jvm)

    def forget(self, job: str) -> None:
        with self._lock:
            self._wanted.pop(job, None)
            warm = self._warm.pop(job, None)
        if warm is not None and not warm.cancel():
            warm.add_done_callback(lambda future: self._retire(future.result()))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            jvms = set(self._all)
        self._starter.shutdown(wait=False, cancel_futures=True)
        for jvm in jvms:
            self._retire(jvm)

    def environment(self) -> dict[str, str]:
        """Return what a Spark process needs, JVM or Python."""
        scratch = {"SPARK_LOCAL_DIRS": str(self._home.scratch)}
        return {**os.environ, **aws_environment(self._endpoint), **java_environment(), **scratch}

    def _start_warm(self, job: str, conf: dict[str, str]) -> Jvm:
        jvm = self._start(job, conf)
        with jvm.log.open("ab") as log:
            command = [sys.executable, str(_WARM_UP)]
            environment = {**self.environment(), **jvm.environment()}
            done = subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
            )
        if done.returncode or not jvm.is_clean():
            # Only speed is lost: the JVM is replaced by a fresh one, and the log says why.
            _LOG.warning("warming up failed, see %s", jvm.log)
            self._retire(jvm)
            return self._start(job, conf)
        _LOG.info("warm JVM for %s", job)
        return jvm

    def _start(self, job: str, conf: Mapping[str, str]) -> Jvm:
        log = self._home.glue_log(job, run_id=f"jvm-{next(self._numbers)}")
        jvm = Jvm(conf, environment=self.environment(), log=log, java_options=archive.java_options())
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


def _done(jvm: Jvm) -> Future[Jvm]:
    future: Future[Jvm] = Future()
    future.set_result(jvm)
    return future
