"""Show rows that break rules: how many by rule, the first row of each of the most frequent ones, and the way out."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import polars as pl
from contract.limits import EXAMPLE_RULES, REASON_CHARACTERS, TOLD_RULES
from contract.remedies import remedy
from contract.rules import OTHER_TABLE, rules_of
from contract.subjects import Subject
from reading.card_numbers import masked
from reading.rejection import Reason
from reading.visible import visible

from judging.rules import Limits, broken_rule_names
from judging.values import read_values

TOO_MANY = "too_many_bad_rows"
WITHHELD = "(a row of cards is not shown)"
OF_OTHER_TABLE = "(a row of another table is not shown)"
_RAW_CHARACTERS = 120
_CLOSING = (
    "What to do: see all of them, without an upload, with `assay check FILE`; mend them at the sender, or settle how "
    "the folder's files are written with a _dialect.json; then upload the file again."
)


@dataclass(frozen=True)
class BrokenRow:
    """A row that breaks rules; `line` is None in files without lines. `raw` is fit to be shown."""

    row: int
    line: int | None
    raw: str
    rules: tuple[str, ...]

    @property
    def place(self) -> str:
        """Where the row is, in words."""
        return f"row {self.row}" if self.line is None else f"line {self.line}"


def broken_rows(frames: Iterable[pl.DataFrame], subject: Subject, limits: Limits) -> Iterator[BrokenRow]:
    """Yield the rows that break a rule, in their order, from records with their places."""
    names = broken_rule_names(subject, limits)
    for frame in frames:
        named = read_values(frame, subject).select("row", "line", "raw", rules=names)
        for row in named.filter(pl.col("rules").list.len() > 0).iter_rows(named=True):
            rules = tuple(row["rules"])
            yield BrokenRow(row["row"], row["line"], shown(row["raw"], rules, subject), rules)


def first_of_each(rows: Iterable[BrokenRow], wanted: Collection[str]) -> dict[str, BrokenRow]:
    """Return the first row of each wanted rule; read no further than needed."""
    found: dict[str, BrokenRow] = {}
    for row in rows:
        for rule in row.rules:
            if rule in wanted:
                found.setdefault(rule, row)
        if len(found) == len(wanted):
            break
    return found


def most_frequent(counts: Counter[str]) -> list[str]:
    """Return the rules of which a reason gives an example, the most frequent first."""
    return [rule for rule, _ in counts.most_common(EXAMPLE_RULES)]


def counted(counts: Counter[str]) -> str:
    """Return how many rows break each rule, in words."""
    told = ", ".join(f"{rule} {rows:,}" for rule, rows in counts.most_common(TOLD_RULES))
    more = len(counts) - TOLD_RULES
    return f"{told} and {more} more rules" if more > 0 else told


def example_reasons(counts: Counter[str], examples: Mapping[str, BrokenRow], subject: Subject) -> list[Reason]:
    """Return a reason for each of the most frequent rules, with its first row, and one with the way out."""
    rules = {rule.name: rule for rule in rules_of(subject)}
    told = [
        _example(name, counts[name], examples.get(name), remedy(rules[name], subject)) for name in most_frequent(counts)
    ]
    return [Reason(TOO_MANY, text) for text in (*told, _CLOSING)]


def _example(name: str, rows: int, first: BrokenRow | None, way_out: str) -> str:
    counted_rows = f"{name}: {rows:,} {'row' if rows == 1 else 'rows'}"
    if first is None:
        return f"{counted_rows}. {way_out}"
    opening = f"{counted_rows}, first in {first.place}: "
    room = REASON_CHARACTERS - len(opening) - len(way_out) - len("''. ")
    return f"{opening}'{visible(first.raw, most=min(room, _RAW_CHARACTERS))}'. {way_out}"


def shown(raw: str, rules: Collection[str], subject: Subject) -> str:
    """Return a row's text as it may be shown: no card number in it, nothing of a row of cards or of another table."""
    if subject.secret:
        return WITHHELD
    return OF_OTHER_TABLE if OTHER_TABLE in rules else masked(raw)
