"""How the tests are shared out between the workers of `make test`, and what all of them leave behind."""

from __future__ import annotations

import functools
import gc
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from botocore.loaders import create_loader
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Under these folders a file takes minutes or many seconds: they are handed out first, so that all workers end together.
SLOWEST_FIRST = ("tests/e2e", "tests/integration/glue", "tests/notebooks", "tests/integration")


def pytest_configure() -> None:
    """Print as wide as into a pipe: a worker inherits the terminal's width, which readline has put there."""
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)
    _refuse_doubled_names(Path(__file__).parent)


def _refuse_doubled_names(tests: Path) -> None:
    """Refuse two test files of one name at once: pytest itself passes over the second, and says so after the last test.

    Raises: pytest.UsageError.
    """
    counted = Counter(file.name for file in tests.rglob("test_*.py"))
    if doubled := sorted(name for name, times in counted.items() if times > 1):
        raise pytest.UsageError(f"Rename one of the test files that share a name: {', '.join(doubled)}")


@pytest.fixture(scope="session", autouse=True)
def _models_of_services_are_read_once() -> Iterator[None]:
    """Let all sessions of botocore share the models of the services; each would read them again."""
    with patch("botocore.session.create_loader", functools.cache(create_loader)):
        yield


@pytest.fixture(scope="session", autouse=True)
def _durations_of_tests_are_nobodys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what steps take in tests out of the cache of the person who runs them."""
    kept = tmp_path_factory.mktemp("durations") / "durations.json"
    with patch("assay.durations.path", return_value=kept):
        yield


class ByFile(LoadScopeScheduling):
    """Hands out whole files, whose tests share their fixtures; those of tests/e2e as one, for their deployed stack."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "tests/e2e" if file.startswith("tests/e2e/") else file


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
