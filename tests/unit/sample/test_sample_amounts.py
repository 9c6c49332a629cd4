"""Amounts follow their category's quantiles, straight between two of them, in whole cents."""

from itertools import pairwise

import numpy as np
import pytest

from devcloud.sample import figures
from devcloud.sample.amounts import GRID, PERCENTAGES, amounts_cents
from devcloud.sample.draws import Integers, draw

COUNT = 400_000


def drawn(code: int, *, sends_zero: bool = False) -> Integers:
    mcc = np.full(COUNT, figures.CODES.index(code))
    return amounts_cents(mcc, draw(code, COUNT), sends_zero=np.full(COUNT, sends_zero))


@pytest.mark.parametrize("code", [5411, 5812, 4784, 3000, 7011])
def test_amounts_follow_the_quantiles__of_their_category(code: int) -> None:
    grid = GRID[figures.CODES.index(code)]
    cents = drawn(code)
    assert cents.dtype == np.int64
    assert grid[0] <= cents.min()
    assert cents.max() <= grid[-1]
    middles = [(low + high) / 2 for low, high in pairwise(PERCENTAGES)]
    expected = (grid[:-1] + grid[1:]) / 2
    assert np.percentile(cents, middles)[2:18] == pytest.approx(expected[2:18], rel=0.03, abs=2)


def test_transfers_are_multiples_of_twenty_dollars__eighty_most_often() -> None:
    cents = drawn(4829)
    assert set(cents % 2000) == {0}
    values, counts = np.unique(cents, return_counts=True)
    assert values[counts.argmax()] == 8000
    assert values.min() == 2000


def test_transfers_of_nothing_occur__for_clients_that_send_nothing() -> None:
    assert np.mean(drawn(4829, sends_zero=True) == 0) == pytest.approx(0.35, abs=0.01)
    assert drawn(5411, sends_zero=True).min() > 0
