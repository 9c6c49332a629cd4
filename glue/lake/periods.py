"""The periods of the aggregates as spans of days, by which a run passes over the facts of other periods."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from contract.aggregates import Period

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
