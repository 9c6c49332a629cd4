"""Count distinct 64-bit keys exactly in memory that does not grow with their number.

Keys are spilled to disk as sorted runs. Keys of a run that lie in no other run's range cannot occur twice, so a file
in the order of its keys, the usual one, costs a sort of nearly sorted numbers. The others are counted by shards of a
hash, in which equal keys meet.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import polars as pl

_Range = tuple[int, int]
RUN_KEYS = 250_000
SHARDS = 32


@dataclass(frozen=True)
class _Run:
    """Different keys in ascending order, on disk."""

    path: Path
    first: int
    last: int
    count: int


class DistinctKeys:
    """A multiset of keys; use it as a context, so that its files go away."""

    def __init__(self, *, run_keys: int = RUN_KEYS, shards: int = SHARDS) -> None:
        self._run_keys = run_keys
        self._shards = shards
        self._buffer: list[pl.Series] = []
        self._buffered = 0
        self._runs: list[_Run] = []
        self._folder = TemporaryDirectory(prefix="keys-")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._folder.cleanup()

    def add(self, keys: pl.Series) -> None:
        """Take keys without nulls, of type Int64."""
        if keys.is_empty():
            return
        self._buffer.append(keys)
        self._buffered += keys.len()
        if self._buffered >= self._run_keys:
            self._spill()

    def count(self) -> int:
        """Return how many different keys were added."""
        if not self._runs:
            return pl.concat(self._buffer).n_unique() if self._buffer else 0
        self._spill()
        contested = _contested_ranges(self._runs)
        occurrences, distinct = self._count_within(contested) if contested else (0, 0)
        return sum(run.count for run in self._runs) - occurrences + distinct

    def _spill(self) -> None:
        if not self._buffer:
            return
        keys = pl.concat(self._buffer).sort()
        keys = keys.filter((keys != keys.shift(1)).fill_null(value=True))
        path = Path(self._folder.name) / f"run-{len(self._runs)}.arrow"
        pl.DataFrame({"key": keys}).write_ipc(path)
        self._runs.append(_Run(path, int(keys[0]), int(keys[-1]), keys.len()))
        self._buffer, self._buffered = [], 0

    def _count_within(self, ranges: list[_Range]) -> tuple[int, int]:
        """Return how many keys of the runs lie in the ranges, and how many different ones."""
        occurrences = 0
        for number, run in enumerate(self._runs):
            within = _within(run, ranges)
            occurrences += within.height
            sharded = within.with_columns(shard=pl.col("key").hash(seed=0) % self._shards)
            for (shard,), part in sharded.partition_by("shard", as_dict=True, include_key=False).items():
                part.write_ipc(self._shard_file(int(shard), number))
        return occurrences, sum(self._count_shard(shard) for shard in range(self._shards))

    def _count_shard(self, shard: int) -> int:
        files = [file for number in range(len(self._runs)) if (file := self._shard_file(shard, number)).exists()]
        return pl.concat(_read(file) for file in files)["key"].n_unique() if files else 0

    def _shard_file(self, shard: int, run: int) -> Path:
        return Path(self._folder.name) / f"shard-{shard}-{run}.arrow"


def _contested_ranges(runs: list[_Run]) -> list[_Range]:
    """Return the disjoint ranges of keys that at least two runs cover."""
    ranges: list[_Range] = []
    reached: int | None = None
    for run in sorted(runs, key=lambda run: run.first):
        if reached is not None and run.first <= reached:
            shared = (run.first, min(run.last, reached))
            if ranges and shared[0] <= ranges[-1][1]:
                shared = (ranges[-1][0], max(ranges.pop()[1], shared[1]))
            ranges.append(shared)
        reached = run.last if reached is None else max(reached, run.last)
    return ranges


def _within(run: _Run, ranges: list[_Range]) -> pl.DataFrame:
    met = [(low, high) for low, high in ranges if low <= run.last and high >= run.first]
    if not met:
        return pl.DataFrame(schema={"key": pl.Int64})
    return _read(run.path).filter(pl.any_horizontal(pl.col("key").is_between(low, high) for low, high in met))


def _read(path: Path) -> pl.DataFrame:
    # From bytes: a mapped file would count as this process's memory.
    return pl.read_ipc(path.read_bytes())
