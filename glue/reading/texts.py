"""The known columns of a row as trimmed text."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F


def without_blanks(text: Column) -> Column:
    """Return a text without blanks and tabs around it."""
    # Trimming a set of characters costs ten times as much as trimming blanks, and tabs are rare.
    return F.when(text.contains("\t"), F.btrim(text, F.lit(" \t"))).otherwise(F.trim(text))


def trimmed(text: Column) -> Column:
    """Return a text without blanks and tabs around it; null when nothing is left."""
    short = without_blanks(text)
    return F.when(short != "", short)


def with_texts(rows: DataFrame, values: dict[str, Column], *, any_null_text: bool) -> DataFrame:
    """Add the known columns as trimmed text; what a file writes for null is null.

    Spark computes an expression anew wherever another one names it, unless it is a column of an earlier step.
    """
    steps: list[Callable[[Column], Column]] = [without_blanks, lambda text: F.when(text != "", text)]
    if any_null_text:
        steps.append(lambda text: F.when(~text.eqNullSafe(F.col("null_text")), text))
    rows = rows.withColumns(values)
    for step_of in steps:
        rows = rows.withColumns({name: step_of(F.col(name)) for name in values})
    return rows
