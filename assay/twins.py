"""Finds files whose content Bronze has already under the same key: sent again, their rows would be newer than all."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay import upload
from assay.ledger import Item, Ledger, ending, file_id
from assay.upload import PARALLEL, Source, Unsent

if TYPE_CHECKING:
    from assay.target import Target

OTHER_PARTS = 8 * 1024**2  # of the AWS command line and of boto3's own transfer
FIRST_WORD = "To make its rows the newest all the same: --again"


@dataclass(frozen=True)
class _Version:
    """A version that has the size of a local file, and what tells whether it has its content."""

    source: Source
    etag: str
    hashes: set[str]
    version_id: str
    file_id: str


def find_twins(target: Target, ledger: Ledger, sources: Sequence[Source]) -> list[Unsent]:
    """Return the files of which a version with the same bytes is in Bronze, and what to do about each.

    A version that was rejected is none: its file may be sent again once a pin or a parameter is settled. Versions are
    told by S3's ETag, which is a hash of the content but under a KMS key, or by the checksum that the ledger has.
    """
    bucket = target.stack.bronze_bucket
    with ThreadPoolExecutor(PARALLEL) as pool:
        lists = pool.map(lambda source: list(_versions(target, bucket, source)), _of_data(sources))
    found = [version for versions in lists for version in versions]
    items = ledger.get(version.file_id for version in found)
    twins: dict[Source, Unsent] = {}
    for version in found:
        item = items.get(version.file_id)
        checksum = item.get("checksum", {}).get("value") if item else None
        if not {version.etag, checksum} & version.hashes:
            continue
        if item is None or ending(item) != "rejected":
            twins.setdefault(version.source, _told(version, item))
    return list(twins.values())


def _of_data(sources: Sequence[Source]) -> list[Source]:
    return [source for source in sources if not source.is_companion and upload.unfit(source) is None]


def _versions(target: Target, bucket: str, source: Source) -> Iterator[_Version]:
    """Yield the versions of a file's key with its size, newest first; the file is read if there is one."""
    size, hashes = source.path.stat().st_size, None
    for page in target.s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=source.key):
        for version in page.get("Versions", []):
            if version["Key"] != source.key or version["Size"] != size:
                continue
            try:
                hashes = hashes or _hashes(source.path, size)
            except OSError:
                return  # who sends it will say so
            version_id = version["VersionId"]
            known_as = file_id(bucket, source.key, version_id)
            yield _Version(source, version["ETag"].strip('"'), hashes, version_id, known_as)


def _hashes(path: Path, size: int) -> set[str]:
    """Return the ETags that S3 gives the content of a file, whole and in parts of usual sizes; and its SHA-256."""
    sha256 = hashlib.sha256()
    whole = hashlib.md5(usedforsecurity=False)
    parts = {part: _Parts(part) for part in (upload.part_size(size), OTHER_PARTS)}
    with path.open("rb") as file:
        while piece := file.read(OTHER_PARTS):
            whole.update(piece)
            sha256.update(piece)
            for of_parts in parts.values():
                of_parts.update(piece)
    return {whole.hexdigest(), b64encode(sha256.digest()).decode(), *(of_parts.etag() for of_parts in parts.values())}


class _Parts:
    """The ETag of content that comes in pieces, as an upload in parts of one size has it."""

    def __init__(self, size: int) -> None:
        self._size, self._filled, self._count = size, 0, 0
        self._part, self._all = hashlib.md5(usedforsecurity=False), hashlib.md5(usedforsecurity=False)

    def update(self, piece: bytes) -> None:
        while piece:
            room = self._size - self._filled
            self._part.update(piece[:room])
            self._filled += len(piece[:room])
            piece = piece[room:]
            if self._filled == self._size:
                self._close()

    def _close(self) -> None:
        self._all.update(self._part.digest())
        self._part, self._filled, self._count = hashlib.md5(usedforsecurity=False), 0, self._count + 1

    def etag(self) -> str:
        if self._filled:
            self._close()
        return f"{self._all.hexdigest()}-{self._count}"


def _told(version: _Version, item: Item | None) -> Unsent:
    """Say where the same content is, how far it is, and the one command that helps."""
    state = (ending(item) or item["status"]) if item else "not in the ledger"
    key, version_id = version.source.key, version.version_id
    what = f"Bronze has this content under the same key: version {version_id}, {state}"
    if item is None:
        return Unsent(version.source, what, f"wait, or have it taken: assay sweep. {FIRST_WORD}")
    if item.get("failed"):
        return Unsent(version.source, what, f"have it go on: assay resume {version.file_id}. {FIRST_WORD}")
    if not item["in_effect"]:
        undone = f"{what}, undone"
        return Unsent(version.source, undone, f"take it back: assay redo {key} --version {version_id}. {FIRST_WORD}")
    return Unsent(version.source, what, f"look at it: assay passport {version.file_id}. {FIRST_WORD}")
