"""Finds the records in the lines of CSV files (section 2 of `docs/data-contract.md`).

A record is one line. In the few files with blank lines or odd quotes an odd line joins with the next odd line when both
together parse; of a chain of such pairs every second one is real.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from contract.items import FileItem
from contract.limits import RECORD_LINES
from contract.writing import COMMA
from pyspark.sql import Column, DataFrame, SparkSession, Window, WindowSpec
from pyspark.sql import functions as F

from glue.lake.spark import ROWS_A_PARTITION
from glue.reading.fields import field_form, record_form
from glue.reading.lines import QUOTE, has_odd_quotes, is_blank, read_lines
from glue.reading.origin import ORIGIN, WRITING, positions_of, texts_of
from glue.reading.staging import Staging
from glue.reading.texts import trimmed


def well_quoted(text: Column, delimiter: str) -> Column:
    return text.rlike(rf"^{record_form(delimiter)}\z")


def by_line() -> WindowSpec:
    return Window.partitionBy("file_id").orderBy("line")


def unquoted(field: Column) -> Column:
    """Return a field without the quotes around it."""
    inner = F.regexp_replace(field.substr(F.lit(2), F.length(field) - 2), '""', QUOTE)
    return F.when(field.startswith(QUOTE), inner).otherwise(field)


def fields_of(text: Column, delimiter: str) -> Column:
    """Return a well-quoted record's fields, some still within quotes: a lambda here would slow down all records."""
    form = F.lit(f"[{delimiter}]({field_form(delimiter)})")
    quoted = F.regexp_extract_all(F.concat(F.lit(delimiter), text), form, F.lit(1))
    # A single sign that means itself is split at without a regular expression.
    return F.when(text.contains(QUOTE), quoted).otherwise(F.split(text, rf"\{delimiter}", -1))


def spans(lines: DataFrame, delimiter: str) -> DataFrame:
    """Return `file_id, line, close, record` for each odd line that begins a record of several lines."""
    odd = lines.where(has_odd_quotes(F.col("text"))).select(
        "file_id", "line", "field_count", F.lead("line").over(by_line()).alias("close")
    )
    near = odd.where(F.col("close") - F.col("line") < RECORD_LINES)
    parts = near.select("file_id", F.col("line").alias("open"), F.explode(F.sequence("line", "close")).alias("line"))
    filled = lines.where(F.col("text") != "").select("file_id", "line", "text")
    joined = (
        parts.join(filled, on=["file_id", "line"], how="left")
        .groupBy("file_id", F.col("open").alias("line"))
        .agg(F.array_sort(F.collect_list(F.struct("line", F.coalesce("text", F.lit("")).alias("text")))).alias("parts"))
        .select("file_id", "line", F.concat_ws("\n", F.col("parts.text")).alias("record"))
    )
    fits = F.coalesce(
        well_quoted(F.col("record"), delimiter)
        & (F.size(fields_of(F.col("record"), delimiter)) == F.col("field_count")),
        F.lit(False),
    )
    chained = odd.join(joined, on=["file_id", "line"], how="left").select(
        "file_id", "line", "close", "record", fits.alias("fits"), F.row_number().over(by_line()).alias("place")
    )
    last_miss = F.max(F.when(~F.col("fits"), F.col("place"))).over(by_line().rowsBetween(Window.unboundedPreceding, -1))
    run_length = F.col("place") - 1 - F.coalesce(last_miss, F.lit(0))
    return (
        chained.withColumn("run_length", run_length)
        .where(F.col("fits") & (F.col("run_length") % 2 == 0))
        .select("file_id", "line", "close", "record")
    )


def with_row(records: DataFrame, most_lines: int) -> DataFrame:
    """Number the records of each file, of which none has more than `most_lines` lines.

    A large file is numbered in parts, which begin where the records before them end: else it would be one task's.
    """
    if most_lines <= ROWS_A_PARTITION:
        return records.withColumn("row", F.row_number().over(by_line()))
    parted = records.withColumn("part", F.floor(F.col("line") / ROWS_A_PARTITION))
    counted = parted.groupBy("file_id", "part").agg(F.count(F.lit(1)).alias("held"))
    earlier = Window.partitionBy("file_id").orderBy("part").rowsBetween(Window.unboundedPreceding, -1)
    starts = counted.select("file_id", "part", F.coalesce(F.sum("held").over(earlier), F.lit(0)).alias("start"))
    within = F.row_number().over(Window.partitionBy("file_id", "part").orderBy("line"))
    joined = parted.join(F.broadcast(starts), on=["file_id", "part"], how="inner")
    return joined.withColumn("row", F.col("start") + within).drop("part", "start")


