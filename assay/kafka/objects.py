"""Put a batch into Bronze under its first offset, once: what is there already is compared, and stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from reading.lines import is_blank, is_tombstone, text_of, without_marks
from reading.offsets import LAST_OFFSET, key_of

from assay.errors import UserError
from assay.kafka.cutting import NO_TIME, Batch, is_part_of
from assay.upload import CHECKSUM, Bronze, instant_text

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

ENDING = ".jsonl"
LATEST = "latest-record-ms"
"""The object metadata that holds `Batch.latest`, from which the next object goes on."""
_THERE = {"PreconditionFailed", "412"}
_ABSENT = {"404", "403"}
"""To who may not list a bucket, S3 does not say that an object is absent."""
_AT_ONCE = {"ConditionalRequestConflict", "409"}
TRIES = 5


class OtherRecordsError(UserError):
    """An object in Bronze holds other records than the topic under the same offsets."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"{key} holds other records than the topic has under these offsets: the topic was made anew, or cut off",
            "nothing was lost; bridge it into a folder of its own: --prefix transactions/ANOTHER/",
        )


@dataclass(frozen=True)
class Stored:
    """An object in Bronze: up to which offset it goes, and whether this call has put it."""

    key: str
    first: int
    last: int
    latest_ms: int
    records: int
    size: int
    is_new: bool


@dataclass(frozen=True)
class Place:
    """Where the objects of a topic go."""

    to: Bronze
    prefix: str
    topic: str

    def key(self, partition: int, first: int) -> str:
        """Return the key of the object that begins with an offset."""
        return key_of(self.prefix, self.topic, partition, first, ENDING)

    def put(self, partition: int, batch: Batch, now: datetime) -> Stored:
        """Put a batch, unless an object begins there; raise OtherRecordsError if that one holds other records."""
        key = self.key(partition, batch.first)
        if batch.reach >= 0:
            return self._there(key, batch)
        body = batch.body()
        request: PutObjectRequestTypeDef = {"Bucket": self.to.bucket, "Key": key, "Body": body, "IfNoneMatch": "*"}
        request |= {"Metadata": _metadata(batch, now), "ChecksumAlgorithm": CHECKSUM}
        for tried in range(1, TRIES + 1):
            try:
                self.to.client.put_object(**request)
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code in _THERE:
                    return self._there(key, batch)
                if code not in _AT_ONCE or tried == TRIES:
                    raise
            else:
                break
        return Stored(key, batch.first, batch.last, batch.latest, len(batch.records), len(body), is_new=True)

    def reach(self, partition: int, first: int) -> int:
        """Return the last offset of the object that begins with an offset; -1 if none does that a bridge has put."""
        try:
            found = self.to.client.head_object(Bucket=self.to.bucket, Key=self.key(partition, first))
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                return -1
            raise
        return int(found["Metadata"].get(LAST_OFFSET, -1))

    def _there(self, key: str, batch: Batch) -> Stored:
        """Return what is there, if its records are those of the batch as far as both go."""
        found = self.to.client.get_object(Bucket=self.to.bucket, Key=key)
        metadata = {name.lower(): value for name, value in found["Metadata"].items()}
        if LAST_OFFSET not in metadata or LATEST not in metadata:
            what = f"{key} is in Bronze, and no bridge has put it there"
            raise UserError(what, "bridge the topic into a folder of its own: --prefix transactions/ANOTHER/")
        last, content = int(metadata[LAST_OFFSET]), found["Body"].read()
        lines = content.split(b"\n")[:-1]
        ours = [each.line for each in batch.records if each.offset <= last]
        if not is_part_of(ours, lines):
            raise OtherRecordsError(key)
        latest = int(metadata[LATEST])
        return Stored(key, batch.first, last, latest, len(lines), len(content), is_new=False)


def _metadata(batch: Batch, now: datetime) -> dict[str, str]:
    """Return what goes with an object: how far it reaches, its rows, and the instant that orders them."""
    told = {LAST_OFFSET: str(batch.last), LATEST: str(batch.latest)}
    lines = [each.line for each in batch.records]
    if (rows := _rows(lines)) is not None:
        told["row-count"] = str(rows)
    if batch.latest != NO_TIME:
        # A clock that goes ahead orders nothing behind what comes now.
        latest = datetime.fromtimestamp(min(batch.latest, _ms(now)) // 1000, UTC)
        told["as-of"] = instant_text(latest.replace(microsecond=min(batch.latest, _ms(now)) % 1000 * 1000))
    return told


def _rows(lines: Sequence[bytes]) -> int | None:
    """Return how many rows lines are to the data contract; None with a tombstone, which is one beside rows only."""
    first = BytesIO(lines[0])
    texts = [text_of(line) for line in (without_marks(first) + first.read(), *lines[1:])]
    return None if any(map(is_tombstone, texts)) else sum(not is_blank(text) for text in texts)


def _ms(at: datetime) -> int:
    return int(at.timestamp()) * 1000 + at.microsecond // 1000
