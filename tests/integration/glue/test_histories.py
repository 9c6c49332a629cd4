"""Random histories through the real KPI handler and the real jobs end where the models say, and so does a replay.

Some are drawn, always the same, each a test of its own. `make fuzz HISTORIES=200` draws that many, others each time; a
failing one is printed as code that makes it again.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

import pytest
import rendering
from glue_pipeline import Event, Pipeline
from gold_model import days, facts, members, totals
from histories import EARLIER_LOAD_COMES_LATER, History, histories
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from layers import file_ids, gold_of, passport_expected, passport_of, state_expected, state_of
from order_model import File, state
from replaying import ANY_SHARE, comparable, replayed
from run_model import SilverModel

FUZZ = int(os.environ.get("ASSAY_HISTORIES", "0"))
UNHURRIED: Any = {"database": None, "deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
DRAWN, QUICK = 20, 5
DRAWS: Any = {"history": histories(max_files=4, max_batches=3), "choices": st.integers(0, 2**32 - 1)}


def drawn() -> list[Any]:
    """Return the histories of the tests: one made by hand, a few drawn ones, and more of these that run slowly.

    The first that hypothesis draws is the least one that there is, so it is not among the few.
    """
    found: list[tuple[History, int]] = []

    @settings(max_examples=DRAWN, derandomize=True, phases=[Phase.generate], **UNHURRIED)
    @given(**DRAWS)
    def draw(history: History, choices: int) -> None:
        found.append((history, choices))

    draw()
    few = range(1, QUICK + 1)
    return [
        pytest.param(EARLIER_LOAD_COMES_LATER, 0, id="earlier load comes later"),
        *(
            pytest.param(*case, id=f"drawn {number}", marks=() if number in few else pytest.mark.slow)
            for number, case in enumerate(found)
        ),
    ]


def process(pipeline: Pipeline, batches: list[list[tuple[File, Event]]], rng: Random) -> SilverModel:
    """Let each batch arrive, some events twice, and run Silver; Gold runs now and then, and at the end."""
    model = SilverModel()
    for batch in batches:
        for _, event in [*batch, batch[0]]:
            pipeline.arrive(event)
        pipeline.silver(more=ANY_SHARE)
        model.run(file for file, _ in batch)
        if rng.random() < 0.3:
            pipeline.gold()
    while model.is_ready:
        pipeline.silver(more=ANY_SHARE)
        model.run([])
    pipeline.gold()
    return model


def check(empty: Pipeline, history: History, choices: int) -> None:
    """Let a history happen and be replayed; compare rows, members, totals and passports with the models'."""
    rng, pipeline = Random(choices), empty.fork()
    stored = rendering.store(history.files, rng)
    batches = [rng.sample([stored[place] for place in batch], len(batch)) for batch in history.batches]
    model = process(pipeline, batches, rng)
    files, ids = [file for file, _ in stored], file_ids(stored)
    expected = {ids[name]: passport_expected(passport, "published") for name, passport in model.passports.items()}
    assert {file_id: passport_of(pipeline, file_id) for file_id in expected} == expected
    assert state_of(pipeline) == state_expected(state(files), ids)
    assert gold_of(pipeline) == {
        "facts": facts(files),
        "members": members(files),
        "days": dict.fromkeys(days(files), 1),
        "totals": totals(files),
    }
    assert comparable(replayed(pipeline, empty, rng)) == comparable(pipeline)


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
