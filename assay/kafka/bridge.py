"""The bridge: takes a topic's records into Bronze, each offset once.

An object is put before its offsets are committed, and only where none begins. The next one begins where the one in
Bronze ends, whoever has put it: so all bridges, of one group or of several that follow each other, and one that comes
back after it was thought dead, go along one chain of objects. What is read and not put is read again.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Protocol

from assay.errors import UserError
from assay.kafka.cutting import NO_TIME, Batch, Limits, Record
from assay.kafka.objects import Stored

MEMORY = 64 << 20
"""Bytes of records that are read and not put; beyond them the fullest batch is put before it is full."""


class Topic(Protocol):
    """What the bridge asks of Kafka, about the partitions of one topic."""

    def committed(self, partition: int) -> tuple[int | None, str]:
        """Return the group's next offset, None without one, and the text that was committed with it."""
        ...

    def bounds(self, partition: int) -> tuple[int, int]:
        """Return the first offset that the topic still holds, and the next that it will give."""
        ...

    def commit(self, partition: int, offset: int, text: str) -> None:
        """Commit the group's next offset; one that cannot be committed is with the next object."""
        ...


class Store(Protocol):
    """Where objects go."""

    def put(self, partition: int, batch: Batch, now: datetime) -> Stored: ...

    def reach(self, partition: int, first: int) -> int:
        """Return the last offset of the object that begins with an offset; -1 if none does."""
        ...


@dataclass
class Progress:
    """How far a partition has come."""

    next: int
    records: int = 0
    objects: int = 0
    found: int = 0
    """Objects that were in Bronze already."""
    last: Stored | None = None


@dataclass
class Bridge:
    """Takes records of the partitions that this process has, and puts them when a batch is full."""

    topic: Topic
    store: Store
    limits: Limits
    quiet_s: float
    tell: Callable[[str], None]
    """Is told what a person should know: gaps, and what was in Bronze already."""
    on_object: Callable[[int, Stored], None]
    """Is given each object that a partition has come past."""
    clock: Callable[[], float] = monotonic
    progress: dict[int, Progress] = field(default_factory=dict)
    _batches: dict[int, Batch] = field(default_factory=dict)
    _taken_at: dict[int, float] = field(default_factory=dict)

    def assign(self, partitions: Sequence[int]) -> dict[int, int]:
        """Begin with partitions; return from which offset each is to be read.

        Raise UserError for a partition that ends before what the group has read of it.
        """
        starts = {}
        for partition in partitions:
            (offset, text), (low, high) = self.topic.committed(partition), self.topic.bounds(partition)
            start = low if offset is None else offset
            if start > high:
                what = f"partition {partition} ends at {high}, and the group has read it up to {start}"
                raise UserError(
                    f"{what}: the topic was made anew, or cut off", "bridge it into a folder and a group of their own"
                )
            starts[partition] = self._begin(partition, start, low, latest_of(text))
        return starts

    def revoke(self, partitions: Sequence[int]) -> None:
        """Leave partitions to another bridge, which reads again what this one has not put."""
        for partition in partitions:
            self._batches.pop(partition, None)
            self._taken_at.pop(partition, None)
            self.progress.pop(partition, None)

    def take(self, partition: int, record: Record) -> None:
        """Take the next record of a partition, and put what is full; one of a partition that was left is dropped."""
        self._taken_at[partition] = self.clock()
        feed = deque([record])
        while feed and (batch := self._batches.get(partition)):
            if batch.has_room_for(feed[0], self.limits):
                batch.add(feed.popleft())
            else:
                feed.extendleft(reversed(self._put(partition, batch)))

    def settle(self) -> None:
        """Put what was taken of partitions that have been quiet for a while, and what memory has no room for."""
        for partition, batch in list(self._batches.items()):
            is_quiet = self.clock() - self._taken_at.get(partition, self.clock()) >= self.quiet_s
            if batch.is_whole and is_quiet:
                self._put_whole(partition)
        while sum(batch.memory for batch in self._batches.values()) > MEMORY:
            whole = [partition for partition, batch in self._batches.items() if batch.is_whole]
            if not whole:
                return  # what is compared with an object in Bronze is not larger than that one
            self._put_whole(max(whole, key=lambda partition: self._batches[partition].memory))

    def cut_off(self, partition: int) -> int | None:
        """Go on where the topic begins now, after records were deleted that had not been read; return that offset.

        Return None for a partition that was left.
        """
        if partition not in self._batches:
            return None
        while (batch := self._batches[partition]).records:
            self._put_whole(partition)
        low, high = self.topic.bounds(partition)
        if batch.next > high:
            raise UserError(
                f"partition {partition} ends at {high}, and was read up to {batch.next}: the topic was cut off",
                "bridge it into a folder and a group of their own",
            )
        return self._begin(partition, batch.next, low, batch.latest)

    def _begin(self, partition: int, start: int, low: int, latest: int) -> int:
        if low > start:
            self.tell(
                f"gap: partition {partition}: offsets {start} to {low - 1} ({low - start:,}) are no longer in the topic"
            )
        offset = max(start, low)
        self._batches[partition] = Batch(offset, latest)
        self.progress.setdefault(partition, Progress(offset)).next = offset
        return offset

    def _put_whole(self, partition: int) -> None:
        for record in self._put(partition, self._batches[partition]):
            self.take(partition, record)

    def _put(self, partition: int, batch: Batch) -> list[Record]:
        """Put a batch, commit what is then in Bronze, and begin the next one; return what is to be fed to that."""
        stored = self.store.put(partition, batch, datetime.now(UTC))
        if stored.last > batch.last and batch.reach < stored.last:
            # It is longer than what was read: it is compared again when that is as long.
            batch.reach = stored.last
            return []
        progress, following = self.progress[partition], stored.last + 1
        if not stored.is_new:
            progress.found += 1
            self.tell(f"in Bronze already: {stored.key}, up to offset {stored.last}")
        progress.objects, progress.last = progress.objects + 1, stored
        progress.records, progress.next = progress.records + len(batch.records), following
        # Behind what was there more may be there: then no more is read before it is compared.
        reach = -1 if stored.is_new else self.store.reach(partition, following)
        self._batches[partition] = Batch(following, stored.latest_ms, reach=reach)
        self.on_object(partition, stored)
        self.topic.commit(partition, following, json.dumps({"latest": stored.latest_ms}))
        return batch.behind(stored.last)


def latest_of(text: str) -> int:
    """Return the latest time that was committed with an offset; another program's text says nothing."""
    try:
        return int(json.loads(text)["latest"])
    except (ValueError, TypeError, KeyError):
        return NO_TIME
