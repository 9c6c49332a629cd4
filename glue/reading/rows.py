"""Reads the rows of staged files as text, whatever kind the files are of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial, reduce

from contract.items import FileItem
from contract.vocabulary import DEBEZIUM
from contract.writing import COMMA
from pyspark.sql import DataFrame, SparkSession

from glue.lake.spark import checkpointed, in_parallel
from glue.reading.envelopes import read_envelopes
from glue.reading.json_lines import JSON_KINDS, read_json
from glue.reading.parquet import known_places, parquet_fields, read_parquet
from glue.reading.records import read_csv
from glue.reading.staging import Staging

READER_SETTINGS = {
    # User files may hold columns that differ in case only.
    "spark.sql.caseSensitive": "true",
    # Nanosecond timestamps are read as numbers and cut to microseconds here; Spark 3.5 refuses them otherwise.
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    # Instants before 1900 mean what they say, unless an old Spark has signed the file.
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
}
"""Settings of the session, without which files are not read as the contract says."""

AS_INT96 = ("timestamp[ns", "timestamp[us]")
"""How the KPI function calls INT96: it depends on the version of polars that has read the file."""


def read(spark: SparkSession, files: Sequence[FileItem], staging: Staging) -> DataFrame:
    """Return the rows of one subject's files as text: one read per separator of CSV and shape of Parquet."""
    # The ledger has one name for INT96 and for another type of instants; of many columns it has the first types.
    untold = [
        file
        for file in files
        if any(kind.startswith(AS_INT96) for kind in file["format"].get("types", []))
        or (file["format"]["kind"] == "parquet" and "column_count" in file["format"])
    ]
    schemas = {
        file["file_id"]: partial(parquet_fields, spark, staging.path(file), known_places(file).values())
        for file in untold
    }
    fields = {file_id: found.json() for file_id, found in in_parallel(schemas).items()}
    shapes: dict[str, list[FileItem]] = {}
    for file in files:
        shape = file["format"]
        parts = [shape["columns"], shape.get("types"), shape["places"], fields.get(file["file_id"])]
        by_parts = json.dumps(parts, sort_keys=True)
        signature = f"csv{shape.get('delimiter', COMMA)}"
        if shape["kind"] in JSON_KINDS:
            is_envelope = shape["dialect"] == DEBEZIUM
            signature = f"envelopes{shape.get('encodings', {})}" if is_envelope else "json"
        elif shape["kind"] == "parquet":
            signature = by_parts
        shapes.setdefault(signature, []).append(file)
    kinds = {"csv": read_csv, "jso": read_json, "env": read_envelopes}
    readers = [kinds.get(signature[:3], read_parquet)(spark, members, staging) for signature, members in shapes.items()]
    # The rules would be planned and compiled once for each part of the union.
    return readers[0] if len(readers) == 1 else checkpointed(reduce(DataFrame.unionByName, readers))
