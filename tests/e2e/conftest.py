"""One deployed stack and one uploaded batch for all tests of the folder; Spark runs are too dear for more."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from batch import batch
from deployed_app import DeployedApp, deployed
from ended_batch import EndedBatch, upload_and_await

FOLDER = Path(__file__).parent
DEPLOYED = ExitStack()
LATE = {7: "story", 6: "swept", 5: "played", 4: "smoke", 3: "calls", 2: "items", 1: "ended"}
"""The place of a test by the fixture that it uses."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the deployment before those of the batch: they can show what they found minutes earlier.

    Last come those of other files, as the batch's look at all that there is, of all calls, and what adds files.
    """
    places = [place for place, item in enumerate(items) if FOLDER in item.path.parents]
    here = sorted((items[place] for place in places), key=_place)
    for place, item in zip(places, here, strict=True):
        items[place] = item


def _place(item: pytest.Item) -> int:
    fixtures = getattr(item, "fixturenames", ())
    return next((place for place, name in LATE.items() if name in fixtures), 0)


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedApp]:
    with DEPLOYED:
        yield DEPLOYED.enter_context(deployed(tmp_path_factory.mktemp("e2e") / "project"))


def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Stop the stack after its last test: its idle JVMs hold memory that the tests of other folders need."""
    if nextitem is None or FOLDER not in nextitem.path.parents:
        DEPLOYED.close()


@pytest.fixture(scope="session")
def ended(app: DeployedApp) -> EndedBatch:
    """The whole batch, uploaded at once, after the last file has ended and the last mail was sent."""
    return upload_and_await(app, batch())
