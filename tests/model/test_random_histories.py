"""The random histories hold every situation of the contract, and tell the rules apart from easier-looking ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copy import copy

import pytest
from histories import TWINS, History, histories
from hypothesis import Phase, find, given, settings
from order_model import NEVER, state
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
