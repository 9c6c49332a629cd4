"""The periods of the aggregates as spans of days, by which a run passes over the facts of other periods."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, timedelta

from contract.aggregates import AGGREGATES, Period
from pyspark.sql import DataFrame

LISTED_SPANS = 36  # of more touched periods, Iceberg is told the first day and the last
MONTHS = {Period.MONTH: 1, Period.QUARTER: 3}
Span = tuple[date, date]


def span_of(period: Period, day: date) -> Span:
    """Return the first and the last day of the period in which a day lies."""
    if period is Period.ALL_TIME:
        return date.min, date.max
    if period is Period.DAY:
        return day, day
    if period is Period.WEEK:
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=6)
    months = MONTHS[period]
    first = day.replace(day=1, month=day.month - (day.month - 1) % months)
    next_first = (first + timedelta(days=31 * months)).replace(day=1)
    return first, next_first - timedelta(days=1)


def touched_spans(periods: Iterable[Period], days: Iterable[date]) -> list[Span]:
    """Return all periods in which one of the days lies, in order; those that overlap or adjoin are one span."""
    touched: list[Span] = []
    for first, last in sorted({span_of(period, day) for period in periods for day in days}):
        if touched and (first - touched[-1][1]).days <= 1:
            touched[-1] = (touched[-1][0], max(touched[-1][1], last))
        else:
            touched.append((first, last))
    return touched


def within(day: str, first: date, last: date) -> str:
    """Return the condition that a day lies in a span."""
    return f"{day} BETWEEN DATE'{first}' AND DATE'{last}'"


def near_facts(stored_facts: DataFrame, days: Iterable[date], names: Collection[str]) -> DataFrame:
    """Return the stored facts of the periods of some aggregates in which one of the days lies."""
    periods = {Period.DAY, *(AGGREGATES[name].period for name in names)}
    spans = touched_spans(periods, days)
    if len(spans) > LISTED_SPANS:
        spans = [(spans[0][0], spans[-1][1])]
    return stored_facts.where(" OR ".join(within("transacted_on", *span) for span in spans) or "false")
