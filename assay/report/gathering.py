"""Reads all that a report says, at one readers' cut: the ledger once, then the tables, then the calendar."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from contract.runs import Cut

from assay import query, sweeping
from assay.errors import UserError
from assay.ledger import Item, Ledger
from assay.passport import Check
from assay.report import items, tables
from assay.report.period import Period
from assay.report.summary import Expected, Lake, Summary
from assay.target import Target, describe

LAYERS = ("silver", "gold")
MOST_ROWS = 400_000
"""Of how many rows of files history and effects are read one by one: a report is to be made in 500 megabytes."""


def summarise(target: Target, ledger: Ledger, period: Period, *, now: str) -> Summary:
    """Read a period; the cut comes first, so that what is published meanwhile is not half of it."""
    cut = query.current_cut(target)
    return at_cut(target, ledger, period, cut, items.fold(ledger.each(items.READ), period, cut), now=now)


def at_cut(
    target: Target, ledger: Ledger, period: Period, cut: Cut | None, folded: items.Folded, *, now: str
) -> Summary:
    """Read what is left to be read of a period once its items are."""
    lake = _lake(target, cut, folded) if cut else None
    layers = {name: ledger.layer(name) or {} for name in LAYERS}
    return Summary(
        stack=describe(target),
        made_at=now,
        version=version("assay"),
        period=period,
        cut=cut,
        lake=lake,
        files=folded.files,
        actions=folded.actions,
        effects_before=folded.effects_before,
        effects_after=folded.effects_after,
        groups_moved=folded.groups_moved,
        expected=_expected(target, period),
        breakers=ledger.open_breakers(),
        moved_months=folded.months_moved,
        heads={
            name: f"run {item['head']['run_seq']:,}, {item['head']['sha256']}"
            for name, item in layers.items()
            if "head" in item
        },
        totals_checks=_checks(folded, lake, cut, layers["gold"]),
    )


def _lake(target: Target, cut: Cut, folded: items.Folded) -> Lake:
    taken = [file for file in folded.files if file.silver_run is not None]
    runs = folded.runs if sum(file.rows for file in taken) <= MOST_ROWS else []
    with query.lake(target, named=query.snapshots_of(cut)) as lake:
        return tables.read(lake, days=sorted(folded.days), runs=runs, file_ids=[file.file_id for file in taken])


def _checks(folded: items.Folded, lake: Lake | None, cut: Cut | None, gold: Item) -> list[Check]:
    """Compare Gold's total with the effects of all files and decisions, and with the job's own running total.

    The ledger has the running total of the newest run alone: it is left out where that is not the cut's.
    """
    if lake is None or cut is None:
        return []
    all_effects = folded.effects_before + folded.effects + folded.effects_after
    found = [Check("amount: gold.daily_totals = effects of all files and decisions", all_effects, lake.amount)]
    published = gold.get("published", {})
    if published.get("run_seq") == cut["run_seq"]:
        running = Decimal(published["total_amount"])
        found.append(Check("rows: gold.daily_totals = Gold's running total", published["row_count"], lake.rows))
        found.append(Check("amount: gold.daily_totals = Gold's running total", running, lake.amount))
    return found


def _expected(target: Target, period: Period) -> Sequence[Expected] | None:
    """Return what the calendars expected in the period; None if the sweep's function cannot be asked."""
    try:
        told: list[dict[str, Any]] = sweeping.ask(target, {"show": "calendar"})["expected"]
    except (BotoCoreError, ClientError, UserError):
        return None
    return [
        Expected(each["folder"] + each["name"], each["due_at"], each["state"], each.get("came_at", ""))
        for each in told
        if period.holds(each["due_at"])
    ]
