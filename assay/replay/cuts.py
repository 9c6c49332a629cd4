"""The cut up to which a replay rebuilds: a run of Gold, the run of Silver that it shows, and what both held then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assay.errors import NothingPublishedError, UserError
from assay.ledger import Item
from assay.query import kept_cuts
from assay.replay.items import undone

if TYPE_CHECKING:
    from contract.runs import Cut

    from assay.query import Lake
    from assay.target import Target

STATES = {"silver": "transactions", "gold": "fact_transactions"}


def kept_cut(target: Target, silver_run: int | None, gold_run: int | None) -> Cut:
    """Return the newest of the kept cuts of these runs; None stands for any."""
    cuts = kept_cuts(target)
    if not cuts:
        raise NothingPublishedError("no cut is named yet")
    wanted = (silver_run, gold_run)
    found = [
        cut
        for cut in cuts
        if all(run in (None, own) for run, own in zip(wanted, (cut["silver_run_seq"], cut["run_seq"]), strict=True))
    ]
    if not found:
        kept = ", ".join(f"{cut['silver_run_seq']}/{cut['run_seq']}" for cut in cuts[-10:])
        raise UserError("no kept cut is of these runs", f"the last ones (Silver's run / Gold's): {kept}")
    return found[-1]


def totals_at(tables: Lake, files: Sequence[Item], decided: Sequence[Item]) -> dict[str, Item]:
    """Return what the layers' items said at a cut: by the rows of its tables, and by the reloads among its files."""
    reloads: Item = {}
    without = undone(decided)
    for file in (file for file in files if "load" in file):
        is_complete = without.isdisjoint([file["file_id"], *file["load"]["files"]])
        of_kind = reloads.setdefault("loads" if is_complete else "incomplete_loads", {})
        of_kind[file["file_id"]] = file["load"]["start_at"]
    if "loads" in reloads:
        reloads["floor"] = max(reloads["loads"].values())
    silver, gold = (totals_of(tables, layer) for layer in STATES)
    return {"silver": {"published": silver | reloads}, "gold": {"published": gold}}


def totals_of(tables: Lake, layer: str) -> Item:
    """Return rows and money of a layer's state table."""
    table = f"{layer}.{STATES[layer]}"
    if table not in tables.tables():
        return {"row_count": 0, "total_amount": "0.00"}
    amount = "coalesce(sum(amount), 0)::DECIMAL(38, 2)::VARCHAR"
    return tables.one(f"SELECT count(*) AS row_count, {amount} AS total_amount FROM {table}")  # noqa: S608
