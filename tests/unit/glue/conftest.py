"""A layer's job without Spark, on a real ledger in moto."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clients_once import clients_made_once
from fake_layer import Fake, ledger_table, made
from moto import mock_aws


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    # Not of S3: who writes a cut registers its condition on the client.
    with clients_made_once("dynamodb"), mock_aws():
        yield made(ledger_table())
