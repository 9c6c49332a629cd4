"""Property tests in two sizes: with some of their examples in a quick run, with all of them in the slow tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

Holds = Callable[..., None]


def in_two_sizes(
    quick: int, slow: int, *drawn: SearchStrategy[Any], is_fixed: bool = False, **named: SearchStrategy[Any]
) -> Callable[[Holds], Callable[[int], None]]:
    """Make a test of what must hold for drawn examples: the same ones in each run if they are to be fixed."""
    fixed: dict[str, Any] = {"derandomize": True, "database": None} if is_fixed else {}

    def as_test(holds: Holds) -> Callable[[int], None]:
        @pytest.mark.parametrize("examples", [quick, pytest.param(slow, marks=pytest.mark.slow)])
        def test(examples: int) -> None:
            settings(max_examples=examples, **fixed)(given(*drawn, **named)(holds))()

        return test

    return as_test
