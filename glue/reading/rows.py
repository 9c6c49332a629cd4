"""Reads the rows of staged files as text, whatever kind the files are of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from contract.items import FileFormat, FileItem
from contract.vocabulary import DEBEZIUM
from contract.writing import COMMA
from pyspark.sql import DataFrame, SparkSession

from glue.lake.spark import united
from glue.reading.envelopes import read_envelopes
from glue.reading.json_lines import JSON_KINDS, read_json
from glue.reading.parquet import read_parquet
from glue.reading.records import read_csv
from glue.reading.staging import Staging
from glue.reading.texts import with_texts

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

FILE_READERS: Mapping[str, Callable[[SparkSession, Sequence[FileItem], Staging], DataFrame]] = {
    "csv": read_csv,
    "json": read_json,
    "envelopes": read_envelopes,
    "parquet": read_parquet,
}


def reader_of(shape: FileFormat) -> tuple[str, str]:
    """Name the reader of a file, and what all files of one read of its have in common."""
    if shape["kind"] == "parquet":
        return "parquet", ""
    if shape["kind"] in JSON_KINDS:
        return ("envelopes", str(shape.get("encodings", {}))) if shape["dialect"] == DEBEZIUM else ("json", "")
    return "csv", shape.get("delimiter", COMMA)


def read(spark: SparkSession, files: Sequence[FileItem], staging: Staging) -> DataFrame:
    """Return the rows of one subject's files as text: one read per separator of CSV and encoding of envelopes."""
    reads: dict[tuple[str, str], list[FileItem]] = {}
    for file in files:
        reads.setdefault(reader_of(file["format"]), []).append(file)
    parts = [FILE_READERS[name](spark, members, staging) for (name, _), members in reads.items()]
    return united(parts).transform(with_texts, files)
