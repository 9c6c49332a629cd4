"""A table that fits its terminal: no figure is cut, no word is broken, and what matters least goes first.

Columns that have no room are left out in the order in which they are named `spare`; keys are shortened in their middle,
lines at their end, and prose is wrapped between words; spare prose is shown whole or not at all. What does not fit even
so is drawn as records, one value a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from rich.box import Box
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

GAP = 2
LEAST_KEY = 24
LEAST_LINE = 20
LEAST_PROSE = 20
RULES = Box("    \n    \n ── \n    \n ── \n ── \n    \n    \n")
"""A rule below the headings, and one before each section."""
LONGEST_NAME = 24  # the names of a record's values take no more


@dataclass(frozen=True)
class Column:
    """A column: its `kind` is figure, whole, key, line or prose; the higher its `spare`, the sooner it goes."""

    name: str
    kind: str = "prose"
    spare: int = 0

    def least(self, cells: Sequence[Text]) -> int:
        """Return the width below which the column cannot be read."""
        natural = width_of(cells)
        if self.kind in ("figure", "whole") or (self.kind == "prose" and self.spare):
            return natural
        if self.kind == "prose":
            words = [cell_len(word) for cell in cells for word in cell.plain.split()]
            return min(natural, max(min(max(words, default=0), LEAST_KEY), LEAST_PROSE))
        return min(natural, max(LEAST_KEY if self.kind == "key" else LEAST_LINE, cell_len(self.name)))

    def fitted(self, cell: Text, width: int) -> Text:
        """Return a cell as it is drawn in so many columns."""
        if self.kind == "key":
            return _restyled(cell, middle(cell.plain, width))
        if self.kind == "line":
            return _restyled(cell, beginning(cell.plain, width))
        if any(cell_len(word) > width for word in cell.plain.split()):
            return _restyled(cell, "\n".join(_short_words(line, width) for line in cell.plain.split("\n")))
        return cell


class Grid(Table):
    """A table of columns of one kind each; callers add rows of text."""

    def __init__(self, title: str, columns: Iterable[Column], *, records: bool = False) -> None:
        super().__init__(title=title, header_style="bold", box=RULES, show_edge=False, pad_edge=False)
        self.kinds = tuple(columns)
        self.records = records
        for column in self.kinds:
            right = column.kind == "figure"
            self.add_column(column.name, justify="right" if right else "left", no_wrap=column.kind != "prose")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(20, options.max_width), options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        cells = [[_text(cell) for cell in column.cells] for column in self.columns]
        widths = self.widths(cells, options.max_width)
        if self.title:
            yield Text(str(self.title), style="bold")
        if widths is None:
            yield from self._as_records(cells, options.max_width)
        else:
            yield from self._as_table(cells, widths).__rich_console__(console, options)
        if self.caption:
            yield Text(str(self.caption), style="dim")

    def fits(self, room: int) -> bool:
        """Tell whether the grid is drawn as a table in so many columns."""
        return self.widths([[_text(cell) for cell in column.cells] for column in self.columns], room) is not None

    def _whole(self, cells: Sequence[Sequence[Text]]) -> list[Sequence[Text]]:
        """Return each column's cells with its heading."""
        if not self.show_header:
            return list(cells)
        return [[*of_column, Text(column.name)] for of_column, column in zip(cells, self.kinds, strict=True)]

    def widths(self, cells: Sequence[Sequence[Text]], room: int) -> dict[int, int] | None:
        """Return the width of each column that is drawn, by its place; None where there is no room for a table."""
        if self.records:
            return None
        whole = self._whole(cells)
        least = [column.least(each) for column, each in zip(self.kinds, whole, strict=True)]
        chosen = list(range(len(self.kinds)))
        while sum(least[place] + GAP for place in chosen) - GAP > room:
            spare = max(chosen, key=lambda place: self.kinds[place].spare)
            if not self.kinds[spare].spare:
                return None
            chosen.remove(spare)
        found = {place: least[place] for place in chosen}
        left = room - (sum(found.values()) + GAP * (len(chosen) - 1))
        for kind in ("key", "line", "prose"):
            for place in (place for place in chosen if self.kinds[place].kind == kind):
                more = min(left, width_of(whole[place]) - found[place])
                found[place], left = found[place] + more, left - more
        return found

    def _as_table(self, cells: Sequence[Sequence[Text]], widths: dict[int, int]) -> Table:
        drawn = Table(
            header_style="bold",
            box=self.box,
            padding=(0, GAP - 1, 0, 0),
            show_edge=False,
            pad_edge=False,
            show_header=self.show_header,
        )
        for place, width in widths.items():
            column = self.columns[place]
            drawn.add_column(
                column.header, justify=column.justify, width=width, no_wrap=column.no_wrap, overflow="fold"
            )
        for number, row in enumerate(self.rows):
            fitted = [self.kinds[place].fitted(cells[place][number], width) for place, width in widths.items()]
            drawn.add_row(*fitted, end_section=row.end_section)
        return drawn

    def _as_records(self, cells: Sequence[Sequence[Text]], room: int) -> Iterator[RenderableType]:
        """Draw each row as lines of name and value, under a rule with its number where there are several."""
        named = min(max((cell_len(column.name) for column in self.kinds), default=0), LONGEST_NAME)
        value = max(room - named - GAP, 10)
        for number, _ in enumerate(self.rows, 1):
            if len(self.rows) > 1:
                yield Text(f"─ {number:,} ".ljust(min(room, 40), "─"), style="dim")
            record = Table(box=None, show_header=False, show_edge=False, pad_edge=False, padding=(0, GAP, 0, 0))
            record.add_column(style="dim", width=named, overflow="fold")
            record.add_column(overflow="fold", max_width=value)
            for column, of_column in zip(self.kinds, cells, strict=True):
                if (cell := of_column[number - 1]).plain:
                    record.add_row(column.name, column.fitted(cell, value) if column.kind == "key" else cell)
            yield record


