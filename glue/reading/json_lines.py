"""Reads JSON lines: an object a line, numbers as their texts (section 2.1 of `docs/data-contract.md`).

Spark's own `from_json` takes 12.30 for a double, the last of two values under one name, and what Jackson forgives. So a
line is judged by regular expressions that are exact: its texts become one sign each, its numbers and words another, and
then its objects and arrays from the inside outwards, until one value is left. Only a line that is good is cut into
names and values; Jackson decodes texts with escapes, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import or_

from contract.items import FileItem
from contract.kinds import WITH_DECIMAL_SIGN, Kind
from contract.limits import JSON_LEVELS
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from glue.lake.spark import once
from glue.reading.lines import read_lines
from glue.reading.origin import ORIGIN, WRITING, commit_name, read_as, texts_of
from glue.reading.records import with_row
from glue.reading.staging import Staging

JSON_KINDS = ("jsonl", "jsonl.gz")
SPACE = r"[ \t\r]*+"
CODE_UNIT = "[dD][89abAB][0-9a-fA-F]{2}\\\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?![dD][89a-fA-F])[0-9a-fA-F]{4}"
JSON_TEXT = rf'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u(?:{CODE_UNIT})))*+"'
NUMBER_OR_WORD = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][-+]?[0-9]++)?+|true|false|null"
ONE_TEXT, ONE_VALUE = "\x01", "0"
"""What texts and other values become: no JSON has the first, and all digits outside of texts become the other."""
ONE = f"[{ONE_TEXT}{ONE_VALUE}]"
JSON_ARRAY_FORM = rf"\[{SPACE}(?:{ONE}{SPACE}(?:,{SPACE}(?={ONE})|(?=\])))*+\]"
JSON_OBJECT_FORM = rf"\{{{SPACE}(?:{ONE_TEXT}{SPACE}:{SPACE}{ONE}{SPACE}(?:,{SPACE}(?={ONE_TEXT})|(?=\}})))*+\}}"
FLAT_LINE = rf"^{SPACE}{JSON_OBJECT_FORM}{SPACE}\z"
INNERMOST = f"{JSON_ARRAY_FORM}|{JSON_OBJECT_FORM}"

ANY_TEXT = r'"(?:[^"\\]++|\\.)*+"'


def nested(levels: int) -> str:
    """Return the form of objects and arrays with so many of them in each other, in a line that is known to be JSON."""
    return rf'[\[{{](?:[^"\[\]{{}}]++|{ANY_TEXT}|{nested(levels - 1)})*+[\]}}]' if levels else "(?!)"


NESTED = nested(JSON_LEVELS - 1)
PAIR = rf'({ANY_TEXT}){SPACE}:{SPACE}({ANY_TEXT}|{NESTED}|[^,"\[\]{{}} \t\r]++)'
"""A name and its value, in a line that is known to be JSON: what is nested in the value is passed over with it."""
OTHER_TYPES = ("t", "f", "{", "[")
"""How true, false, objects and arrays begin."""


def is_json_object(text: Column) -> Column:
    """Tell whether a line is one JSON object (RFC 8259), not nested too deep and without halves of surrogate pairs."""
    short = F.regexp_replace(F.regexp_replace(text, JSON_TEXT, ONE_TEXT), NUMBER_OR_WORD, ONE_VALUE)

    def judged(line: Column) -> Column:
        steps = F.sequence(F.lit(1), F.lit(JSON_LEVELS))
        left = F.aggregate(steps, line, lambda before, _: F.regexp_replace(before, INNERMOST, ONE_VALUE))
        is_one = left.rlike(rf"^{SPACE}{ONE_VALUE}{SPACE}\z") & line.rlike(rf"^{SPACE}\{{")
        return F.when(line.rlike(FLAT_LINE), F.lit(True)).otherwise(is_one)

    return ~text.contains(ONE_TEXT) & once(short, judged)


def decoded(texts: Column) -> Column:
    """Return what JSON texts mean, an array of them, by Jackson: of texts that are known to be JSON."""
    return F.from_json(F.concat(F.lit("["), F.concat_ws(",", texts), F.lit("]")), "array<string>")


def plain_names(names: Column) -> Column:
    """Return what names are compared by: without quotes and blanks around them, in lower case."""
    together = F.lower(F.concat_ws(ONE_TEXT, names))
    without = F.when(together.rlike("[ \t]"), F.regexp_replace(together, '[ \t]*+"[ \t]*+', "")).otherwise(
        F.replace(together, F.lit('"'), F.lit(""))
    )
    escaped = F.transform(decoded(names), lambda name: F.lower(F.btrim(name, F.lit(" \t"))))
    return F.when(together.contains("\\"), escaped).otherwise(F.split(without, ONE_TEXT, -1))


def with_members(rows: DataFrame, part: str, text: Column) -> DataFrame:
    """Add the names and values of an object's members, `part` before the names of the columns; null where it is none.

    A text is decoded, beside its value, where there are escapes in the line.
    """
    names, values = F.col(f"{part}_names"), F.col(f"{part}_values")
    texts = F.transform(values, lambda value: F.when(value.startswith('"'), value).otherwise(ONE_VALUE))
    cut = {
        f"{part}_{what}": F.regexp_extract_all(F.col(f"{part}_text"), F.lit(PAIR), F.lit(group))
        for what, group in (("names", 1), ("values", 2))
    }
    known = {f"{part}_names": plain_names(names), f"{part}_decoded": F.when(F.col("has_escapes"), decoded(texts))}
    return rows.withColumn(f"{part}_text", text).withColumns(cut).withColumns(known)


def is_repeated(part: str) -> Column:
    """Tell whether an object has a name twice; false where there is no object."""
    names = F.col(f"{part}_names")
    return F.coalesce(F.size(F.array_distinct(names)) < F.size(names), F.lit(False))


def place_of(part: str, *spellings: str) -> Column:
    """Return where the members of an object have one of these names, from 0; a number below it where none has."""
    places = [F.coalesce(F.array_position(f"{part}_names", spelling), F.lit(0)) for spelling in spellings]
    return (F.greatest(*places, F.lit(0), F.lit(0)) - 1).cast("int")


def value_at(part: str, place: Column) -> Column:
    """Return a value as it is written, null where it is absent."""
    return F.get(f"{part}_values", place)


def text_at(part: str, place: Column) -> Column:
    """Return the text of a value that is a text or a number; null where it is absent or null."""
    value = value_at(part, place)
    inner = value.substr(F.lit(2), F.length(value) - 2)
    text = F.when(F.col("has_escapes"), F.get(f"{part}_decoded", place)).otherwise(inner)
    return F.when(value.startswith('"'), text).when(value != "null", value)


def records_of(
    spark: SparkSession, files: Sequence[FileItem], staging: Staging, texts: Sequence[str], *no_rows: str
) -> DataFrame:
    """Return `row`, `line`, `text` of the lines that are neither blank nor of one of these forms."""
    left_out = "|".join(("[ \t]*+", *no_rows))
    # A byte order mark may stand before the first of them.
    untidy_form = f"^\ufeff*+(?:{left_out})\\z"
    lines, most_untidy = read_lines(spark, files, staging, texts, lambda text: text.rlike(untidy_form))
    first = F.regexp_replace("text", "^\ufeff+", "")
    lines = lines.withColumn("text", F.when(F.col("line") == 1, first).otherwise(F.col("text")))
    records = lines.where(~F.col("untidy")).withColumn("row", F.col("line"))
    if most_untidy:
        untidy = lines.where(F.col("untidy") & ~F.col("text").rlike(f"^(?:{left_out})\\z"))
        records = records.unionByName(untidy.transform(with_row, most_untidy).select(*records.columns))
    judged = records.withColumn("is_object", is_json_object(F.col("text")))
    return judged.withColumn("has_escapes", F.col("text").contains("\\"))


def spellings_of(name: str, files: Sequence[FileItem]) -> list[str]:
    """Return the plain names that a column may have; the commit timestamp is the one that orders the files."""
    if name == "commit_at":
        return sorted({plain for file in files if (plain := commit_name(file["format"]))})
    return list(dict.fromkeys((name, *read_as(files[0]).known[name].aliases)))


def written_text(part: str, place: Column, kind: Kind) -> Column:
    """Return the text of a value; where texts have the decimal sign of their file, a number has it, too."""
    text = text_at(part, place)
    if kind not in WITH_DECIMAL_SIGN:
        return text
    is_exchanged = (F.col("decimal") == ",") & ~value_at(part, place).startswith('"')
    return F.when(is_exchanged, F.translate(text, ".", ",")).otherwise(text)


def with_known(
    rows: DataFrame, part: str, places: dict[str, Column], files: Sequence[FileItem], told: dict[str, Column]
) -> DataFrame:
    """Add the known columns from the members of an object at their places, but those that are `told`, and `broken`.

    Of that column a rule stays; it is null in the rows that are good so far.
    """
    texts = texts_of(files[0])
    placed = rows.withColumns({f"at_{name}": place for name, place in places.items()})
    others = [F.substring(value_at(part, F.col(f"at_{name}")), 1, 1).isin(*OTHER_TYPES) for name in places]
    is_other = reduce(or_, [F.coalesce(other, F.lit(False)) for other in others])
    broken = F.coalesce(F.col("broken"), F.when(is_other, F.lit("value_of_other_type")))
    kinds = {name: column.kind for name, column in read_as(files[0]).known.items()}
    values = {name: written_text(part, F.col(f"at_{name}"), kinds[name]) for name in places} | told
    good = {name: F.when(F.col("broken").isNull(), values[name]) for name in texts}
    return placed.withColumn("broken", broken).withColumns(good)


def read_json(spark: SparkSession, files: Sequence[FileItem], staging: Staging) -> DataFrame:
    """Return one row per line of files of JSON lines that is not blank, in the form of `read_csv`."""
    texts = texts_of(files[0])
    records = records_of(spark, files, staging, texts)
    rows = with_members(records, "own", F.when(F.col("is_object"), F.col("text")))
    broken = F.when(~F.col("is_object"), F.lit("malformed_json")).when(is_repeated("own"), F.lit("repeated_name"))
    places = {name: place_of("own", *spellings_of(name, files)) for name in texts}
    ordering = spellings_of("commit_at", files)
    named = [F.when(F.col("commit_name") == each, place_of("own", each)) for each in ordering]
    places["commit_at"] = F.coalesce(*named, F.lit(-1))
    return with_known(rows.withColumn("broken", broken), "own", places, files, {}).select(
        *ORIGIN, *WRITING, "row", "line", F.col("text").alias("raw"), "broken", *texts
    )
