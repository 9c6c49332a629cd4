"""Draws stacked bars as inline SVG: whole numbers from the figure to the pixel, and colours from the page's own style.

Money stays in cents, so that no figure passes through binary floating point (`docs/adr/0016-report.md`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from markupsafe import Markup

from assay.console import shown

WIDTHS = {6: 480, 16: 720}
"""How wide plots of so many bars are at the most, so that a phone shows the few whole."""
WIDEST, HEIGHT = 960, 280
LEFT, TOP, RIGHT, BOTTOM = 118, 10, 8, 44
INNER_HEIGHT = HEIGHT - TOP - BOTTOM
STEPS = 5
LABEL_WIDTH, LINE, SIGN_WIDTH = 116, 18, 10
WIDEST_BAR = 72


class Unit(Enum):
    """What the values of a plot are."""

    ROWS = "rows"
    CENTS = "cents"

    def written(self, value: int) -> str:
        """Return a figure as the page writes it, `12,000` rows or `1,234.56`."""
        if self is Unit.ROWS:
            return f"{value:,}"
        whole, cents = divmod(abs(value), 100)
        return f"{'-' if value < 0 else ''}{whole:,}.{cents:02}"

    def on_axis(self, value: int) -> str:
        return f"{value:,}" if self is Unit.ROWS else f"{value // 100:,}"


@dataclass(frozen=True)
class Series:
    """One colour of a plot: a value for each of its labels. `style` is a class of the page's style sheet."""

    name: str
    style: str
    values: Sequence[int]


@dataclass(frozen=True)
class Plot:
    """Bars in the order of their labels; `title` says what is shown, `told` the same in words and figures.

    `names` are of the bars, where their labels do not tell them apart.
    """

    title: str
    told: str
    unit: Unit
    labels: Sequence[str]
    series: Sequence[Series]
    names: Sequence[str] = ()

    @property
    def width(self) -> int:
        return next((width for bars, width in WIDTHS.items() if len(self.labels) <= bars), WIDEST)

    @property
    def inner_width(self) -> int:
        return self.width - LEFT - RIGHT

    @property
    def is_empty(self) -> bool:
        return not any(value for each in self.series for value in each.values)

    @property
    def shown(self) -> list[Series]:
        """The series that have anything to show."""
        return [each for each in self.series if any(each.values)]


@dataclass(frozen=True)
class Scale:
    """What the vertical axis shows: from `low` to `high`, with a line at each multiple of `step`."""

    low: int
    high: int
    step: int

    def y(self, value: int) -> int:
        return TOP + (self.high - value) * INNER_HEIGHT // (self.high - self.low)


def scale_of(plot: Plot) -> Scale:
    """Return a scale of round steps that holds each stack of bars, above zero and below it."""
    stacks = list(zip(*(each.values for each in plot.series), strict=True))
    high = max((sum(value for value in stack if value > 0) for stack in stacks), default=0)
    low = min((sum(value for value in stack if value < 0) for stack in stacks), default=0)
    step = _round_up((high - low + STEPS - 1) // STEPS, least=1 if plot.unit is Unit.ROWS else 100)
    return Scale(low, max(-(-high // step) * step, low + step), step)


def _round_up(value: int, *, least: int) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, 50 … times `least` that is not below a value."""
    power = least
    while True:
        for factor in (1, 2, 5):
            if factor * power >= value:
                return factor * power
        power *= 10


def draw(plot: Plot) -> Markup:
    """Return the SVG of a plot. A screen reader hears its title and what it tells; a mouse finds each bar's figure."""
    scale = scale_of(plot)
    head = Markup(
        '<svg class="plot" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}. {}">'
    ).format(plot.width, HEIGHT, plot.width, HEIGHT, shown(plot.title), shown(plot.told))
    parts = [head, *_lines(plot, scale), *_bars(plot, scale), *_labels(plot), Markup("</svg>")]
    return Markup("").join(parts)


def _lines(plot: Plot, scale: Scale) -> Iterator[Markup]:
    line = Markup('<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="tick" x="{}" y="{}">{}</text>')
    for value in range(-(-scale.low // scale.step) * scale.step, scale.high + 1, scale.step):
        y, style = scale.y(value), "grid" if value else "zero"
        yield line.format(style, LEFT, plot.width - RIGHT, y, y, LEFT - 8, y + 4, plot.unit.on_axis(value))


def _place(plot: Plot, number: int) -> tuple[int, int]:
    """Return where a bar begins and how wide it is."""
    start, end = (plot.inner_width * place // len(plot.labels) for place in (number, number + 1))
    room = end - start
    width = min(max(room - max(room // 5, 1), 1), WIDEST_BAR)
    return LEFT + start + (room - width) // 2, width


def _bars(plot: Plot, scale: Scale) -> Iterator[Markup]:
    bar = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}: {} {}</title></rect>')
    for number, name in enumerate(plot.names or plot.labels):
        x, width = _place(plot, number)
        above = below = 0
        for each in plot.series:
            value = each.values[number]
            if not value:
                continue
            start = above if value > 0 else below
            top, bottom = scale.y(max(start, start + value)), scale.y(min(start, start + value))
            written = plot.unit.written(value)
            yield bar.format(each.style, x, top, width, max(bottom - top, 1), shown(name), written, shown(each.name))
            above, below = (above + value, below) if value > 0 else (above, below + value)


def _labels(plot: Plot) -> Iterator[Markup]:
    text = Markup('<text class="label" x="{}" y="{}">{}</text>')
    each = max(-(-LABEL_WIDTH * len(plot.labels) // plot.inner_width), 1)
    # Each of a few bars is named: on two lines where one has no room for all.
    lines = 2 if 2 < len(plot.labels) <= min(WIDTHS) else 1
    for number in range(0, len(plot.labels), each if lines == 1 else 1):
        x, width = _place(plot, number)
        label = plot.labels[number]
        middle = min(x + width // 2, plot.width - len(label) * SIGN_WIDTH // 2)
        yield text.format(middle, HEIGHT - BOTTOM + LINE * (1 + number % lines), shown(label))
