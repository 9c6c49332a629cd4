"""The KPI function's tests import the corpora of files as modules, and share the services in memory."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kpi_cloud import Cloud, cloud_in_memory

DATA = Path(__file__).parents[2] / "data"
sys.path[:0] = [str(DATA / "nasty"), str(DATA)]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from cloud_in_memory(monkeypatch)
