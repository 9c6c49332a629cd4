"""A job killed at any step is recovered by the next run: the same tables, the same passports."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from itertools import count
from typing import Any

import boto3
import pytest
from glue_pipeline import GOLD, SILVER, Event, Killed, Pipeline, csv

from assay.evidence.checks import check
from glue.lake.ledger import Ledger

BEFORE_INTENT = {
    "silver": ["started", "begun", "staged", "read", "classified", "written", "proved", "before_intent"],
    "gold": ["started", "begun", "dimensions_written", "facts_written", "aggregate_written", "proved", "before_intent"],
}
TELLING = {"silver": ["begun", "classified", "before_intent"], "gold": ["dimensions_written", "before_intent"]}
"""The steps before which a run has done nothing yet, a good part, and all; at the others it dies in the slow tests."""
AFTER_FAST_FORWARDS = ["files_advanced", "published"]


@pytest.fixture(scope="module")
def third(three_files: list[Event]) -> Event:
    return three_files[2]


@pytest.fixture(scope="module")
def before(
    after_each_file: list[Pipeline], three_files: list[Event], at_the_server_for_module: None
) -> dict[str, Pipeline]:
    """One file is published; the second waits for Silver, and in a fork for Gold."""
    waiting = after_each_file[0].fork()
    waiting.arrive(three_files[1])
    in_silver = waiting.fork()
    in_silver.silver()
    return {"silver": waiting, "gold": in_silver}


@pytest.fixture(scope="module")
def undisturbed(before: dict[str, Pipeline], after_each_file: list[Pipeline]) -> dict[str, Pipeline]:
    return {"silver": before["gold"], "gold": after_each_file[1]}


def test_run_commits_each_table_twice_at_most__changed_rows(
    before: dict[str, Pipeline], undisturbed: dict[str, Pipeline]
) -> None:
    for layer, written in (("silver", "transactions"), ("gold", "daily_totals")):
        had, made = before[layer].commits(layer), undisturbed[layer].commits(layer)
        counts = {table: made[table] - had[table] for table in made}
        assert counts[written] == 2, "one for all that is written, one that shows it"
        assert max(counts.values()) == 2, counts


def outcome_of(pipeline: Pipeline, layer: str) -> dict[str, Any]:
    layers = [pipeline.item(f"layer#{name}") for name in ("silver", "gold")]
    runs = [(item["run_seq"], "intent" in item, "in_progress" in item) for item in layers]
    return {**pipeline.tables(layer), "passports": pipeline.passports(), "runs": runs, "chains": chains(pipeline)}


def chains(pipeline: Pipeline) -> list[list[str]]:
    """Return the hashes of all runs; of Gold's only Silver's that they show, since they name its random snapshots."""
    evidence = pipeline.evidence()
    (silver, gold), faults = check(evidence)
    # Neither Bronze nor the tables were collected.
    assert [fault for fault in faults if not fault.what.startswith(("Bronze ", "silver.transaction_effects"))] == []
    shown = [run.report["totals"]["silver_report_sha256"] for run in gold.runs]
    return [[run.sha256 for run in silver.runs], shown]


def fast_forwards(pipeline: Pipeline, layer: str) -> list[str]:
    """Return the tables that the committed intent promises, in the order in which they are published."""
    promised = pipeline.item(f"layer#{layer}")["intent"]["snapshots"]
    return [table for table in {"silver": SILVER, "gold": GOLD}[layer].LAYER.tables if table in promised]


def snapshots_of_cut(pipeline: Pipeline) -> dict[str, int]:
    """Return the snapshots of Gold that belong together."""
    body = boto3.client("s3").get_object(Bucket=pipeline.lake_bucket, Key="current.json")["Body"].read()
    found: dict[str, int] = json.loads(body)["snapshots"]["gold"]
    return found


def money_agrees(pipeline: Pipeline, snapshots: Mapping[str, int] | None = None) -> bool:
    """Tell whether a reader, of now or at a cut, finds the money of all facts in the daily totals."""
    found = set()
    for table, column in (("fact_transactions", "amount"), ("daily_totals", "total_amount")):
        reader = pipeline.spark.read.option("snapshot-id", snapshots[table]) if snapshots else pipeline.spark.read
        rows = reader.table(f"glue_catalog.{pipeline.database('gold')}.{table}")
        found.add(sum(row[0] for row in rows.select(column).collect()))
    return len(found) == 1


@pytest.mark.parametrize(
    ("layer", "steps"),
    [
        *(pytest.param(layer, steps, id=layer) for layer, steps in TELLING.items()),
        *(pytest.param(*each, id=f"{each[0]}, every step", marks=pytest.mark.slow) for each in BEFORE_INTENT.items()),
    ],
)
def test_job_recovers__killed_at_steps_before_its_commit(
    layer: str, steps: list[str], before: dict[str, Pipeline], undisturbed: dict[str, Pipeline]
) -> None:
    pipeline = before[layer].fork()
    seen_before = pipeline.tables(layer)
    for step in steps:
        pipeline.kill(layer, step)
        assert "intent" not in pipeline.item(f"layer#{layer}")
    assert pipeline.tables(layer) == seen_before, "readers saw rows before the intent"
    pipeline.run(layer)
    assert outcome_of(pipeline, layer) == outcome_of(undisturbed[layer], layer)


@pytest.mark.parametrize("layer", ["silver", "gold"])
def test_job_recovers__killed_at_every_step_after_its_commit(
    layer: str, before: dict[str, Pipeline], undisturbed: dict[str, Pipeline]
) -> None:
    pipeline = before[layer].fork()
    seen_before = pipeline.tables(layer)
    pipeline.kill(layer, "after_intent")
    assert pipeline.tables(layer) == seen_before, "readers saw rows before they were published"
    promised = fast_forwards(pipeline, layer)
    assert len(promised) >= 4
    agree = []
    for table in promised:
        pipeline.kill(layer, "fast_forwarded", table=table)
        agree.append(money_agrees(pipeline))
        assert money_agrees(pipeline, snapshots_of_cut(pipeline)), "readers at one cut see two runs"
    assert all(agree) == (layer == "silver"), "facts and totals are shown one after the other"
    for step in AFTER_FAST_FORWARDS:
        pipeline.kill(layer, step)
    pipeline.run(layer)
    assert outcome_of(pipeline, layer) == outcome_of(undisturbed[layer], layer)


@pytest.mark.slow
def test_pinned_reader_sees_one_run__twenty_publications_of_which_one_is_killed_between_two_tables(
    undisturbed: dict[str, Pipeline],
) -> None:
    pipeline = undisturbed["gold"].fork()
    unpinned, pinned = list[bool](), list[bool]()

    def look(step: str, **facts: object) -> None:
        if step == "fast_forwarded":
            unpinned.append(money_agrees(pipeline))
            pinned.append(money_agrees(pipeline, snapshots_of_cut(pipeline)))
            if number == 10 and not unpinned[-1]:
                raise Killed(step)

    for number in range(1, 21):
        changed = csv(f"1,{number}.50,2023-01-01,chip,5,", f"{100 + number},1.00,2023-03-01,swipe,6,")
        pipeline.upload(f"transactions/change-{number:02d}.csv", changed, as_of=f"2024-05-{number:02d}T00:00:00Z")
        pipeline.silver()
        with nullcontext() if number != 10 else pytest.raises(Killed):
            pipeline.run("gold", at_step=look)
    assert pipeline.item("layer#gold")["published"]["silver_run_seq"] == pipeline.item("layer#silver")["run_seq"]
    assert unpinned.count(False) >= 20, "each publication shows facts and totals one after the other"
    assert all(pinned), "readers at one cut see two runs"


@pytest.mark.slow  # the test above kills there too, before it goes on
@pytest.mark.parametrize("layer", ["silver", "gold"])
def test_job_recovers__killed_once_between_two_fast_forwards(
    layer: str, before: dict[str, Pipeline], undisturbed: dict[str, Pipeline]
) -> None:
    pipeline = before[layer].fork()
    first_table = {"silver": "transaction_history", "gold": "dim_merchant"}[layer]
    pipeline.kill(layer, "fast_forwarded", table=first_table)
    assert "intent" in pipeline.item(f"layer#{layer}")
    pipeline.run(layer)
    assert outcome_of(pipeline, layer) == outcome_of(undisturbed[layer], layer)


@pytest.fixture(scope="module")
def silver_with_third(undisturbed: dict[str, Pipeline], third: Event) -> Pipeline:
    pipeline = undisturbed["silver"].fork()
    pipeline.arrive(third)
    pipeline.silver()
    return pipeline


@pytest.mark.slow
@pytest.mark.parametrize("step", ["written", "after_intent"])
def test_silver_recovers__killed_and_a_new_file_has_come(
    step: str, before: dict[str, Pipeline], silver_with_third: Pipeline, third: Event
) -> None:
    pipeline = before["silver"].fork()
    pipeline.kill("silver", step)
    pipeline.arrive(third)
    pipeline.silver()
    assert outcome_of(pipeline, "silver") == outcome_of(silver_with_third, "silver")


@pytest.mark.parametrize("step", [pytest.param("facts_written", marks=pytest.mark.slow), "after_intent"])
def test_gold_recovers__killed_and_silver_has_moved_on(
    step: str, before: dict[str, Pipeline], after_each_file: list[Pipeline], third: Event
) -> None:
    pipeline = before["gold"].fork()
    pipeline.kill("gold", step)
    pipeline.arrive(third)
    pipeline.silver()
    pipeline.gold()
    assert outcome_of(pipeline, "gold") == outcome_of(after_each_file[2], "gold")


def test_silver_gives_up_on_a_file__its_runs_die_and_others_go_well(before: dict[str, Pipeline], third: Event) -> None:
    pipeline = before["silver"].fork()
    (killer,) = [item["file_id"] for item in pipeline.items() if item.get("waiting_for") == "silver"]
    for start in ("first", "second"):
        assert pipeline.is_killed("silver", "staged", more=["--start", start])
    innocent, runs = pipeline.arrive(third), count()

    def die(name: str, **_: object) -> None:
        if name == "staged" and next(runs) == 1:
            raise Killed(name)

    with pytest.raises(Killed):
        pipeline.run("silver", at_step=die, more=["--start", "third"])
    assert (pipeline.item(innocent)["status"], "failed" in pipeline.item(killer)) == ("in_silver", False)
    pipeline.silver()
    failed = pipeline.item(killer)["failed"]
    assert (failed["stage"], failed["attempts"]) == ("silver", 3)
    assert failed["reason"].startswith("3 runs of the Silver job that took this file failed")
    assert "in_progress" not in pipeline.item("layer#silver")
    assert "starts" not in pipeline.item("breaker#silver")


def test_gold_publishes_no_file_that_was_given_up__its_run_is_done_again(before: dict[str, Pipeline]) -> None:
    pipeline = before["gold"].fork()
    pipeline.kill("gold", "proved")
    (given_up,) = pipeline.item("layer#gold")["in_progress"]["files"]
    Ledger(pipeline.ledger_table, "gold").fail(given_up, "its execution gave it up")
    pipeline.gold()
    item = pipeline.item(given_up)
    assert (item["status"], item["failed"]["reason"]) == ("in_silver", "its execution gave it up")
    assert pipeline.item("layer#gold")["published"]["silver_run_seq"] == 2
