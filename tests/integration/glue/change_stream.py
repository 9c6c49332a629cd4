"""A source database as its replication writes it: a snapshot in full-load files, then its changes as they commit."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from devcloud.sample.extent import Extent
from devcloud.sample.history import History
from devcloud.sample.writers import csv_bytes

REAL = Path(__file__).parents[3] / "../shared/data/transactions_12_clients.csv.gz"
COLUMNS = (
    "id", "date", "client_id", "card_id", "amount", "use_chip", "merchant_id", "merchant_city", "merchant_state",
    "zip", "mcc", "errors",
)  # fmt: skip
FIRST_COMMIT = datetime(2024, 5, 1, 12)
Record = list[str]


@dataclass(frozen=True)
class Change:
    """One committed change: the whole row after it, or of a delete what was sent."""

    file: str
    row: int
    op: str
    committed_at: str
    record: Record


def snapshot(rows: int) -> list[Record]:
    """Return so many rows of the source where it lies beside the project, else generated ones."""
    if REAL.exists():
        text = gzip.decompress(REAL.read_bytes()).decode()
        return list(csv.reader(io.StringIO(text)))[1 : rows + 1]
    frames = History(Extent(rows, seed=3, days=30))
    text = b"".join(csv_bytes(frame, header=False) for frame in frames).decode()
    return list(csv.reader(io.StringIO(text)))


class Source:
    """A table under change: few keys take most of the changes, deleted ones come back, some deletes find nothing."""

    def __init__(self, records: list[Record], seed: int) -> None:
        self._rng = Random(seed)
        self._records = records
        self.table = {record[0]: record for record in records}
        self._hot = self._rng.sample(sorted(self.table), max(10, len(records) // 100))
        self._deleted: list[str] = []
        self._next = 900_000_000

    def change(self) -> tuple[str, Record]:
        """Apply the next change; return its operation and what the replication sends of it."""
        draw = self._rng.random()
        if draw < 0.2:
            return self._insert()
        key = self._rng.choice(self._hot if draw < 0.8 else self._records[self._rng.randrange(len(self._records))][:1])
        if key not in self.table:
            return ("D", [key, *[""] * 11]) if self._rng.random() < 0.2 else self._insert(key)
        return self._delete(key) if draw < 0.4 else self._update(key)

    def _insert(self, key: str | None = None) -> tuple[str, Record]:
        if key is None and self._deleted and self._rng.random() < 0.3:
            key = self._deleted.pop(self._rng.randrange(len(self._deleted)))
        if key is None:
            self._next += 1
            key = str(self._next)
            self._hot.append(key)
        known = key in self.table
        self.table[key] = [key, *self._varied()[1:]]
        return ("U" if known else "I"), self.table[key]

    def _update(self, key: str) -> tuple[str, Record]:
        self.table[key] = [key, *self._varied()[1:]] if self._rng.random() < 0.5 else self._repriced(self.table[key])
        return "U", self.table[key]

    def _delete(self, key: str) -> tuple[str, Record]:
        record = self.table.pop(key)
        self._deleted.append(key)
        return "D", record if self._rng.random() < 0.5 else [key, *[""] * 11]

    def _varied(self) -> Record:
        return self._repriced(self._rng.choice(self._records))

    def _repriced(self, record: Record) -> Record:
        cents = self._rng.randrange(-50_000, 50_000)
        sign = "-" if cents < 0 else ""
        return [*record[:4], f"${sign}{abs(cents) // 100}.{abs(cents) % 100:02}", *record[5:]]


def changes(source: Source, *, count: int, files: int, seed: int) -> list[Change]:
    """Return changes in the order of their commits; about three of them share a transaction and its timestamp."""
    rng, committed_at = Random(seed), FIRST_COMMIT
    made = []
    for number in range(count):
        committed_at += timedelta(microseconds=rng.choice([0, 0, 1, 250_000]))
        file = f"transactions/20240501-{120000000 + number * files // count:09}.csv"
        row = made[-1].row + 1 if made and made[-1].file == file else 1
        op, record = source.change()
        made.append(Change(file, row, op, f"{committed_at:%Y-%m-%d %H:%M:%S.%f}", record))
    return made


def lines(records: list[Record]) -> bytes:
    """Return records as CSV without a header."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(records)
    return out.getvalue().encode()


def bodies(records: list[Record], made: list[Change]) -> dict[str, bytes]:
    """Return the objects of the replication: three files of the full load, and the files of changes."""
    share = -(-len(records) // 3)
    loads = {
        f"transactions/LOAD{part + 1:08X}.csv": lines(records[part * share : (part + 1) * share]) for part in range(3)
    }
    by_file: dict[str, list[Record]] = {}
    for change in made:
        by_file.setdefault(change.file, []).append([change.op, change.committed_at, *change.record])
    return loads | {file: lines(rows) for file, rows in by_file.items()}
