"""The random histories hold every situation of the contract, and tell the rules apart from easier-looking ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import replace

import pytest
from histories import DATA, TWINS, History, histories
from hypothesis import Phase, find, given, settings
from order_model import NEVER, File, Name, Version, state
from run_model import OUTCOMES, SilverModel
from situations import made_of, situations


def test_histories_hold_every_situation__among_five_hundred() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=500, deadline=None, derandomize=True, database=None)
    @given(histories())
    def look(history: History) -> None:
        seen.update(situations(history))

    look()
    expected = {*OUTCOMES, "missing", "moved", "marker after its files", "marker with its files", "marker waits"}
    expected |= {"key comes back", "tombstone goes", "tombstone moves", "marker refused", "value of equal hash"}
    expected |= set(made_of(History((), ())))
    assert {name for name in expected if seen[name] < 10} == set()


@pytest.mark.parametrize(("examples", "least"), [(500, 1), pytest.param(1_000, 10, marks=pytest.mark.slow)])
def test_histories_hold_every_decision__among_many(examples: int, least: int) -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None)
    @given(histories(has_decisions=True))
    def look(history: History) -> None:
        seen.update(situations(history))

    look()
    expected = {"tombstone goes with its file"}
    for action in ("undo", "redo"):
        expected |= {action, *(f"{action} of a {kind}" for kind in (*DATA, "marker", "repair"))}
        expected |= {f"{action} {what}" for what in ("moves the floor", "keeps a value", "takes a key")}
        expected |= {f"{action} {what}" for what in ("gives a key back", "changes a value")}
    expected |= {f"repair {outcome}" for outcome in OUTCOMES if outcome != "quarantined"}
    expected |= {"repair of an undone file", "repair of a file of a load", "rows repaired twice"}
    expected |= {"repair moves another key"}
    assert {name for name in expected if seen[name] < least} == set()


def forget_floor(model: SilverModel, before: SilverModel) -> None:
    model.floor = (NEVER, 0, NEVER)


def forget_starts(model: SilverModel, before: SilverModel) -> None:
    model.starts.clear()


def forget_deletes_of_nothing(model: SilverModel, before: SilverModel) -> None:
    for key in model.tombstones.keys() - before.held().keys():
        del model.tombstones[key]


def keep_order_of_unchanged(model: SilverModel, before: SilverModel) -> None:
    for key in model.living.keys() & before.living.keys():
        if model.living[key].row.image == before.living[key].row.image:
            model.living[key] = before.living[key]


def take_equal_hash_for_equal(model: SilverModel, before: SilverModel) -> None:
    for key in model.living.keys() & before.living.keys():
        if {model.living[key].row.image, before.living[key].row.image} == TWINS:
            model.living[key] = before.living[key]


@pytest.mark.parametrize(
    "spoil",
    [take_equal_hash_for_equal, forget_floor, forget_starts, forget_deletes_of_nothing, keep_order_of_unchanged],
)
def test_histories_refute_easier_rules__what_a_run_leaves_is_spoiled(
    spoil: Callable[[SilverModel, SilverModel], None],
) -> None:
    def ends_elsewhere(history: History) -> bool:
        model = SilverModel()
        for batch in history.arrivals():
            before = copy(model)
            before.living, before.tombstones = dict(model.living), dict(model.tombstones)
            model.take(batch)
            spoil(model, before)
        found = {key: held.row.image for key, held in model.living.items()}
        expected = {key: held.row.image for key, held in state(history.arrived()).items() if held.row.op != "D"}
        return found != expected

    quick = settings(max_examples=2_000, derandomize=True, database=None, phases=[Phase.generate])
    found = find(histories(), ends_elsewhere, settings=quick)
    assert len(found.batches) >= 2


def decide_on_effects_only(model: SilverModel, name: Name) -> None:
    """Settle only keys whose living row the file wrote last, or which it deleted."""
    held = {key: found for key, found in model.held().items() if found.file.name != name}
    model.decide(name)
    keep(model, held)


def restore_what_was_there_before(model: SilverModel, name: Name) -> None:
    """Leave keys as they are where a newer file has written since, though the file held its floor."""
    places = model.floor, dict(model.starts)
    model.decide(name)
    model.floor, model.starts = places


def decide_without_moving_loads(model: SilverModel, name: Name) -> None:
    """Settle only the keys of the file, also where a floor or a load's position moves."""
    named = {row.key for row in model.taken[name].rows}
    held = {key: found for key, found in model.held().items() if key not in named}
    model.decide(name)
    keep(model, held, {key for key in model.held() if key not in named})