def join_spans(lines: DataFrame, delimiter: str, most_lines: int = 0) -> DataFrame:
    """Return the records of untidy files: spans joined, blank lines left out, rows numbered.

    A file may hold millions of blank lines, which go before anything is joined or numbered, and a span many lines: only
    the first of them carries the record.
    """
    covered = spans(lines, delimiter).select(
        "file_id", F.explode(F.sequence("line", "close")).alias("line"), F.col("line").alias("open"), "record"
    )
    opens = F.col("open") == F.col("line")
    return (
        lines.where(~is_blank(F.col("text"), delimiter))
        .join(covered.withColumn("record", F.when(opens, F.col("record"))), on=["file_id", "line"], how="left")
        .where(F.col("open").isNull() | opens)
        .withColumn("text", F.coalesce("record", "text"))
        .transform(with_row, most_lines)
    )


def of_other_table(fields: Column) -> Column:
    """Tell whether a record of a file of several tables names another one than the file's."""
    expected, places = F.col("other_table.name"), F.col("other_table.places")
    named = [F.lower(trimmed(unquoted(F.get(fields, F.get(places, F.lit(place)))))) for place in (0, 1)]
    found = reduce(or_, [F.coalesce(name == F.lower(expected), F.lit(False)) for name in named])
    return F.col("other_table").isNotNull() & ~found


def line_of(files: Sequence[FileItem]) -> Column:
    """Return the physical line of a record; a JSON object has none."""
    of_json = [file["file_id"] for file in files if file["format"]["kind"] == "json"]
    return (F.when(~F.col("file_id").isin(of_json), F.col("line")) if of_json else F.col("line")).alias("line")


def read_csv(spark: SparkSession, files: Sequence[FileItem], staging: Staging) -> DataFrame:
    """Return one row per record of files of one separator: origin, `row`, `line`, `raw`, `broken`, known columns.

    `broken` is the rule of structure that the record breaks, or null.
    """
    texts, delimiter = texts_of(files[0]), files[0]["format"].get("delimiter", COMMA)
    lines, most_untidy = read_lines(
        spark, files, staging, texts, lambda text: is_blank(text, delimiter) | has_odd_quotes(text)
    )
    below = lines.where("line > header_line")
    if any("trailer_line" in file["format"] for file in files):
        # Behind it nothing but blank lines follows.
        below = below.where("trailer_line IS NULL OR line < trailer_line")
    if not all(file["format"]["has_header"] for file in files):
        # Byte order marks before the first record are no part of it.
        first = F.regexp_replace("text", "^\ufeff+", "")
        below = below.withColumn("text", F.when(F.col("line") == 1, first).otherwise(F.col("text")))
    kept = [name for name in below.columns if name not in ("line", "text", "untidy")]
    records = below.where(~F.col("untidy")).select(
        *kept, "line", "text", (F.col("line") - F.col("header_line")).alias("row")
    )
    if most_untidy:
        untidy = join_spans(below.where("untidy"), delimiter, most_untidy)
        records = records.unionByName(untidy.select(*records.columns))
    text, fields, expected = F.col("text"), F.col("fields"), F.col("field_count")
    broken = F.when(text.contains(QUOTE) & ~well_quoted(text, delimiter), F.lit("malformed_quotes"))
    if any("table" in file["format"] for file in files):
        broken = broken.when(of_other_table(fields), F.lit("other_table"))
    broken = broken.when(F.size(fields) < expected, F.lit("too_few_fields")).when(
        F.size(fields) > expected, F.lit("too_many_fields")
    )
    values = [
        F.when(F.col("broken").isNull(), unquoted(F.get(fields, position))).alias(name)
        for name, position in positions_of(files, texts).items()
    ]
    return (
        records.withColumn("fields", fields_of(text, delimiter))
        .withColumn("broken", broken)
        .select(*ORIGIN, *WRITING, "row", line_of(files), F.col("text").alias("raw"), "broken", *values)
    )
