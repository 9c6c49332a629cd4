"""Walk through the versions in Bronze, and give one without an event its place among those of its key.

A listing has neither sequencers nor milliseconds. A version that is found in it lies between its neighbours: not before
the instant of the older one, and behind its sequencer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from contract.companions import is_companion
from contract.items import FileItem
from contract.limits import SEQUENCER_CHARACTERS
from contract.subjects import SUBJECTS
from reading.markers import file_id

from cloud.ledger import instant, instant_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Listed:
    """A version as the listing tells it; its instant is in whole seconds."""

    bucket: str
    key: str
    version_id: str
    etag: str
    size: int
    last_modified_at: datetime

    @classmethod
    def of_item(cls, item: Mapping[str, Any]) -> Listed:
        """Return the version that an item of the ledger is about."""
        at = instant_of(item["last_modified_at"])
        return cls(item["bucket"], item["key"], item["version_id"], item["etag"], int(item["size"]), at)

    @property
    def file_id(self) -> str:
        """The identity of the file in the ledger."""
        return file_id(self.bucket, self.key, self.version_id)

    @property
    def is_data(self) -> bool:
        """Whether the KPI function would take it, by the rule that it has for events."""
        return self.key.partition("/")[0] in SUBJECTS and not is_companion(self.key) and self.version_id != "null"


@dataclass(frozen=True)
class Place:
    """Where a version stands among those of its key."""

    at: datetime
    sequencer: str

    @classmethod
    def of_item(cls, item: Mapping[str, Any]) -> Place:
        """Return the place that the ledger has fixed."""
        return cls(instant_of(item["last_modified_at"]), item["sequencer"].ljust(SEQUENCER_CHARACTERS, "0"))


def listed_versions(s3: S3Client, bucket: str, *, prefix: str = "", after_key: str = "") -> Iterator[Listed]:
    """Yield all versions in the order of their keys, of each key the newest first; those up to a key are left out."""
    given: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix} | ({"KeyMarker": after_key} if after_key else {})
    while True:
        page = s3.list_object_versions(**given)
        for version in page.get("Versions", []):
            at = version["LastModified"].astimezone(UTC)
            etag = version["ETag"].strip('"')
            yield Listed(bucket, version["Key"], version["VersionId"], etag, version["Size"], at)
        if not page["IsTruncated"]:
            return
        given |= {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page.get("NextVersionIdMarker", "")}


def by_key(versions: Iterator[Listed]) -> Iterator[list[Listed]]:
    """Yield the versions of each key, the oldest first."""
    for _, group in groupby(versions, key=attrgetter("key")):
        yield list(group)[::-1]


def place_between(listed: Listed, older: Place | None, newer: Place | None) -> Place:
    """Return a place between its neighbours': right behind the older one."""
    at = max(listed.last_modified_at, older.at) if older else listed.last_modified_at
    behind = int(older.sequencer, 16) + 1 if older else 1
    return Place(min(at, newer.at) if newer else at, f"{behind:0{SEQUENCER_CHARACTERS}X}")


def places_of(versions: list[Listed], items: Mapping[str, FileItem]) -> dict[str, Place]:
    """Return the place of each version of a key, by its file id: the ledger's own, or one between its neighbours'."""
    known = [Place.of_item(items[each.file_id]) if each.file_id in items else None for each in versions]
    places: dict[str, Place] = {}
    older: Place | None = None
    for number, (listed, place) in enumerate(zip(versions, known, strict=True)):
        newer = next((each for each in known[number + 1 :] if each), None)
        older = place or place_between(listed, older, newer)
        places[listed.file_id] = older
    return places


def event_of(listed: Listed, place: Place) -> dict[str, Any]:
    """Return the event that S3 would have sent for a version in this place."""
    described = {
        "key": quote_plus(listed.key, safe="/"),
        "size": listed.size,
        "eTag": listed.etag,
        "versionId": listed.version_id,
        "sequencer": place.sequencer,
    }
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Swept",
        "eventTime": instant(place.at),
        "s3": {"bucket": {"name": listed.bucket}, "object": described},
    }
    return {"Records": [record]}
