"""Run a job's script, unmodified, on its JVM's Spark context: `python -m devcloud.local.job_main SCRIPT …`.

Spark keeps the code that it generates by class loader, and each Spark context brings a loader of its own: with a new
context for each run a warm JVM would compile everything again. So a script that stops its session leaves the context
running, idle and without cached rows; the next script finds it, in a new session with settings of its own.
"""

from __future__ import annotations

import runpy
import sys
from typing import Any

from pyspark import SparkContext
from pyspark.sql import SparkSession

from devcloud.local.jvm import CLOSED, OPEN, STATE_PROPERTY
from devcloud.local.patching import Function, wrap


def keep_context() -> None:
    """Let this process's Spark context be the JVM's, and let it stay when the script stops its session."""
    wrap(SparkContext, "_initialize_context", _found)
    wrap(SparkContext, "stop", lambda _: _leave)
    wrap(SparkSession, "stop", _closed)


def _found(original: Function) -> Function:
    def _initialize_context(context: Any, conf: Any) -> Any:
        jvm = context._jvm
        active = getattr(getattr(jvm.org.apache.spark, "SparkContext$"), "MODULE$").getActive()
        found = jvm.JavaSparkContext(active.get()) if active.isDefined() else original(context, conf)
        last = jvm.SparkSession.getDefaultSession()
        # PySpark takes the default session. A new one begins with the settings of the JVM, not with those of the last
        # one, but shares its listeners: else each run would add some.
        base = last.get() if last.isDefined() else jvm.SparkSession(found.sc(), {})
        jvm.SparkSession.setDefaultSession(base.newSession())
        jvm.System.setProperty(STATE_PROPERTY, OPEN)
        return found

    return _initialize_context


def _leave(context: Any) -> None:
    """Do what stopping the context does on this side; on the JVM's, only end its jobs and drop what it caches."""
    if context._jsc is not None:
        context._jsc.sc().cancelAllJobs()
        for rows in list(context._jsc.getPersistentRDDs().values()):
            rows.unpersist(False)
        context._jsc = None
        context._accumulatorServer.shutdown()
    SparkContext._active_spark_context = None


def _closed(original: Function) -> Function:
    def stop(session: Any) -> None:
        original(session)
        session._jvm.SparkSession.setDefaultSession(session._jsparkSession)
        session._jvm.System.setProperty(STATE_PROPERTY, CLOSED)

    return stop


def main() -> None:
    script = sys.argv[1]
    sys.argv = sys.argv[1:]
    keep_context()
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
