"""What travels beside the rows of a file: the order of its object, and where each known column stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contract.items import FileFormat, FileItem
from contract.subjects import REPAIR, SUBJECTS, Subject
from pyspark.sql import Column
from pyspark.sql import functions as F

from glue.lake.tables import columns
from glue.reading.fields import column_count
from glue.reading.staging import Staging

ORIGIN = {
    "file_id": "string", "last_modified_at": "timestamp", "object_at": "timestamp", "object_key": "string",
    "sequencer": "string", "version_id": "string", "is_full_load": "boolean", "load_start": "timestamp",
    "has_op": "boolean", "has_commit_at": "boolean",
}  # fmt: skip
WRITING = {
    "null_text": "string", "more_null_texts": "array<string>", "decimal": "string", "date_order": "string",
    "typed": "array<string>",
}  # fmt: skip
"""How the texts of a file are written; `typed` are the columns that are no text there, so in no way of writing."""
LAYOUT = (
    "file_name string, header_line bigint, trailer_line bigint, field_count int, commit_name string, "
    "other_table struct<name: string, places: array<int>>"
)


def read_as(file: FileItem) -> Subject:
    """Return what a file is read as: a repair has a column more than others of its subject."""
    return REPAIR if "repairs" in file else SUBJECTS[file["subject"]]


def texts_of(file: FileItem) -> tuple[str, ...]:
    """Return the columns that are read of a file, as text."""
    return tuple(read_as(file).known)


def commit_name(shape: FileFormat) -> str | None:
    """Return the name of a file's commit timestamp as names of JSON are compared, None where it has none."""
    return shape["ordered_by"].strip(" \t").lower() if "ordered_by" in shape else None


def origin_of(
    file: FileItem, staging: Staging, texts: Sequence[str], typed: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return what the rows of a file need to know of it, in the form `origin_schema`."""
    shape = file["format"]
    return {
        "file_id": file["file_id"],
        "last_modified_at": file["last_modified_at"],
        "object_at": file.get("as_of_at", file["last_modified_at"]),
        "object_key": file["key"],
        "sequencer": file["sequencer"].ljust(32, "0"),
        "version_id": file["version_id"],
        "is_full_load": shape["is_full_load"],
        "load_start": staging.load_starts.get(file["file_id"]),
        "has_op": "op" in shape["places"],
        "has_commit_at": "commit_at" in shape["places"],
        "file_name": staging.name(file),
        "header_line": shape.get("blank_lines_before_header", 0) + 1 if shape["has_header"] else 0,
        "trailer_line": shape.get("trailer_line"),
        "field_count": column_count(shape),
        "null_text": shape.get("null_text"),
        "more_null_texts": shape.get("more_null_texts"),
        "decimal": shape.get("decimal"),
        "date_order": shape.get("date_order"),
        "typed": typed,
        "commit_name": commit_name(shape),
        "other_table": {"name": shape["table"], "places": shape["table_places"]} if "table" in shape else None,
        "positions": {name: place for name, place in shape["places"].items() if name in texts},
    }


def origin_schema(texts: Sequence[str]) -> str:
    positions = "positions struct<" + ", ".join(f"{name}: int" for name in texts) + ">"
    return f"{columns(ORIGIN)}, {columns(WRITING)}, {LAYOUT}, {positions}"


def positions_of(files: Sequence[FileItem], texts: Sequence[str]) -> dict[str, Column]:
    """Return where each known column stands: a constant where all files agree, that is twice as fast."""
    places = [{name: file["format"]["places"].get(name) for name in texts} for file in files]
    if all(each == places[0] for each in places):
        return {name: F.lit(place).cast("int") for name, place in places[0].items()}
    return {name: F.col("positions")[name] for name in texts}
