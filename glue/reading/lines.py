"""Reads files of text as numbered lines.

Spark numbers lines by partition, so one cheap pass first counts the lines of each block of each file; from it every
line gets its number in its file, and the driver learns which files hold blank lines or odd quotes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import accumulate
from operator import itemgetter, or_
from typing import Any

from contract.items import FileItem
from contract.patterns import LINE_END_SIGN, empty_record
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from glue.lake.spark import ROWS_A_PARTITION, in_partitions, local_rows, partitions_for
from glue.reading.origin import origin_of, origin_schema
from glue.reading.staging import Staging

QUOTE = '"'
PARTITION_BITS = 33  # of Spark's increasing ids: the partition stands above them, the place in it below


FIRST_OF_OTHERS = "-"  # blanks, tabs, quotes and commas sort before all that records usually begin with
ENDS = ("\r\r", "\x1a", "\0", "\x1a\r", "\0\r")


def without_end(value: Column) -> Column:
    """Return a line without what belongs to its end; more than a CR is rare."""
    more = F.regexp_replace(value, rf"(?<!{LINE_END_SIGN}){LINE_END_SIGN}++\z", "")
    usual = F.when(value.endswith("\r"), F.expr("left(value, length(value) - 1)")).otherwise(value)
    return F.when(reduce(or_, [value.endswith(end) for end in ENDS]), more).otherwise(usual)


def is_blank(text: Column, delimiter: str) -> Column:
    """Tell whether a line holds nothing but empty fields; that most do not is seen by how they begin."""
    may_be = (text < FIRST_OF_OTHERS) | text.startswith(delimiter)
    return may_be & text.rlike(rf"^(?:{empty_record(delimiter).replace('*', '*+')})\z")


def has_odd_quotes(text: Column) -> Column:
    without = F.replace(text, F.lit(QUOTE), F.lit(""))
    return text.contains(QUOTE) & ((F.length(text) - F.length(without)) % 2 == 1)


def spread(text: DataFrame, blocks: Sequence[Mapping[str, Any]], unsplit: set[str]) -> DataFrame:
    """Return lines in partitions of the usual size, in their order, where one task reads more than that of a file.

    Such a file is one of `unsplit`, those that Spark cannot read in parts: without this, all work on it is one task's.
    """
    longest = max((block["lines"] for block in blocks if block["file_name"] in unsplit), default=0)
    if longest <= ROWS_A_PARTITION:
        return text
    read: Counter[int] = Counter()
    for block in blocks:
        read[block["first_id"] >> PARTITION_BITS] += block["lines"]
    starts = accumulate((read[partition] for partition in range(max(read))), initial=0)
    start = F.get(F.array(*map(F.lit, starts)), F.shiftright("id", PARTITION_BITS).cast("int"))
    place = start + F.col("id").bitwiseAND((1 << PARTITION_BITS) - 1)
    lines = sum(read.values())
    count = partitions_for(lines, text.sparkSession.sparkContext.defaultParallelism)
    return in_partitions(text, count, F.floor(place / -(-lines // count)).cast("int"))


def read_lines(
    spark: SparkSession,
    files: Sequence[FileItem],
    staging: Staging,
    texts: Sequence[str],
    is_untidy: Callable[[Column], Column],
) -> tuple[DataFrame, int]:
    """Return `line, text, untidy` of all lines of files of text beside what their file tells.

    And the most lines that an untidy file has, one with an untidy line; 0 if there is none.
    """
    # The name of the only file need not be looked up for every line.
    origin = {"block": "file_block_start"} | ({"file_name": "file_name"} if len(files) > 1 else {})
    text = spark.read.text([staging.path(file) for file in files], lineSep="\n").select(
        *[F.col(f"_metadata.{field}").alias(name) for name, field in origin.items()],
        F.monotonically_increasing_id().alias("id"),
        without_end(F.col("value")).alias("text"),
    )
    blocks = text.groupBy(*origin).agg(
        F.count(F.lit(1)).alias("lines"),
        F.min("id").alias("first_id"),
        F.max(is_untidy(F.col("text"))).alias("untidy"),
    )
    origins = {staging.name(file): origin_of(file, staging, texts) for file in files}
    found = [{"file_name": staging.name(files[0]), **block.asDict()} for block in blocks.collect()]
    text = spread(text, found, {staging.name(file) for file in files if file["format"]["kind"].endswith(".gz")})
    untidy = {block["file_name"] for block in found if block["untidy"]}
    rows, next_line = [], dict.fromkeys(origins, 1)
    for block in sorted(found, key=itemgetter("file_name", "block")):
        name = block["file_name"]
        shift = next_line[name] - block["first_id"]
        rows.append({**origins[name], "block": block["block"], "shift": shift, "untidy": name in untidy})
        next_line[name] += block["lines"]
    numbered = local_rows(spark, rows, f"{origin_schema(texts)}, block bigint, shift bigint, untidy boolean")
    lines = text.join(F.broadcast(numbered), on=[*origin], how="inner")
    lines = lines.withColumn("line", F.col("id") + F.col("shift")).drop("file_name", "block", "id", "shift")
    return lines, max((next_line[name] - 1 for name in untidy), default=0)
