"""Aggregates and a dimension that the contract gets later: the next run fills them from all that is there."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from random import Random
from types import ModuleType
from typing import Any

import boto3
import extended_gold
import pytest
from glue_pipeline import Pipeline, csv
from layers import lake_of
from replaying import replayed

from assay import audit
from assay.ledger import Ledger
from assay.replay import comparison

HEADER = "dms_id,amount,date,use_chip,merchant_id,merchant_state,client_id"
# The week from Monday, 2024-01-29, lies in two months, that from 2024-12-30 in two years.
BEFORE = csv(
    "1,1.00,2024-01-29,chip,5,MA,7",
    "2,2.00,2024-02-01,chip,5,MA,7",
    "3,3.00,2024-02-04 23:59:59,swipe,6,,8",
    "4,4.00,2024-02-05,,6,CA,",
    "5,5.00,2024-12-31,online,,CA,8",
    header=HEADER,
)
# Key 2 stays in its week and leaves its month's merchant; 3 goes; 6 enters a week whose other days are in January.
AFTER = csv(
    "I,2,2.50,2024-02-02,chip,6,CA,7",
    "D,3,3.00,2024-02-04,swipe,6,,8",
    "I,6,6.00,2024-02-03,chip,5,MA,9",
    "I,7,-7.00,2025-01-05,online,,NV,8",
    header=f"Op,{HEADER}",
)
MORE = csv("I,8,8.00,2024-03-31,chip,5,MA,7", "D,1,1.00,2024-01-29,chip,5,MA,7", header=f"Op,{HEADER}")
NEW_AGGREGATES = ("weekly_totals", "quarterly_totals", "state_totals")
Sums = dict[tuple[Any, ...], tuple[int, Decimal]]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return extended_gold.exported(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def before(empty: Pipeline, at_the_server_for_module: None) -> Pipeline:
    """A lake that has facts: today's Gold has taken one file, and Silver one more."""
    pipeline = empty.fork()
    pipeline.upload("transactions/1.csv", BEFORE, as_of="2024-01-10T00:00:00Z")
    pipeline.silver()
    pipeline.gold()
    pipeline.upload("transactions/2.csv", AFTER, as_of="2024-02-10T00:00:00Z")
    pipeline.silver()
    return pipeline


@pytest.fixture(scope="module")
def filled(before: Pipeline, job: ModuleType) -> Pipeline:
    pipeline = before.fork()
    extended_gold.run(job, pipeline)
    return pipeline


def quarter(day: date) -> date:
    return date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)


def expected(pipeline: Pipeline) -> dict[str, Sums]:
    """Sum Silver's state by the natural values of the new aggregates' groups."""
    sums: dict[str, dict[tuple[Any, ...], list[Decimal]]] = {name: defaultdict(list) for name in NEW_AGGREGATES}
    for row in pipeline.rows("silver.transactions"):
        day, channel = row["transacted_at"].date(), row["channel"] or "unknown"
        sums["weekly_totals"][day - timedelta(days=day.weekday()), channel].append(row["amount"])
        sums["quarterly_totals"][quarter(day), row["merchant_id"], channel].append(row["amount"])
        sums["state_totals"][row["merchant_state"], row["client_id"]].append(row["amount"])
    return {name: {group: (len(found), sum(found)) for group, found in groups.items()} for name, groups in sums.items()}


def held(pipeline: Pipeline) -> dict[str, Sums]:
    """Return what the new aggregates hold, by the same values."""
    merchants = {row["merchant_key"]: row["merchant_id"] for row in pipeline.rows("gold.dim_merchant")}
    states = {row["state_key"]: row["merchant_state"] for row in pipeline.rows("gold.dim_state")}
    groups = {
        "weekly_totals": lambda row: (row["week"], row["channel"]),
        "quarterly_totals": lambda row: (row["quarter"], merchants[row["merchant_key"]], row["channel"]),
        "state_totals": lambda row: (states[row["state_key"]], row["client_id"]),
    }
    found: dict[str, Sums] = {}
    for name, group in groups.items():
        rows = pipeline.rows(f"gold.{name}")
        found[name] = {group(row): (row["row_count"], row["total_amount"]) for row in rows}
        assert len(found[name]) == len(rows), f"{name} holds a group twice"
    return found


def assert_whole(pipeline: Pipeline) -> None:
    """Hold all that is new to Silver: aggregates, the dimension's members, and the key in each fact."""
    assert held(pipeline) == expected(pipeline)
    states = {row["state_key"]: row["merchant_state"] for row in pipeline.rows("gold.dim_state")}
    keys = {row["dms_id"]: row["state_key"] for row in pipeline.rows("gold.fact_transactions")}
    of_rows = {row["dms_id"]: row["merchant_state"] for row in pipeline.rows("silver.transactions")}
    assert {key: states[state] for key, state in keys.items()} == of_rows
    assert states[0] is None


def test_new_aggregates_and_dimension_are_filled_from_all_facts__lake_has_facts(filled: Pipeline) -> None:
    assert_whole(filled)
    weeks = {(row["week"], row["channel"]): row["row_count"] for row in filled.rows("gold.weekly_totals")}
    assert weeks[date(2024, 1, 29), "chip"] == 3
    assert weeks[date(2024, 12, 30), "online"] == 2


def test_new_aggregates_go_on_by_increments__week_across_a_month(filled: Pipeline, job: ModuleType) -> None:
    pipeline = filled.fork()
    pipeline.upload("transactions/3.csv", MORE, as_of="2024-03-10T00:00:00Z")
    pipeline.silver()
    extended_gold.run(job, pipeline)
    assert_whole(pipeline)
    table = f"glue_catalog.{pipeline.database('gold')}.fact_transactions"
    newest = pipeline.spark.sql(
        f"SELECT summary['added-records'] AS added FROM {table}.snapshots ORDER BY committed_at"
    )
    added = [int(row.added) for row in newest.collect() if row.added]
    assert added == [5, 6, 1], "a first load, all facts with their new key, then what the increment changes"


@pytest.mark.slow
@pytest.mark.parametrize("step", ["facts_written_again", "aggregate_filled", "before_intent", "after_intent"])
def test_fill_is_the_same__its_run_was_killed(before: Pipeline, filled: Pipeline, job: ModuleType, step: str) -> None:
    pipeline = before.fork()
    with pytest.raises(KeyboardInterrupt):
        extended_gold.run(job, pipeline, dies_at=step)
    extended_gold.run(job, pipeline)
    for name in (*NEW_AGGREGATES, "dim_state", "fact_transactions", "daily_totals"):
        assert pipeline.rows(f"gold.{name}") == filled.rows(f"gold.{name}"), name


def test_audit_and_replay_know_what_was_filled__both_agree(
    filled: Pipeline, empty: Pipeline, job: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "AGGREGATES", job.AGGREGATES)
    monkeypatch.setattr(comparison, "TABLES", {name: job.TABLES[name] for name in job.TABLES if name[:4] == "gold"})
    twin = replayed(filled, empty, Random(1), partial(extended_gold.run, job))
    with lake_of(filled, twin) as lake:
        found = audit.audit(Ledger(boto3.client("dynamodb"), filled.ledger_table), lake)
        compared = comparison.compare(lake)
    assert audit.differences(found) == []
    audited = {check.what for check in found}
    assert {f"amount: Gold's running total = gold.{name}" for name in NEW_AGGREGATES} <= audited
    assert [each.table for each in compared if not each.equal] == []
    assert {f"gold.{name}" for name in (*NEW_AGGREGATES, "dim_state")} <= {each.table for each in compared}
