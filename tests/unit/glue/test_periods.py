"""The spans of days that a run reads of the stored facts: all of each touched period, and no other."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from contract.aggregates import Period
from hypothesis import given
from hypothesis import strategies as st

from glue.lake.periods import span_of, touched_spans

DAYS = st.dates(date(1900, 1, 1), date(2100, 12, 31))


@pytest.mark.parametrize(
    ("period", "day", "span"),
    [
        (Period.DAY, date(2024, 2, 29), (date(2024, 2, 29), date(2024, 2, 29))),
        (Period.WEEK, date(2024, 3, 1), (date(2024, 2, 26), date(2024, 3, 3))),
        (Period.WEEK, date(2024, 12, 30), (date(2024, 12, 30), date(2025, 1, 5))),
        (Period.MONTH, date(2023, 2, 28), (date(2023, 2, 1), date(2023, 2, 28))),
        (Period.MONTH, date(2023, 12, 31), (date(2023, 12, 1), date(2023, 12, 31))),
        (Period.QUARTER, date(2024, 2, 29), (date(2024, 1, 1), date(2024, 3, 31))),
        (Period.QUARTER, date(2024, 12, 1), (date(2024, 10, 1), date(2024, 12, 31))),
        (Period.ALL_TIME, date(2024, 1, 1), (date.min, date.max)),
    ],
)
def test_span_of_a_period_is_from_its_first_day_to_its_last(period: Period, day: date, span: tuple[date, date]) -> None:
    assert span_of(period, day) == span


@given(st.sampled_from(Period), DAYS, DAYS)
def test_span_of_two_days_is_the_same_or_apart__any_period(period: Period, one: date, other: date) -> None:
    (first, last), second = span_of(period, one), span_of(period, other)
    assert first <= one <= last
    assert second == (first, last) if first <= other <= last else second[1] < first or second[0] > last


def test_touched_spans_are_joined__they_overlap_or_adjoin() -> None:
    days = [date(2024, 1, 31), date(2024, 2, 1), date(2024, 5, 1)]
    assert touched_spans({Period.DAY}, days) == [(days[0], days[1]), (days[2], days[2])]
    assert touched_spans({Period.WEEK, Period.MONTH}, days) == [
        (date(2024, 1, 1), date(2024, 2, 29)),
        (date(2024, 4, 29), date(2024, 5, 31)),
    ]
    assert touched_spans({Period.DAY, Period.ALL_TIME}, days) == [(date.min, date.max)]


@given(st.sets(st.sampled_from(Period), min_size=1), st.lists(DAYS, min_size=1, max_size=20))
def test_touched_spans_hold_whole_periods__in_order_and_apart(periods: set[Period], days: list[date]) -> None:
    spans = touched_spans(periods, days)
    assert all((later[0] - earlier[1]).days > 1 for earlier, later in pairwise(spans))
    for day in days:
        for period in periods:
            first, last = span_of(period, day)
            assert sum(begin <= first and last <= end for begin, end in spans) == 1
