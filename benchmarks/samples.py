"""Writes the histories and the increments that are measured; the same names and seeds write the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from devcloud.sample.extent import DAYS, FIRST_ON, Extent, Keys
from devcloud.sample.history import History
from devcloud.sample.increment import Mix, increment
from devcloud.sample.writers import write

CHANGED_PERCENT = 20
WHOLE_ROWS = 13_000_000


@dataclass(frozen=True)
class Samples:
    """Files of one history, in a folder."""

    folder: Path
    extent: Extent

    @classmethod
    def of(cls, folder: Path, rows: int, *, seed: int) -> Samples:
        """Let histories of all sizes end on one day, with the same rows a day: an increment is the same days to all."""
        folder.mkdir(parents=True, exist_ok=True)
        days = max(1, min(DAYS, rows * DAYS // WHOLE_ROWS))
        first_on = FIRST_ON + timedelta(days=DAYS - days)
        return cls(folder, Extent(rows=rows, seed=seed, first_on=first_on, days=days))

    def history(self, kind: str = "csv") -> Path:
        """Write the history, unless it is there."""
        path = self.folder / f"history.{kind}"
        if not path.exists():
            write(History(self.extent), path)
        return path

    def increment(self, part: int, keys: Keys, *, rows: int = 10_000, changed_percent: int = CHANGED_PERCENT) -> Path:
        """Write an increment; each part has new keys of its own."""
        path = self.folder / f"{keys}-{rows}-{part:04d}.csv"
        mix = Mix.of(rows, changed_percent=changed_percent, repeated_percent=0)
        write(increment(self.extent, mix, seed=self.extent.seed, keys=keys, part=part), path)
        return path
