"""Figures that must never change: with them, every sample file would."""

import numpy as np
import pytest

from devcloud.sample.draws import Weighted, below, draw, evenly, shuffled, stream


def test_draw_gives_splitmix64__for_the_published_seed() -> None:
    # The first outputs of the reference implementation (Vigna, splitmix64.c) for the seed 1234567.
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert draw(1234567, 4).tolist() == expected


def test_draw_can_be_had_in_parts__at_any_position() -> None:
    key = stream("any", 7, "name")
    whole = draw(key, 1000)
    parts = np.concatenate([draw(key, 300), draw(key, 700, first=300)])
    assert whole.tolist() == parts.tolist()


def test_stream_is_the_same_everywhere__for_the_same_names() -> None:
    assert stream("block", 7, 0, "rows") == 9424836113908750047
    assert stream("block", 7, 0, "rows") != stream("block", 70, "rows")


@pytest.mark.parametrize("limit", [1, 2, 60, 10_000, 2**31 - 1])
def test_below_stays_in_range__for_any_limit(limit: int) -> None:
    numbers = below(draw(2, 100_000), limit)
    assert numbers.min() >= 0
    assert numbers.max() < limit
    assert numbers.mean() == pytest.approx((limit - 1) / 2, rel=0.03)


def test_weighted_picks_by_weight__and_never_what_weighs_nothing() -> None:
    counts = np.bincount(Weighted([5, 0, 15, 80]).pick(draw(3, 100_000)), minlength=4) / 1000
    assert counts.tolist() == pytest.approx([5, 0, 15, 80], abs=0.5)
    assert counts[1] == 0


def test_shuffled_is_a_permutation__of_all_numbers() -> None:
    order = shuffled(9, 1000)
    assert sorted(order.tolist()) == list(range(1000))
    assert order.tolist() != list(range(1000))


def test_evenly_gives_each_choice_its_share__with_few_draws() -> None:
    assert np.bincount(Weighted([1, 1, 2]).pick(evenly(5, 100))).tolist() == pytest.approx([25, 25, 50], abs=1)
