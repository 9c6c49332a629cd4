"""One moto server and one JVM for all tests of the Glue jobs; each test has a pipeline with names of its own."""

from __future__ import annotations

import gc
import logging
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import app
import pytest
from glue_pipeline import GOLD, JOBS, SILVER, Event, Pipeline, csv, make_services, put
from moto.server import ThreadedMotoServer
from py4j.java_gateway import JavaClass, JavaPackage, JVMView
from pyspark import SparkContext
from pyspark.sql import SparkSession

from devcloud.local import spark as local_spark
from glue.lake import closings
from glue.lake.run import Job
from glue.lake.spark import session
from glue.lake.tables import create_tables

UNCLOSED = "ignore:unclosed <socket:ResourceWarning"  # boto3 and py4j leave their sockets to the garbage collector


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(UNCLOSED))


def collect_sockets() -> None:
    """Collect now what would else be collected, with a warning, in a test elsewhere."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed <socket", ResourceWarning)
        gc.collect()


@contextmanager
def environment(endpoint: str, scratch: Path) -> Iterator[dict[str, str]]:
    """Point this process at the server for a while; yield the variables that do."""
    before = dict(os.environ)
    with patch.dict(os.environ):
        local_spark.configure_environment(endpoint=endpoint, warehouse="s3://lake/warehouse/", scratch=scratch)
        yield {name: value for name, value in os.environ.items() if before.get(name) != value}


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start the server; give the variables that point a process at it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    with environment(f"http://{host}:{port}", tmp_path_factory.mktemp("spark")) as variables:
        make_services()
    yield variables
    server.stop()


@pytest.fixture(autouse=True)
def at_the_server(aws: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Only while a test of this folder runs, so that tests elsewhere in the same process find no endpoint."""
    for name, value in aws.items():
        monkeypatch.setenv(name, value)
    yield
    app.services.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def _sockets_are_collected() -> Iterator[None]:
    """Once for a file of tests: to look through all that this process holds takes half a second."""
    yield
    collect_sockets()


@pytest.fixture(scope="module")
def at_the_server_for_module(aws: dict[str, str]) -> Iterator[None]:
    """The same for fixtures that serve a module; give way to the test's own afterwards."""
    with patch.dict(os.environ, aws):
        yield


@contextmanager
def names_looked_up_once() -> Iterator[None]:
    """Let packages and classes of the JVM be remembered: it seeks each part of a name in all jars."""

    def remembering(owner: type) -> Callable[[Any, str], Any]:
        looked_up = owner.__getattr__  # type: ignore[attr-defined]

        def look_up(holder: Any, name: str) -> Any:
            if isinstance(found := looked_up(holder, name), (JavaPackage, JavaClass)):
                holder.__dict__[name] = found
            return found

        return look_up

    with (
        patch.object(JVMView, "__getattr__", remembering(JVMView)),
        patch.object(JavaPackage, "__getattr__", remembering(JavaPackage)),
    ):
        yield


@pytest.fixture(scope="session")
def spark(aws: dict[str, str]) -> Iterator[SparkSession]:
    with patch.dict(os.environ, aws):
        made = session("silver", SILVER.LAYER.settings)
    made.sparkContext.setLogLevel("ERROR")
    # Where the code of a plan grows beyond what the JVM takes, Spark would try in vain each time, and go on slowly.
    made.conf.set("spark.sql.codegen.fallback", "false")
    with names_looked_up_once():
        yield made
    gateway = SparkContext._gateway
    made.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(timeout=30)
    SparkContext._gateway = SparkContext._jvm = None
    del gateway
    collect_sockets()


@pytest.fixture(scope="session")
def empty(aws: dict[str, str], spark: SparkSession) -> Pipeline:
    """A pipeline that never sees a file: the others are forked from it, which is quicker than to create tables."""
    with patch.dict(os.environ, aws):
        made = Pipeline(spark).create()
        for layer, job in (("silver", SILVER), ("gold", GOLD)):
            create_tables(spark, made.database(layer), job.LAYER.tables)
    return made


@pytest.fixture
def pipeline(empty: Pipeline) -> Pipeline:
    return empty.fork()


THREE_FILES = (
    csv(
        "1,1.00,2023-01-01,chip,5,",
        "2,1.50,2023-01-02,chip,5,",
        "3,-1.00,2023-01-03,chip,5,",
        "x,1.00,2023-01-01,chip,5,",
    ),
    csv(
        "2,2.00,2023-02-02,swipe,6,",
        "3,2.00,2023-02-03,swipe,6,",
        "4,-2.00,2023-02-04,swipe,6,",
        "1,1.00,2023-01-01,chip,5,",
        "x,1.00,2023-01-01,,,",
    ),
    csv("3,3.00,2023-03-03,,7,", "4,3.00,2023-03-04,,7,", "5,-3.00,2023-03-05,,,"),
)


@pytest.fixture(scope="session")
def three_files(aws: dict[str, str]) -> list[Event]:
    """Three files in Bronze, each of which moves two rows of the one before to other groups; two have a bad row."""
    with patch.dict(os.environ, aws):
        return [
            put(f"transactions/{number}.csv", body, as_of=f"2024-01-{number:02d}T00:00:00Z")
            for number, body in enumerate(THREE_FILES, start=1)
        ]


@pytest.fixture(scope="session")
def months_read() -> list[list[str]]:
    """The months whose totals Gold's job has read for `after_each_file`, since they are closed and touched."""
    return []


@pytest.fixture(scope="session")
def after_each_file(
    aws: dict[str, str], empty: Pipeline, three_files: list[Event], months_read: list[list[str]]
) -> list[Pipeline]:
    """The pipeline after each of these files, taken one by one, in tables that nothing has compacted.

    January, whose rows the second file moves and the third does not touch, is closed after the first one.
    """

    def refuse_compaction(step: str, **facts: Any) -> None:
        assert step != "compacted" or facts["tables"] == []

    def totals(job: Job, snapshots: dict[str, int], months: Iterable[str]) -> Any:
        months_read.append([*months])
        return read(job, snapshots, months)

    read, found, current = closings._totals, list[Pipeline](), empty
    with patch.dict(os.environ, aws), patch.object(closings, "_totals", totals):
        for event in three_files:
            current = current.fork()
            current.arrive(event)
            for layer in JOBS:
                current.run(layer, at_step=refuse_compaction)
            if not found:
                current.close("2023-01")
            found.append(current)
    return found
