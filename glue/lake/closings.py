"""Closed months: which of them a Gold run has changed, and how they differ from what they were closed with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import reduce

from contract.aggregates import MEASURES, Period
from contract.closings import TOTALS_TABLE, ChannelTotals, MonthMoved
from contract.runs import GoldReport, RunIntent
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from glue.lake.changes import added_up
from glue.lake.periods import span_of, within
from glue.lake.run import Job
from glue.lake.tables import cents

NOTHING: ChannelTotals = {"row_count": 0, "total_amount": "0.00"}
Group = tuple[str, str, str]  # side, month, channel


def moved_months(job: Job, intent: RunIntent, report: GoldReport) -> list[MonthMoved]:
    """Return the closed months that a committed run has changed, by channel, the largest movement first.

    Only those that it touches are read. The items are read after the commit: a month that is closed later is closed
    with what this run has made of it.
    """
    after = intent["snapshots"].get(TOTALS_TABLE)
    closed = {item["month"]: item["channels"] for item in job.ledger.closings(report.get("months", []))}
    if after is None or not closed:
        return []
    before = job.ledger.state()["published"]["snapshots"].get(TOTALS_TABLE)
    snapshots = {"after": after} | ({} if before is None else {"before": before})
    found = _totals(job, snapshots, closed)
    moved: list[MonthMoved] = [
        {
            "month": month,
            "channel": channel,
            "closed": closed[month].get(channel, NOTHING),
            "before": found.get(("before", month, channel), NOTHING),
            "after": found.get(("after", month, channel), NOTHING),
        }
        for month, channel in {(month, channel) for _, month, channel in found}
    ]
    return sorted((each for each in moved if each["before"] != each["after"]), key=_largest_first)


def _largest_first(moved: MonthMoved) -> tuple[Decimal, str, str]:
    before, after = (Decimal(moved[side]["total_amount"]) for side in ("before", "after"))
    return -abs(after - before), moved["month"], moved["channel"]


def _totals(job: Job, snapshots: Mapping[str, int], months: Iterable[str]) -> dict[Group, ChannelTotals]:
    """Return the totals of months by channel at snapshots; Iceberg passes over the files of other days."""
    spans = [span_of(Period.MONTH, date.fromisoformat(f"{month}-01")) for month in months]
    in_months = " OR ".join(within("transacted_on", *span) for span in spans)
    month = F.col("transacted_on").cast("string").substr(1, 7).alias("month")
    sides = []
    for side, snapshot_id in snapshots.items():
        table = job.spark.read.option("snapshot-id", snapshot_id).table(job.branches("").table(TOTALS_TABLE))
        sides.append(table.where(in_months).select(F.lit(side).alias("side"), month, "channel", *MEASURES))
    rows = reduce(DataFrame.unionByName, sides).groupBy("side", "month", "channel").agg(*added_up()).collect()
    return {
        (row.side, row.month, row.channel): {"row_count": row.row_count, "total_amount": cents(row.total_amount)}
        for row in rows
    }