def leave_a_tombstone(model: SilverModel, name: Name) -> None:
    """Keep the tombstone of a delete that is undone."""
    held = {key: found for key, found in model.tombstones.items() if found.file.name == name}
    model.decide(name)
    model.tombstones |= {key: found for key, found in held.items() if key not in model.held()}


def keep(model: SilverModel, held: dict[int, Version], also: Iterable[int] = ()) -> None:
    for key in {*held, *also}:
        model.living.pop(key, None)
        model.tombstones.pop(key, None)
    for key, found in held.items():
        (model.tombstones if found.row.op == "D" else model.living)[key] = found


@pytest.mark.parametrize(
    "easier",
    [decide_on_effects_only, restore_what_was_there_before, decide_without_moving_loads, leave_a_tombstone],
)
def test_histories_refute_easier_decisions__files_are_undone_and_redone(
    easier: Callable[[SilverModel, Name], None],
) -> None:
    def ends_elsewhere(history: History) -> bool:
        model = SilverModel()
        for number, batch in enumerate(history.arrivals()):
            model.take(batch)
            for file in history.decided_after(number):
                if file.name in model.taken and file.subject == "transactions":
                    easier(model, file.name)
        return model.held() != state([file for file in history.arrived() if file.name not in model.undone])

    quick = settings(max_examples=2_000, derandomize=True, database=None, phases=[Phase.generate])
    assert find(histories(has_decisions=True, max_files=8), ends_elsewhere, settings=quick).decisions


def repair_as_an_upload(model: SilverModel, file: File) -> None:
    """Order a repair by its own object."""
    rows = tuple(replace(row, of=0) for row in file.rows)
    model.run([replace(file, kind="upload", original=None, rows=rows)])


def repair_own_keys_only(model: SilverModel, file: File) -> None:
    """Leave the keys that earlier repairs of the same rows have named."""
    named = {row.key for row in file.rows}
    held = {key: found for key, found in model.held().items() if key not in named}
    model.repair(file)
    keep(model, held, {key for key in model.held() if key not in named})


def repair_where_it_was_right_then(model: SilverModel, file: File) -> None:
    """Forget that a file is undone."""
    undone, model.undone = model.undone, set()
    model.repair(file)
    model.undone = undone


@pytest.mark.parametrize("easier", [repair_as_an_upload, repair_own_keys_only, repair_where_it_was_right_then])
def test_histories_refute_easier_repairs__files_are_undone_and_redone(
    easier: Callable[[SilverModel, File], None],
) -> None:
    def ends_elsewhere(history: History) -> bool:
        model = SilverModel()
        for number, batch in enumerate(history.arrivals()):
            model.run(batch)
            for file in model.ready_repairs():
                easier(model, file)
                model.repairs = [other for other in model.repairs if other is not file]
            for file in history.decided_after(number):
                if file.name in model.taken and file.subject == "transactions":
                    model.decide(file.name)
        arrived = [file for batch in history.arrivals() for file in batch if file.name in model.taken]
        expected = state([file for file in arrived if file.name not in model.undone])
        return values(model.held()) != values(expected)

    quick = settings(max_examples=2_000, derandomize=True, database=None, phases=[Phase.generate])
    found = find(histories(has_decisions=True, max_files=8), ends_elsewhere, settings=quick)
    assert any(file.original for file in found.files)


def values(held: dict[int, Version]) -> dict[int, object]:
    return {key: found.row.op == "D" or found.row.image for key, found in held.items()}
