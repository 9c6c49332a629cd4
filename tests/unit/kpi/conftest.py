"""The KPI function's tests share the services in memory."""

from collections.abc import Iterator

import pytest
from kpi_cloud import Cloud, cloud_in_memory


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    yield from cloud_in_memory(monkeypatch)
