"""Read S3 events, and the object versions that they name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from botocore.exceptions import ClientError
from contract.companions import PIN_NAME, SIDE_CAR_ENDING, is_companion
from contract.items import Checksum, FileItem
from contract.limits import COMPANION_BYTES, SEQUENCER_CHARACTERS
from contract.subjects import LOAD, WAIVER, is_marker, is_waiver, repaired_file, subject_of
from reading.card_numbers import masked_key
from reading.markers import file_id

from cloud.ledger import instant, status_change

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from reading.bytes import ByteStream

EVENT_MAJOR_VERSION = "2"
_NO_VERSION = {"400", "InvalidArgument"}
"""What S3 answers when a version id cannot be one."""
_TOO_LONG = "KeyTooLongError"
"""What S3 answers about a key of more than 1,024 bytes."""
CHECKSUMS = ("SHA256", "SHA1", "CRC64NVME", "CRC32C", "CRC32")
"""Those that S3 may know of an object, the one that says most first."""
_GONE = {"404", "NoSuchKey", "NoSuchVersion", "405", "MethodNotAllowed"}


class ObjectGoneError(Exception):
    """The object version is no longer there."""


class UnsupportedEventError(Exception):
    """The event cannot be handled exactly: no version id, or a form of event that is not known."""


@dataclass(frozen=True)
class ObjectVersion:
    """One version of an object, as its event describes it."""

    bucket: str
    key: str
    version_id: str
    sequencer: str
    etag: str
    size: int
    event_at: datetime

    @property
    def file_id(self) -> str:
        """The identity of the file in the ledger."""
        return file_id(self.bucket, self.key, self.version_id)

    @property
    def first_folder(self) -> str:
        """The prefix whose files are compared with each other."""
        return self.key.partition("/")[0]


@dataclass(frozen=True)
class Head:
    """What S3 says of an object version; `metadata` has lower-case names."""

    size: int
    etag: str
    last_modified_at: datetime
    metadata: Mapping[str, str]
    checksum: Checksum | None = None


def data_records(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the records of an event that may name data; S3's test event has none."""
    for record in event.get("Records", []):
        if record.get("eventSource") != "aws:s3" or not record["eventName"].startswith("ObjectCreated:"):
            continue
        if not is_companion(_key(record)):
            yield record


@dataclass(frozen=True)
class LostEvent:
    """An event that no attempt could handle, as the dead-letter queue holds it, and the last attempt's error."""

    records: tuple[Mapping[str, Any], ...]
    error: str


def lost_events(event: Mapping[str, Any]) -> Iterator[LostEvent]:
    """Yield what an event of the dead-letter queue holds."""
    for message in event.get("Records", []):
        if message.get("eventSource") == "aws:sqs":
            error = message.get("messageAttributes", {}).get("ErrorMessage", {}).get("stringValue", "")
            yield LostEvent(tuple(data_records(json.loads(message["body"]))), error)


def object_version(record: Mapping[str, Any]) -> ObjectVersion:
    """Read one record; raise UnsupportedEventError if it does not name a version."""
    if record["eventVersion"].partition(".")[0] != EVENT_MAJOR_VERSION:
        raise UnsupportedEventError(f"Events of version {record['eventVersion']} are not known.")
    bucket, described = record["s3"]["bucket"]["name"], record["s3"]["object"]
    version_id = described.get("versionId")
    if version_id in (None, "", "null"):
        raise UnsupportedEventError(f"The bucket {bucket} is not versioned: an object could change while it is read.")
    return ObjectVersion(
        bucket=bucket,
        key=_key(record),
        version_id=version_id,
        sequencer=described.get("sequencer", "").ljust(SEQUENCER_CHARACTERS, "0"),
        etag=described.get("eTag", "").strip('"'),
        size=int(described.get("size", 0)),
        event_at=datetime.fromisoformat(record["eventTime"]).astimezone(UTC),
    )


def object_instant(last_modified_at: datetime, event_at: datetime) -> datetime:
    """Return when an object was written, to the millisecond: S3 itself tells whole seconds, the event when it was done.

    An event from beyond the second gives it its last millisecond, one from before its first: of two versions the one
    that was done later is never the older one.
    """
    last = last_modified_at + timedelta(milliseconds=999)
    return max(last_modified_at, min(event_at, last))