def width_of(cells: Iterable[Text]) -> int:
    return max((cell_len(line) for cell in cells for line in cell.plain.split("\n")), default=0)


def middle(text: str, width: int) -> str:
    """Shorten a text in its middle: a key is known by its folder and, most of all, by its end."""
    if cell_len(text) <= width:
        return text
    head = (width - 1) // 3
    tail = text
    while cell_len(tail) > width - 1 - head:
        tail = tail[1:]
    return f"{set_cell_size(text, head).rstrip()}…{tail}"


def beginning(text: str, width: int) -> str:
    """Shorten a line at its end, between two words if there is room for one."""
    text = " ".join(text.split("\n"))
    if cell_len(text) <= width:
        return text
    cut = set_cell_size(text, max(width - 1, 0))
    whole, blank, _ = cut.rpartition(" ")
    return f"{(whole if blank and cell_len(whole) > width // 2 else cut).rstrip()}…"


def _short_words(line: str, width: int) -> str:
    return " ".join(middle(word, width) for word in line.split(" "))


def _restyled(cell: Text, plain: str) -> Text:
    return cell if plain == cell.plain else Text(plain, style=_style(cell))


def _style(cell: Text) -> str:
    return str(cell.spans[0].style if cell.spans and not cell.style else cell.style)


def _text(cell: RenderableType) -> Text:
    return cell if isinstance(cell, Text) else Text(str(cell))


@dataclass(frozen=True)
class Facts:
    """Names and values, a line each; a value with a word that has no room beside its name stands below it.

    Nothing is left out, since identities are copied from here: a word longer than a whole line runs on to the next.
    """

    known: Sequence[tuple[str, str]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        named = min(max((cell_len(name) for name, _ in self.known), default=0), LONGEST_NAME)
        room = max(options.max_width - named - GAP, 1)
        for name, value in self.known:
            label = Text(name, style="dim")
            if max(map(cell_len, value.split()), default=0) > room:
                yield label
                yield Padding(Text(value, overflow="fold"), (0, 0, 0, GAP), expand=False)
                continue
            line = Table.grid(padding=(0, GAP, 0, 0))
            line.add_column(width=named, overflow="fold")
            line.add_column(overflow="fold")
            line.add_row(label, value)
            yield line


@dataclass(frozen=True)
class Heading:
    """A key with words before and after it, on one line: the key is shortened in its middle if need be."""

    before: str
    key: str
    after: Text = field(default_factory=Text)
    style: str = "bold"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = options.max_width - cell_len(self.before) - cell_len(self.after.plain)
        yield Text.assemble((self.before + middle(self.key, max(room, LEAST_KEY)), self.style), self.after)
