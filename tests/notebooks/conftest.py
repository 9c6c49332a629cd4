"""One local cloud for all notebooks, with a lake, the packages in it, and the kernels of a project."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from glue_notebook import CONF, LAKE, GlueKernel

from assay import notebooks
from devcloud.local import lifecycle
from devcloud.notebook.kernels import write_kernels

ROOT = Path(__file__).parents[2]
# papermill and its kernel client leave sockets and loops to the garbage collector; so does boto3
_UNCLOSED = ("ResourceWarning", "DeprecationWarning", "pytest.PytestUnraisableExceptionWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for category in _UNCLOSED:
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{category}"))


@pytest.fixture(scope="session")
def glue_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GlueKernel]:
    """AWS's kernel on a local cloud; one job with the settings of the sessions keeps a JVM warm for them."""
    project = tmp_path_factory.mktemp("notebooks")
    cloud = lifecycle.start(project, parent=os.getpid())
    try:
        session = boto3.Session("local", "local", region_name="us-east-1")
        s3, glue = (session.client(name, endpoint_url=cloud.endpoint) for name in ("s3", "glue"))
        s3.create_bucket(Bucket=LAKE)
        notebooks.upload_packages(ROOT, s3, LAKE)
        command = {"Name": "glueetl", "ScriptLocation": f"s3://{LAKE}/none.py"}
        arguments = {"--conf": CONF, "--datalake-formats": "iceberg"}
        glue.create_job(Name="warm", Role="warm", Command=command, GlueVersion="5.1", DefaultArguments=arguments)
        yield GlueKernel(project, write_kernels(project), glue, s3)
    finally:
        lifecycle.stop(project)
