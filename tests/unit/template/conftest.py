"""The SAM transform wants to know a region, and none of these tests may find a real one."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
