"""What a run of Gold changes: what it proves itself by, and what it tells of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import reduce
from typing import Any, TypedDict, cast

from contract.aggregates import MEASURES
from contract.closings import MonthMoved
from contract.items import GoldChanges, GoldNotice, GroupMovement
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue.lake.failures import require
from glue.lake.tables import cents, total

MOST_MOVEMENTS = 10
MOST_CLOSED = 20  # of channels of closed months, in a mail and in an item


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


def summarise(net: DataFrame) -> Change:
    """Return what the changes amount to."""
    days = [F.collect_set(F.to_date(f"{side}.transacted_at")) for side in ("before", "after")]
    (found,) = net.agg(
        F.count("before").alias("had"),
        F.count("after").alias("have"),
        F.count(F.when(F.col("before").isNotNull() & F.col("after").isNotNull(), 1)).alias("changed"),
        total("before.amount").alias("amount_before"),
        total("after.amount").alias("amount_after"),
        F.array_sort(F.array_union(*days)).alias("days"),
    ).collect()
    return cast(Change, found.asDict())


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


def count_and_sum() -> list[Column]:
    """Return what an aggregate holds of each group: how many facts, and their money."""
    return [F.count("amount").alias("row_count"), total("amount").alias("total_amount")]


def added_up() -> list[Column]:
    """Return the same of groups that are in parts."""
    return [F.sum("row_count").alias("row_count"), total("total_amount").alias("total_amount")]


def counted(sides: Mapping[str, DataFrame], names: Collection[str]) -> dict[str, Any]:
    """Return groups, facts and money of each aggregate's touched groups, by side (`before` and `after` the run)."""
    measured = [rows.select("aggregate", *MEASURES, F.lit(side).alias("side")) for side, rows in sides.items()]
    is_left = F.when(F.col("row_count") > 0, 1).otherwise(0)
    sums = reduce(DataFrame.unionByName, measured).groupBy("aggregate", "side")
    nothing = {"touched": 0, "groups": 0, "row_count": 0, "total_amount": Decimal(0)}
    found: dict[str, Any] = {name: dict.fromkeys(sides, nothing) for name in names}
    for row in sums.agg(F.count(is_left).alias("touched"), F.sum(is_left).alias("groups"), *added_up()).collect():
        found[row.aggregate][row.side] = row.asDict()
    return found


def prove_groups(name: str, before: Mapping[str, Any], after: Mapping[str, Any], change: Change) -> None:
    """Prove that an aggregate's groups move by the effects."""
    moved, money = (after[measure] - before[measure] for measure in MEASURES)
    require(f"rows of {name}", found=moved, expected=change["have"] - change["had"])
    require(f"money of {name}", found=money, expected=change["amount_after"] - change["amount_before"])


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


def months_of(change: Change) -> list[str]:
    """Return the months in which changed facts lie or lay, as `2026-06`."""
    return sorted({f"{day:%Y-%m}" for day in change["days"]})


def notice_of(changes: GoldChanges, closed: Sequence[MonthMoved]) -> GoldNotice:
    """Return what the mails say of a run: its changes, and the closed months among them."""
    facts = ", ".join(f"{count:,} {outcome}" for outcome, count in changes["facts"].items() if count)
    lines = ["", "", f"Gold, by all files of the run: facts {facts or 'unchanged'}, on {changes['days']:,} days"]
    for moved in changes["largest"]:
        before, after = (f"{Decimal(amount):,.2f}" for amount in (moved["before"], moved["after"]))
        lines.append(f"  {moved['group'].replace(' ', ', ')}: {before} → {after}")
    if closed:
        lines += [
            "",
            "Closed months were changed (docs/runbook.md, section Closed month); nothing is held back",
            *map(_of_closed_month, closed[:MOST_CLOSED]),
        ]
        lines += [f"  and {len(closed) - MOST_CLOSED:,} more"] if len(closed) > MOST_CLOSED else []
        lines.append("  assay status --closed")
    return {"ending": ", and changed a closed month" if closed else "", "text": "\n".join(lines)}


def _of_closed_month(moved: MonthMoved) -> str:
    """Return what became of a channel of a closed month, and how it differs from its closing."""
    closed, before, after = (Decimal(moved[side]["total_amount"]) for side in ("closed", "before", "after"))
    rows = moved["after"]["row_count"] - moved["closed"]["row_count"]
    now = f"{after - closed:+,.2f} in {rows:+,} facts" if moved["after"] != moved["closed"] else "as closed"
    return f"  {moved['month']}, {moved['channel']}: {before:,.2f} → {after:,.2f}; closed with {closed:,.2f}, now {now}"
