"""How the tests are shared out between the workers of `make test`, and what all of them leave behind."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import typer.main
import typer.testing
from botocore.loaders import create_loader
from hypothesis import settings
from moto.core import serialize
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

WITH_A_CLOUD = ("tests/e2e", "tests/notebooks")
WITH_SPARK = ("tests/e2e", "tests/integration/glue", "tests/notebooks")
SHARING_LAKES = [
    f"tests/integration/glue/test_{name}.py"
    for name in ("closed_months", "compaction", "contract_extended_in_silver", "jobs_killed", "replay")
]
SPARK_WORKERS = 2  # a JVM of each stays until the worker ends, and has some 3 GB
# Under these folders a file takes minutes or many seconds: they are handed out first, so that all workers end together.
SLOWEST_FIRST = ("tests/e2e", "tests/notebooks", "tests/integration/glue", "tests/integration")


# An optional checker of addresses, that jsonschema would spend seconds on compiling and no test uses.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
# The quick compiler alone: what the other one makes of a job's code in minutes pays off after these tests have ended.
os.environ.setdefault("ASSAY_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")
# The workers have all cores at work; threads of polars would only wait for each other.
os.environ.setdefault("POLARS_MAX_THREADS", "1")


# How long an example takes tells of what else the machine does, and of no fault.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_configure(config: pytest.Config) -> None:
    """Print as wide as into a pipe: a worker inherits the terminal's width, which readline has put there.

    And let the workers that take no test with Spark stand back behind those that do.
    """
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    if is_without_spark(getattr(config, "workerinput", {}).get("workerid", "gw0")):
        os.nice(5)
    _refuse_doubled_names(Path(__file__).parent)


def _refuse_doubled_names(tests: Path) -> None:
    """Refuse two test files of one name at once: pytest itself passes over the second, and says so after the last test.

    Raises: pytest.UsageError.
    """
    counted = Counter(file.name for file in tests.rglob("test_*.py"))
    if doubled := sorted(name for name, times in counted.items() if times > 1):
        raise pytest.UsageError(f"Rename one of the test files that share a name: {', '.join(doubled)}")


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what lives to the end: modules, tests, and models of examples."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="session", autouse=True)
def _models_of_services_are_read_once() -> Iterator[None]:
    """Let all sessions of botocore share the models of the services; each would read them again."""
    with patch("botocore.session.create_loader", functools.cache(create_loader)):
        yield


def _as_sent(value: Any) -> dict[str, Any]:
    """Return an attribute of DynamoDB as moto sends it. Raises: KeyError for bytes."""
    [(kind, held)] = [(value.type, value.value)] if isinstance(value, DynamoType) else value.items()
    return {kind: _AS_SENT[kind](held)}


def _all_as_sent(held: list[Any]) -> list[dict[str, Any]]:
    return [_as_sent(each) for each in held]


_AS_SENT: dict[str, Any] = {
    **dict.fromkeys(("S", "N"), str),
    **dict.fromkeys(("BOOL", "NULL"), bool),
    **dict.fromkeys(("SS", "NS"), lambda held: list(map(str, held))),
    "L": _all_as_sent,
    "M": lambda held: {name: _as_sent(each) for name, each in held.items()},
}


@pytest.fixture(scope="session", autouse=True)
def _services_are_found_once() -> Iterator[None]:
    """Let moto's servers remember whose requests they get; each would list moto's folders and try all addresses."""
    found = DomainDispatcherApplication.get_backend_for_host
    with patch.object(DomainDispatcherApplication, "get_backend_for_host", functools.cache(found)):
        yield


@pytest.fixture(scope="session", autouse=True)
def _attributes_are_sent_as_they_are() -> Iterator[None]:
    """Let moto's DynamoDB send attributes without asking for each of them whether it is of one of ten types."""
    original = serialize.BaseJSONSerializer._serialize_type_structure

    def quick(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue" and key:
            with contextlib.suppress(KeyError):
                serialized[self.get_serialized_name(shape, key)] = _as_sent(value)
                return
        original(self, serialized, value, shape, key)

    with patch.object(serialize.BaseJSONSerializer, "_serialize_type_structure", quick):
        yield


@pytest.fixture(scope="session", autouse=True)
def _commands_are_put_together_once() -> Iterator[None]:
    """Let all calls of the command line share its parser, which holds nothing of a call."""
    with patch("typer.testing._get_command", functools.cache(typer.main.get_command)):
        yield


@pytest.fixture(scope="session", autouse=True)
def _durations_of_tests_are_nobodys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what steps take in tests out of the cache of the person who runs them."""
    kept = tmp_path_factory.mktemp("durations") / "durations.json"
    with patch("assay.durations.path", return_value=kept):
        yield


def is_without_spark(worker: str) -> bool:
    """Tell whether a worker, one beyond the first two, takes no test with Spark."""
    return int(worker.removeprefix("gw")) >= SPARK_WORKERS


class ByFile(LoadScopeScheduling):
    """Hands out whole files, whose tests share their fixtures; some together, for their local cloud or their lakes."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file in SHARING_LAKES:
            return SHARING_LAKES[0]
        return next((folder for folder in WITH_A_CLOUD if file.startswith(f"{folder}/")), file)

    def _assign_work_unit(self, node: WorkerController) -> None:
        """Let workers beyond the first two take the tests without Spark: they fill what the others' waiting leaves."""
        if is_without_spark(node.gateway.id):
            if (quick := next((scope for scope in self.workqueue if not scope.startswith(WITH_SPARK)), None)) is None:
                node.shutdown()
                return
            self.workqueue.move_to_end(quick, last=False)
        super()._assign_work_unit(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    config.option.loadscopereorder = False  # by number of tests: the slowest files have the fewest
    return ByFile(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the slowest folders first where several workers share the tests."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: next((n for n, at in enumerate(SLOWEST_FIRST) if item.nodeid.startswith(at)), 9))


def pytest_unconfigure() -> None:
    """Drop the garbage collector's callbacks: that of hypothesis keeps modules alive until after the interpreter's end.

    DuckDB's module is among them, and says of each of its types and functions that it leaked.
    """
    gc.callbacks.clear()
    gc.unfreeze()
