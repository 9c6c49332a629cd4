"""Reads the change envelopes of Debezium: of each line the image, the operation and the instant of the change.

A snapshot read is a row of a full load: it is older than all changes, unless a declared load gives it a place.
"""

from __future__ import annotations

from collections.abc import Sequence

from contract.envelopes import (
    BASE64,
    DAYS,
    DECIMAL,
    DECIMAL_CHARACTERS,
    OPERATIONS_OF_DEBEZIUM,
    SNAPSHOT_READ,
    SOURCE_INSTANTS,
    TENS,
    TOMBSTONE,
    UNIT_DIGITS,
    UNREAD,
    WITH_SCHEMA,
)
from contract.items import FileItem
from contract.limits import EARLIEST_US, LAST_US
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from glue.lake.spark import once
from glue.reading.json_lines import (
    is_repeated,
    place_of,
    records_of,
    spellings_of,
    text_at,
    value_at,
    with_known,
    with_members,
)
from glue.reading.origin import ORIGIN, WRITING, texts_of
from glue.reading.staging import Staging

HEX_DIGITS = 30
"""Of 15 bytes, in two halves that fit into 64 bits."""
HALF, WHOLE = 2**60, 2**120
EXACT = "decimal(38,0)"


def instant_of_units(value: Column, unit: str) -> Column:
    """Return the instant that a number of units since 1970 is, to the microsecond."""
    number = value.cast("bigint")
    if unit == DAYS:
        us = number * 86_400_000_000
    elif unit == "nanoseconds":
        us = F.floor(number.cast("decimal(20,0)") / 1000).cast("bigint")
    else:
        us = number * 10 ** (6 - TENS[unit])
    text = F.date_format(F.timestamp_micros(us), "yyyy-MM-dd HH:mm:ss.SSSSSS")
    is_read = value.rlike(rf"^-?[0-9]{{1,{UNIT_DIGITS[unit]}}}\z") & us.between(EARLIEST_US, LAST_US)
    return F.when(is_read, text).otherwise(F.lit(UNREAD))


def decimal_of_bytes(text: Column, scale: int) -> Column:
    """Return the decimal that bytes in base64 are: a signed big-endian number of so many decimals."""
    is_read = (F.length(text) <= DECIMAL_CHARACTERS) & text.rlike(rf"^{BASE64}\z")
    shown = once(F.hex(F.unbase64(text)), lambda digits: decimal_of_digits(digits, scale))
    return F.when(is_read, shown).otherwise(F.lit(UNREAD))


