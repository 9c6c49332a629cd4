"""Closed months: what the ledger holds of one, and what a publication says that changes it."""

from typing import Annotated, Literal, NotRequired, TypedDict

CLOSED_MONTHS = "closed"
CLOSED = "closed#"
"""What the ledger's keys of closed months begin with; the month follows, as `2026-06`."""
TOTALS_TABLE = "daily_totals"
"""The aggregate of Gold by day and channel, from which months are added up."""


class ChannelTotals(TypedDict):
    """Facts and money of a channel in a month."""

    row_count: int
    total_amount: str


class Closing(TypedDict):
    """With what a month was closed, at which cut, by whom."""

    run_seq: Annotated[int, "Gold's, which the totals show"]
    silver_run_seq: Annotated[int, "of that Gold run"]
    channels: Annotated[dict[str, ChannelTotals], "channel → `row_count` N, `total_amount` S; those with facts"]
    who: Annotated[str, "who closed it"]
    at: Annotated[str, "when it was closed"]
    reason: Annotated[str, "may be empty where it was closed for the first time"]


class ClosedItem(Closing):
    """An item per closed month (UTC)."""

    file_id: Annotated[str, "`closed#<month>`"]
    kind: Annotated[Literal["closed"], "`closed`"]
    month: Annotated[str, "`2026-06`"]
    snapshots: Annotated[dict[str, dict[str, int]], "the cut: layer → table → snapshot id; the totals outlive it"]
    earlier: NotRequired[Annotated[list[Closing], "with what it was closed before, the first first"]]


class ClosedMonthsItem(TypedDict):
    """The item that names the closed months: one look tells which of those that a run touches have an item."""

    file_id: Annotated[str, "`closed`"]
    kind: Annotated[Literal["closed months"], "`closed months`"]
    months: Annotated[set[str], "those that were ever closed"]


class MonthMoved(TypedDict):
    """A channel of a closed month that a Gold run has changed."""

    month: str
    channel: str
    closed: Annotated[ChannelTotals, "as it was closed"]
    before: ChannelTotals
    after: ChannelTotals
