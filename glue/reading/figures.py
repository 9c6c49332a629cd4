"""Holds what Spark read of each file to the figures of the KPI function, another engine: to the row and the cent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import reduce
from itertools import pairwise
from typing import Literal, TypedDict, cast, get_args

from contract.items import FileItem
from contract.limits import LAST_US
from contract.sql_types import MONEY, TOTAL
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue.lake.failures import FileBroken
from glue.lake.ledger import instant_text
from glue.lake.tables import cents

CountName = Literal[
    "row_count", "bad_rows", "unreadable_keys", "unreadable_amounts", "unreadable_dates", "negative_amounts",
    "zero_amounts",
]  # fmt: skip
COUNTS: tuple[CountName, ...] = get_args(CountName)


class FileFigures(TypedDict):
    """What one partition of the rows holds of a file: what the KPI function counts too, and the range of good keys."""

    file_id: str
    partition: int
    row_count: int
    bad_rows: int
    unreadable_keys: int
    unreadable_amounts: int
    unreadable_dates: int
    negative_amounts: int
    zero_amounts: int
    total_amount: Decimal | None
    first_us: int | None
    last_us: int | None
    low: int | None
    high: int | None


def figures_of(subjects: Iterable[DataFrame]) -> list[FileFigures]:
    """Return the figures of the normalised rows of each subject."""
    found = [_by_partition(rows) for rows in subjects]
    return [cast(FileFigures, row.asDict()) for row in reduce(DataFrame.unionByName, found).collect()] if found else []


def _by_partition(rows: DataFrame) -> DataFrame:
    good = F.size("rules") == 0
    is_delete = F.coalesce(F.col("op") == "D", F.lit(False))
    has_money = "amount" in rows.columns
    value = F.col("amount") if has_money else F.lit(None).cast(MONEY)
    at = F.when(~is_delete, F.unix_micros("transacted_at")) if has_money else F.lit(None).cast("bigint")
    key = F.col(rows.columns[0])  # the image begins with it
    sortable = key if has_money else F.lit(None).cast("bigint")

    def number(condition: Column) -> Column:
        return F.count(F.when(condition, 1))

    counted = F.lit(has_money) & ~is_delete
    return rows.groupBy("file_id", F.spark_partition_id().alias("partition")).agg(
        F.count(F.lit(1)).alias("row_count"),
        number(~good).alias("bad_rows"),
        number(key.isNull()).alias("unreadable_keys"),
        number(counted & value.isNull()).alias("unreadable_amounts"),
        number(counted & at.isNull()).alias("unreadable_dates"),
        number(value < 0).alias("negative_amounts"),
        number(value == 0).alias("zero_amounts"),
        F.sum(value.cast(TOTAL)).alias("total_amount"),
        F.min(at).alias("first_us"),
        F.max(at).alias("last_us"),
        F.min(F.when(good, sortable)).alias("low"),
        F.max(F.when(good, sortable)).alias("high"),
    )


def check_against_kpis(files: Iterable[FileItem], figures: Sequence[FileFigures]) -> None:
    """Raise `FileBroken` for a file whose rows, money or dates differ from what the KPI function found."""
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
        instants = [us for part in parts for us in (part["first_us"], part["last_us"]) if us is not None]
        pairs["first_at"] = (instant_of(min(instants)) if instants else None, kpis.get("first_at"))
        pairs["last_at"] = (instant_of(max(instants)) if instants else None, kpis.get("last_at"))
        for name, (value, expected) in pairs.items():
            if value != expected:
                reason = f"{name} is {value} in Silver but {expected} in the KPI function"
                raise FileBroken(file["file_id"], reason)


def instant_of(us: int) -> str:
    """Return microseconds since 1970 in the ledger's form; the last instant of 9999 stands for all later ones."""
    return instant_text(datetime.fromtimestamp(0, UTC) + timedelta(microseconds=min(us, LAST_US)))


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
