"""Cut the records of a partition into objects, by count, size and their own time, so that a repetition cuts alike.

An object begins where the one before it ended, whatever the topic still holds there: its first offset is that of the
reading, not of a record.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from reading.lines import is_tombstone, text_of

NO_VALUE = b"null"
"""How a record without a value is written."""
NO_TIME = -1
"""What Kafka says of a record without a time."""
RECORD_BYTES = 200
"""What a record takes beside its line, as objects of Python."""


@dataclass(frozen=True)
class Limits:
    """Where an object ends: so many records, so many bytes, or a record so much later than its first one."""

    records: int
    span_ms: int
    size: int


@dataclass(frozen=True)
class Record:
    """A record as a line of an object; `at_ms` is its time since 1970."""

    offset: int
    at_ms: int
    line: bytes

    @classmethod
    def of(cls, offset: int, at_ms: int, value: bytes | None) -> Record:
        """Write a value on one line, as it came: in JSON, line ends mean what blanks do. No value is `null`."""
        line = NO_VALUE if value is None else value.replace(b"\r", b" ").replace(b"\n", b" ")
        return cls(offset, at_ms, line)

    @property
    def size(self) -> int:
        return len(self.line) + 1

    @property
    def is_tombstone(self) -> bool:
        return is_tombstone(text_of(self.line))


@dataclass
class Batch:
    """What becomes an object: the records of a partition from an offset on."""

    first: int
    latest: int = NO_TIME
    """The latest time of a record of the partition up to here: it never goes back, as the offsets do not."""
    records: list[Record] = field(default_factory=list)
    size: int = 0
    reach: int = -1
    """The last offset of an object that is in Bronze under the first one: only whole it can be compared."""

    def has_room_for(self, record: Record, limits: Limits) -> bool:
        """Return whether a record still belongs into the object; the first one does, and one that is there already.

        So does a tombstone behind what is none: an object of tombstones alone has no rows.
        """
        if not self.records or record.offset <= max(self.reach, self.last):
            return True
        if self.reach >= 0:
            return False
        begun = self.records[0].at_ms
        is_later = NO_TIME not in (begun, record.at_ms) and record.at_ms >= begun + limits.span_ms
        is_full = len(self.records) >= limits.records or self.size + record.size > limits.size
        return not (is_later or is_full) or (record.is_tombstone and not self.records[-1].is_tombstone)

    def add(self, record: Record) -> None:
        """Take a record; what comes again, because it is in Bronze already, is passed over."""
        if record.offset >= self.next:
            self.records.append(record)
            self.size += record.size
            self.latest = max(self.latest, record.at_ms)

    @property
    def next(self) -> int:
        """The offset behind the last record."""
        return self.records[-1].offset + 1 if self.records else self.first

    @property
    def last(self) -> int:
        return self.next - 1

    @property
    def is_whole(self) -> bool:
        """Whether there is something to put, and as much as there is in Bronze already."""
        return bool(self.records) and self.last >= self.reach

    @property
    def memory(self) -> int:
        """About how many bytes it takes."""
        return self.size + RECORD_BYTES * len(self.records)

    def body(self) -> bytes:
        """Return the object: a line each."""
        return b"".join(b"%s\n" % each.line for each in self.records)

    def behind(self, last: int) -> list[Record]:
        """Return the records behind an offset."""
        return [each for each in self.records if each.offset > last]


def is_part_of(lines: Iterable[bytes], others: Iterable[bytes]) -> bool:
    """Return whether lines stand among others, in the same order: what is left of them in a compacted topic does."""
    rest = iter(others)
    return all(line in rest for line in lines)
