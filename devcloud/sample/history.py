"""A history of transactions as a sequence of blocks, each of which can be made again alone.

A block is a run of whole days. Which rows it holds depends on the seed, the extent of the history and the block's
number, never on how or in what order blocks are asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise

import numpy as np
import polars as pl

from devcloud.sample import days as calendar
from devcloud.sample import purchases
from devcloud.sample.draws import Integers, Weighted, draw, stream
from devcloud.sample.extent import Extent
from devcloud.sample.population import Population, populate
from devcloud.sample.purchases import MINUTES_PER_DAY, Purchases, together
from devcloud.sample.rows import frame

FIRST_ID = 7_475_327
BLOCK_ROWS = 40_000


@dataclass(frozen=True)
class Ids:
    """Growing ids with gaps: the mean step, in 100,000ths, grows from `step` by `growth` over `rows` rows."""

    first: int
    rows: int
    step: int = 119_546
    growth: int = 5_846

    def at(self, row: int) -> int:
        """Return the first id that row number `row` (from 0) may have."""
        return self.first + (row * self.step + row * row * self.growth // (2 * self.rows)) // 100_000


@dataclass(frozen=True)
class Block:
    """A run of days and the rows that fall on them."""

    number: int
    first_row: int
    rows: int
    first_day: int  # position among the history's days
    end_day: int


class History:
    """Transactions of a population over an extent; `block(n)` makes any part of it."""

    def __init__(self, extent: Extent, *, population: Population | None = None, ids: Ids | None = None) -> None:
        self.extent = extent
        self.ids = ids or Ids(FIRST_ID, extent.rows)
        self.population = population or populate(extent.seed, extent.client_count)
        self._days = calendar.days(extent.seed, extent.first_on, extent.days)

    @cached_property
    def blocks(self) -> list[Block]:
        """All blocks, of nearly equal size, none shorter than a day."""
        running = np.cumsum(self._days.weight)
        rows_before = np.concatenate([[0], running * self.extent.rows // int(running[-1])])
        wanted = -(-self.extent.rows // BLOCK_ROWS)
        ends = np.searchsorted(rows_before, np.arange(1, wanted + 1) * self.extent.rows // wanted)
        edges = [0, *sorted(set(ends.tolist()))]
        return [
            Block(number, int(rows_before[start]), int(rows_before[end] - rows_before[start]), start, end)
            for number, (start, end) in enumerate(pairwise(edges))
        ]

    @property
    def end_on(self) -> date:
        """The day after the last one."""
        return self.extent.first_on + timedelta(days=self.extent.days)

    def _key(self, block: Block, name: str) -> int:
        return stream("block", self.extent.seed, block.number, name)

    def _some_days(self, block: Block, name: str, count: int) -> Integers:
        span = slice(block.first_day, block.end_day)
        choice = Weighted(self._days.weight[span])
        return self._days.number[span][choice.pick(draw(self._key(block, name), count))]

    def _late_pairs(self, block: Block) -> tuple[Purchases, Purchases]:
        count = block.rows * purchases.LATE_PER_MILLION // 1_000_000
        day = self._some_days(block, "late days", count)
        return purchases.late_pairs(self.population, self._key(block, "late"), day=day)

    def _late_refunds(self, block: Block) -> list[Purchases]:
        """Return the refunds that fall into a block, of purchases in it and in the weeks before."""
        first = int(self._days.number[block.first_day])
        after = int(self._days.number[block.end_day - 1]) + 1
        refunds = []
        for earlier in reversed(self.blocks[: block.number + 1]):
            if self._days.number[earlier.end_day - 1] + purchases.LONGEST_REFUND_DAYS < first:
                break
            refunded = self._late_pairs(earlier)[1]
            day = refunded.minute // MINUTES_PER_DAY
            refunds.append(refunded.take((day >= first) & (day < after) & np.isin(day, self._days.number)))
        return refunds

    def _purchases(self, block: Block) -> Purchases:
        pairs = block.rows * purchases.PROMPT_PER_MILLION // 1_000_000
        day = self._some_days(block, "prompt days", pairs)
        prompt = purchases.prompt_pairs(self.population, self._key(block, "prompt"), day=day)
        paired = together([self._late_pairs(block)[0], prompt, *self._late_refunds(block)])
        singles = block.rows - len(paired)
        mcc = purchases.SINGLE.pick(draw(self._key(block, "single mcc"), singles))
        day = self._some_days(block, "single days", singles)
        return together([paired, purchases.buy(self.population, self._key(block, "single"), mcc=mcc, day=day)])

    def block(self, block: Block) -> pl.DataFrame:
        """Make the rows of a block, in the order of the file; see `rows.SCHEMA`."""
        first_id, end_id = self.ids.at(block.first_row), self.ids.at(block.first_row + block.rows)
        return frame(
            self.population, self._purchases(block), self._key(block, "rows"), first_id=first_id, end_id=end_id
        )

    def __iter__(self) -> Iterator[pl.DataFrame]:
        return (self.block(block) for block in self.blocks if block.rows)
