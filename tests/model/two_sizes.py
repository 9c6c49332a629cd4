"""Property tests in two sizes: the first eighth of their examples in a quick run, all of them in the slow tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

QUICK_SHARE = 8


def in_two_sizes(count: int, *drawn: SearchStrategy[Any], **more: Any) -> Callable[[Callable[..., None]], Any]:
    """Make a test of what must hold for `count` drawn examples, always the same; `more` are settings of hypothesis."""

    def as_test(holds: Callable[..., None]) -> Callable[[int], None]:
        @pytest.mark.parametrize("examples", [count // QUICK_SHARE, pytest.param(count, marks=pytest.mark.slow)])
        def test(examples: int) -> None:
            chosen = settings(max_examples=examples, deadline=None, derandomize=True, database=None, **more)
            chosen(given(*drawn)(holds))()

        test.__doc__ = holds.__doc__
        return test

    return as_test
