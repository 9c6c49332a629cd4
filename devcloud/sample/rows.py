"""From purchases to rows: channel, errors, order and ids, with one type per column."""

import numpy as np
import polars as pl

from devcloud.sample import days, figures, places
from devcloud.sample.draws import Draws, Integers, below, bits, draw, lower, stream
from devcloud.sample.population import Population
from devcloud.sample.purchases import MINUTES_PER_DAY, Purchases

# Money is integer cents; a zip is a number without its leading zero, as in the source.
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "id": pl.Int64,
    "date": pl.Datetime("us"),
    "client_id": pl.Int64,
    "card_id": pl.Int64,
    "amount_cents": pl.Int64,
    "use_chip": pl.String,
    "merchant_id": pl.Int64,
    "merchant_city": pl.String,
    "merchant_state": pl.String,
    "zip": pl.Int64,
    "mcc": pl.Int64,
    "errors": pl.String,
}
MICROSECONDS_PER_MINUTE = 60_000_000
_CLIENT_BITS, _POSITION_BITS = 11, 26

_channels = pl.Series(figures.CHANNELS, dtype=pl.String)
_cities, _states = pl.Series(places.CITY, dtype=pl.String), pl.Series(places.STATE, dtype=pl.String)
_zips = pl.Series(places.ZIP, dtype=pl.Int64)
# Number 0 is no error, number 1 the one that depends on the amount.
_errors = pl.Series([None, "Insufficient Balance", *(name for name, _, _ in figures.ERRORS)], dtype=pl.String)
_error_bounds = np.cumsum([[in_person, online] for _, in_person, online in figures.ERRORS], axis=0)
_balance_rates = np.array(figures.BALANCE_RATES, dtype=np.int64)


def _channel(population: Population, rows: Purchases, draws: Draws) -> Integers:
    chip_time = rows.minute // MINUTES_PER_DAY >= days.CHIP_FROM
    online = rows.place == places.ONLINE
    by_card = chip_time & population.has_chip[rows.card] & (below(draws, 1000) < 908)
    # Travel agencies take chips although their city is ONLINE: a quirk of the source.
    odd = chip_time & (rows.mcc == figures.TRAVEL_AGENCY) & (below(draws, 1000) < 350)
    in_person = np.where(by_card, figures.CHIP, figures.SWIPE)
    return np.where(online, np.where(odd, figures.CHIP, figures.ONLINE_CHANNEL), in_person)


def _error(population: Population, rows: Purchases, channel: Integers, draws: Draws) -> Integers:
    online = channel == figures.ONLINE_CHANNEL
    rate = _balance_rates[np.searchsorted(figures.BALANCE_AMOUNTS, rows.cents)]
    rate = rate * population.risk[rows.client] // np.where(online, 23, 15)
    chance = below(lower(draws), 1_000_000)
    in_person_error = np.searchsorted(_error_bounds[:, 0], chance, side="right")
    online_error = np.searchsorted(_error_bounds[:, 1], chance, side="right")
    other = (np.where(online, online_error, in_person_error) + 2) % (len(figures.ERRORS) + 2)
    return np.where(below(draws, 1_000_000) < rate, 1, other)


def _ids(key: int, order: Integers, draws: Draws, *, first: int, end: int) -> Integers:
    """Choose ids among first … end - 1; within a minute and client, half of the neighbours swap theirs."""
    candidates = draw(key, end - first)
    ids = np.sort(np.argpartition(candidates, len(order) - 1)[: len(order)]) + first
    same = np.concatenate([[False], order[1:] == order[:-1]])
    swap = same & (bits(draws, 1) == 1)
    swap[1:] &= ~swap[:-1]
    second = np.flatnonzero(swap)
    ids[second], ids[second - 1] = ids[second - 1], ids[second]
    return ids


def _order(population: Population, rows: Purchases) -> tuple[Integers, Integers]:
    """Return the positions in file order, and each one's minute and client as one number."""
    minute_client = ((rows.minute - rows.minute.min()) << _CLIENT_BITS) + population.client_id[rows.client]
    # The position makes every number different, so any sorting algorithm gives the same order.
    tagged = np.sort((minute_client << _POSITION_BITS) + np.arange(len(rows)))
    return tagged & ((1 << _POSITION_BITS) - 1), tagged >> _POSITION_BITS


def frame(population: Population, rows: Purchases, key: int, *, first_id: int, end_id: int) -> pl.DataFrame:
    """Give the rows of a block their channel, errors and ids, and put them in order by minute and client."""
    position, order = _order(population, rows)
    rows = rows.take(position)
    draws = draw(stream(key, "error"), len(rows))
    channel = _channel(population, rows, draw(stream(key, "channel"), len(rows)))
    columns = [
        pl.Series(_ids(stream(key, "id"), order, draws, first=first_id, end=end_id)),
        pl.Series(rows.minute * MICROSECONDS_PER_MINUTE).cast(pl.Datetime("us")),
        pl.Series(population.client_id[rows.client]),
        pl.Series(rows.card),
        pl.Series(rows.cents),
        _channels.gather(channel),
        pl.Series(rows.merchant),
        _cities.gather(rows.place),
        _states.gather(rows.place),
        _zips.gather(rows.place),
        pl.Series(figures.MCC[rows.mcc]),
        _errors.gather(_error(population, rows, channel, draws)),
    ]
    return pl.DataFrame(dict(zip(SCHEMA, columns, strict=True)), schema=SCHEMA)
