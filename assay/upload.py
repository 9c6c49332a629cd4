"""Puts files into Bronze and keeps the version of each, so that what is awaited is what was sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from assay.errors import UserError
from assay.ledger import file_id

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

SIDE_CAR = ".control.json"
PARALLEL = 4
ONE_REQUEST = 64 * 1024**2  # larger files are sent in parts
PART = 32 * 1024**2
MOST_PARTS = 10_000  # of S3


@dataclass(frozen=True)
class Source:
    """A local file and the key that it gets."""

    path: Path
    key: str

    @property
    def is_side_car(self) -> bool:
        return self.key.endswith(SIDE_CAR)


@dataclass(frozen=True)
class Uploaded:
    """An object version in Bronze."""

    key: str
    version_id: str
    file_id: str
    size: int
    uploaded_at: datetime


def find_sources(paths: Iterable[Path], prefix: str) -> list[Source]:
    """Give files and the files below folders their keys; a folder's files keep their names relative to it."""
    folder = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    sources = [
        Source(file, folder + file.relative_to(path if path.is_dir() else path.parent).as_posix())
        for path in paths
        for file in _files(path)
    ]
    _refuse_same_keys(sources)
    return sources


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"there is no file {path}", "check the name")
    files = sorted(file for file in path.rglob("*") if file.is_file())
    if not files:
        raise UserError(f"the folder {path} holds no files", "check the name")
    return files


def _refuse_same_keys(sources: Sequence[Source]) -> None:
    taken: dict[str, Path] = {}
    for source in sources:
        other = taken.setdefault(source.key, source.path)
        if other != source.path:
            raise UserError(
                f"{other} and {source.path} would both become {source.key}", "upload them apart, with --prefix"
            )


def control_metadata(control: str | None) -> dict[str, str]:
    """Turn `ROWS:AMOUNT` (either may be left out) into the object metadata of control totals."""
    if control is None:
        return {}
    rows, colon, amount = control.partition(":")
    metadata = {"row-count": rows, "total-amount": _cents(amount)}
    if not colon or not re.fullmatch(r"[0-9]*", rows) or not (rows or amount):
        raise UserError(f"--control {control} is not ROWS:AMOUNT", "write it like --control 1200:51234.10")
    return {name: value for name, value in metadata.items() if value}


def _cents(amount: str) -> str:
    if not amount:
        return ""
    try:
        value = Decimal(amount)
        exact = value.quantize(Decimal("0.01"))
    except InvalidOperation:
        raise UserError(
            f"the control amount {amount} is not a number", "write it like --control 1200:51234.10"
        ) from None
    if exact != value:
        raise UserError(f"the control amount {amount} has parts of a cent", "write it like --control 1200:51234.10")
    return f"{exact:f}"


def as_of_metadata(as_of: str | None) -> dict[str, str]:
    """Turn an ISO 8601 instant into the object metadata `as-of`, in UTC."""
    if as_of is None:
        return {}
    try:
        instant = datetime.fromisoformat(as_of)
    except ValueError:
        raise UserError(f"--as-of {as_of} is no instant", "write it like --as-of 2026-11-23T06:00:00Z") from None
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return {"as-of": instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}


def upload(client: S3Client, bucket: str, sources: Sequence[Source], metadata: dict[str, str]) -> list[Uploaded]:
    """Send all files, some at a time, in the order of `sources`; side-cars first, since they must be there before
    their files are read."""
    first = [source for source in sources if source.is_side_car]
    then = [source for source in sources if not source.is_side_car]
    done: list[Uploaded] = []
    for group in (first, then):
        with ThreadPoolExecutor(PARALLEL) as pool:
            done += pool.map(lambda source: _send(client, bucket, source, metadata), group)
    return done


def _send(client: S3Client, bucket: str, source: Source, metadata: dict[str, str]) -> Uploaded:
    size = source.path.stat().st_size
    version: str | None
    with source.path.open("rb") as body:
        if size <= ONE_REQUEST:
            version = client.put_object(Bucket=bucket, Key=source.key, Body=body, Metadata=metadata).get("VersionId")
        else:
            version = _send_in_parts(client, bucket, source.key, body, metadata, part=max(PART, size // MOST_PARTS + 1))
    if not version or version == "null":
        raise UserError(f"the bucket {bucket} keeps no versions", "switch versioning on: files are known by version")
    identity = file_id(bucket, source.key, version)
    return Uploaded(source.key, version, identity, size, datetime.now(UTC))


def _send_in_parts(
    client: S3Client, bucket: str, key: str, body: BinaryIO, metadata: dict[str, str], *, part: int
) -> str | None:
    """Send a large file part by part; boto3's own transfer does not tell the version that it made."""
    upload_id = client.create_multipart_upload(Bucket=bucket, Key=key, Metadata=metadata)["UploadId"]
    parts: list[CompletedPartTypeDef] = []
    try:
        while chunk := body.read(part):
            number = len(parts) + 1
            sent = client.upload_part(Bucket=bucket, Key=key, UploadId=upload_id, PartNumber=number, Body=chunk)
            parts.append({"PartNumber": number, "ETag": sent["ETag"]})
        done = client.complete_multipart_upload(
            Bucket=bucket, Key=key, UploadId=upload_id, MultipartUpload={"Parts": parts}
        )
    except BaseException:
        # Parts of an upload that never ends are kept, and paid for, without being seen.
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
        raise
    return done.get("VersionId")
