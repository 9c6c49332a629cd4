"""Files of the model as real objects: CSV in the dialects of the contract, and the markers of loads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import boto3
from cloud.uploads import object_instant, object_version
from glue_pipeline import BRONZE, Event, put
from order_model import File, Name, Row

DMS_COLUMNS = (
    "id", "date", "client_id", "card_id", "amount", "use_chip", "merchant_id", "merchant_city", "merchant_state",
    "zip", "mcc", "errors",
)  # fmt: skip
OPERATIONS = {"I": ("I", "insert", "INSERT"), "U": ("U", "update", "Update"), "D": ("D", "delete", "DELETE")}
TIMESTAMPS = ("commit_ts", "Transact_TS", "dms_commit_timestamp")
OWN_NAME = "written_at"
"""A name that a task gave its timestamp: only its place tells it."""


def money(cents: int, rng: Random) -> str:
    """Spell an amount in one of the forms of the contract, without commas."""
    whole, part = divmod(abs(cents), 100)
    sign = "-" if cents < 0 else ""
    return rng.choice([f"{sign}{whole}.{part:02}", f"${sign}{whole}.{part:02}", f"{sign}${whole}.{part:02}0"])


def fields(row: Row, *, null: str, rng: Random) -> list[str]:
    """Spell a row's values in the order of `DMS_COLUMNS`."""
    image = row.image
    channel = f"{image.channel.title()} Transaction" if image.channel else None
    texts = [
        str(row.key),
        f"{image.transacted_at:%Y-%m-%d %H:%M:%S}" if image.transacted_at else None,
        *(None if value is None else str(value) for value in (image.client_id, image.card_id)),
        None if image.cents is None else money(image.cents, rng),
        "tap" if row.broken else channel,
        None if image.merchant_id is None else str(image.merchant_id),
        image.merchant_city,
        image.merchant_state,
        f"{int(image.zip)}.0" if image.zip else None,
        str(int(image.mcc)) if image.mcc else None,
        f'"{",".join(image.errors)}"' if image.errors else None,
    ]
    return [null if text is None else text for text in texts]


def upload_body(file: File, rng: Random) -> list[list[str]]:
    """Return header and records of a plain upload, its columns in any order."""
    table = [list(DMS_COLUMNS), *(fields(row, null="", rng=rng) for row in file.rows)]
    order = rng.sample(range(len(DMS_COLUMNS)), len(DMS_COLUMNS))
    return [[record[place] for place in order] for record in table]


def dms_body(file: File, rng: Random) -> list[list[str]]:
    """Return the records of a file of DMS, in one of its forms: header, operation, place of the timestamp, nulls."""
    null, has_header = rng.choice(["", "NULL"]), rng.random() < 0.4
    has_op = any(row.op != "I" for row in file.rows) or rng.random() < 0.6
    spelling = rng.randrange(3) if has_header else 0
    # Behind the values of changes only a name of the contract tells a commit timestamp.
    is_told = has_header or file.kind == "full load"
    place = rng.choice(["front", "after", "end"] if is_told else ["front", "after"])
    stamps = [f"{row.commit_at:%Y-%m-%d %H:%M:%S.%f}" if row.commit_at else "" for row in file.rows]
    stamped = bool(stamps[0])
    records = []
    where_dms_writes_it = file.kind != "full load" and (place == "after" or (place == "front" and not has_op))
    names = ["Op"], list(DMS_COLUMNS), [rng.choice([*TIMESTAMPS, *([OWN_NAME] if where_dms_writes_it else [])])]
    parts = [
        ([OPERATIONS[row.op][spelling]], fields(row, null=null, rng=rng), [stamp])
        for row, stamp in zip(file.rows, stamps, strict=True)
    ]
    for op, values, stamp in [names, *parts] if has_header else parts:
        op, stamp = op if has_op else [], stamp if stamped else []
        ordered = {"front": [*stamp, *op, *values], "after": [*op, *stamp, *values], "end": [*op, *values, *stamp]}
        records.append(ordered[place])
    return records


def body(file: File, versions: dict[Name, str], rng: Random) -> bytes:
    if file.kind == "marker":
        listed = [{"key": key, "version": versions[key, version]} for key, version in sorted(file.listed)]
        start = file.start_at.replace(tzinfo=UTC).isoformat()
        return json.dumps({"load": "history", "start": start, "files": listed}).encode()
    records = upload_body(file, rng) if file.kind == "upload" else dms_body(file, rng)
    return "".join(f"{','.join(record)}\n" for record in records).encode()


def store(files: Iterable[File], rng: Random) -> list[tuple[File, Event]]:
    """Put files into Bronze, markers last; return each with the facts of its object, and its event."""
    stored: dict[Name, tuple[File, Event]] = {}
    versions: dict[Name, str] = {}
    for file in sorted(files, key=lambda file: file.kind == "marker"):
        metadata = {"as_of": file.as_of_at.replace(tzinfo=UTC).isoformat()} if file.as_of_at else {}
        event = put(file.key, body(file, versions, rng), **metadata)
        described = event["Records"][0]["s3"]["object"]
        described["sequencer"] = file.sequencer
        versions[file.name] = described["versionId"]
        stored[file.name] = real(file, versions, object_version(event["Records"][0]).event_at), event
    return [stored[file.name] for file in files]


def real(file: File, versions: dict[Name, str], event_at: datetime) -> File:
    """Return the file as its object turned out: version, last-modified instant, and the versions that it lists."""
    version_id = versions[file.name]
    head = boto3.client("s3").head_object(Bucket=BRONZE, Key=file.key, VersionId=version_id)
    listed = frozenset((key, versions[key, version]) for key, version in file.listed)
    modified = object_instant(head["LastModified"].astimezone(UTC), event_at).replace(tzinfo=None)
    return replace(file, version_id=version_id, last_modified_at=modified, listed=listed)
