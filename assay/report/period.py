"""The time that a report is about, and how its plots divide it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from assay.errors import UserError

DAY, HOUR, MONTH = 10, 13, 7
"""How many characters of an instant in the ledger's form name its day, its hour and its month."""
MOST_DAYS = 100
MOST_BARS = 400


@dataclass(frozen=True)
class Period:
    """From an instant on, and up to another one if there is an end; both in the ledger's form, which sorts as text."""

    name: str
    first_at: str
    end_at: str | None = None

    @property
    def told(self) -> str:
        """The period in a sentence."""
        return f"in {self.name}" if self.end_at else self.name

    def holds(self, at: str) -> bool:
        return self.first_at <= at and not self.is_before(at)

    def is_before(self, at: str) -> bool:
        return self.end_at is not None and at >= self.end_at


def of_month(name: str) -> Period:
    """Return a month such as `2026-06`; raise UserError if it is none."""
    try:
        first = datetime.strptime(name, "%Y-%m")
    except ValueError:
        raise UserError(f"--month {name} is no month", "write it like --month 2026-06") from None
    end = (first + timedelta(days=31)).replace(day=1)
    return Period(f"{first:%Y-%m}", _instant(first), _instant(end))


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"


def divide(instants: Iterable[str]) -> tuple[int, list[str]]:
    """Return how many characters of an instant name its interval, and all intervals from the first to the last.

    Intervals are hours for up to two days, days for up to a hundred, else months.
    """
    known = sorted(set(instants))
    if not known:
        return DAY, []
    days = (_read(known[-1][:DAY]) - _read(known[0][:DAY])).days + 1
    width = HOUR if days <= 2 else DAY if days <= MOST_DAYS else MONTH
    return width, _between(known[0][:width], known[-1][:width], width)


def _between(first: str, last: str, width: int) -> list[str]:
    """Return all intervals from one to another, those without anything, too."""
    found, at = list[str](), _read(first)
    while (name := _instant(at)[:width]) <= last and len(found) < MOST_BARS:
        found.append(name)
        at = (
            (at + timedelta(days=31)).replace(day=1)
            if width == MONTH
            else at + timedelta(**{"hours" if width == HOUR else "days": 1})
        )
    return found


def _read(name: str) -> datetime:
    return datetime.fromisoformat({MONTH: f"{name}-01", HOUR: f"{name}:00"}.get(len(name), name))
