"""The demo's five files, each generated from one seed, with every row known beforehand."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from devcloud.sample import broken
from devcloud.sample.extent import Extent
from devcloud.sample.history import History
from devcloud.sample.increment import Mix, increment
from devcloud.sample.writers import Totals, write

SEED = 7
HISTORY = Extent(rows=50_000, seed=SEED)
PREFIX = "transactions/demo/"
BAD_ROWS_PER_RULE = 2
CHANNELS = {"Swipe Transaction": "swipe", "Chip Transaction": "chip", "Online Transaction": "online"}


class Row(NamedTuple):
    """A row as the generator made it, before any file format."""

    dms_id: int
    values: tuple[Any, ...]
    cents: int
    channel: str
    day: date
    merchant_id: int
    good: bool


@dataclass(frozen=True)
class DemoFile:
    """A file, what it is for, and what it holds."""

    path: Path
    story: str
    as_of: str  # fixed, so that a second demo tells the same: later extracts win over earlier ones
    rows: list[Row]
    totals: Totals
    control: tuple[int, Decimal]
    rejected: bool = False

    @property
    def key(self) -> str:
        return PREFIX + self.path.name


def generate(folder: Path) -> list[DemoFile]:
    """Write the five files, in the order in which they are to be uploaded."""
    folder.mkdir(parents=True, exist_ok=True)
    mix = Mix(new=2_500, changed=900, repeated=600)
    more = Mix(new=1_200, changed=500, repeated=300)
    return [
        _written(folder / "history.csv", "ten years of transactions", 1, list(History(HISTORY))),
        _written(folder / "increment.csv", _story(mix), 2, list(increment(HISTORY, mix, seed=SEED))),
        _written(
            folder / "increment.parquet",
            _story(more) + ", as Parquet",
            3,
            list(increment(HISTORY, more, seed=SEED, keys="scattered", part=2)),
        ),
        _broken(folder / "some-broken-rows.csv", 4),
        _wrong_total(folder / "wrong-total.csv", 5),
    ]


def _story(mix: Mix) -> str:
    return f"{mix.new:,} new rows, {mix.changed:,} changed ones, {mix.repeated:,} repeated ones"


def _written(path: Path, story: str, day: int, frames: Iterable[pl.DataFrame]) -> DemoFile:
    frames = list(frames)
    totals = write(frames, path)
    return DemoFile(path, story, _as_of(day), rows_of(pl.concat(frames)), totals, _control(totals))


def _broken(path: Path, day: int) -> DemoFile:
    """Write rows in all forms that are read, some of which break a rule; each rule of the contract occurs."""
    frame = pl.concat(list(increment(HISTORY, Mix(new=400, changed=0, repeated=0), seed=SEED, part=3)))
    bad = dict.fromkeys(broken.RULES, BAD_ROWS_PER_RULE)
    totals = broken.write_broken(frame, path, bad=bad, seed=SEED, wild=True)
    with_bad = broken.lines(frame, bad=bad, seed=SEED, wild=True)
    without = broken.lines(frame, bad={}, seed=SEED, wild=True)
    # The first line is the header. A line that differs from what it would be is one that was broken.
    pairs = list(zip(with_bad, without, strict=True))[1:]
    rows = [
        row._replace(good=broken_line == line, cents=cents)
        for row, ((broken_line, cents), (line, _)) in zip(rows_of(frame), pairs, strict=True)
    ]
    story = f"{sum(bad.values())} of 400 rows break a rule of the data contract"
    return DemoFile(path, story, _as_of(day), rows, totals, _control(totals))


def _wrong_total(path: Path, day: int) -> DemoFile:
    frames = list(increment(HISTORY, Mix(new=300, changed=0, repeated=0), seed=SEED, part=4))
    totals = write(frames, path)
    rows, amount = _control(totals)
    story = "its control total is a cent off, so it must be rejected"
    return DemoFile(path, story, _as_of(day), [], totals, (rows, amount + Decimal("0.01")), rejected=True)


def rows_of(frame: pl.DataFrame) -> list[Row]:
    """Turn the generator's frame into rows; a channel and a day are read off as Gold groups them."""
    return [
        Row(
            dms_id=values["id"],
            values=tuple(values.values()),
            cents=values["amount_cents"],
            channel=CHANNELS[values["use_chip"]],
            day=values["date"].date(),
            merchant_id=values["merchant_id"],
            good=True,
        )
        for values in frame.iter_rows(named=True)
    ]


def _control(totals: Totals) -> tuple[int, Decimal]:
    return totals.rows, Decimal(totals.total_amount)


def _as_of(day: int) -> str:
    return f"2020-01-{day:02d}T00:00:00Z"
