"""When transactions happen: the weight of each day, with the quirks of the source's calendar."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from assay.errors import UserError
from devcloud.sample import figures
from devcloud.sample.draws import Integers, below, draw, lower, stream

EPOCH = date(1970, 1, 1).toordinal()
CHIP_FROM = date(2015, 1, 1).toordinal() - EPOCH
# The source has no rows on one leap day and almost none on another.
_LEAP_DAYS_PER_THOUSAND = {date(2012, 2, 29): 9, date(2016, 2, 29): 0}
_FESTIVE = {(1, 1), (12, 25)}


@dataclass(frozen=True)
class Days:
    """The days with rows, as days since 1970-01-01, and their weights."""

    number: Integers
    weight: Integers


def _per_thousand(day: date) -> int:
    year = min(max(day.year, 2010), 2019)
    quiet = figures.QUIET_PAIR[year]
    by_weekday = {(quiet - 1) % 7: 1050, quiet: 905, (quiet + 1) % 7: 930}
    festive = 1050 if (day.month, day.day) in _FESTIVE else 1000
    level = figures.DAILY_ROWS[year] * by_weekday.get(day.weekday(), 1029) * festive // 1_000_000
    return level * _LEAP_DAYS_PER_THOUSAND.get(day, 1000)


def days(seed: int, first_on: date, count: int) -> Days:
    """Weigh `count` calendar days; a day's weight does not depend on the days around it."""
    first = first_on.toordinal()
    levels = np.array([_per_thousand(date.fromordinal(first + index)) for index in range(count)], dtype=np.int64)
    noise = draw(stream("day", seed), count, first=first)
    # The sum of two even draws: about 1.3 % of noise beside the counts' own.
    factor = 1000 + below(noise, 33) + below(lower(noise), 33) - 32
    open_days = np.flatnonzero(levels)
    if not len(open_days):
        raise UserError(f"{first_on} has no rows in any history", "begin on another day, or take more days")
    return Days(number=open_days + (first - EPOCH), weight=(levels * factor // 1000)[open_days])
