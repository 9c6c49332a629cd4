"""What a report plots: the figures of a summary, brought into bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from contract.vocabulary import CHANNELS, UNKNOWN

from assay.ledger import OUTCOMES
from assay.report.period import DAY, divide
from assay.report.plots import Plot, Series, Unit
from assay.report.summary import NOTHING, REJECTED, Broken, File, GoldCell, Sum, Summary, add_up

MOST_FILE_BARS = 60
MOST_NAMES, NAME_CHARACTERS = 5, {3: 17, 4: 15, 5: 12}
MOST_RULES = 7
OTHERS = "other rules"
STACKED = (*OUTCOMES[4:], *OUTCOMES[:4])
"""What changes Silver stands at the bottom of a stack, what does not on top of it."""


@dataclass(frozen=True)
class Interval:
    """The files that arrived in an hour, on a day or in a month; `name` is the beginning of an instant."""

    name: str
    files: Sequence[File]

    @property
    def arrived(self) -> Sum:
        return add_up(self.files)

    @property
    def rejected(self) -> int:
        return sum(file.state == REJECTED for file in self.files)

    @property
    def quarantined(self) -> int:
        return sum(file.outcomes.get("quarantined", 0) for file in self.files)

    @property
    def effect(self) -> Decimal:
        return sum((file.effect for file in self.files), NOTHING)


def intervals(files: Sequence[File]) -> list[Interval]:
    """Return the files by the interval in which they arrived, the intervals without files among them."""
    width, names = divide(file.arrived_at for file in files)
    held: dict[str, list[File]] = {name: [] for name in names}
    for file in files:
        held[file.arrived_at[:width]].append(file)
    return [Interval(name, of_name) for name, of_name in held.items()]


def by_outcome(summary: Summary, over: Sequence[Interval]) -> list[Plot]:
    """Plot rows and money over time by outcome: a bar for each file, or for each interval where there are many."""
    taken = summary.taken
    if len(taken) <= MOST_FILE_BARS:
        bars = [[file] for file in taken]
        labels = _labels(taken)
        names = [f"{file.key}, {file.arrived_at[:16]}" for file in taken]
        what = "each bar is a file, in the order of arrival (UTC)"
    else:
        bars = [[file for file in each.files if file.outcomes] for each in over]
        labels = names = [shown_interval(each.name) for each in over]
        what = "each bar is the time at which its files arrived (UTC)"
    rows = [
        Series(name, f"o-{name}", [sum(file.outcomes.get(name, 0) for file in bar) for bar in bars]) for name in STACKED
    ]
    money = [
        Series(
            name, f"o-{name}", [cents(sum((file.amounts.get(name, NOTHING) for file in bar), NOTHING)) for bar in bars]
        )
        for name in STACKED
    ]
    return [
        Plot(f"{title} by outcome; {what}", _told(series, unit), unit, labels, series, names)
        for title, unit, series in (("Rows", Unit.ROWS, rows), ("Money", Unit.CENTS, money))
    ]


def _labels(files: Sequence[File]) -> list[str]:
    """Name a few files by the end of their keys, more of them by the time or the day on which they arrived."""
    if len(files) <= MOST_NAMES:
        names = [file.key.rpartition("/")[2] for file in files]
        most = NAME_CHARACTERS[max(len(names), min(NAME_CHARACTERS))]
        return [name if len(name) <= most else f"…{name[1 - most :]}" for name in names]
    is_one_day = len({file.arrived_at[:DAY] for file in files}) == 1
    return [file.arrived_at[DAY + 1 : DAY + 6] if is_one_day else file.arrived_at[:DAY] for file in files]


def by_rule(summary: Summary, broken: Sequence[Broken], over: Sequence[Interval]) -> Plot:
    """Plot the rows in quarantine over time by the rule that they break; a row counts under each of its rules."""
    place = {file.file_id: number for number, each in enumerate(over) for file in each.files}
    counted: Counter[str] = Counter()
    for each in broken:
        counted[each.rule] += each.rows
    most = [rule for rule, _ in counted.most_common(MOST_RULES)]
    values: dict[str, list[int]] = {name: [0] * len(over) for name in (*most, OTHERS)}
    for each in broken:
        if each.file_id in place:
            values[each.rule if each.rule in most else OTHERS][place[each.file_id]] += each.rows
    series = [Series(rule, f"c{number}", values[rule]) for number, rule in enumerate((*most, OTHERS))]
    labels = [shown_interval(each.name) for each in over]
    title = "Rows in quarantine by rule; each bar is the time at which their files arrived (UTC)"
    return Plot(title, _told(series, Unit.ROWS), Unit.ROWS, labels, series)


def by_channel(cells: Sequence[GoldCell]) -> Plot:
    """Plot Gold's money over the transactions' time by channel."""
    labels = sorted({cell.interval for cell in cells})
    amounts = {(cell.interval, cell.channel): cents(cell.amount) for cell in cells}
    known: Mapping[str, str] = {name: f"ch{number}" for number, name in enumerate((*CHANNELS, UNKNOWN))}
    there = {cell.channel for cell in cells}
    series = [
        Series(name, style, [amounts.get((label, name), 0) for label in labels])
        for name, style in known.items()
        if name in there
    ]
    title = "Money in Gold by channel; each bar is the time of the transactions (UTC)"
    return Plot(title, _told(series, Unit.CENTS), Unit.CENTS, labels, series)


def shown_interval(name: str) -> str:
    """Write an hour as `2026-06-01 07:00`; days and months are written as they are."""
    day, of_hour, hour = name.partition("T")
    return f"{day} {hour}:00" if of_hour else day


def cents(amount: Decimal) -> int:
    return int(amount.scaleb(2))


def _told(series: Sequence[Series], unit: Unit) -> str:
    """Say in words what a plot shows as a whole."""
    told = [f"{unit.written(sum(each.values))} {each.name}" for each in series if any(each.values)]
    return f"In all {', '.join(told)}." if told else "Nothing."
