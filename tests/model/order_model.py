"""What Silver must hold for a set of files, in ten lines: the newest row of each key, unless it lies below the floor.

A row of a repair stands where the quarantined row stands that it repairs; of several such rows the newest counts.

It knows nothing of arrival, batches and runs. Instants are UTC without a zone, as the tables give them; money is cents.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

NEVER = datetime(1800, 1, 1)
"""Minus infinity as the tables write it."""
Order = tuple[Any, ...]
Name = tuple[str, str]


class Image(NamedTuple):
    """What a transaction is; all values are absent in a delete that carries its key only."""

    transacted_at: datetime | None = None
    cents: int | None = None
    channel: str | None = None
    client_id: int | None = None
    card_id: int | None = None
    merchant_id: int | None = None
    merchant_city: str | None = None
    merchant_state: str | None = None
    zip: str | None = None
    mcc: str | None = None
    errors: tuple[str, ...] | None = None


class Card(NamedTuple):
    """What a card of a reference file is."""

    client_id: int | None = None
    card_brand: str | None = None
    cents = None  # a reference row has no money


@dataclass(frozen=True)
class Row:
    """One row; `broken` ones keep their amount and nothing else that counts. `of` is the number of the row repaired."""

    number: int
    op: str
    key: int
    image: Any
    commit_at: datetime | None = None
    broken: bool = False
    of: int = 0


@dataclass(frozen=True)
class File:
    """One object version. A marker has no rows, but the start of a load and the names of its files.

    A repair has an `original`, the file that it repairs rows of.

    `control` says where the sender gives control totals; those of a rejected file are wrong.
    """

    kind: str
    key: str
    version_id: str
    sequencer: str
    last_modified_at: datetime
    as_of_at: datetime | None = None
    rows: tuple[Row, ...] = ()
    start_at: datetime = NEVER
    listed: frozenset[Name] = field(default=frozenset())
    control: str = "none"
    rejected: bool = False
    original: File | None = field(default=None, repr=False)

    @property
    def name(self) -> Name:
        return self.key, self.version_id

    @property
    def subject(self) -> str:
        return "cards" if self.kind == "cards" else "transactions"


class Version(NamedTuple):
    """One row of a file in its place in the order."""

    order: Order
    file: File
    row: Row


def version(file: File, row: Row, start_at: datetime) -> Version:
    """Put a row in its place; `start_at` is the start of the newest complete load that lists the file, or never."""
    at, number = file.original or file, row.of or row.number
    instant = row.commit_at or at.as_of_at or at.last_modified_at
    position, phase = (start_at, 0) if at.kind == "full load" else (instant, 1)
    tie_breakers = (at.key.encode(), at.sequencer.ljust(32, "0"), at.version_id, number)
    return Version((position, phase, instant, *tie_breakers, repair_order(file, row)), file, row)


def repair_order(file: File, row: Row) -> Order:
    """Return the last part of the order: nothing of an ordinary row, of a repair's the order of its own object."""
    if file.original is None:
        return ()
    own_instant = file.as_of_at or file.last_modified_at
    return own_instant, file.key.encode(), file.sequencer.ljust(32, "0"), file.version_id, row.number


def start_of(file: File, starts: Mapping[Name, datetime]) -> datetime:
    """Return where a file begins, a repair with the file that it repairs."""
    return starts.get((file.original or file).name, NEVER)


def counting(files: Collection[File]) -> list[tuple[File, Row]]:
    """Return the accepted rows that count: of repairs only with their originals, and the newest one of each row."""
    there = {file.name for file in files}
    own = [(file, row) for file in files if file.original is None for row in file.rows if not row.broken]
    repairs = [(file, row) for file in files if file.original and file.original.name in there for row in file.rows]
    newest = {
        (file.original.name, row.of): (file, row) for file, row in sorted(repairs, key=_repaired) if file.original
    }
    return [*own, *newest.values()]


def _repaired(repair: tuple[File, Row]) -> Order:
    return repair_order(*repair)


def placed(files: Collection[File], subject: str = "transactions") -> tuple[Order, list[Version]]:
    """Return the floor, and every accepted row of a subject's files from the oldest to the newest."""
    files = [file for file in files if file.subject == subject and not file.rejected]
    there = {file.name for file in files}
    complete = [file for file in files if file.kind == "marker" and file.listed <= there]
    starts = {name: load.start_at for load in sorted(complete, key=lambda load: load.start_at) for name in load.listed}
    floor = (max((load.start_at for load in complete), default=NEVER), 0, NEVER)
    return floor, sorted(version(file, row, start_of(file, starts)) for file, row in counting(files))


def state(files: Collection[File], subject: str = "transactions") -> dict[int, Version]:
    """Return the newest row of each key; one that deletes is the key's tombstone. Below the floor there is nothing."""
    floor, rows = placed(files, subject)
    newest = {found.row.key: found for found in rows}
    return {key: found for key, found in newest.items() if found.order >= floor}
