"""Characters that cannot be seen are shown by their numbers."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, $-77.00 [red] \"quoted\" 'Zürich' 東京", "plain, $-77.00 [red] \"quoted\" 'Zürich' 東京"),
        ("\ufeffid", "<U+FEFF>id"),
        ("amount\r", "amount<U+000D>"),
        ("a\x1b[31mred", "a<U+001B>[31mred"),
        ("new\nline\t\x00\x1a\x7f", "new<U+000A>line<U+0009><U+0000><U+001A><U+007F>"),
        ("1\u00a0234\u202f567\u2009890", "1<U+00A0>234<U+202F>567<U+2009>890"),
        ("\u200b\u200d\u2060\u202e\u2028\u0085", "<U+200B><U+200D><U+2060><U+202E><U+2028><U+0085>"),
        ("\u2212100.00 \u201320.00", "<U+2212>100.00 <U+2013>20.00"),
        ("\u3164\u2800\ufe0f\U000e0101", "<U+3164><U+2800><U+FE0F><U+E0101>"),
        ("\ud800", "<U+D800>"),
        ("", ""),
    ],
)
def test_invisible_characters_are_shown_by_number__others_stay(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("abc\ufeff", 8, "abc…"),
        ("\ufeff\ufeff", 8, "…"),
        ("\ufeff\ufeff", 9, "<U+FEFF>…"),
        ("ab", 1, "…"),
    ],
)
def test_text_is_shortened_to_whole_characters__with_an_ellipsis(text: str, most: int, shown: str) -> None:
    assert visible(text, most=most) == shown


@given(text=st.text(), most=st.integers(1, 400))
def test_shown_text_is_printable_and_bounded__any_text(text: str, most: int) -> None:
    shown = visible(text, most=most)
    assert len(shown) <= most
    assert shown.isprintable()
    shown.encode()
    assert not any(unicodedata.category(sign) in ("Cc", "Cf", "Zl", "Zp") for sign in shown)
