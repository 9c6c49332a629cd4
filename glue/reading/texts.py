"""The known columns of a row as trimmed text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from contract.items import FileItem
from contract.kinds import INSTANT, WITH_DECIMAL_SIGN
from contract.writing import DAY_FIRST, DAY_FIRST_START
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue.reading.card_numbers import with_masked
from glue.reading.origin import WRITING, read_as


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


def of_text(step: Callable[[Column], Column], name: str) -> Column:
    """Return a column after a step that concerns texts alone: in some files it holds numbers or instants."""
    return F.when(F.coalesce(F.array_contains("typed", name), F.lit(False)), F.col(name)).otherwise(step(F.col(name)))


def with_texts(rows: DataFrame, files: Sequence[FileItem]) -> DataFrame:
    """Bring the known columns to trimmed text in the usual way of writing; what a file writes for null is null.

    What may be a card number is masked, but in the columns of ids. The columns of `WRITING` go.
    Spark computes an expression anew wherever another one names it, unless it is a column of an earlier step.
    """
    subject = read_as(files[0])
    kinds = {name: column.kind for name, column in subject.known.items()}
    steps: list[Callable[[Column], Column]] = [without_blanks, lambda text: F.when(text != "", text)]
    if any("null_text" in file["format"] for file in files):
        steps.append(without_null_texts)
    for step in steps:
        rows = rows.withColumns({name: step(F.col(name)) for name in kinds})
    if any("decimal" in file["format"] for file in files):
        amounts = [name for name, kind in kinds.items() if kind in WITH_DECIMAL_SIGN]
        rows = rows.withColumns({name: of_text(with_point, name) for name in amounts})
    if any("date_order" in file["format"] for file in files):
        instants = [name for name, kind in kinds.items() if kind is INSTANT]
        rows = rows.withColumns({name: of_text(with_month_first, name) for name in instants})
    # Staging has masked files of cards.
    return (rows if subject.secret else with_masked(rows, subject.masked)).drop(*WRITING)
