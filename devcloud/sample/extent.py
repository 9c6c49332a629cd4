"""What can be asked of a sample: its extent, the keys of an increment, the type of amounts in Parquet.

It imports no library, so that the command line shows its help at once.
"""

from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

Keys: TypeAlias = Literal["recent", "scattered"]
AmountType: TypeAlias = Literal["decimal", "text"]

FIRST_ON = date(2010, 1, 1)
DAYS = 3591
ACTIVE_CLIENTS = 1219
_ROWS_PER_CLIENT_DAY = 3
_FEWEST_CLIENTS = 50


@dataclass(frozen=True)
class Extent:
    """Which rows a history holds: how many, from which seed, over which days, of how many clients."""

    rows: int
    seed: int
    first_on: date = FIRST_ON
    days: int = DAYS
    clients: int = 0

    def __post_init__(self) -> None:
        if self.rows < 1 or self.days < 1 or not 0 <= self.clients <= ACTIVE_CLIENTS:
            raise ValueError(f"needs rows and days of at least 1 and at most {ACTIVE_CLIENTS} clients: {self}")

    @property
    def client_count(self) -> int:
        """As given, else as many as make the source's three rows a day, but at least 50."""
        usual = self.rows // (self.days * _ROWS_PER_CLIENT_DAY)
        return self.clients or min(max(usual, _FEWEST_CLIENTS), ACTIVE_CLIENTS)
