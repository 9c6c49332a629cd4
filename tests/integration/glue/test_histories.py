"""Random histories through the real KPI handler and the real jobs end where the models say, and so does a replay.

Some are drawn, always the same, each a test of its own. `make fuzz HISTORIES=200` draws that many, others each time; a
failing one is printed as code that makes it again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any
from unittest.mock import patch

import pytest
import rendering
from contract.aggregates import AGGREGATES, MEASURES
from glue_pipeline import Event, Pipeline
from gold_model import card_versions, days, facts, members, totals
from histories import EARLIER_LOAD_COMES_LATER, OF_TWO_LOADS, History, histories
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from layer_notebooks import GOLD
from layers import file_ids, gold_of, lake_of, passport_expected, passport_of, rows_of_state, state_expected, state_of
from order_model import File, Name, state
from replaying import ANY_SHARE, comparable, replayed
from run_model import Passport, SilverModel
from situations import situations

from assay.explain import cell
from assay.explain.biography import biography
from assay.query import Lake
from glue.lake import decisions

FUZZ = int(os.environ.get("ASSAY_HISTORIES", "0"))
UNHURRIED: Any = {"database": None, "deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
DRAWN, QUICK_RUNS = 30, 8
"""So many histories are drawn; a quick run takes one of at most so many runs of Silver, kills aside."""
KILLED = 0.25
STEPS = {
    "silver": ("begun", "read", "written", "proved", "before_intent", "after_intent", "files_advanced", "published"),
    "gold": ("begun", "dimensions_written", "proved", "before_intent", "after_intent", "files_advanced", "published"),
}
LOOKS = ("after_intent", "fast_forwarded")
DRAWS: Any = {
    "history": histories(max_files=8, max_batches=3, has_decisions=True),
    "choices": st.integers(0, 2**32 - 1),
}


@pytest.fixture(autouse=True, scope="module")
def searches_of_large_lakes() -> Iterator[None]:
    """Gold looks at a part of the rows before it looks at all; here already of a few rows, and of a few members."""
    with patch.object(GOLD, "SEARCHED_ROWS", 3), patch.object(decisions, "FEW_MEMBERS", 2):
        yield


def drawn() -> list[Any]:
    """Return the histories of the tests: made by hand and drawn; one is quick, the others are run slowly.

    The quick one is that which holds the most situations in few runs.
    """
    found: list[tuple[History, int]] = []

    @settings(max_examples=DRAWN, derandomize=True, phases=[Phase.generate], **UNHURRIED)
    @given(**DRAWS)
    def draw(history: History, choices: int) -> None:
        found.append((history, choices))

    draw()
    quick = quick_one([history for history, _ in found])
    return [
        pytest.param(EARLIER_LOAD_COMES_LATER, 0, id="earlier load comes later", marks=pytest.mark.slow),
        pytest.param(OF_TWO_LOADS, 0, id="one of two loads is undone", marks=pytest.mark.slow),
        *(
            pytest.param(*case, id=f"drawn {number}", marks=() if number == quick else pytest.mark.slow)
            for number, case in enumerate(found)
        ),
    ]


def quick_one(drawn: list[History]) -> int:
    """Return the place of the history that holds the most situations among those of few runs."""
    few = [place for place, history in enumerate(drawn) if runs_of(history) <= QUICK_RUNS]
    return max(few, key=lambda place: len(situations(drawn[place])))


def runs_of(history: History) -> int:
    """Return how often Silver is run for a history at least: once a batch, a repair and a decision."""
    repairs = sum(file.original is not None for file in history.files)
    return len(history.batches) + repairs + len(history.decisions)


def process(
    pipeline: Pipeline,
    history: History,
    stored: dict[int, tuple[File, Event]],
    ids: dict[Name, str],
    rng: Random,
) -> tuple[SilverModel, dict[str, Passport]]:
    """Let each batch arrive, some events twice, and run Silver; Gold runs now and then, and at the end.

    Now and then a job is killed at one of its steps, and the next one recovers what it has left. After a batch come its
    repairs, then somebody undoes and redoes files; return the model, and what each action must report.
    """
    model, actions = SilverModel(), dict[str, Passport]()
    for number, places in enumerate(history.batches):
        batch = [stored[place] for place in rng.sample(places, len(places)) if place in stored]
        for _, event in [*batch, *batch[:1]]:
            pipeline.arrive(event)
        killed = rng.random() < KILLED and pipeline.is_killed("silver", rng.choice(STEPS["silver"]), more=ANY_SHARE)
        take(pipeline, model, [file for file, _ in batch], ids, repeats=killed)
        repairs = [place for place in places if history.files[place].original]
        for place in rng.sample(repairs, len(repairs)):
            stored[place] = repair(pipeline, model, history, place, stored, ids, rng)
        for place in history.decided_places(number):
            if place in stored and stored[place][0].name in model.taken:
                actions |= decide(pipeline, model, stored[place][0].name, ids, rng)
        if rng.random() < 0.3:
            run_gold(pipeline, rng)
    while model.is_ready:
        take(pipeline, model, [], ids)
    run_gold(pipeline, rng)
    return model, actions


def decide(
    pipeline: Pipeline, model: SilverModel, name: Name, ids: dict[Name, str], rng: Random
) -> dict[str, Passport]:
    """Undo or redo a file, perhaps with a job that is killed; a marker that waits is taken before."""
    action = pipeline.decide(ids[name])
    if model.is_ready:
        model.run([])
    elif rng.random() < KILLED:
        pipeline.is_killed("silver", rng.choice(STEPS["silver"]), more=ANY_SHARE)
    pipeline.silver(action, more=ANY_SHARE)
    return {action: model.decide(name)}


def repair(
    pipeline: Pipeline,
    model: SilverModel,
    history: History,
    place: int,
    stored: dict[int, tuple[File, Event]],
    ids: dict[Name, str],
    rng: Random,
) -> tuple[File, Event]:
    """Have a repair arrive, and taken, perhaps by a job that is killed; a marker that waits is taken before."""
    planned = history.files[place]
    assert planned.original is not None
    original = stored[history.files.index(planned.original)][0]
    columns = pipeline.item(ids[original.name])["format"]["places"]
    file, event = rendering.store_repair(replace(planned, original=original), ids[original.name], columns, rng)
    ids[file.name] = pipeline.arrive(event)
    if model.is_ready:
        model.run([])
    elif rng.random() < KILLED:
        pipeline.is_killed("silver", rng.choice(STEPS["silver"]), more=ANY_SHARE)
    pipeline.silver(ids[file.name], more=ANY_SHARE)
    model.repair(file)
    return file, event


def take(
    pipeline: Pipeline, model: SilverModel, files: list[File], ids: dict[Name, str], *, repeats: bool = False
) -> None:
    """Run Silver while a reader looks on, who sees it before a run or after it.

    A job that repeats a killed run takes what waits beside it in a run of its own.
    """
    moments, seen = [state_expected(model.living, ids)], []
    model.run(files)
    moments.append(state_expected(model.living, ids))
    if repeats and model.is_ready:
        model.run([])
        moments.append(state_expected(model.living, ids))

    def look(step: str, **_: object) -> None:
        if step in LOOKS:
            seen.append(rows_of_state(pipeline, "transactions"))

    pipeline.run("silver", at_step=look, more=ANY_SHARE)
    assert [each for each in seen if each not in moments] == []


def run_gold(pipeline: Pipeline, rng: Random) -> None:
    if rng.random() < KILLED:
        pipeline.is_killed("gold", rng.choice(STEPS["gold"]))
    pipeline.gold()


def check(empty: Pipeline, history: History, choices: int) -> None:
    """Let a history happen and be replayed; compare rows, members, totals and passports with the models'."""
    rng, pipeline = Random(choices), empty.fork()
    places = [place for place, file in enumerate(history.files) if not file.original]
    stored = dict(zip(places, rendering.store(history.files, rng), strict=True))
    ids = file_ids(stored.values())
    model, actions = process(pipeline, history, stored, ids, rng)
    arrived = [stored[place][0] for batch in history.batches for place in batch]
    files = [file for file in arrived if file.name not in model.undone]
    reports = {ids[name]: passport for name, passport in model.passports.items()} | actions
    expected = {file_id: passport_expected(passport, "published") for file_id, passport in reports.items()}
    assert {file_id: passport_of(pipeline, file_id) for file_id in expected} == expected
    refused = {item["file_id"] for item in pipeline.items() if item.get("status") == "rejected"}
    assert refused == {ids[name] for name in model.rejected | model.refused}
    assert state_of(pipeline) == state_expected(state(files), ids)
    assert gold_of(pipeline) == {
        "facts": facts(files),
        "members": members(files),
        "cards": card_versions(files),
        "days": dict.fromkeys(days(files), 1),
        "totals": totals(files),
    }
    assert cells_that_do_not_add_up(pipeline) == []
    assert comparable(replayed(pipeline, empty, rng)) == comparable(pipeline)


