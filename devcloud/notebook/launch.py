"""Becomes a kernel: `python -m devcloud.notebook.launch assay|glue_pyspark PROJECT -f CONNECTION_FILE`."""

from __future__ import annotations

import os
import sys
from configparser import ConfigParser
from pathlib import Path

from devcloud.local import jvm_options, lifecycle, spark
from devcloud.local.environment import REGION, inherited_environment
from devcloud.local.lifecycle import Cloud
from devcloud.notebook.kernels import GLUE, state_folder

# What the local cloud takes for the role that a stack's output names on AWS.
_ROLE = "arn:aws:iam::123456789012:role/assay-notebook"
# Where nothing answers: a notebook without a local cloud must not reach AWS by the developer's own settings.
_NOWHERE = "http://localhost:9"
# What Spark warns of while it starts and plans would stand above the rows of the first previews. It takes a level for a
# shell's only where that logger has one of its own.
_ERRORS_ALONE = """\
rootLogger.level = error
logger.shell.name = org.apache.spark.api.python.PythonGatewayServer
logger.shell.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n%ex
"""


def local_environment(project: Path, cloud: Cloud | None) -> dict[str, str]:
    """Return the variables with which a plain Python kernel finds the packages, Java, the jars and the local cloud."""
    folder = state_folder(project)
    scratch = folder / "spark"
    scratch.mkdir(parents=True, exist_ok=True)
    endpoint = cloud.endpoint if cloud else _NOWHERE
    lake = _lake_bucket(project, cloud) if cloud else None
    if lake:
        catalog = spark.catalog_conf(warehouse=f"s3://{lake}/warehouse/") | spark.endpoint_conf(endpoint)
    else:
        catalog = _own_catalog(folder / "warehouse") | spark.endpoint_conf(endpoint)
    conf = {**spark.SIZING, **catalog, "spark.sql.warehouse.dir": str(scratch / "warehouse")}
    logging = folder / "log4j2.properties"
    logging.write_text(_ERRORS_ALONE)
    java_options = [*jvm_options.java_options(), f"-Dlog4j2.configurationFile={logging.as_uri()}"]
    roots = [project, project / "functions" / "kpi"]
    return {
        **spark.process_environment(endpoint),
        "PYTHONPATH": os.pathsep.join(str(root.resolve()) for root in roots),
        "SPARK_LOCAL_DIRS": str(scratch),
        "PYSPARK_SUBMIT_ARGS": spark.submit_args(conf, java_options=java_options),
    }


def glue_environment(project: Path, cloud: Cloud) -> dict[str, str]:
    """Return the variables with which AWS's kernel reaches this project's local cloud, and nothing else."""
    folder = state_folder(project)
    config = ConfigParser()
    # It asks for the profile `default`; only with a profile does it heed the endpoint.
    config["default"] = {
        "glue_profile": "default",
        "region": REGION,
        "endpoint_url": cloud.endpoint,
        "aws_access_key_id": "local",
        "aws_secret_access_key": "local",
        "glue_role_arn": _ROLE,
    }
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    file = home / "aws-config"
    with file.open("w") as opened:
        config.write(opened)
    inherited = {name: value for name, value in inherited_environment().items() if name != "PYTHONPATH"}
    return {
        **inherited,
        "HOME": str(home),
        "AWS_CONFIG_FILE": str(file),
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Spares it a look at the package index and at the caller's identity.
        "request_origin": "GlueStudioNotebook",
        "userId": "local",
    }


def main() -> None:
    name, project, arguments = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
    cloud = lifecycle.running(project)
    if name == GLUE:
        if cloud is None:
            sys.exit(f"no local cloud runs in {project}: start it (assay up, then assay deploy)")
        module, environment = (
            "aws_glue_interactive_sessions_kernel.glue_pyspark.GlueKernel",
            glue_environment(project, cloud),
        )
    else:
        os.chdir(project)
        module, environment = "ipykernel_launcher", local_environment(project, cloud)
        arguments = [*arguments, "--IPKernelApp.extra_extensions=devcloud.notebook.session_magics"]
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], environment)  # noqa: S606 - no shell is wanted


def _lake_bucket(project: Path, cloud: Cloud) -> str | None:
    from botocore.exceptions import BotoCoreError, ClientError

    from assay.errors import UserError
    from assay.target import local_target

    try:
        return local_target(cloud, project=project).stack.lake_bucket
    except (UserError, BotoCoreError, ClientError):
        return None  # not deployed yet


def _own_catalog(warehouse: Path) -> dict[str, str]:
    """Return the settings of a catalog in a folder, under the name that the jobs use."""
    catalog = "spark.sql.catalog.glue_catalog"
    conf = spark.catalog_conf(warehouse=str(warehouse))
    of_aws = {f"{catalog}.catalog-impl", f"{catalog}.io-impl"}
    return {name: value for name, value in conf.items() if name not in of_aws} | {f"{catalog}.type": "hadoop"}


if __name__ == "__main__":
    main()
