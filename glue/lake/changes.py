"""What a run of Gold changes: what it proves itself by, and what it tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import reduce
from typing import TypedDict

from contract.aggregates import MEASURES
from contract.items import GoldChanges, GoldOfFile, GoldReport, GroupMovement, RunIntent
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from glue.lake.tables import cents

MOST_MOVEMENTS = 10


class Change(TypedDict):
    """What the changes of a run amount to: keys and money before and after, and the days on which they lie.

    `had` keys had a fact before, `have` have one after, `changed` both.
    """

    had: int
    have: int
    changed: int
    amount_before: Decimal
    amount_after: Decimal
    days: list[date]


class GroupsMoved(TypedDict):
    """How many groups of each aggregate a run touches, and the largest movements of the first one, `table`."""

    groups: dict[str, int]
    table: str
    largest: list[GroupMovement]


class RunChanges(TypedDict):
    """What a run has written: what the changes amount to, new members by dimension, and the groups that moved."""

    change: Change
    members: dict[str, int]
    moved: GroupsMoved | None


def largest_movements(sides: Mapping[str, DataFrame], key: tuple[str, ...]) -> list[GroupMovement]:
    """Return the ten groups whose money moves most, with what an aggregate held `before` and holds `after` the run."""
    of_side = "CAST(sum(if(side = '{}', total_amount, 0)) AS {})"
    columns = [F.expr(of_side.format(side, MEASURES["total_amount"])).alias(side) for side in sides]
    rows = reduce(DataFrame.unionByName, [rows.withColumn("side", F.lit(side)) for side, rows in sides.items()])
    moved = rows.groupBy(*key).agg(*columns).where("before <> after")
    first = moved.orderBy(F.expr("abs(after - before)").desc(), *key).limit(MOST_MOVEMENTS)
    return [
        {"group": " ".join(str(row[name]) for name in key), "before": cents(row.before), "after": cents(row.after)}
        for row in first.collect()
    ]


def changes_told(changes: RunChanges) -> GoldChanges:
    """Return what a run changed, for its report and the passports of its files."""
    change, moved = changes["change"], changes["moved"]
    inserted, deleted = (change[side] - change["changed"] for side in ("have", "had"))
    told: GoldChanges = {
        "facts": {"inserted": inserted, "updated": change["changed"], "deleted": deleted},
        "members": changes["members"],
        "days": len(change["days"]),
        "groups": moved["groups"] if moved else {},
        "largest": moved["largest"] if moved else [],
    }
    return told if moved is None else {**told, "table": moved["table"]}


def of_run(intent: RunIntent, report: GoldReport) -> GoldOfFile:
    """Return what the items of the files that a run published say of it."""
    found: GoldOfFile = {"run_seq": intent["run_seq"], "snapshots": intent["snapshots"]}
    if "changes" in report:  # a rebuild's does not say
        found["changes"] = report["changes"]
    return found