def cells_that_do_not_add_up(pipeline: Pipeline) -> list[str]:
    """Explain every cell of every aggregate, and every key; return those whose effects come to something else."""
    with lake_of(pipeline) as lake:
        found: list[Any] = [
            cell.explain(lake, each, since=since)
            for table in AGGREGATES
            for each in cells_of(pipeline, lake, table)
            for since in (0, 1)
        ]
        found += [
            biography(lake, key) for key in {row["dms_id"] for row in pipeline.rows("silver.transaction_history")}
        ]
    assert found
    return [str(each) for each in found if not each.adds_up]


def cells_of(pipeline: Pipeline, lake: Lake, table: str) -> list[cell.Cell]:
    """Find the cells of an aggregate by what a person reads in it."""
    names = [name for name in AGGREGATES[table].schema if name not in MEASURES]
    keys = [name for name in names if name not in ("client_id", "card_id")]
    return [cell.find(lake, table, [str(row[name]) for name in keys]) for row in pipeline.rows(f"gold.{table}")]


if FUZZ:

    @pytest.mark.timeout(0)
    @settings(max_examples=FUZZ, phases=[Phase.generate, Phase.shrink], print_blob=True, **UNHURRIED)
    @given(**DRAWS)
    def test_layers_are_those_of_the_models__history_drawn_anew(
        empty: Pipeline, history: History, choices: int
    ) -> None:
        check(empty, history, choices)

else:

    @pytest.mark.parametrize(("history", "choices"), drawn())
    def test_layers_are_those_of_the_models__random_history(empty: Pipeline, history: History, choices: int) -> None:
        check(empty, history, choices)
