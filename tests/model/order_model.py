"""What Silver must hold for a set of files, in ten lines: the newest row of each key, unless it lies below the floor.

It knows nothing of arrival, batches and runs. Instants are UTC without a zone, as the tables give them; money is cents.
"""

from __future__ import annotations

from collections.abc import Collection
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
    """One row; `broken` ones keep their amount and nothing else that counts."""

    number: int
    op: str
    key: int
    image: Any
    commit_at: datetime | None = None
    broken: bool = False


@dataclass(frozen=True)
class File:
    """One object version. A marker has no rows, but the start of a load and the names of its files.

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
    instant = row.commit_at or file.as_of_at or file.last_modified_at
    position, phase = (start_at, 0) if file.kind == "full load" else (instant, 1)
    tie_breakers = (file.key.encode(), file.sequencer.ljust(32, "0"), file.version_id, row.number)
    return Version((position, phase, instant, *tie_breakers), file, row)


def placed(files: Collection[File], subject: str = "transactions") -> tuple[Order, list[Version]]:
    """Return the floor, and every accepted row of a subject's files from the oldest to the newest."""
    files = [file for file in files if file.subject == subject and not file.rejected]
    there = {file.name for file in files}
    complete = [file for file in files if file.kind == "marker" and file.listed <= there]
    starts = {name: load.start_at for load in sorted(complete, key=lambda load: load.start_at) for name in load.listed}
    floor = (max((load.start_at for load in complete), default=NEVER), 0, NEVER)
    accepted = ((file, row) for file in files for row in file.rows if not row.broken)
    return floor, sorted(version(file, row, starts.get(file.name, NEVER)) for file, row in accepted)


def state(files: Collection[File], subject: str = "transactions") -> dict[int, Version]:
    """Return the newest row of each key; one that deletes is the key's tombstone. Below the floor there is nothing."""
    floor, rows = placed(files, subject)
    newest = {found.row.key: found for found in rows}
    return {key: found for key, found in newest.items() if found.order >= floor}
