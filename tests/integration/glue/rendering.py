"""Files of the model as real objects: CSV in the dialects of the contract, and the markers of loads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
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
PINNED = ("written", "op", "amount", "dms_id", *(name for name in DMS_COLUMNS if name not in ("id", "amount")))
PIN = {"header": False, "columns": PINNED, "commit_timestamp": "written", "null": "-", "full_load": False}
PIN_KEY = "transactions/pinned/_dialect.json"


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
    table = stamped(file, [list(DMS_COLUMNS), *(fields(row, null="", rng=rng) for row in file.rows)], rng)
    order = rng.sample(range(len(table[0])), len(table[0]))
    return [[record[place] for place in order] for record in table]


def cards_body(file: File, rng: Random) -> list[list[str]]:
    """Return header and records of changes of cards."""
    table = [["Op", "id", "client_id", "card_brand"]]
    for row in file.rows:
        client = "nobody" if row.broken else row.image.client_id
        values = [None if value is None else str(value) for value in (row.key, client, row.image.card_brand)]
        table.append([rng.choice(OPERATIONS[row.op]), *("NULL" if text is None else text for text in values)])
    return stamped(file, table, rng)


def pinned_body(file: File, rng: Random) -> list[list[str]]:
    """Return the records of a file whose folder's pin tells what they are."""
    records = []
    for row, stamp in zip(file.rows, stamps(file), strict=True):
        named = dict(zip(("dms_id", *DMS_COLUMNS[1:]), fields(row, null="-", rng=rng), strict=True))
        named |= {"written": stamp, "op": rng.choice(OPERATIONS[row.op])}
        records.append([named[name] for name in PINNED])
    return records


def stamps(file: File) -> list[str]:
    """Return the commit timestamps of a file's rows."""
    return [f"{row.commit_at:%Y-%m-%d %H:%M:%S.%f}" if row.commit_at else "" for row in file.rows]


def stamped(file: File, table: list[list[str]], rng: Random) -> list[list[str]]:
    """Add a column of commit timestamps to header and records, if the file has them."""
    column = [rng.choice(TIMESTAMPS), *stamps(file)]
    return [[*record, text] for record, text in zip(table, column, strict=True)] if file.rows[0].commit_at else table


def dms_body(file: File, rng: Random) -> list[list[str]]:
    """Return the records of a file of DMS, in one of its forms: header, operation, place of the timestamp, nulls."""
    null, has_header = rng.choice(["", "NULL"]), rng.random() < 0.4
    has_op = any(row.op != "I" for row in file.rows) or rng.random() < 0.6
    spelling = rng.randrange(3) if has_header else 0
    # Behind the values of changes only a name of the contract tells a commit timestamp.
    is_told = has_header or file.kind == "full load"
    place = rng.choice(["front", "after", "end"] if is_told else ["front", "after"])
    has_stamps = bool(file.rows[0].commit_at)
    records = []
    where_dms_writes_it = file.kind != "full load" and (place == "after" or (place == "front" and not has_op))
    names = ["Op"], list(DMS_COLUMNS), [rng.choice([*TIMESTAMPS, *([OWN_NAME] if where_dms_writes_it else [])])]
    parts = [
        ([OPERATIONS[row.op][spelling]], fields(row, null=null, rng=rng), [stamp])
        for row, stamp in zip(file.rows, stamps(file), strict=True)
    ]
    for op, values, stamp in [names, *parts] if has_header else parts:
        op, stamp = op if has_op else [], stamp if has_stamps else []
        ordered = {"front": [*stamp, *op, *values], "after": [*op, *stamp, *values], "end": [*op, *values, *stamp]}
        records.append(ordered[place])
    return records


def repair_body(file: File, columns: Iterable[str], rng: Random) -> bytes:
    """Write a repair in the columns of the file that it repairs, with nulls that all files know."""
    names = ["row", *columns]
    records = [names]
    for row, stamp in zip(file.rows, stamps(file), strict=True):
        named = dict(zip(("dms_id", *DMS_COLUMNS[1:]), fields(row, null="", rng=rng), strict=True))
        named |= {"row": str(row.of), "op": rng.choice(OPERATIONS[row.op]), "commit_at": stamp}
        records.append([named[name] for name in names])
    return "".join(f"{','.join(record)}\n" for record in records).encode()


def store_repair(file: File, original_id: str, columns: Iterable[str], rng: Random) -> tuple[File, Event]:
    """Put a repair into Bronze; return it with the facts of its object, and its event."""
    key = f"transactions/repairs/{original_id}/{file.version_id}.csv"
    event = put(key, repair_body(file, columns, rng), **as_of(file))
    described = event["Records"][0]["s3"]["object"]
    described["sequencer"] = file.sequencer
    stored = replace(file, key=key)
    versions = {stored.name: described["versionId"]}
    return real(stored, versions, object_version(event["Records"][0]).event_at), event


def body(file: File, versions: dict[Name, str], rng: Random) -> bytes:
    if file.kind == "marker":
        listed = [{"key": key, "version": versions[key, version]} for key, version in sorted(file.listed)]
        start = file.start_at.replace(tzinfo=UTC).isoformat()
        return json.dumps({"load": "history", "start": start, "files": listed}).encode()
    bodies = {"upload": upload_body, "cards": cards_body, "pinned": pinned_body}
    records = bodies.get(file.kind, dms_body)(file, rng)
    return "".join(f"{','.join(record)}\n" for record in records).encode()


def store(files: Iterable[File], rng: Random) -> list[tuple[File, Event]]:
    """Put files into Bronze, markers last; return each with the facts of its object, and its event."""
    put(PIN_KEY, json.dumps(PIN).encode())
    stored: dict[Name, tuple[File, Event]] = {}
    versions: dict[Name, str] = {}
    files = [file for file in files if not file.original]
    for file in sorted(files, key=lambda file: file.kind == "marker"):
        metadata = as_of(file)
        if file.control == "side-car":
            put(f"{file.key}.control.json", json.dumps(control_of(file)).encode())
        metadata |= control_of(file) if file.control == "metadata" else {}
        event = put(file.key, body(file, versions, rng), **metadata)
        described = event["Records"][0]["s3"]["object"]
        described["sequencer"] = file.sequencer
        versions[file.name] = described["versionId"]
        stored[file.name] = real(file, versions, object_version(event["Records"][0]).event_at), event
    return [stored[file.name] for file in files]


def as_of(file: File) -> dict[str, str]:
    return {"as_of": file.as_of_at.replace(tzinfo=UTC).isoformat()} if file.as_of_at else {}


def control_of(file: File) -> dict[str, str]:
    """Return the control totals of a file: of one that is to be rejected, a row more than it has."""
    cents = sum(row.image.cents or 0 for row in file.rows)
    totals = {"row_count": str(len(file.rows) + file.rejected), "total_amount": str(Decimal(cents).scaleb(-2))}
    return {"row_count": totals["row_count"]} if file.subject == "cards" else totals


def real(file: File, versions: dict[Name, str], event_at: datetime) -> File:
    """Return the file as its object turned out: version, last-modified instant, and the versions that it lists."""
    version_id = versions[file.name]
    head = boto3.client("s3").head_object(Bucket=BRONZE, Key=file.key, VersionId=version_id)
    listed = frozenset((key, versions[key, version]) for key, version in file.listed)
    modified = object_instant(head["LastModified"].astimezone(UTC), event_at).replace(tzinfo=None)
    return replace(file, version_id=version_id, last_modified_at=modified, listed=listed)
