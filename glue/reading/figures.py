"""Holds what Spark read of each file to the figures of the KPI function, another engine: to the row and the cent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import reduce
from itertools import pairwise
from typing import Literal, TypedDict, cast

from contract.items import FileItem
from contract.sql_types import MONEY, TOTAL
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from glue.lake.failures import FileBroken
from glue.lake.tables import cents

COUNTS: tuple[Literal["row_count", "bad_rows", "unreadable_amounts"], ...] = (
    "row_count", "bad_rows", "unreadable_amounts",
)  # fmt: skip


class FileFigures(TypedDict):
    """What one partition of the rows holds of a file: what the KPI function counts too, and the range of good keys."""

    file_id: str
    partition: int
    row_count: int
    bad_rows: int
    unreadable_amounts: int
    total_amount: Decimal | None
    low: int | None
    high: int | None


def figures_of(subjects: Iterable[DataFrame]) -> list[FileFigures]:
    """Return the figures of the normalised rows of each subject."""
    found = [_by_partition(rows) for rows in subjects]
    return [cast(FileFigures, row.asDict()) for row in reduce(DataFrame.unionByName, found).collect()] if found else []


def _by_partition(rows: DataFrame) -> DataFrame:
    good = F.size("rules") == 0
    is_delete = F.coalesce(F.col("op") == "D", F.lit(False))
    value = F.col("amount") if "amount" in rows.columns else F.lit(Decimal(0)).cast(MONEY)
    key = F.col("dms_id") if "dms_id" in rows.columns else F.lit(None).cast("bigint")
    return rows.groupBy("file_id", F.spark_partition_id().alias("partition")).agg(
        F.count(F.lit(1)).alias("row_count"),
        F.sum(F.when(~good, 1).otherwise(0)).alias("bad_rows"),
        F.sum((value.isNull() & ~is_delete).cast("int")).alias("unreadable_amounts"),
        F.sum(value.cast(TOTAL)).alias("total_amount"),
        F.min(F.when(good, key)).alias("low"),
        F.max(F.when(good, key)).alias("high"),
    )


def check_against_kpis(files: Iterable[FileItem], figures: Sequence[FileFigures]) -> None:
    """Raise `FileBroken` for a file whose rows or money differ from what the KPI function found."""
    of_file: dict[str, list[FileFigures]] = {}
    for found in figures:
        of_file.setdefault(found["file_id"], []).append(found)
    for file in files:
        parts = of_file.get(file["file_id"], [])
        amounts = [part["total_amount"] for part in parts if part["total_amount"] is not None]
        kpis = file["kpis"]
        pairs: dict[str, tuple[object, object]] = {
            name: (sum(part[name] for part in parts), kpis[name]) for name in COUNTS
        }
        pairs["total_amount"] = (cents(sum(amounts, Decimal(0))), kpis["total_amount"])
        for name, (value, expected) in pairs.items():
            if value != expected:
                reason = f"{name} is {value} in Silver but {expected} in the KPI function"
                raise FileBroken(file["file_id"], reason)


def key_range(figures: Iterable[FileFigures]) -> tuple[int, int]:
    """Return the lowest and the highest good key of a run; an empty range when there is none."""
    known = [(found["low"], found["high"]) for found in figures if found["low"] is not None]
    highs = [high for _, high in known if high is not None]
    return min((low for low, _ in known), default=0), max(highs, default=-1)


def in_key_order(figures: Iterable[FileFigures]) -> bool:
    """Tell whether the partitions of a run's rows hold keys of one range each, as a table exported by key has them."""
    of_partition: dict[int, list[FileFigures]] = {}
    for found in figures:
        if found["low"] is not None:
            of_partition.setdefault(found["partition"], []).append(found)
    ranges = sorted(map(key_range, of_partition.values()))
    return all(high < next_low for (_, high), (next_low, _) in pairwise(ranges))
