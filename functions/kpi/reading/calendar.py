"""Read a calendar, `_expect.json`: which files its folder expects, and until when."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contract.companions import CALENDAR_NAME
from contract.limits import COMPANION_BYTES, NAME_CHARACTERS

from reading.json_text import json_of

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DATES: Mapping[str, str] = {"{date}": "%Y-%m-%d", "{yyyymmdd}": "%Y%m%d"}
"""What stands in a name for the day: it is written so."""
MOST_EXPECTED = 100
_TIME = re.compile("([01][0-9]|2[0-3]):([0-5][0-9])")
_OF_ENTRY = {"name", "days", "by", "zone"}


class CalendarError(ValueError):
    """A calendar is none; the message says why."""


@dataclass(frozen=True)
class Expectation:
    """A file that is expected on some days of the week (0 is Monday), by a time of day in a zone."""

    name: str
    days: frozenset[int]
    by: time
    zone: str

    def name_on(self, day: date) -> str:
        """Return the name of the file of a day, in which `*` stands for any text."""
        named = self.name
        for sign, form in DATES.items():
            named = named.replace(sign, day.strftime(form))
        return named

    def due_at(self, day: date) -> datetime:
        """Return the instant by which the file of a day is expected."""
        return instant_in(self.zone, day, self.by)

    def dues(self, first: datetime, last: datetime) -> Iterator[tuple[date, datetime]]:
        """Yield the days whose files are expected between two instants, with their own."""
        day = (first - timedelta(days=1)).date()
        while day <= (last + timedelta(days=1)).date():
            if day.weekday() in self.days and first <= (due := self.due_at(day)) <= last:
                yield day, due
            day += timedelta(days=1)


def instant_in(zone: str, day: date, at: time) -> datetime:
    """Return when a clock shows a time: the later instant of two; the first one after a gap that has swallowed it."""
    shown = datetime.combine(day, at, ZoneInfo(zone)).replace(fold=1)
    instant = shown.astimezone(UTC)
    if instant.astimezone(shown.tzinfo).replace(fold=1) == shown:
        return instant
    # The clock goes from the offset of fold 0 to that of fold 1; the change lies between these two instants.
    before, after = instant, shown.replace(fold=0).astimezone(UTC)
    old = before.astimezone(shown.tzinfo).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        if middle.astimezone(shown.tzinfo).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def calendar_of(content: bytes) -> tuple[Expectation, ...]:
    """Return what a calendar says; raise CalendarError if it is none."""
    if len(content) > COMPANION_BYTES:
        raise CalendarError(f"it is larger than {COMPANION_BYTES >> 10} KiB")
    try:
        said = json_of(content)
    except ValueError as error:
        raise CalendarError(f"it is not JSON: {error}") from error
    entries = said.get("expected") if isinstance(said, dict) and said.keys() == {"expected"} else None
    if not isinstance(entries, list) or not 1 <= len(entries) <= MOST_EXPECTED:
        raise CalendarError(f"it is not an object with one list, 'expected', of 1 to {MOST_EXPECTED} files")
    return tuple(_expectation(entry) for entry in entries)


def _expectation(entry: object) -> Expectation:
    if not isinstance(entry, dict) or not {"name", "by"} <= entry.keys() <= _OF_ENTRY:
        raise CalendarError(f"an entry has 'name' and 'by', and may have 'days' and 'zone': this one is {entry!r}")
    return Expectation(_name(entry["name"]), _days(entry.get("days")), _by(entry["by"]), _zone(entry.get("zone")))


def _name(value: object) -> str:
    if not isinstance(value, str) or "/" in value or not 0 < len(value) <= NAME_CHARACTERS:
        raise CalendarError(f"the name {value!r} is none: it is the last part of a key")
    if not any(sign in value for sign in DATES):
        raise CalendarError(f"the name {value!r} says no day: put {' or '.join(DATES)} into it")
    return value


def _days(value: object) -> frozenset[int]:
    if value is None:
        return frozenset(range(7))
    if not isinstance(value, list) or not value or not all(day in WEEKDAYS for day in value):
        raise CalendarError(f"the days {value!r} are no list of {', '.join(WEEKDAYS)}")
    return frozenset(map(WEEKDAYS.index, value))


def _by(value: object) -> time:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise CalendarError(f"the time {value!r} is not HH:MM")
    return time(int(match[1]), int(match[2]))


def _zone(value: object) -> str:
    name = "UTC" if value is None else value
    try:
        ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CalendarError(f"the zone {name!r} is not one such as Europe/Zurich") from error
    return str(name)


def folder_of(calendar_key: str) -> str:
    """Return the folder of a calendar, with a slash at its end."""
    return calendar_key.removesuffix(CALENDAR_NAME)