def received_item(version: ObjectVersion, head: Head | None, as_of_at: datetime | None, now: datetime) -> FileItem:
    """Return a file's item as it is first written; without a head it has the event's own figures."""
    item: FileItem = {
        "file_id": version.file_id,
        "kind": "file",
        "subject": subject_name(version.key),
        "bucket": version.bucket,
        # The key of a file that is rejected for it; nothing reads the object then.
        "key": masked_key(version.key),
        "version_id": version.version_id,
        "sequencer": version.sequencer,
        "etag": head.etag if head else version.etag,
        "size": head.size if head else version.size,
        "last_modified_at": instant(head.last_modified_at if head else version.event_at),
        "status": "received",
        "in_effect": False,
        "changes": [status_change("received", now)],
    }
    if as_of_at is not None:
        item["as_of_at"] = instant(as_of_at)
    if original_id := repaired_file(version.key):
        item["repairs"] = original_id
    if head and head.checksum:
        item["checksum"] = head.checksum
    return item


def subject_name(key: str) -> str:
    """Return what the ledger calls the subject of an object."""
    if is_marker(key):
        return LOAD
    return WAIVER if is_waiver(key) else subject_of(key).name


def read_head(s3: S3Client, version: ObjectVersion) -> Head:
    """Return what S3 says of a version; raise ObjectGoneError if it was deleted."""
    try:
        head = s3.head_object(
            Bucket=version.bucket, Key=version.key, VersionId=version.version_id, ChecksumMode="ENABLED"
        )
    except ClientError as error:
        raise _gone_or(error) from error
    return Head(
        size=head["ContentLength"],
        etag=head["ETag"].strip('"'),
        last_modified_at=head["LastModified"].astimezone(UTC),
        metadata={name.lower(): value for name, value in head["Metadata"].items()},
        checksum=checksum_of(head),
    )


def checksum_of(head: Mapping[str, Any]) -> Checksum | None:
    """Return the checksum that S3 tells of an object, the one that says most if there are several."""
    known = [name for name in CHECKSUMS if f"Checksum{name}" in head]
    return Checksum(algorithm=known[0], value=head[f"Checksum{known[0]}"]) if known else None


def open_version(s3: S3Client, version: ObjectVersion) -> ByteStream:
    """Open exactly this version as a stream; raise ObjectGoneError if it was deleted."""
    try:
        return s3.get_object(Bucket=version.bucket, Key=version.key, VersionId=version.version_id)["Body"]
    except ClientError as error:
        raise _gone_or(error) from error


def read_side_car(s3: S3Client, version: ObjectVersion) -> bytes | None:
    """Return the control file beside an object, None if there is none."""
    return _read_if_there(s3, version.bucket, version.key + SIDE_CAR_ENDING)


def read_pin(s3: S3Client, version: ObjectVersion) -> bytes | None:
    """Return the pin of an object's folder, or of the nearest one above it; None if there is none."""
    folder = version.key
    while "/" in folder:
        folder = folder.rpartition("/")[0]
        if (content := _read_if_there(s3, version.bucket, f"{folder}/{PIN_NAME}")) is not None:
            return content
    return None


def is_there(s3: S3Client, bucket: str, key: str, version_id: str) -> bool:
    """Return whether an object version is in Bronze."""
    try:
        s3.head_object(Bucket=bucket, Key=key, VersionId=version_id)
    except ClientError as error:
        if isinstance(_gone_or(error), ObjectGoneError) or error.response["Error"]["Code"] in _NO_VERSION:
            return False
        raise
    return True


def _read_if_there(s3: S3Client, bucket: str, key: str) -> bytes | None:
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read(COMPANION_BYTES + 1)
    except ClientError as error:
        if error.response["Error"]["Code"] in {*_GONE, _TOO_LONG}:
            return None
        raise


def _key(record: Mapping[str, Any]) -> str:
    return unquote_plus(record["s3"]["object"]["key"])


def _gone_or(error: ClientError) -> Exception:
    return ObjectGoneError(str(error)) if error.response["Error"]["Code"] in _GONE else error