def decimal_of_digits(digits: Column, scale: int) -> Column:
    """Return the decimal that the hexadecimal digits of bytes are."""
    is_negative = digits >= "8"
    ahead = F.when(is_negative, F.lit("F" * HEX_DIGITS)).otherwise(F.lit("0" * HEX_DIGITS))
    padded = F.substring(F.concat(ahead, digits), -HEX_DIGITS, HEX_DIGITS)
    halves = [F.conv(F.substring(padded, first, HEX_DIGITS // 2), 16, 10) for first in (1, HEX_DIGITS // 2 + 1)]
    high, low = (half.cast("decimal(19,0)") for half in halves)
    unsigned = (high * F.lit(HALF).cast("decimal(19,0)") + low).cast(EXACT)
    complement = F.lit(str(WHOLE)).cast(EXACT)
    size = once(unsigned, lambda number: F.when(is_negative, complement - number).otherwise(number).cast(EXACT))
    shown = once(
        size.cast("string"),
        lambda text: F.when(F.length(text) > scale, text).otherwise(F.lpad(text, scale + 1, "0")),
    )
    minus = F.when(is_negative, F.lit("-")).otherwise(F.lit(""))
    return F.concat(minus, once(shown, lambda text: with_decimals(text, scale)))


def with_decimals(digits: Column, scale: int) -> Column:
    """Return digits, more than the decimals, with the point before so many of them."""
    whole = F.length(digits) - scale
    behind = F.concat(F.lit("."), digits.substr(whole + 1, F.lit(scale))) if scale else F.lit("")
    return F.concat(digits.substr(F.lit(1), whole), behind)


def decoded_value(value: Column, text: Column, encoding: str) -> Column:
    """Return the text of a value that is written as a schema says; null stays null."""
    name, _, scale = encoding.partition(" ")
    if name == DECIMAL:
        return F.when(value.startswith('"'), decimal_of_bytes(text, int(scale))).otherwise(text)
    return F.when(text.isNotNull(), instant_of_units(value, name))


def committed_at() -> Column:
    """Return the instant of a change, in the finest unit that its source tells."""
    told = []
    for name, unit in SOURCE_INSTANTS.items():
        value = value_at("source", place_of("source", name))
        told.append(F.when(value != "null", instant_of_units(value, unit)))
    return F.coalesce(*told)


def operation_of(text: Column) -> Column:
    """Return the operation that Debezium means by a letter; null where there is none."""
    known = [F.when(text == letter, F.lit(operation)) for letter, operation in OPERATIONS_OF_DEBEZIUM.items()]
    return F.coalesce(*known, F.when(text.isNotNull(), F.lit(UNREAD)))


def is_no_object(value: Column) -> Column:
    """Tell whether a part of an envelope is neither an object, null, nor absent."""
    return F.coalesce(~value.startswith("{") & (value != "null"), F.lit(False))


def with_parts(rows: DataFrame) -> DataFrame:
    """Add the members of the envelopes' parts, the `operation`, and the rule of structure that a line breaks."""
    rows = with_members(rows, "top", F.when(F.col("is_object"), F.col("text")))
    payload = value_at("top", place_of("top", "payload"))
    is_packed = (F.array_sort("top_names") == F.array(*map(F.lit, WITH_SCHEMA))) & payload.startswith("{")
    rows = with_members(rows, "payload", F.when(is_packed, payload).otherwise(F.col("top_text")))
    rows = rows.withColumn("operation", text_at("payload", place_of("payload", "op")))
    before, after, source = (value_at("payload", place_of("payload", name)) for name in ("before", "after", "source"))
    image = F.when(F.col("operation") == "d", before).otherwise(after)
    rows = rows.withColumns({"image": image, "source": source})
    for part, name in (("row", "image"), ("source", "source")):
        rows = with_members(rows, part, F.when(F.col(name).startswith("{"), F.col(name)))
    repeated, of_other_type = F.lit("repeated_name"), F.lit("value_of_other_type")
    broken = (
        F.when(~F.col("is_object"), F.lit("malformed_json"))
        .when(is_repeated("top") | is_repeated("payload"), repeated)
        .when(is_no_object(F.col("image")), of_other_type)
        .when(is_repeated("row"), repeated)
        .when(is_no_object(F.col("source")), of_other_type)
        .when(is_repeated("source"), repeated)
    )
    return rows.withColumn("broken", broken)


def read_envelopes(spark: SparkSession, files: Sequence[FileItem], staging: Staging) -> DataFrame:
    """Return one row per envelope of files whose values are written alike, in the form of `read_csv`."""
    texts, encodings = texts_of(files[0]), files[0]["format"].get("encodings", {})
    rows = with_parts(records_of(spark, files, staging, texts, TOMBSTONE))
    told = {"op": operation_of(F.col("operation")), "commit_at": committed_at()}
    places = {name: place_of("row", *spellings_of(name, files)) for name in texts if name not in told}
    for name, encoding in encodings.items():
        at = F.col(f"at_{name}")
        told[name] = decoded_value(value_at("row", at), text_at("row", at), encoding)
    is_first = F.col("is_full_load") | F.coalesce(F.col("operation") == SNAPSHOT_READ, F.lit(False))
    return (
        with_known(rows, "row", places, files, told)
        .withColumn("is_full_load", is_first)
        .select(*ORIGIN, *WRITING, "row", "line", F.col("text").alias("raw"), "broken", *texts)
    )
