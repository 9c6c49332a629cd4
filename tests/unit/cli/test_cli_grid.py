"""Tables fit their terminal: figures stay whole, words are not broken, and what matters least is left out."""

from __future__ import annotations

import io
import re
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.text import Text

from assay import console
from assay.grid import Column, Facts, Grid, Heading, beginning, middle

WORDS = st.lists(st.text("abcdefgh-_.", min_size=1, max_size=12), min_size=1, max_size=12).map(" ".join)
KEYS = st.lists(st.text("abcdé漢 -", min_size=1, max_size=30), min_size=1, max_size=5).map("/".join)
AMOUNTS = st.integers(-(10**12), 10**12).map(lambda cents: f"{cents / 100:,.2f}")


def drawn(what: RenderableType, width: int) -> list[str]:
    screen = Console(width=width, markup=False, highlight=False, emoji=False, no_color=True)
    with screen.capture() as captured:
        screen.print(what)
    return captured.get().splitlines()


def files(*rows: tuple[str, str, str, str]) -> Grid:
    grid = console.table(
        "Files",
        ("file", "rows", "why", "since"),
        right=("rows",),
        keys=("file",),
        lines=("why",),
        spare=("since", "why"),
    )
    for row in rows:
        grid.add_row(*row)
    return grid


@given(rows=st.lists(st.tuples(KEYS, AMOUNTS, WORDS, WORDS), min_size=1, max_size=6), width=st.integers(60, 200))
def test_each_row_is_one_line_with_its_figure_whole__any_width(
    rows: list[tuple[str, str, str, str]], width: int
) -> None:
    lines = drawn(files(*rows), width)
    assert len(lines) == len(rows) + 3  # the title, the headings and their rule
    assert all(cell_len(line) <= width for line in lines)
    assert all(amount in line for (_, amount, _, _), line in zip(rows, lines[3:], strict=True))


@given(text=st.lists(st.text("abcdefgh", min_size=1, max_size=18), min_size=1, max_size=30), width=st.integers(60, 120))
def test_prose_is_wrapped_between_words__any_width(text: list[str], width: int) -> None:
    grid = console.table("", ("what", "rows"), right=("rows",))
    grid.add_row(" ".join(text), "1")
    words = [word for line in drawn(grid, width)[2:] for word in line.replace(" 1", "").split()]
    assert words == text


@given(words=st.lists(st.text("abc-/", min_size=1, max_size=70), min_size=1, max_size=30), width=st.integers(40, 120))
def test_message_is_wrapped_between_words__a_longer_one_is_whole(words: list[str], width: int) -> None:
    printed = io.StringIO()
    screen = Console(width=width, file=printed, force_terminal=True, color_system=None)
    with patch.object(console, "err", return_value=screen):
        console.note("  do: " + " ".join(words))
    lines = printed.getvalue().splitlines()
    assert " ".join(lines).split() == ["do:", *words]
    assert all(line.startswith("  ") for line in lines)
    assert all(len(line) <= width or len(line.split()) == 1 for line in lines)


def test_message_shows_a_version_whole__its_digits_pass_the_check() -> None:
    version = "2f95d2f3-93b8-41a3-8e12-59366504091b"
    assert console.shown(f"version {version}\x07") == f"version {version}<U+0007>"
    assert "59366504091" not in console.shown(f"version {version[:-1]}")


def test_columns_go_in_the_order_in_which_they_are_spare__ever_narrower() -> None:
    grid = files(("transactions/a-file-with-a-long-name-of-2026-06-01.csv", "1,200", "it is broken " * 3, "2026-06-01"))
    headings = [drawn(grid, width)[1].split() for width in (120, 80, 60, 40)]
    assert headings == [
        ["file", "rows", "why", "since"],
        ["file", "rows", "why", "since"],
        ["file", "rows", "why"],
        ["file", "rows"],
    ]


def test_rows_become_records__nothing_can_be_left_out() -> None:
    grid = Grid("", [Column("name", "whole"), Column("amount", "figure")])
    grid.add_row("n" * 50, "1,234.56")
    grid.add_row("m" * 50, "7.00")
    assert [line.split() for line in drawn(grid, 54)] == [
        ["─", "1", "─" * 36],
        ["name", "n" * 46],
        ["n" * 4],
        ["amount", "1,234.56"],
        ["─", "2", "─" * 36],
        ["name", "m" * 46],
        ["m" * 4],
        ["amount", "7.00"],
    ]


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("transactions/demo/history.csv", 40, "transactions/demo/history.csv"),
        ("transactions/demo/history.csv", 19, "transa…/history.csv"),
        ("漢字漢字漢字漢字.csv", 12, "漢…漢字.csv"),
    ],
)
def test_key_is_shortened_in_its_middle(text: str, width: int, shown: str) -> None:
    assert middle(text, width) == shown
    assert cell_len(middle(text, width)) <= width


def test_line_is_shortened_behind_a_word() -> None:
    assert beginning("the page 12 of the file is damaged", 20) == "the page 12 of the…"
    assert beginning("one\ntwo", 20) == "one two"


def test_value_without_room_stands_below_its_name__and_is_whole() -> None:
    file_id = "ab" * 32
    assert [line.strip() for line in drawn(Facts([("file_id", file_id), ("size", "12")]), 68)] == [
        "file_id",
        file_id,
        "size     12",
    ]


def test_heading_keeps_what_follows_the_key__narrow() -> None:
    lines = drawn(Heading("Passport ", "transactions/" + "x" * 80 + "/end.csv", Text("  published")), 60)
    assert len(lines) == 1
    assert re.fullmatch(r"Passport transactions.*…x*/end\.csv  published", lines[0])
