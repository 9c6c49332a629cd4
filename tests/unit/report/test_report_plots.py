"""Plots: each figure is where the axis says, and a reader without eyes hears it."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from generated_month import month
from hypothesis import given
from hypothesis import strategies as st

from assay.report.charts import by_channel, by_outcome, by_rule, cents, intervals
from assay.report.plots import HEIGHT, TOP, Plot, Series, Unit, draw, scale_of

VALUES = st.integers(-(10**15), 10**15)


def plot(*series: tuple[int, ...], unit: Unit = Unit.CENTS) -> Plot:
    labels = [str(number) for number in range(len(series[0]))]
    return Plot("t", "told", unit, labels, [Series(f"s{n}", f"c{n}", each) for n, each in enumerate(series)])


@given(st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=8))
def test_bars_stay_inside_the_plot__any_figures(stacks: list[tuple[int, int, int]]) -> None:
    made = plot(*zip(*stacks, strict=True))
    rects = re.findall(r'<rect class="\w+" x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"', draw(made))
    assert len(rects) == sum(1 for stack in stacks for value in stack if value)
    assert all(int(y) >= TOP and int(y) + int(height) <= HEIGHT - 30 for _, y, _, height in rects)
    scale = scale_of(made)
    assert len(range(scale.low, scale.high + 1, scale.step)) <= 8


def test_bars_of_a_stack_stand_on_each_other__below_zero_too() -> None:
    drawn = draw(plot((300, -300), (700, -700)))
    (first, second, below, lowest) = (
        (int(y), int(height)) for y, height in re.findall(r'<rect[^>]* y="(\d+)"[^>]* height="(\d+)"', drawn)
    )
    assert sum(second) == first[0]
    assert sum(below) == lowest[0]
    assert sum(first) == below[0]


@pytest.mark.parametrize(
    ("unit", "value", "written"),
    [
        (Unit.ROWS, 12_000, "12,000"),
        (Unit.CENTS, 123_456, "1,234.56"),
        (Unit.CENTS, -5, "-0.05"),
        (Unit.CENTS, 10**17 + 1, "1,000,000,000,000,000.01"),
    ],
)
def test_figures_are_exact__however_large(unit: Unit, value: int, written: str) -> None:
    assert unit.written(value) == written
    assert f"{written} s0" in draw(plot((value,), unit=unit))


def test_plot_tells_what_it_shows__in_its_label() -> None:
    made = month(30)
    for each in (*by_outcome(made.summary(), intervals(made.summary().files)), by_channel(made.lake.cells)):
        assert 'role="img"' in draw(each)
        assert each.told in draw(each)
    assert f"{Unit.CENTS.written(cents(Decimal('12.30')))}" == "12.30"


@pytest.mark.parametrize("files", [30, 300])
def test_plots_show_every_row__a_bar_a_file_or_a_day(files: int) -> None:
    summary = month(files).summary()
    over = intervals(summary.files)
    rows, money = by_outcome(summary, over)
    assert sum(value for each in rows.series for value in each.values) == sum(file.rows for file in summary.taken)
    assert sum(value for each in money.series for value in each.values) == sum(
        cents(file.amount) for file in summary.taken
    )
    assert len(rows.labels) == (len(summary.taken) if files == 30 else 30)
    assert summary.lake
    rules = by_rule(summary, summary.lake.broken, over)
    assert sum(value for each in rules.series for value in each.values) == summary.outcomes["quarantined"][0]


@pytest.mark.parametrize("files", [2, 3, 4, 5, 6])
def test_each_of_a_few_files_is_named_under_its_bar__none_over_another(files: int) -> None:
    """On a phone, where the letters are the largest: 17 units high and up to 10 wide."""
    summary = month(files + 1).summary()
    rows, _ = by_outcome(summary, intervals(summary.files))
    found = re.findall(r'<text class="label" x="(\d+)" y="(\d+)">([^<]+)</text>', draw(rows))
    assert [label for _, _, label in found] == [*rows.labels]
    boxes = [(int(x) - 5 * len(label), int(x) + 5 * len(label), int(y)) for x, y, label in found]
    assert all(end <= rows.width and y < HEIGHT for _, end, y in boxes)
    for place, (start, end, y) in enumerate(boxes):
        assert all(end <= other or last <= start or abs(y - at) >= 17 for other, last, at in boxes[place + 1 :])


def test_scale_ends_at_a_line_above_all_bars() -> None:
    scale = scale_of(plot((103,), unit=Unit.ROWS))
    assert scale.high >= 103
    assert scale.high % scale.step == 0
