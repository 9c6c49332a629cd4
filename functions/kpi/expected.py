"""Compare the calendars with what has come: late files, those that came after all, and calendars that are none."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError
from cloud.ledger import Ledger, instant
from cloud.listing import listed_versions
from contract.limits import COMPANION_BYTES
from contract.vocabulary import ACCEPTED
from reading.calendar import CalendarError, Expectation, calendar_of, folder_of
from reading.visible import visible

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WATCHED = timedelta(days=14)
"""For so long a late file is waited for."""
AHEAD = timedelta(days=7)
"""So far the calendar is shown."""
_MINUTES = "%Y-%m-%d %H:%M"
_GONE = {"404", "NoSuchKey"}


@dataclass(frozen=True)
class Notice:
    """A line of the sweep's mail that is sent once."""

    notice_id: str
    what: Literal["late", "came", "calendar", "gap", "closed"]
    text: str


@dataclass(frozen=True)
class Due:
    """A file that is expected on a day, and what is known of it; `came_at` is when it was written."""

    folder: str
    name: str
    day: date
    due_at: datetime
    came_at: datetime | None

    def state(self, now: datetime) -> str:
        """Return `came`, `late` or `due`."""
        return "came" if self.came_at else "late" if self.due_at < now else "due"

    def as_item(self, now: datetime) -> dict[str, str]:
        """Return it as `assay status --expected` reads it."""
        told = {"folder": self.folder, "name": self.name, "due_at": instant(self.due_at), "state": self.state(now)}
        return told | ({"came_at": instant(self.came_at)} if self.came_at else {})

    def notice_id(self, what: str) -> str:
        """Return the identity of a mail about it."""
        return f"{what}#{hash_of(self.folder, self.name, self.day.isoformat())}"


@dataclass(frozen=True)
class Calendars:
    """Reads calendars of Bronze; those that are gone expect nothing."""

    s3: S3Client
    ledger: Ledger
    bucket: str

    def dues(self, keys: Sequence[str], now: datetime, *, ahead: timedelta = timedelta(0)) -> list[Due]:
        """Return what the calendars expect, from the time that each was written or two weeks ago, until now or later.

        What lies ahead has not come. A calendar that is none expects nothing; `unreadable` tells of it.
        """
        return [due for key in keys for due in self._dues_of(key, now, ahead)]

    def unreadable(self, keys: Sequence[str]) -> Iterator[Notice]:
        """Yield a line about each calendar that is none."""
        for key in keys:
            try:
                self._read(key)
            except CalendarError as error:
                version = self.s3.head_object(Bucket=self.bucket, Key=key).get("VersionId", "")
                text = f"calendar  {visible(key)}: it is no calendar, so nothing is expected: {visible(str(error))}"
                yield Notice(f"calendar#{hash_of(key, version)}", "calendar", text)

    def _dues_of(self, key: str, now: datetime, ahead: timedelta) -> Iterator[Due]:
        try:
            written_at, expected = self._read(key)
        except CalendarError:
            return
        first = max(written_at, now - WATCHED)
        for expectation in expected:
            for day, due_at in expectation.dues(first, now + ahead):
                came_at = self._came_at(folder_of(key), expectation, day) if due_at - AHEAD <= now else None
                yield Due(folder_of(key), expectation.name_on(day), day, due_at, came_at)

    def _read(self, key: str) -> tuple[datetime, Sequence[Expectation]]:
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return datetime.max.replace(tzinfo=UTC), ()
            raise
        return answer["LastModified"].astimezone(UTC), calendar_of(answer["Body"].read(COMPANION_BYTES + 1))

    def _came_at(self, folder: str, expectation: Expectation, day: date) -> datetime | None:
        """Return when the first file of a day was written that was accepted; None if there is none."""
        name = expectation.name_on(day)
        form = re.compile(".*".join(map(re.escape, name.split("*"))), re.DOTALL)
        versions = listed_versions(self.s3, self.bucket, prefix=folder + name.partition("*")[0])
        fitting = [each for each in versions if form.fullmatch(each.key.removeprefix(folder)) and each.is_data]
        items = self.ledger.find_all(each.file_id for each in fitting)
        come = [each for each in fitting if each.file_id in items and items[each.file_id]["status"] in ACCEPTED]
        return min((each.last_modified_at for each in come), default=None)


def notices_of(dues: Sequence[Due], ledger: Ledger, now: datetime) -> Iterator[Notice]:
    """Yield what is to be said once: that a file is late, and of one that was said to be, that it came."""
    for due in dues:
        told = f"{visible(due.folder + due.name)}, expected by {due.due_at:{_MINUTES}} UTC"
        if due.state(now) == "late":
            yield Notice(due.notice_id("late"), "late", f"late      {told}: it has not come")
        elif due.came_at and ledger.is_noticed(due.notice_id("late")):
            yield Notice(due.notice_id("came"), "came", f"came      {told}: it came at {due.came_at:{_MINUTES}} UTC")


def hash_of(*parts: str) -> str:
    """Return what tells notices about different things apart."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
