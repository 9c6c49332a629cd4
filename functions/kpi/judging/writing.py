"""Decide how a file is written from all its values: the decimal sign, the order of dates, words that may mean null.

Evidence is counted in the one pass over the records. Where the values prove the usual way there is nothing to say;
where they prove the other way, or both, the file is refused until a pin says so; where nothing decides the usual way
holds, with a warning.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl
from contract.kinds import AMOUNT, INSTANT, NAMES
from contract.patterns import NO_BREAK
from contract.subjects import Subject
from contract.writing import (
    COMMA,
    DATE_IN_EITHER_ORDER,
    DATE_ORDER_PROOFS,
    DATE_ORDERS,
    DAY_FIRST,
    DECIMAL_SIGN_PROOFS,
    DECIMAL_SIGNS,
    NULL_WORDS,
    THREE_DIGITS_BEHIND,
    delimiter_text,
)
from reading.ambiguity import pinned
from reading.dialect_file import Pin
from reading.layout import NAMELESS, Shape
from reading.rejection import Reason, RejectedError
from reading.visible import visible

_BLANKS = " \t"
_DATE_HEAD = r"^[ \t]*([0-9]{1,2}/[0-9]{1,2}/[0-9])[0-9]{3}(?:[^0-9].*)?$"
_USUAL_AMOUNT = r"^\$?-?[0-9]+\.[0-9]{2}$"
"""The form of most amounts, which proves a point."""
_LONGEST_WORD = 3 * max(map(len, NULL_WORDS))
_MOST_NAMED = 10
"""So many columns are named in a sentence."""
_MOST_DOUBTS = 3


@dataclass
class Found:
    """How many values say something, one of them, and where it is, in words, once that was looked up."""

    count: int = 0
    example: str = ""
    place: str = ""

    def add(self, values: pl.Series) -> None:
        self.example = self.example or (str(values[0]) if len(values) else "")
        self.count += len(values)

    @property
    def shown(self) -> str:
        """The example as a sentence has it."""
        return f"'{visible(self.example, most=40)}'{self.place}"


def _founds(keys: Sequence[str]) -> dict[str, Found]:
    return {key: Found() for key in keys}


@dataclass
class Writings:
    """What the values of a file say; `texts` gives the columns that are text: numbers of Parquet are not written."""

    subject: Subject
    pin: Pin = field(default_factory=Pin)
    texts: Callable[[], frozenset[str]] = frozenset
    dates: dict[str, Found] = field(default_factory=lambda: _founds(DATE_ORDERS))
    dates_either: Found = field(default_factory=Found)
    decimals: dict[str, Found] = field(default_factory=lambda: _founds(DECIMAL_SIGNS))
    three_digits: dict[str, Found] = field(default_factory=lambda: _founds(DECIMAL_SIGNS))
    null_words: dict[str, dict[str, int]] = field(default_factory=dict)
    """By column, in the order of the subject: each word as it was written, and in how many rows."""
    nameless: dict[int, Found] = field(default_factory=dict)
    """By the place of the column."""

    @property
    def proofs(self) -> Mapping[str, Mapping[str, Found]]:
        """What was found that proves a way of writing, by the kind of the columns."""
        return {INSTANT.name: self.dates, AMOUNT.name: self.decimals}

    @property
    def proves_another_way(self) -> bool:
        """Whether the file is refused for how it is written."""
        return bool(self.dates[DAY_FIRST].count or self.decimals[DECIMAL_SIGNS[1]].count)

    def see_all(self, records: pl.DataFrame) -> None:
        """Look at all records: the columns without a name, and the texts that no rule looks at."""
        for name in records.columns:
            if name.startswith(NAMELESS):
                values = records[name].str.strip_chars(_BLANKS)
                self.nameless.setdefault(int(name.removeprefix(NAMELESS)), Found()).add(values.filter(values != ""))
        self._see_null_words(records, [name for name in self.subject.texts if name not in self.subject.ruled])

    def see_usual(self, count: int) -> None:
        """Count records of transactions whose amounts have two decimals behind a point."""
        if "amount" in self.texts():
            self.decimals[DECIMAL_SIGNS[0]].count += count

    def see_odd(self, records: pl.DataFrame) -> None:
        """Look at records some of whose values have no usual form."""
        texts = self.texts()
        for column in self.subject.known.values():
            if column.name in texts and column.name in records.columns and records.schema[column.name] == pl.String:
                values = records[column.name]
                if column.kind is INSTANT and self.pin.date_order is None:
                    self._see_dates(values.filter(values.str.contains("/", literal=True)))
                elif column.kind is AMOUNT and self.pin.decimal is None:
                    self._see_amounts(values.filter(values.str.contains("[.,]")))

    def see_broken(self, records: pl.DataFrame) -> None:
        """Look at records that break a rule: a null word may be what breaks it."""
        self._see_null_words(records, self.subject.ruled)

    def look_up(self, frames: Iterable[pl.DataFrame]) -> None:
        """Show of each proof the first value in records with their places, as far as these go."""
        texts = self.texts()
        for records in frames:
            sought = [
                (kind, key, found)
                for kind, of_kind in self.proofs.items()
                for key, found in of_kind.items()
                if found.count and not found.place
            ]
            if not sought:
                return
            for kind, key, found in sought:
                names = [
                    name for name, column in self.subject.known.items() if column.kind.name == kind and name in texts
                ]
                _look_up(found, records.select("row", "line", *names), names, PROOFS[kind][key])

    def _see_dates(self, values: pl.Series) -> None:
        """Tell dates by how they begin: a column has few days and months, however many dates."""
        heads = values.str.extract(_DATE_HEAD)
        found = {head: what for head in heads.drop_nulls().unique() if (what := self._said_by(head)) is not None}
        for what in (*self.dates.values(), self.dates_either):
            of_it = [head for head, said in found.items() if said is what]
            if of_it:
                what.add(plain(values.filter(heads.is_in(of_it).fill_null(value=False))))

    def _said_by(self, head: str) -> Found | None:
        """Return what a date of this day and month is counted as; None where it says nothing."""
        for order, pattern in DATE_ORDER_PROOFS.items():
            if re.fullmatch(pattern, f"{head}000"):
                return self.dates[order]
        either = re.fullmatch(DATE_IN_EITHER_ORDER, f"{head}000")
        return self.dates_either if either and int(either[1]) != int(either[2]) else None

    def _see_amounts(self, values: pl.Series) -> None:
        usual = values.str.contains(_USUAL_AMOUNT).fill_null(value=False)
        self.decimals[DECIMAL_SIGNS[0]].add(values.filter(usual))
        others = plain(values.filter(~usual))
        for sign in DECIMAL_SIGNS:
            self.decimals[sign].add(_matching(others, DECIMAL_SIGN_PROOFS[sign]))
            self.three_digits[sign].add(_matching(others, THREE_DIGITS_BEHIND[sign]))

    def _see_null_words(self, records: pl.DataFrame, names: Sequence[str]) -> None:
        """Count null words by column; most columns have few different texts, and hardly one so short."""
        if self.pin.settles_null:
            return
        schema = records.schema
        texts = [name for name in names if schema.get(name) == pl.String and name not in self.subject.secret]
        if not texts:
            return
        different = records.select(pl.col(texts).unique().implode())
        for name, words in different.select(map(_null_words, texts)).row(0, named=True).items():
            for word in words:
                counted = self.null_words.setdefault(name, {})
                written = word.strip(_BLANKS)
                counted[written] = counted.get(written, 0) + int((records[name] == word).sum())


def _null_words(name: str) -> pl.Expr:
    """Return the null words among the different texts of a column, which are one list, as one list."""
    different = pl.col(name).explode()
    short = different.filter(different.str.len_bytes() <= _LONGEST_WORD)
    return short.filter(short.str.strip_chars(_BLANKS).str.to_lowercase().is_in(NULL_WORDS)).implode()


PROOFS: Mapping[str, Mapping[str, str]] = {INSTANT.name: DATE_ORDER_PROOFS, AMOUNT.name: DECIMAL_SIGN_PROOFS}


def plain(values: pl.Series) -> pl.Series:
    """Return texts without the blanks around them, and without no-break spaces, which may group digits."""
    return values.str.strip_chars(_BLANKS).str.replace_all(f"[{NO_BREAK}]", "")


def _look_up(found: Found, records: pl.DataFrame, names: Sequence[str], pattern: str) -> None:
    """Take the first record that has a value of this form as the example, if there is one."""
    for row, line, *values in (
        records.filter(pl.any_horizontal(plain(records[name]).str.contains(f"^(?:{pattern})$") for name in names))
        .head(1)
        .iter_rows()
    ):
        texts = pl.Series([value for value in values if value is not None], dtype=pl.String)
        found.example = str(_matching(plain(texts), pattern)[0])
        found.place = f" in row {row}" if line is None else f" on line {line}"


def texts_of(shape: Shape, types: Sequence[str]) -> frozenset[str]:
    """Return the known columns of a file that are written as text."""
    return frozenset(name for name, place in shape.layout.places.items() if not types or types[place] == "string")


def warnings_about_writing(seen: Writings, shape: Shape) -> list[str]:
    """Return what the sender should settle; raise RejectedError where the values cannot be read in the usual way."""
    reasons = [*_nameless_reasons(seen), *_date_reasons(seen), *_decimal_reasons(seen, shape.delimiter)]
    if reasons:
        raise RejectedError(*reasons)
    return [*_nameless_warnings(shape), *_date_warnings(seen), *_decimal_warnings(seen), *_null_warnings(seen)]


def null_reasons(seen: Writings) -> list[Reason]:
    """Return what many broken rows may come from: words in columns with rules that other programs write for null."""
    return [
        Reason("too_many_bad_rows", _null_text(name, words))
        for name, words in seen.null_words.items()
        if name in seen.subject.ruled
    ][:_MOST_DOUBTS]


def _nameless_reasons(seen: Writings) -> list[Reason]:
    return [
        Reason(
            "values_without_name",
            f"Column {place + 1} has no name, but values in {_rows(found.count)}, {_shown(found.example)} being the "
            "first. Give it a name in the header, or leave it out.",
        )
        for place, found in sorted(seen.nameless.items())[:_MOST_NAMED]
        if found.count
    ]


def _nameless_warnings(shape: Shape) -> list[str]:
    places = [str(place + 1) for place in shape.layout.nameless]
    if not places:
        return []
    named = ", ".join(places[:_MOST_NAMED]) + (" and more" if len(places) > _MOST_NAMED else "")
    return [f"Columns without a name, empty in every row: {named}."]


def _date_reasons(seen: Writings) -> list[Reason]:
    month_first, day_first = (seen.dates[order] for order in DATE_ORDERS)
    if month_first.count and day_first.count:
        return [
            Reason(
                "ambiguous_dialect",
                f"{_dates(found.count)} can only be read with the {order.removesuffix('-first')} first, "
                f"{found.shown} for one; others only the other way. If it is the one way: "
                f"{pinned(date_order=order)}.",
            )
            for order, found in seen.dates.items()
        ]
    if not day_first.count:
        return []
    either = f" {seen.dates_either.count} can be read either way." if seen.dates_either.count else ""
    text = (
        f"{_dates(day_first.count)} can only be read with the day first, {day_first.shown} for one, and none "
        f"only with the month first.{either} Say once that the day comes first: {pinned(date_order=DATE_ORDERS[1])}."
    )
    return [Reason("day_first_dates", text)]


def _date_warnings(seen: Writings) -> list[str]:
    either = seen.dates_either
    if not either.count or any(found.count for found in seen.dates.values()):
        return []
    text = (
        f"Nothing says whether the day or the month comes first in {_dates(either.count)}, {_shown(either.example)} "
        f"for one; read with the month first. Say which: {pinned(date_order=DATE_ORDERS[0])}, "
        f"or {json.dumps(DATE_ORDERS[1])}."
    )
    return [text]


def _decimal_reasons(seen: Writings, delimiter: str) -> list[Reason]:
    point, comma = (seen.decimals[sign] for sign in DECIMAL_SIGNS)
    if point.count and comma.count:
        return [
            Reason(
                "ambiguous_dialect",
                f"{_amounts(found.count)} can only be read with {name} as decimal sign"
                f"{f', {found.shown} for one' if found.example else ''}; others only the other way. If it is "
                f"the one way: {pinned(decimal=sign)}.",
            )
            for (sign, found), name in zip(seen.decimals.items(), ("a point", "a comma"), strict=True)
        ]
    if not comma.count:
        return []
    fields = "" if delimiter == COMMA else f" Its fields are separated by {delimiter_text(delimiter)}."
    text = (
        f"{_amounts(comma.count)} can only be read with a comma as decimal sign, {comma.shown} for one, and "
        f"none only with a point. Say so once: {pinned(decimal=DECIMAL_SIGNS[1])}.{fields}"
    )
    return [Reason("decimal_commas", text)]


def _decimal_warnings(seen: Writings) -> list[str]:
    behind_point, behind_comma = (seen.three_digits[sign] for sign in DECIMAL_SIGNS)
    settled = seen.decimals[DECIMAL_SIGNS[0]].count
    told = []
    if behind_point.count:
        told.append((behind_point, "point: read as decimals, they may be thousands"))
    if behind_comma.count and not settled:
        told.append((behind_comma, "comma: read as thousands, they may be decimals"))
    return [
        f"{_amounts(found.count)}, {_shown(found.example)} for one, with three digits behind a single {ways}. Say "
        f"which sign is the decimal one: {pinned(decimal=DECIMAL_SIGNS[0])}, or {json.dumps(DECIMAL_SIGNS[1])}."
        for found, ways in told
    ]


def _null_warnings(seen: Writings) -> list[str]:
    names = [column.name for column in seen.subject.columns if column.name in seen.null_words]
    return [_null_text(name, seen.null_words[name], seen.subject) for name in names]


def _null_text(name: str, words: Mapping[str, int], subject: Subject | None = None) -> str:
    shown = sorted(words, key=lambda word: (-words[word], word))[:_MOST_NAMED]
    counted = ", ".join(f"{_shown(word)} in {_rows(words[word])}" for word in shown)
    is_null = subject is not None and subject.known[name].kind is NAMES
    read = "it was read as null there. If it means null everywhere" if is_null else "if that means null"
    return f"{name!r} has {counted}: {read}, say so: {pinned(null=shown[0] if len(shown) == 1 else shown)}."


def _matching(values: pl.Series, pattern: str) -> pl.Series:
    return values.filter(values.str.contains(f"^(?:{pattern})$"))


def _shown(text: str) -> str:
    return f"'{visible(text, most=40)}'"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _dates(count: int) -> str:
    return "1 date" if count == 1 else f"{count} dates"


def _amounts(count: int) -> str:
    return "1 amount" if count == 1 else f"{count} amounts"
