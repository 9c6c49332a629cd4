"""What follows a history: new rows after its end, changed rows and repeated rows of its keys.

The history is not read: the blocks that hold the chosen keys are made again. Each change is a real one, and the
counts are exact, so that what must become of a file's rows is known beforehand.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from assay.errors import UserError
from devcloud.sample import places
from devcloud.sample.draws import Draws, Integers, below, draw, lower, stream
from devcloud.sample.extent import Extent, Keys
from devcloud.sample.history import BLOCK_ROWS, History, Ids
from devcloud.sample.merchants import FIRST_MERCHANT, MERCHANT_RANGE
from devcloud.sample.rows import MICROSECONDS_PER_MINUTE

# Recent keys are every second one of the history's last rows.
_RECENT_SPREAD = 2
# The ids of a part begin so far after those of the part before, which is more than any part needs.
_IDS_PER_PART = 1 << 24
# Rows that lie in the future break a rule; the generator knows no clock.
_LATEST = date(2025, 12, 31)
_CARDS = 6146
_CHANGES = ("amount", "merchant", "place", "card", "date")


@dataclass(frozen=True)
class Mix:
    """How many rows of each sort an increment holds."""

    new: int
    changed: int
    repeated: int

    @classmethod
    def of(cls, rows: int, *, changed_percent: int, repeated_percent: int) -> "Mix":
        """Split rows by whole percentages; the rest is new."""
        if changed_percent + repeated_percent > 100:
            raise UserError("the shares make more than 100 %", "lower --changed or --repeated; the rest is new")
        changed, repeated = rows * changed_percent // 100, rows * repeated_percent // 100
        return cls(new=rows - changed - repeated, changed=changed, repeated=repeated)


def after(base: History, rows: int, *, seed: int, part: int = 1) -> History:
    """Go on with the clients of a history, from its last day and id on; parts of equal size follow one another.

    Where they would come to lie after `_LATEST`, they begin anew at the history's end, and a long one is made denser.
    """
    rows_per_day = max(base.extent.rows // base.extent.days, 1)
    days = -(-rows // rows_per_day)
    begins = (part - 1) * days
    if (ahead := (_LATEST - base.end_on).days + 1) > 0:
        days = min(days, ahead)
        begins = (part - 1) * days % (ahead - days + 1)
    extent = Extent(
        rows=rows,
        seed=stream("after", base.extent.seed, seed, part),
        first_on=base.end_on + timedelta(days=begins),
        days=days,
    )
    first = base.ids.at(base.extent.rows) + (part - 1) * _IDS_PER_PART
    ids = Ids(first, rows, step=base.ids.step + base.ids.growth, growth=0)
    if ids.at(rows) - first > _IDS_PER_PART:
        raise UserError(
            f"{rows:,} new rows need more ids than a part has",
            "spread them over several files with another --part each",
        )
    return History(extent, population=base.population, ids=ids)


def _positions(base: History, count: int, keys: Keys, key: int) -> Integers:
    """Choose distinct rows of the history, one from each of `count` equal stretches."""
    rows = base.extent.rows
    if count > rows:
        raise UserError(f"the history has only {rows} rows to change or repeat", "name a larger one, or fewer rows")
    width = rows if keys == "scattered" else min(rows, count * _RECENT_SPREAD)
    edges = rows - width + np.arange(count + 1, dtype=np.int64) * width // max(count, 1)
    return edges[:-1] + below(draw(key, count), np.diff(edges))


def _other_place(zips: pl.Series, draws: Draws) -> Integers:
    place = below(draws, places.AT_HOME)
    same = zips.to_numpy() == np.array(places.ZIP[: places.AT_HOME], dtype=np.int64)[place]
    return np.where(same, (place + 1) % places.AT_HOME, place)


def _change(rows: pl.DataFrame, key: int, first: int) -> pl.DataFrame:
    """Change one thing about each row: its amount, merchant, place, card or date."""
    draws = draw(key, len(rows), first=first)
    what = below(draws, len(_CHANGES))
    size = lower(draws)
    # A row without a place cannot move; its amount changes instead.
    what = np.where((what == _CHANGES.index("place")) & rows["zip"].is_null().to_numpy(), 0, what)
    place = _other_place(rows["zip"], size)
    is_what = {name: pl.Series(what == number) for number, name in enumerate(_CHANGES)}
    merchant = (
        pl.col("merchant_id") - FIRST_MERCHANT + 1 + pl.Series(below(size, MERCHANT_RANGE - 1))
    ) % MERCHANT_RANGE
    card = (pl.col("card_id") + 1 + pl.Series(below(size, _CARDS - 1))) % _CARDS
    later = pl.Series((1 + below(size, 2880)) * MICROSECONDS_PER_MINUTE).cast(pl.Duration("us"))
    values: dict[str, tuple[str, pl.Expr | pl.Series]] = {
        "amount_cents": ("amount", pl.col("amount_cents") + 1 + pl.Series(below(size, 5000))),
        "merchant_id": ("merchant", merchant + FIRST_MERCHANT),
        "merchant_city": ("place", pl.Series(places.CITY).gather(place)),
        "merchant_state": ("place", pl.Series(places.STATE).gather(place)),
        "zip": ("place", pl.Series(places.ZIP).gather(place)),
        "card_id": ("card", card),
        "date": ("date", pl.col("date") + later),
    }
    return rows.with_columns(
        pl.when(is_what[change]).then(value).otherwise(pl.col(column)).alias(column)
        for column, (change, value) in values.items()
    )


def _known_rows(base: History, mix: Mix, keys: Keys, key: int) -> Iterator[pl.DataFrame]:
    count = mix.changed + mix.repeated
    position = _positions(base, count, keys, stream(key, "positions"))
    changed_before = np.arange(count + 1, dtype=np.int64) * mix.changed // max(count, 1)
    is_changed = np.diff(changed_before) == 1
    edges = np.searchsorted(position, [block.first_row for block in base.blocks] + [base.extent.rows])
    for block, start, end in zip(base.blocks, edges[:-1], edges[1:], strict=True):
        if start == end:
            continue
        chosen = base.block(block)[position[start:end] - block.first_row]
        changed = _change(chosen, stream(key, "change"), first=int(start))
        which = pl.Series(is_changed[start:end])
        yield chosen.select(
            pl.when(which).then(changed[name]).otherwise(pl.col(name)).alias(name) for name in chosen.columns
        )


def _regrouped(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Join small frames to ones of a block's size."""
    waiting: list[pl.DataFrame] = []
    for frame in frames:
        waiting.append(frame)
        if sum(map(len, waiting)) >= BLOCK_ROWS:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)


def increment(base: Extent, mix: Mix, *, seed: int, keys: Keys = "recent", part: int = 1) -> Iterator[pl.DataFrame]:
    """Make the rows of an increment to a history: rows of known keys first, then new ones.

    `keys` says where the known ones lie: among the last rows, or evenly over all. `part` tells increments to one
    history apart: their new keys differ.
    """
    history = History(base)
    key = stream("increment", base.seed, seed, part)
    yield from _regrouped(_known_rows(history, mix, keys, key))
    if mix.new:
        yield from after(history, mix.new, seed=seed, part=part)
