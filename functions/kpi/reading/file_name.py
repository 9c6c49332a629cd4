"""What is known of a file before a byte is read: its key, what it is about, and what its folder's pin says."""

import re
from dataclasses import dataclass, field, replace
from datetime import date

from contract.subjects import Subject
from contract.vocabulary import CHANGES, FULL_LOAD, ORDERED_CHANGES

from reading.dialect_file import Pin

_NAMES = (
    (FULL_LOAD, re.compile(r"(?:.+_)?LOAD[0-9A-F]{8}\.(?:csv|parquet)(?:\.gz)?", re.IGNORECASE)),
    (CHANGES, re.compile(r"[0-9]{8}-[0-9]{9,}\.(?:csv|parquet)(?:\.gz)?")),
    (ORDERED_CHANGES, re.compile(r"CDC_TXN-.*", re.IGNORECASE)),
)
_DATED_LOAD = re.compile(r"(?:.+_)?LOAD([0-9]{8})\..*", re.IGNORECASE)
_PLAUSIBLE_YEARS = range(1990, 2100)


@dataclass(frozen=True)
class Name:
    """What is known before a byte is read: the object's key, what its files are about, and the folder's pin."""

    key: str
    subject: Subject
    pin: Pin = field(default_factory=Pin)

    is_upload: bool = False
    """Whether its name says nothing after all."""

    @property
    def form(self) -> str | None:
        """The dialect that the last part of the key has the form of, if any."""
        if self.is_upload:
            return None
        return next((dialect for dialect, pattern in _NAMES if pattern.fullmatch(self._last)), None)

    @property
    def changes_need_order(self) -> bool:
        """Whether its name says that it is a file of changes, whose order matters."""
        return self.form in (CHANGES, ORDERED_CHANGES)

    def with_header(self) -> "Name":
        """Return the name of a file that has a header: then `LOAD` and a date is no counter of DMS, unless pinned."""
        dated = _DATED_LOAD.fullmatch(self._last)
        return replace(self, is_upload=True) if self.pin.full_load is None and dated and _is_day(dated[1]) else self

    def without_form(self) -> "Name":
        """Return the name of a file of a kind that AWS DMS does not write: its form says nothing."""
        return replace(self, is_upload=True)

    @property
    def _last(self) -> str:
        return self.key.rpartition("/")[2]


def _is_day(digits: str) -> bool:
    try:
        return date.fromisoformat(digits).year in _PLAUSIBLE_YEARS
    except ValueError:
        return False
