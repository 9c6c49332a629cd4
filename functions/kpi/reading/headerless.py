"""Tell the columns of a file without a header: those of its pin, or those that its values allow (*Dialects*)."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product

from contract.patterns import INTEGER_FORM
from contract.vocabulary import OPERATION_SPELLINGS, ORDERED_CHANGES

from reading.ambiguity import ambiguous, ambiguous_order
from reading.file_name import Name
from reading.first_block import COMMIT, Record, most
from reading.layout import TABLE_COLUMNS, Layout, layout_of

_INTEGER = re.compile(INTEGER_FORM)
_ENDS: tuple[tuple[list[str], list[str]], ...] = (([], []), (["commit_at"], []), ([], ["commit_at"]))


def headerless_layout(name: Name, sample: Sequence[Record]) -> Layout:
    width = Counter(len(record) for record in sample).most_common(1)[0][0] if sample else 0
    if name.pin.columns:
        return _pinned_layout(name, name.pin.columns, width)
    readings = fitting(name, sample)
    if len(readings) == 1:
        return _layout_of_reading(name, readings[0])
    if readings:
        raise ambiguous(*(_described(columns) for columns in readings[:2]))
    _refuse_two_timestamps(name, width, sample)
    usual = len(name.subject.headerless)
    raise ambiguous(
        f"a full load would have {usual} columns, a file of changes {usual + 1} with an operation in front",
        f"with a commit timestamp one more; this one has {width}, and what they hold fits none of it",
    )


def fitting(name: Name, sample: Sequence[Record]) -> list[list[str]]:
    """Return the readings that the number of fields and the values of the first block allow."""
    width = Counter(len(record) for record in sample).most_common(1)[0][0] if sample else 0
    return [columns for columns in _readings(name) if len(columns) == width and _fits(columns, sample, name)]


def _layout_of_reading(name: Name, columns: list[str]) -> Layout:
    """Return a reading's layout; a timestamp behind all values may be one of them, and then orders nothing."""
    is_change = name.changes_need_order or (name.form is None and "op" in columns)
    if not (is_change and columns[-1] == "commit_at"):
        return layout_of(columns, name.subject)
    usual_name = f"column {len(columns)}"
    if not name.pin.settles_commit:
        raise ambiguous_order(f"its last column, {usual_name}", usual_name)
    named = [*columns[:-1], name.pin.commit_timestamp or usual_name]
    return layout_of(named, name.subject, commit_name=name.pin.commit_timestamp or "")


def _pinned_layout(name: Name, columns: Sequence[str], width: int) -> Layout:
    """Read the columns of the pin; a full load beside the changes may lack their operation."""
    without_op = [column for column in columns if name.subject.canonical_name(column) != "op"]
    found = next((names for names in (columns, without_op) if len(names) == width), None)
    if found is None:
        raise ambiguous(f"the pin names {len(columns)} columns", f"most rows have {width} fields")
    commit_name = name.pin.commit_name
    return layout_of(found, name.subject, commit_name=commit_name)


def _refuse_two_timestamps(name: Name, width: int, sample: Sequence[Record]) -> None:
    whole = [record for record in sample if len(record) == width]
    for columns in _readings(name):
        two = "commit_at" in columns[:-1] and len(columns) + 1 == width
        if two and _fits([*columns, ""], sample, name) and most(whole, width - 1, COMMIT.fullmatch):
            first = columns.index("commit_at") + 1
            raise ambiguous(f"the commit timestamp is column {first}", f"it is column {width}")


def _readings(name: Name) -> list[list[str]]:
    columns = list(name.subject.headerless)
    if name.form == ORDERED_CHANGES:
        front = ["op", *TABLE_COLUMNS]
        return [[*front, *columns], [*front, "commit_at", *columns], [*front, *columns, "commit_at"]]
    with_op = [[*op, *at, *columns, *end] for op, (at, end) in product(([], ["op"]), _ENDS)]
    return [*with_op, ["commit_at", "op", *columns]]


def _fits(columns: list[str], sample: Sequence[Record], name: Name) -> bool:
    """Return whether the values of the first block allow a reading."""
    whole = [record for record in sample if len(record) == len(columns)]
    tests: dict[str, Callable[[str], object]] = {
        "op": _is_operation,
        "commit_at": COMMIT.fullmatch,
        name.subject.key: _INTEGER.fullmatch,
    }
    places = {columns.index(column): test for column, test in tests.items() if column in columns}
    return all(most(whole, place, test) for place, test in places.items())


def _is_operation(value: str) -> bool:
    return value.lower() in OPERATION_SPELLINGS


def _described(columns: list[str]) -> str:
    extra = {"op": "the operation", "commit_at": "the commit timestamp"}
    told = [f"column {place + 1} is {extra[column]}" for place, column in enumerate(columns) if column in extra]
    return " and ".join(told) or "it has the values alone"
