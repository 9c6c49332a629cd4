"""Declares a reload: which object versions are one full load of AWS DMS, and since when (data contract, section 9)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from contract.companions import is_companion
from rich.table import Table

from assay import console
from assay.errors import UserError
from assay.ledger import Item, Ledger, ending, file_id
from assay.upload import Bronze, Uploaded, instant_text, send_bytes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SUBJECT = "transactions/"
MARKER = "_load.json"
MOST_FILES = 2_000  # of the data contract
LOAD_FILE = re.compile(r"(.*_)?LOAD[0-9A-Fa-f]{8}(\.[^/]+)?", re.DOTALL)


@dataclass(frozen=True)
class LoadFile:
    """An object version that is part of a load."""

    key: str
    version_id: str
    size: int
    last_modified_at: datetime


@dataclass(frozen=True)
class Declaration:
    """A load, as its marker declares it."""

    name: str
    start_at: datetime
    files: Sequence[LoadFile]

    def as_bytes(self) -> bytes:
        files = [{"key": file.key, "version": file.version_id} for file in self.files]
        declared = {"load": self.name, "start": instant_text(self.start_at), "files": files}
        return (json.dumps(declared, ensure_ascii=False, indent=2) + "\n").encode()


def folder_of(prefix: str) -> str:
    """Return the folder in Bronze that a prefix names, with or without `transactions/` before it."""
    inner = f"{prefix.strip('/')}/".removeprefix(SUBJECT).lstrip("/")
    return SUBJECT + inner


def is_load_file(key: str) -> bool:
    """Return whether AWS DMS wrote an object in a full load, by its name."""
    return bool(LOAD_FILE.fullmatch(key.rpartition("/")[2])) and not is_companion(key)


def find_files(client: S3Client, bucket: str, folder: str, keys: Sequence[str]) -> list[LoadFile]:
    """List the current versions of the load files below a folder, or of the named keys, by key."""
    if keys:
        found = [
            _named(client, bucket, key if key.startswith(SUBJECT) else folder + key) for key in dict.fromkeys(keys)
        ]
    else:
        found = [file for file in _current(client, bucket, folder) if is_load_file(file.key)]
    if not found:
        raise UserError(f"no load files (LOAD00000001.csv and the like) are below {folder}", "name them: --file KEY")
    if len(found) > MOST_FILES:
        raise UserError(
            f"{len(found):,} files are more than a load may have ({MOST_FILES:,})", "have DMS write larger files"
        )
    return sorted(found, key=lambda file: file.key)


def _current(client: S3Client, bucket: str, folder: str) -> list[LoadFile]:
    pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=folder)
    return [
        LoadFile(version["Key"], version["VersionId"], version["Size"], version["LastModified"])
        for page in pages
        for version in page.get("Versions", [])
        if version["IsLatest"]
    ]


def _named(client: S3Client, bucket: str, key: str) -> LoadFile:
    try:
        head = client.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in ("404", "NoSuchKey", "NotFound"):
            raise
        raise UserError(f"there is no object {key} in Bronze", "check the name, or upload it first") from None
    return LoadFile(key, head["VersionId"], head["ContentLength"], head["LastModified"])


def known_to(ledger: Ledger, bucket: str, files: Sequence[LoadFile]) -> dict[str, Item]:
    """Read the ledger items of the files, by key; refuse a load of which a file cannot be a part."""
    ids = {file.key: file_id(bucket, file.key, file.version_id) for file in files}
    items = ledger.get(ids.values())
    known = {key: items[identity] for key, identity in ids.items() if identity in items}
    lost = {key: end for key, item in known.items() if (end := ending(item)) in ("rejected", "failed")}
    if lost:
        named = ", ".join(f"{key} ({end})" for key, end in lost.items())
        failed = [known[key]["file_id"] for key, end in lost.items() if end == "failed"]
        hints = [f"assay resume {' '.join(failed)}"] if failed else []
        hints += ["upload the rejected ones corrected"] if len(failed) < len(lost) else []
        raise UserError(f"the load has files that were not taken: {named}", "; ".join(hints))
    others = [key for key, item in known.items() if item.get("format", {}).get("is_full_load") is False]
    if others:
        raise UserError(
            f"not a full load, so the load would delete its rows as older ones: {', '.join(others)}",
            'if it is one, put {"full_load": true} into a _dialect.json beside it, and upload both with --as-of',
        )
    return known


def refuse_future(start_at: datetime, now: datetime) -> None:
    if start_at > now:
        raise UserError(
            f"--start {instant_text(start_at)} lies in the future", "give the instant at which the load began"
        )


def put_marker(to: Bronze, folder: str, declared: Declaration) -> Uploaded:
    """Write the marker beside the load's files."""
    body = declared.as_bytes()
    return send_bytes(to, folder + MARKER, body, {}, size=len(body))


def as_json(declared: Declaration) -> dict[str, object]:
    """Return what was declared for programs."""
    files = [{"key": file.key, "version_id": file.version_id} for file in declared.files]
    return {"load": declared.name, "start_at": declared.start_at, "files": files}


def render(declared: Declaration, known: dict[str, Item]) -> Table:
    title = (
        f"Load {console.shown(declared.name)}, begun {instant_text(declared.start_at)}: {len(declared.files):,} files"
    )
    grid = console.table(
        title,
        ("file", "version", "bytes", "written", "status"),
        right=("bytes",),
        keys=("file", "version"),
        lines=("written", "status"),
        spare=("version", "written"),
    )
    for file in declared.files:
        status = known[file.key]["status"] if file.key in known else "not processed yet"
        written = instant_text(file.last_modified_at)[:19].replace("T", " ")
        grid.add_row(console.shown(file.key), file.version_id[:8], console.count(file.size), written, status)
    return grid
