"""The models held to their own invariants over random histories, before the real jobs are held to the models."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from random import Random
from typing import Any

from histories import EARLIER_LOAD_COMES_LATER, INSTANTS, OF_TWO_LOADS, History, histories
from hypothesis import strategies as st
from order_model import File, Name, Row, Version, state
from run_model import OUTCOMES, SilverModel
from two_sizes import in_two_sizes


def cents(model: SilverModel) -> int:
    return sum(found.row.image.cents or 0 for found in model.living.values())


def cards_of(model: SilverModel) -> dict[int, Version]:
    assert model.cards is not None
    return model.cards.held()


def after(history: History) -> SilverModel:
    """Let a history happen, with its decisions on the files that were taken by then."""
    model = SilverModel()
    for number, batch in enumerate(history.arrivals()):
        model.take(batch)
        decide(model, history.decided_after(number))
    return model


def decide(model: SilverModel, files: list[File]) -> None:
    for file in files:
        if file.name in model.taken:
            model.decide(file.name)


def places(model: SilverModel) -> tuple[Any, ...]:
    return model.living, model.tombstones, model.floor, cards_of(model)


@in_two_sizes(75, 600, histories(has_decisions=True), is_fixed=True)
def test_runs_end_at_the_state_of_the_files__after_every_batch(history: History) -> None:
    model = SilverModel()
    arrived: list[File] = []
    for number, batch in enumerate(history.arrivals()):
        model.take(batch)
        arrived += batch
        for decided in [[], *([file] for file in history.decided_after(number))]:
            decide(model, decided)
            in_effect = [file for file in arrived if file.name not in model.undone]
            assert model.held() == state(in_effect)
            assert model.held() == state([file for file in model.taken.values() if file.name not in model.undone])
            assert cards_of(model) == state(in_effect, "cards")


@in_two_sizes(37, 300, histories(has_decisions=True), st.randoms(use_true_random=False), is_fixed=True)
def test_state_is_the_same__another_order_and_other_batches(history: History, rng: Random) -> None:
    first, again = after(history), SilverModel()
    files = history.arrived()
    rng.shuffle(files)
    while files:
        size = rng.randint(1, len(files))
        again.take(files[:size])
        files = files[size:]
        undecided = sorted((first.undone - again.undone) & again.taken.keys())
        for name in rng.sample(undecided, rng.randint(0 if files else len(undecided), len(undecided))):
            again.decide(name)
    assert places(again) == places(first)


@in_two_sizes(100, 800, histories(has_decisions=True), st.randoms(use_true_random=False), is_fixed=True)
def test_undo_leaves_what_would_be_there_without_the_file__any_file(history: History, rng: Random) -> None:
    model = after(replace(history, decisions=()))
    if not model.taken:
        return
    undone = rng.choice(sorted(model.taken))
    kept = [
        [file for file in batch if undone not in (file.name, file.original and file.original.name)]
        for batch in history.arrivals()
    ]
    never_seen = SilverModel()
    for batch in kept:
        never_seen.take(batch)
    model.decide(undone)
    assert places(model) == places(never_seen)


def as_if_right(files: list[File]) -> list[File]:
    """Return files that had been right from the start: with what repairs in effect say in the place of broken rows."""
    said: dict[Name, dict[int, Row]] = {}
    for repair in sorted((file for file in files if file.original), key=repair_instant):
        assert repair.original is not None
        said.setdefault(repair.original.name, {}).update({row.of: row for row in repair.rows})
    return [
        replace(file, rows=tuple(_right(row, said.get(file.name, {}).get(row.number)) for row in file.rows))
        for file in files
        if not file.original
    ]


def repair_instant(file: File) -> tuple[Any, ...]:
    return file.as_of_at or file.last_modified_at, file.key.encode(), file.sequencer.ljust(32, "0"), file.version_id


def _right(row: Row, said: Row | None) -> Row:
    return row if said is None else replace(said, number=row.number, of=0)


def values(held: dict[int, Version]) -> dict[int, Any]:
    """Return orders and values without who wrote them."""
    return {key: (found.order[:-1], found.row.op == "D" or found.row.image) for key, found in held.items()}


@in_two_sizes(100, 800, histories(has_decisions=True), is_fixed=True)
def test_repair_leaves_what_would_be_there_had_the_file_been_right__with_undo_and_redo(history: History) -> None:
    model, right = after(history), SilverModel()
    right.take(as_if_right([file for file in model.taken.values() if file.name not in model.undone]))
    assert values(model.held()) == values(right.held())
    assert model.floor == right.floor


@in_two_sizes(100, 800, histories(has_decisions=True), st.randoms(use_true_random=False), is_fixed=True)
def test_redo_restores_everything__files_undone_and_redone_in_any_order(history: History, rng: Random) -> None:
    model = after(history)
    before, undone = deepcopy(places(model)), set(model.undone)
    toggled = [name for name in sorted(model.taken) if rng.random() < 0.4]
    effects = [model.decide(name).effect for name in rng.sample(toggled, len(toggled))]
    effects += [model.decide(name).effect for name in rng.sample(toggled, len(toggled))]
    assert (places(model), model.undone, sum(effects)) == (before, undone, 0)


@in_two_sizes(37, 300, histories(has_decisions=True), is_fixed=True)
def test_runs_conserve_rows_and_cents__every_file_and_run(history: History) -> None:
    model = SilverModel()
    for number, batch in enumerate([*history.arrivals(), [], []]):
        before = cents(model)
        for name, passport in model.run(batch).items():
            rows = model.taken[name].rows
            assert set(passport.outcomes) <= set(OUTCOMES)
            assert sum(passport.outcomes.values()) == len(rows)
            assert sum(passport.amounts.values()) == sum(row.image.cents or 0 for row in rows)
            before += passport.effect
        assert cents(model) == before
        for file in model.ready_repairs():
            passport = model.repair(file)
            assert sum(passport.outcomes.values()) == len(file.rows)
            before += passport.effect
            assert cents(model) == before
        for file in history.decided_after(number) if history.batches else []:
            if file.name in model.taken:
                before += model.decide(file.name).effect
                assert cents(model) == before


def test_undo_moves_a_load_below_the_floor__another_load_holds_it() -> None:
    model = after(replace(OF_TWO_LOADS, decisions=()))
    newer, floor = OF_TWO_LOADS.decided_after(3)[0], model.floor
    assert {key: found.order[0] for key, found in model.held().items()} == {1: INSTANTS[4], 2: INSTANTS[4]}
    model.decide(newer.name)
    assert model.floor == floor
    assert {key: found.order[0] for key, found in model.held().items()} == {2: INSTANTS[4]}


def test_state_keeps_a_newer_load__one_that_began_earlier_comes_later() -> None:
    model = after(EARLIER_LOAD_COMES_LATER)
    assert {key: found.order[0] for key, found in model.living.items()} == {1: INSTANTS[4]}
    assert model.tombstones == {}
    assert sum(passport.missing for passport in model.passports.values()) == 0
