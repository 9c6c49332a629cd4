"""Each pattern of the contract means the same to Python and to polars; `test_patterns_in_java.py` asks Java, too."""

from __future__ import annotations

import re

import polars as pl
import pytest
from contract import patterns
from pattern_examples import ACCEPTED, REFUSED, examples

FORMS = {name: value for name, value in vars(patterns).items() if isinstance(value, str) and name.isupper()}
PARTS = {
    *("NO_BREAK", "BLANKS", "MINUS", "GROUPED_DIGITS", "UNSIGNED_AMOUNT", "DOLLAR", "SIGN", "SIGNED_AMOUNT"),
    *("AMOUNT_IN_PARENTHESES", "HOUR", "SIXTIETH", "CLOCK", "TIME_OF_DAY", "ISO_DAY", "EMPTY_FIELD"),
}


def test_examples_are_there__for_every_pattern_accepted_and_refused() -> None:
    assert set(ACCEPTED) == set(REFUSED) == set(FORMS) - PARTS


@pytest.mark.parametrize("name", ACCEPTED)
def test_pattern_accepts_and_refuses__in_python_and_polars(name: str) -> None:
    expected = {text: accepted for pattern, text, accepted in examples() if pattern == name}
    texts = list(expected)
    compiled = re.compile(FORMS[name])
    in_polars = pl.Series(texts).str.contains(f"^(?:{FORMS[name]})$").to_list()
    assert {text: compiled.fullmatch(text) is not None for text in texts} == expected
    assert dict(zip(texts, in_polars, strict=True)) == expected


@pytest.mark.parametrize("name", FORMS)
def test_pattern_has_no_anchor_and_no_class_that_engines_read_differently(name: str) -> None:
    assert not re.search(r"\\[dDwWsSbBzZA]|\(\?[^:]|[*+?}]\+|(?<![\[\\])\^|(?<!\\)\$", FORMS[name])
