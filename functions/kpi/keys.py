"""Counts distinct 64-bit keys exactly in memory that does not grow with their number.

Keys beyond a buffer are spilled into shard files by a hash of the key; equal keys meet in the same shard, so the
distinct keys of the whole are the sum over the shards.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import polars as pl

BUFFERED_KEYS = 250_000
SHARDS = 32


class DistinctKeys:
    """A multiset of keys; use it as a context, so that its files go away."""

    def __init__(self, *, buffered_keys: int = BUFFERED_KEYS, shards: int = SHARDS) -> None:
        self._buffered_keys = buffered_keys
        self._shards = shards
        self._buffer: list[pl.Series] = []
        self._buffer_size = 0
        self._spills = 0
        self._folder = TemporaryDirectory(prefix="keys-")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._folder.cleanup()

    def add(self, keys: pl.Series) -> None:
        """Take keys without nulls, of type Int64."""
        self._buffer.append(keys)
        self._buffer_size += keys.len()
        if self._buffer_size >= self._buffered_keys:
            self._spill()

    def count(self) -> int:
        """Return how many different keys were added."""
        if not self._spills:
            return pl.concat(self._buffer).n_unique() if self._buffer else 0
        self._spill()
        return sum(self._count_shard(shard) for shard in range(self._shards))

    def _spill(self) -> None:
        if not self._buffer:
            return
        keys = pl.DataFrame({"key": pl.concat(self._buffer)}).unique()
        sharded = keys.with_columns(shard=pl.col("key").hash(seed=0) % self._shards)
        for (shard,), part in sharded.partition_by("shard", as_dict=True, include_key=False).items():
            part.write_ipc(self._file(int(shard), self._spills))
        self._spills += 1
        self._buffer, self._buffer_size = [], 0

    def _count_shard(self, shard: int) -> int:
        files = [file for spill in range(self._spills) if (file := self._file(shard, spill)).exists()]
        # From bytes: a mapped file would count as this process's memory.
        parts = [pl.read_ipc(file.read_bytes())["key"] for file in files]
        return pl.concat(parts).n_unique() if parts else 0

    def _file(self, shard: int, spill: int) -> Path:
        return Path(self._folder.name) / f"{shard:02}-{spill:05}.arrow"
