"""One history for all statistical tests: all clients, so that no single one sways a share."""

import polars as pl
import pytest

from devcloud.sample.extent import Extent
from devcloud.sample.history import History

ROWS = 300_000


@pytest.fixture(scope="session")
def rows() -> pl.DataFrame:
    return pl.concat(list(History(Extent(ROWS, seed=20, clients=1219))))
