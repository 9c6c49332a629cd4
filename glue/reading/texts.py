"""The known columns of a row as trimmed text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from contract.items import FileItem
from contract.kinds import INSTANT, WITH_DECIMAL_SIGN
from contract.writing import DAY_FIRST, DAY_FIRST_START
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue.reading.card_numbers import with_masked
from glue.reading.origin import read_as


def without_blanks(text: Column) -> Column:
    """Return a text without blanks and tabs around it."""
    # Trimming a set of characters costs ten times as much as trimming blanks, and tabs are rare.
    return F.when(text.contains("\t"), F.btrim(text, F.lit(" \t"))).otherwise(F.trim(text))


def trimmed(text: Column) -> Column:
    """Return a text without blanks and tabs around it; null when nothing is left."""
    short = without_blanks(text)
    return F.when(short != "", short)


def without_null_texts(text: Column) -> Column:
    """Return null for a text that its file writes for null."""
    is_null = text.eqNullSafe(F.col("null_text")) | F.coalesce(F.array_contains("more_null_texts", text), F.lit(False))
    return F.when(~is_null, text)


def with_point(text: Column) -> Column:
    """Return a number with a decimal point, also of a file whose decimal sign is a comma."""
    return F.when(F.col("decimal") == ",", F.translate(text, ",.", ".,")).otherwise(text)


def with_month_first(text: Column) -> Column:
    """Return a date with the month before the day, also of a file that has it the other way round."""
    swapped = F.regexp_replace(text, DAY_FIRST_START, "$1$3/$2/")
    return F.when(F.col("date_order") == DAY_FIRST, swapped).otherwise(text)


def with_texts(
    rows: DataFrame, values: dict[str, Column], files: Sequence[FileItem], *, written: Iterable[str]
) -> DataFrame:
    """Add the known columns as trimmed text in the usual way of writing; what a file writes for null is null.

    What may be a card number is masked, but in the columns of ids.

    `written` are those that are text in the files: numbers and instants of Parquet are not written in any way.
    Spark computes an expression anew wherever another one names it, unless it is a column of an earlier step.
    """
    subject = read_as(files[0])
    kinds = {name: subject.known[name].kind for name in written}
    steps: list[tuple[Callable[[Column], Column], Iterable[str]]] = [
        (without_blanks, values),
        (lambda text: F.when(text != "", text), values),
    ]
    if any("null_text" in file["format"] for file in files):
        steps.append((without_null_texts, values))
    if any("decimal" in file["format"] for file in files):
        steps.append((with_point, [name for name, kind in kinds.items() if kind in WITH_DECIMAL_SIGN]))
    if any("date_order" in file["format"] for file in files):
        steps.append((with_month_first, [name for name, kind in kinds.items() if kind is INSTANT]))
    rows = rows.withColumns(values)
    for step, names in steps:
        rows = rows.withColumns({name: step(F.col(name)) for name in names})
    # Staging has masked files of cards.
    return rows if subject.secret else with_masked(rows, [name for name in values if name in subject.masked])
