"""Replays a pipeline as `assay replay` does: its files as they were accepted, in another order and other batches."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from contract.tables import TABLES
from glue_pipeline import Pipeline

from assay.replay import items

ANY_SHARE = ("--maximum_missing_share", "1")


def replayed(
    pipeline: Pipeline, empty: Pipeline, rng: Random, gold: Callable[[Pipeline], None] = Pipeline.gold
) -> Pipeline:
    """Make Silver and Gold of a pipeline anew in one of their own; nothing of it is judged again."""
    twin = empty.fork()
    found = items.in_silver([item for item in pipeline.items() if "status" in item])
    files, decisions = ([item for item in found if item["kind"] == kind] for kind in ("file", "action"))
    for batch in items.batches(files, rng):
        for item in batch:
            twin.table.put_item(Item=items.as_accepted(item))
        twin.silver(more=ANY_SHARE)
        while rng.getrandbits(1) and decide_one(twin, decisions, rng):
            pass
    waiting: set[str] = set()
    while (now := still(twin, "accepted")) and now != waiting:
        waiting = now
        twin.silver(more=ANY_SHARE)
    while decide_one(twin, decisions, rng):
        pass
    gold(twin)
    assert decisions == []
    assert still(twin, "published") == {item["file_id"] for item in found}
    return twin


def decide_one(twin: Pipeline, decisions: list[dict[str, Any]], rng: Random) -> bool:
    """Carry out one of the decisions whose files are there, if there is any."""
    if due := items.due(decisions, {item["file_id"]: item for item in twin.items()}):
        decisions.remove(action := rng.choice(due))
        twin.table.put_item(Item=items.as_accepted(action))
        twin.silver(more=ANY_SHARE)
    return bool(due)


def still(pipeline: Pipeline, status: str) -> set[str]:
    """Return the files that have come as far as this and wait there."""
    return {item["file_id"] for item in pipeline.items() if item.get("status") == status}


def comparable(pipeline: Pipeline) -> dict[str, list[dict[str, Any]]]:
    """Return what a replay must give again: all but what tells of single runs."""
    left_out = {name: table.of_the_run for name, table in TABLES.items() if table.is_compared}
    return {
        table: sorted(({k: v for k, v in row.items() if k not in out} for row in pipeline.rows(table)), key=repr)
        for table, out in left_out.items()
    }
