"""The aggregates of Gold: a new one is an entry, which job, audit, replay, documents and the tests' model read."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from contract.dimensions import DIMENSIONS, VERSIONED_DIMENSIONS
from contract.sql_types import TOTAL


class Period(StrEnum):
    """The time over which an aggregate sums; its value is the name of the column with the period's first day."""

    DAY = "transacted_on"
    WEEK = "week"
    """From Monday, also where it lies in two months."""
    MONTH = "month"
    QUARTER = "quarter"
    ALL_TIME = ""
    """No column: one sum over all facts of a group."""


@dataclass(frozen=True)
class Grouping:
    """What an aggregate may tell apart: its columns, the first being the group's key, and the fact's column behind it.

    A client's or a card's sums do not fall apart where a new version begins: all versions count under the key of the
    first one, so the fact's natural key is what they are grouped by.
    """

    columns: Mapping[str, str]
    of_fact: str

    @property
    def key(self) -> str:
        return next(iter(self.columns))


GROUPINGS: Mapping[str, Grouping] = {
    **{name.removeprefix("dim_"): Grouping({each.key: "bigint"}, each.key) for name, each in DIMENSIONS.items()},
    **{
        name.removeprefix("dim_"): Grouping({each.key: "bigint", each.natural: "bigint"}, each.natural)
        for name, each in VERSIONED_DIMENSIONS.items()
    },
    "channel": Grouping({"channel": "string"}, "channel_key"),
}
"""By dimension, without `dim_`; of a channel the name is shown, `unknown` when it is null."""
MEASURES: Mapping[str, str] = {"row_count": "bigint", "total_amount": TOTAL}
"""What each aggregate holds of a group: how many facts, and their money."""


@dataclass(frozen=True)
class AggregateTable:
    """An aggregate of the facts by period and by dimensions, the names of `GROUPINGS`."""

    name: str
    period: Period
    dimensions: tuple[str, ...]
    description: str

    @property
    def groupings(self) -> tuple[Grouping, ...]:
        return tuple(GROUPINGS[name] for name in self.dimensions)

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell its rows apart; they are in this order, too."""
        period = (str(self.period),) if self.period else ()
        return (*period, *(grouping.key for grouping in self.groupings))

    @property
    def schema(self) -> Mapping[str, str]:
        """The columns of the table with their types."""
        period = {str(self.period): "date"} if self.period else {}
        groups = {name: sql_type for grouping in self.groupings for name, sql_type in grouping.columns.items()}
        return {**period, **groups, **MEASURES}


AGGREGATES: Mapping[str, AggregateTable] = {
    aggregate.name: aggregate
    for aggregate in (
        AggregateTable("daily_totals", Period.DAY, ("channel",), "Each day by channel."),
        AggregateTable("monthly_merchant_totals", Period.MONTH, ("merchant",), "Each month by merchant."),
        AggregateTable("monthly_client_totals", Period.MONTH, ("client",), "Each month by client."),
    )
}
