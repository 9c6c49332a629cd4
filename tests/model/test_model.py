"""The models held to their own invariants over random histories, before the real jobs are held to the models."""

from __future__ import annotations

from random import Random

from histories import EARLIER_LOAD_COMES_LATER, INSTANTS, History, histories
from hypothesis import given, settings
from hypothesis import strategies as st
from order_model import File, Version, state
from run_model import OUTCOMES, SilverModel


def seeded(max_examples: int) -> settings:
    return settings(max_examples=max_examples, deadline=None, derandomize=True, database=None)


def cents(model: SilverModel) -> int:
    return sum(found.row.image.cents or 0 for found in model.living.values())


def cards_of(model: SilverModel) -> dict[int, Version]:
    assert model.cards is not None
    return model.cards.held()


def after(history: History) -> SilverModel:
    model = SilverModel()
    for batch in history.arrivals():
        model.take(batch)
    return model


@seeded(600)
@given(histories())
def test_runs_end_at_the_state_of_the_files__after_every_batch(history: History) -> None:
    model = SilverModel()
    arrived: list[File] = []
    for batch in history.arrivals():
        model.take(batch)
        arrived += batch
        assert model.held() == state(arrived)
        assert model.held() == state(list(model.taken.values()))


@seeded(300)
@given(histories(), st.randoms(use_true_random=False))
def test_state_is_the_same__another_order_and_other_batches(history: History, rng: Random) -> None:
    files = history.arrived()
    rng.shuffle(files)
    again = SilverModel()
    while files:
        size = rng.randint(1, len(files))
        again.take(files[:size])
        files = files[size:]
    first = after(history)
    assert (again.living, again.tombstones, again.floor) == (first.living, first.tombstones, first.floor)
    assert cards_of(again) == cards_of(first) == state(history.arrived(), "cards")


@seeded(300)
@given(histories())
def test_runs_conserve_rows_and_cents__every_file_and_run(history: History) -> None:
    model = SilverModel()
    for batch in [*history.arrivals(), [], []]:
        before = cents(model)
        for name, passport in model.run(batch).items():
            rows = model.taken[name].rows
            assert set(passport.outcomes) <= set(OUTCOMES)
            assert sum(passport.outcomes.values()) == len(rows)
            assert sum(passport.amounts.values()) == sum(row.image.cents or 0 for row in rows)
            before += passport.effect
        assert cents(model) == before


def test_state_keeps_a_newer_load__one_that_began_earlier_comes_later() -> None:
    model = after(EARLIER_LOAD_COMES_LATER)
    assert {key: found.order[0] for key, found in model.living.items()} == {1: INSTANTS[4]}
    assert model.tombstones == {}
    assert sum(passport.missing for passport in model.passports.values()) == 0
