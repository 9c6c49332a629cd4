"""One deployed stack and one uploaded batch for all tests of the folder; Spark runs are too dear for more."""

from collections.abc import Iterator

import pytest
from batch import batch
from deployed_app import DeployedApp, deployed
from ended_batch import EndedBatch, upload_and_await


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedApp]:
    with deployed(tmp_path_factory.mktemp("e2e") / "project") as app:
        yield app


@pytest.fixture(scope="session")
def ended(app: DeployedApp) -> EndedBatch:
    """The whole batch, uploaded at once, after the last file has ended and the last mail was sent."""
    return upload_and_await(app, batch())
