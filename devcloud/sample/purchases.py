"""Purchases and their refunds: who pays whom, when, where and how much, as arrays of integers."""

from dataclasses import dataclass, fields, replace

import numpy as np

from devcloud.sample import figures, places
from devcloud.sample.amounts import amounts_cents
from devcloud.sample.draws import Draws, Flags, Integers, Weighted, below, bits, draw, lower, scramble, stream
from devcloud.sample.merchants import merchant_ids
from devcloud.sample.population import Population

MINUTES_PER_DAY = 1440
_REFUND_DAYS = Weighted(figures.REFUND_DAYS_WEIGHTS)
LONGEST_REFUND_DAYS = len(figures.REFUND_DAYS_WEIGHTS) + 1

# Categories of rows that are neither refunded nor refunds, of prompt refunds, and of late ones.
_in_refunds = figures.SHARE * figures.REFUNDED
SINGLE = Weighted(figures.SHARE * 10_000 - 2 * _in_refunds)
PROMPT = Weighted(np.where(figures.IS_PROMPT, _in_refunds, 0))
LATE = Weighted(np.where(figures.IS_PROMPT, 0, _in_refunds))
_PER_MILLION_ROWS = int(figures.SHARE.sum()) * 10_000
PROMPT_PER_MILLION = int(_in_refunds[figures.IS_PROMPT].sum()) * 1_000_000 // _PER_MILLION_ROWS
LATE_PER_MILLION = int(_in_refunds[~figures.IS_PROMPT].sum()) * 1_000_000 // _PER_MILLION_ROWS


@dataclass(frozen=True)
class Purchases:
    """One entry per row in each array; clients by position, minutes since 1970-01-01, places by number."""

    client: Integers
    minute: Integers
    card: Integers
    mcc: Integers
    merchant: Integers
    place: Integers
    cents: Integers

    def __len__(self) -> int:
        return len(self.client)

    def take(self, which: Flags | Integers) -> "Purchases":
        """Keep the marked rows, or those at the given positions."""
        return Purchases(*(getattr(self, field.name)[which] for field in fields(self)))


def together(parts: list[Purchases]) -> Purchases:
    """Put the rows of all parts into one."""
    return Purchases(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Purchases)))


def _entity(population: Population, name: str, numbers: Integers) -> Draws:
    """Return one draw per entity: the same for every row that speaks of it."""
    return scramble(scramble(numbers.astype(np.uint64)) + np.uint64(stream(population.key, name)))


def _place(population: Population, client: Integers, day: Integers, where: Draws) -> Integers:
    home = population.home[client]
    # All trips of a client within a fortnight go to one place in the home state and one outside.
    trip = _entity(population, "trip", (client << 20) + day // 14)
    nearby = places.STATE_START[home] + below(lower(trip), places.STATE_SIZE[home])
    away = places.TRIPS.pick(trip)
    distance = below(where, 1000)
    return np.where(distance < 650, home, np.where(distance < 890, nearby, away))


def buy(population: Population, key: int, *, mcc: Integers, day: Integers) -> Purchases:
    """Make one purchase per entry of `mcc` (index of the category) and `day` (since 1970-01-01)."""
    names = ("who", "when", "where", "kind", "whom", "amount")
    who, when, where, kind, whom, amount = (draw(stream(key, name), len(mcc)) for name in names)
    client = population.volume.pick(who)
    online = below(kind, 10_000) < figures.ONLINE[mcc]
    # Seven rows of eight go to the client's usual merchant of the category.
    usual = _entity(population, "merchant", (client << 8) + mcc)
    whom = np.where(bits(kind, 7) > 0, usual, whom)
    place = _place(population, client, day, where)
    return Purchases(
        client=client,
        minute=day * MINUTES_PER_DAY + population.hour[client, bits(who, 63)].astype(np.int64) * 60 + below(when, 60),
        card=population.card[client, bits(when, 63)],
        mcc=mcc,
        merchant=merchant_ids(mcc, place, whom, online=online),
        place=np.where(online, places.ONLINE, place),
        cents=amounts_cents(mcc, amount, sends_zero=population.sends_zero[client]),
    )


def prompt_pairs(population: Population, key: int, *, day: Integers) -> Purchases:
    """Make purchases of 50 to 100 whole dollars, each with its refund at most 29 minutes before or after it."""
    count = len(day)
    dollars, lag = draw(stream(key, "dollars"), count), draw(stream(key, "lag"), count)
    bought = buy(population, stream(key, "bought"), mcc=PROMPT.pick(draw(stream(key, "mcc"), count)), day=day)
    bought = replace(bought, cents=(50 + below(dollars, 51)) * 100)
    minutes = below(lag, 30) - below(lower(lag), 30)
    same_day = (bought.minute + minutes) // MINUTES_PER_DAY == day
    refunded = replace(bought, minute=bought.minute + np.where(same_day, minutes, -minutes), cents=-bought.cents)
    return together([bought, refunded])


def late_pairs(population: Population, key: int, *, day: Integers) -> tuple[Purchases, Purchases]:
    """Make purchases of 100 to 500 whole dollars, and their refunds 1 to 25 days later."""
    count = len(day)
    dollars, lag = draw(stream(key, "dollars"), count), draw(stream(key, "lag"), count)
    bought = buy(population, stream(key, "bought"), mcc=LATE.pick(draw(stream(key, "mcc"), count)), day=day)
    bought = replace(bought, cents=(100 + below(dollars, 401)) * 100)
    minutes = (1 + _REFUND_DAYS.pick(lag)) * MINUTES_PER_DAY + below(lower(lag), MINUTES_PER_DAY)
    return bought, replace(bought, minute=bought.minute + minutes, cents=-bought.cents)
