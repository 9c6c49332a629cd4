"""Counts what a run of Silver decided, by file and outcome; rows of all tables come into one form for that.

What a reload moves is its marker's, what an undo moves its action's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TypedDict, cast

from contract.runs import FileReport
from contract.sql_types import EFFECT, MONEY, TOTAL
from contract.vocabulary import OUTCOMES
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue.lake.loads import Action, Reload
from glue.lake.tables import cents, columns_or_null, conform, total

COUNTED = {
    "file_id": "string", "outcome": "string", "amount": MONEY, "effect_amount": EFFECT, "change": "string",
    "had": "boolean", "had_tombstone": "boolean", "is_newest": "boolean", "op": "string",
}  # fmt: skip


def decisions(classified: DataFrame, mover: Reload | Action | None) -> DataFrame:
    """Return what a run decided over its rows, in the form that is counted."""
    is_input, owner = F.col("is_input"), F.lit(mover.owner_id if mover else None)
    whose = F.when(is_input, F.col("file_id")).otherwise(owner)
    known = {"file_id": whose, "outcome": F.when(is_input, F.col("outcome")), "had_tombstone": ~F.col("stored.living")}
    return conform(classified.withColumns(known), COUNTED)


def reference_decisions(classified: DataFrame) -> DataFrame:
    """Return the outcomes of rows without money."""
    return columns_or_null(classified.select("file_id", "outcome"), COUNTED)


def quarantined(rows: DataFrame) -> DataFrame:
    """Return quarantine rows in the form that is counted."""
    found = columns_or_null(rows, {"file_id": "string", "amount": MONEY})
    return columns_or_null(found.withColumn("outcome", F.lit("quarantined")), COUNTED)


class Sums(TypedDict):
    """What the tables of state must show after a run."""

    changes: int
    state_rows: int
    state_amount: Decimal
    state_known: int
    deletions: int
    tombstones: int
    tombstones_known: int
    revived: int


class OutcomeCount(Sums):
    """What a run decided of one outcome of one file; the outcome of rows that are moved is null."""

    file_id: str
    outcome: str | None
    row_count: int
    amount: Decimal | None
    effect: Decimal


def by_outcome(rows: DataFrame) -> list[OutcomeCount]:
    """Count what was decided, by file and outcome."""
    living, deleted = F.col("is_newest") & (F.col("op") != "D"), F.col("is_newest") & (F.col("op") == "D")

    def number(condition: Column) -> Column:
        return F.count(F.when(condition, 1))

    counted = rows.groupBy("file_id", "outcome").agg(
        F.count(F.lit(1)).alias("row_count"),
        F.sum(F.col("amount").cast(TOTAL)).alias("amount"),
        total("effect_amount").alias("effect"),
        number(F.col("change").isNotNull()).alias("changes"),
        number(living).alias("state_rows"),
        F.coalesce(F.sum(F.when(living, F.col("amount")).cast(TOTAL)), F.lit(Decimal(0))).alias("state_amount"),
        number(living & F.col("had")).alias("state_known"),
        number(F.col("change") == "deleted").alias("deletions"),
        number(deleted).alias("tombstones"),
        number(deleted & F.col("had_tombstone")).alias("tombstones_known"),
        number(living & F.col("had_tombstone")).alias("revived"),
    )
    return [cast(OutcomeCount, row.asDict()) for row in counted.collect()]


def summed(counted: Sequence[OutcomeCount]) -> Sums:
    """Return the sums over all files and outcomes."""
    whole = {name: sum(cast(Mapping[str, int], row)[name] for row in counted) for name in Sums.__annotations__}
    return cast(Sums, {**whole, "state_amount": sum((row["state_amount"] for row in counted), Decimal(0))})


def no_rows() -> FileReport:
    return {"outcomes": dict.fromkeys(OUTCOMES, 0), "amounts": {}, "effect": cents(None)}


def of_files(counted: Iterable[OutcomeCount]) -> dict[str, FileReport]:
    """Return per file the count and the amounts of each outcome, and the sum of the effects."""
    report: dict[str, FileReport] = {}
    for row in counted:
        found = report.setdefault(row["file_id"], no_rows())
        found["effect"] = cents(Decimal(found["effect"]) + row["effect"])
        if row["outcome"] is not None:
            found["outcomes"][row["outcome"]] = row["row_count"]
            found["amounts"][row["outcome"]] = cents(row["amount"])
    return report
