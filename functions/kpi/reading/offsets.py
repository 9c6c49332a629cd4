"""Offsets of Kafka: those of a file, told by its key and its sender, and those of a partition that are there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from contract.limits import OFFSET_DIGITS
from contract.partitions import PartitionOffsets

from reading.rejection import Reason, RejectedError

LAST_OFFSET = "last-offset"
"""The object metadata that says up to which offset its sender has read; without it each record is an offset."""
TOPICS = "topics"
_TOPIC = "[A-Za-z0-9._-]{1,249}"
_KEY = re.compile(
    rf"(?P<folder>(?:.*/)?{TOPICS}/(?P<topic>{_TOPIC}))/(?:.*/)?"
    rf"(?P=topic)\+(?P<partition>[0-9]{{1,10}})\+(?P<first>[0-9]{{1,{OFFSET_DIGITS}}})\.[^/]+",
    re.DOTALL,
)
_MOST_ROOM_US = 60_000_000
_OFFSET = re.compile(rf"[0-9]{{1,{OFFSET_DIGITS}}}")


def key_of(folder: str, topic: str, partition: int, first: int, ending: str) -> str:
    """Return the key of an object that begins with an offset, as Confluent's S3 sink would name it.

    The offset is written like Kafka's own segments, with so many zeros that keys sort as their offsets do.
    """
    name = f"{topic}+{partition}+{first:0{OFFSET_DIGITS}}{ending}"
    return f"{folder.strip('/')}/{TOPICS}/{topic}/partition={partition}/{name}"


def names_offsets(key: str) -> bool:
    """Return whether a key names the offsets of a topic, so that its object holds records of Kafka."""
    return _KEY.fullmatch(key) is not None


def offsets_of(key: str, metadata: Mapping[str, str], records: int) -> PartitionOffsets | None:
    """Return the offsets of a file; None if its key names none, or no record and no metadata tells the last one.

    Raise RejectedError if the metadata `last-offset` is none that can be.
    """
    named = _KEY.fullmatch(key)
    if named is None:
        return None
    first, told = int(named["first"]), metadata.get(LAST_OFFSET)
    last = first + records - 1 if told is None else _last(told.strip(), first)
    if last < first:
        return None
    partition = int(named["partition"])
    return PartitionOffsets(folder=named["folder"], topic=named["topic"], partition=partition, first=first, last=last)


def _last(text: str, first: int) -> int:
    if not _OFFSET.fullmatch(text) or int(text) < first:
        told = f"The metadata '{LAST_OFFSET}' is {text!r}, not an offset from {first} on."
        raise RejectedError(Reason("unreadable_control", told))
    return int(text)


def place_of(last: int, written_at: datetime, places: Mapping[int, datetime]) -> datetime:
    """Return the instant that orders an object without one of its own: if it can be, when it was written.

    `places` are those of objects of the partition, by their last offsets: one that goes further stands later, by at
    least a microsecond for each offset, so that there is room for what comes between them late or again. So rows are in
    the order of their offsets, as far as objects hold all records from their first to their last.
    """
    if last in places:
        return places[last]
    below = max((end for end in places if end < last), default=None)
    above = min((end for end in places if end > last), default=None)
    low = None if below is None else places[below] + _room(last - below)
    high = None if above is None else places[above] - _room(above - last)
    place = written_at if low is None else max(written_at, low)
    if high is None or place <= high:
        return place
    if low is not None and below is not None and above is not None and low > high:
        return places[below] + (places[above] - places[below]) / 2
    return high


def _room(offsets: int) -> timedelta:
    return timedelta(microseconds=min(offsets, _MOST_ROOM_US))


@dataclass(frozen=True, order=True)
class Span:
    """A span of offsets, both ends included, and since when it, or one behind it, has been known."""

    first: int
    last: int
    since: str = ""

    def __str__(self) -> str:
        return f"{self.first} to {self.last}" if self.last > self.first else f"{self.first}"

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    def touches(self, other: Span) -> bool:
        """Whether both have an offset in common."""
        return self.first <= other.last and other.first <= self.last


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the same offsets in as few spans as possible, in order.

    Each has been known since the first of what went into it or lies behind it: so long there has been a gap before it.
    """
    joined: list[Span] = []
    for span in sorted(spans):
        before = joined[-1] if joined else None
        if before and span.first <= before.last + 1:
            joined[-1] = Span(before.first, max(before.last, span.last), min(before.since, span.since))
        else:
            joined.append(span)
    for place in range(len(joined) - 2, -1, -1):
        since = min(joined[place].since, joined[place + 1].since)
        joined[place] = Span(joined[place].first, joined[place].last, since)
    return joined


def gaps(spans: Iterable[Span]) -> list[Span]:
    """Return the spans that are missing between the first offset and the last, each since it is one."""
    return [Span(before.last + 1, after.first - 1, after.since) for before, after in pairwise(merged(spans))]


def overlaps(spans: Iterable[Span]) -> list[Span]:
    """Return the spans that came more than once."""
    twice: list[Span] = []
    end = -1
    for span in sorted(spans):
        if span.first <= end:
            twice.append(Span(span.first, min(span.last, end)))
        end = max(end, span.last)
    return merged(twice)


def covers(spans: Iterable[Span], wanted: Span) -> bool:
    """Return whether every offset of a span is there."""
    return any(each.first <= wanted.first and wanted.last <= each.last for each in merged(spans))
