"""Random histories through the real KPI handler and the real jobs end where the models say, and so does a replay.

`ASSAY_HISTORIES=200 pytest tests/integration/glue/test_histories.py` draws that many anew, instead of a few that are
always the same; a history that fails is printed as code that makes it again.
"""

from __future__ import annotations

import os
from random import Random

import pytest
import rendering
from glue_pipeline import Event, Pipeline
from gold_model import days, facts, members, totals
from histories import EARLIER_LOAD_COMES_LATER, History, histories
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from layers import file_ids, gold_of, passport_expected, passport_of, state_expected, state_of
from order_model import File, state
from replaying import comparable, replayed
from run_model import SilverModel

FUZZ = int(os.environ.get("ASSAY_HISTORIES", "0"))
PHASES = [Phase.explicit, Phase.generate, *([Phase.shrink] if FUZZ else [])]


def process(pipeline: Pipeline, batches: list[list[tuple[File, Event]]], rng: Random) -> SilverModel:
    """Let each batch arrive, some events twice, and run Silver; Gold runs now and then, and at the end."""
    model = SilverModel()
    for batch in batches:
        for _, event in [*batch, batch[0]]:
            pipeline.arrive(event)
        pipeline.silver()
        model.run(file for file, _ in batch)
        if rng.random() < 0.3:
            pipeline.gold()
    while model.is_ready:
        pipeline.silver()
        model.run([])
    pipeline.gold()
    return model


@pytest.mark.timeout(0 if FUZZ else 2400)
@settings(
    max_examples=FUZZ or 10,
    derandomize=not FUZZ,
    database=None,
    deadline=None,
    phases=PHASES,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(history=histories(max_files=4, max_batches=3), choices=st.integers(0, 2**32 - 1))
@example(history=EARLIER_LOAD_COMES_LATER, choices=0)
def test_layers_are_those_of_the_models__random_history(empty: Pipeline, history: History, choices: int) -> None:
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
