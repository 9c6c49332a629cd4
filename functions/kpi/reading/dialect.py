"""Tell how a file is written from its name, its first block and its pin (data contract, section 1, *Dialects*).

What cannot be told apart is rejected with both readings, never guessed.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import product

from contract.companions import PIN_NAME
from contract.patterns import COMMIT_FORM, INTEGER_FORM
from contract.subjects import Subject
from contract.vocabulary import CHANGES, FULL_LOAD, NULL_OF_DMS, OPERATION_SPELLINGS, ORDERED_CHANGES, UPLOAD
from contract.writing import COMMA, DECIMAL_SIGNS, DELIMITERS, MONTH_FIRST, delimiter_text

from reading.csv_records import Beginning
from reading.dialect_file import Pin
from reading.layout import TABLE_COLUMNS, Layout, Shape, layout_of, readable_header
from reading.rejection import Reason, RejectedError

_NAMES = (
    (FULL_LOAD, re.compile(r"(?:.+_)?LOAD[0-9A-F]{8}\.(?:csv|parquet)(?:\.gz)?", re.IGNORECASE)),
    (CHANGES, re.compile(r"[0-9]{8}-[0-9]{9,}\.(?:csv|parquet)(?:\.gz)?")),
    (ORDERED_CHANGES, re.compile(r"CDC_TXN-.*", re.IGNORECASE)),
)
_DATED_LOAD = re.compile(r"(?:.+_)?LOAD([0-9]{8})\..*", re.IGNORECASE)
_PLAUSIBLE_YEARS = range(1990, 2100)
_COMMIT = re.compile(COMMIT_FORM)
_INTEGER = re.compile(INTEGER_FORM)
_BLANKS = " \t"

Record = Sequence[str | None]


@dataclass(frozen=True)
class Name:
    """What is known before a byte is read: the object's key, what its files are about, and the folder's pin."""

    key: str
    subject: Subject
    pin: Pin = field(default_factory=Pin)

    is_upload: bool = False
    """Whether its name says nothing after all."""

    @property
    def form(self) -> str | None:
        """The dialect that the last part of the key has the form of, if any."""
        if self.is_upload:
            return None
        return next((dialect for dialect, pattern in _NAMES if pattern.fullmatch(self._last)), None)

    @property
    def changes_need_order(self) -> bool:
        """Whether its name says that it is a file of changes, whose order matters."""
        return self.form in (CHANGES, ORDERED_CHANGES)

    def with_header(self) -> "Name":
        """Return the name of a file that has a header: then `LOAD` and a date is no counter of DMS, unless pinned."""
        dated = _DATED_LOAD.fullmatch(self._last)
        return replace(self, is_upload=True) if self.pin.full_load is None and dated and _is_day(dated[1]) else self

    @property
    def _last(self) -> str:
        return self.key.rpartition("/")[2]


def _is_day(digits: str) -> bool:
    try:
        return date.fromisoformat(digits).year in _PLAUSIBLE_YEARS
    except ValueError:
        return False


def csv_shape(name: Name, beginning: Beginning) -> Shape:
    """Return how a CSV file is to be read, from its first lines."""
    delimiter = name.pin.delimiter or _proven_delimiter(name, beginning)
    first, sample = beginning.header(delimiter), beginning.records(delimiter)
    if has_header(name, first):
        shape = _csv_shape_with_header(name, readable_header(first), sample[1:])
    else:
        shape = _headerless_shape(name, beginning, sample)
    return replace(shape, delimiter=delimiter)


def _proven_delimiter(name: Name, beginning: Beginning) -> str:
    """Return what the header proves to separate fields: with it all required columns are there, with commas not."""
    required = set(name.subject.required)
    proven = [
        delimiter
        for delimiter in DELIMITERS
        if required <= {name.subject.canonical_name(column) for column in beginning.header(delimiter) or ()}
    ]
    return proven[0] if len(proven) == 1 else COMMA


def _csv_shape_with_header(name: Name, columns: list[str], sample: Sequence[Record]) -> Shape:
    """Read empty fields that each row has behind those of the header as columns without a name."""
    more = _empty_fields_behind(len(columns), sample)
    shape = named_shape(name, [*columns, *[""] * more], sample)
    if not more:
        return shape
    fields = "1 empty field" if more == 1 else f"{more} empty fields"
    told = f"Each row ends in {fields} more than the header has names: read as columns without a name."
    return replace(shape, warnings=(*shape.warnings, told))


def _empty_fields_behind(width: int, sample: Sequence[Record]) -> int:
    longer = [record for record in sample if len(record) > width]
    widths = {len(record) for record in longer}
    if len(widths) != 1 or any(len(record) == width for record in sample) or 2 * len(longer) <= len(sample):
        return 0
    is_empty = all(not _plain(field) for record in longer for field in record[width:])
    return widths.pop() - width if is_empty else 0


def _headerless_shape(name: Name, beginning: Beginning, sample: Sequence[Record]) -> Shape:
    try:
        return _finished(name, _headerless_layout(name, _of_table(name, sample)), sample)
    except RejectedError as rejected:
        raise _with_separator(rejected, name, beginning) from rejected


def _with_separator(rejected: RejectedError, name: Name, beginning: Beginning) -> RejectedError:
    """Name the separator with which a file without a header has the usual columns, if there is one."""
    for delimiter in DELIMITERS if name.pin.delimiter is None else ():
        if delimiter != COMMA and _fitting(name, beginning.records(delimiter)):
            pinned = _pinned(delimiter=delimiter)
            text = f"Its fields are separated by {delimiter_text(delimiter)}, and it has no header. Say so: {pinned}."
            return RejectedError(Reason("ambiguous_dialect", text))
    return rejected


def has_header(name: Name, first: Sequence[str] | None) -> bool:
    """Return whether the first record names columns; without a DMS name or a pin it always does."""
    if name.pin.header is not None:
        return name.pin.header
    names = {name.subject.canonical_name(column) for column in first or ()}
    return name.form is None or bool(names & set(name.subject.required))


def named_shape(name: Name, columns: list[str], sample: Sequence[Record]) -> Shape:
    """Return how a file with named columns is to be read; also Parquet."""
    named, pin = name.with_header(), name.pin
    commit_name = (pin.commit_timestamp or "") if pin.settles_commit else None
    try:
        layout = layout_of(_without_clash(columns, named), named.subject, commit_name=commit_name)
    except RejectedError as rejected:
        raise _with_hint(rejected, columns, named) from rejected
    is_change = named.changes_need_order or (named.form is None and "op" in layout.places)
    if is_change and "commit_at" not in layout.places and not pin.settles_commit:
        layout = _with_commit_column(named, layout, sample)
    shape = replace(_finished(named, layout, sample), has_header=True)
    return shape if named is name else replace(shape, warnings=(_dated_load_warning(),))


def _dated_load_warning() -> str:
    return (
        "Its name is LOAD and a date, and it has a header: it is an upload like others, no full load of AWS DMS. If it "
        f"is one, say so: {_pinned(full_load=True)}."
    )


def _without_clash(columns: list[str], name: Name) -> list[str]:
    """Read `operation` as the operation where transactions are kept in order: so the guide calls that column."""
    if name.form != ORDERED_CHANGES:
        return columns
    return ["op" if column.strip(_BLANKS).lower() == "operation" else column for column in columns]


def _with_hint(rejected: RejectedError, columns: list[str], name: Name) -> RejectedError:
    data_like = sum(1 for column in columns if _INTEGER.fullmatch(column.strip(_BLANKS)))
    if not data_like or name.pin.header:
        return rejected
    hint = "The first line looks like data: if the file has no header, say so in a _dialect.json beside it."
    return RejectedError(*rejected.reasons, Reason("missing_column", hint))


def _with_commit_column(name: Name, layout: Layout, sample: Sequence[Record]) -> Layout:
    """Add the commit timestamp where AWS DMS puts it; refuse a column elsewhere that only looks like one."""
    unknown = [place for place in range(len(layout.names)) if place not in layout.places.values()]
    whole = [record for record in sample if len(record) == len(layout.names)]
    found = [place for place in unknown if _all(_COMMIT, whole, place)]
    if not found:
        return layout
    first = layout.names[found[0]]
    if len(found) > 1:
        second = layout.names[found[1]]
        ways = (f"the commit timestamp is the column {first!r}", f"it is the column {second!r}")
        raise ambiguous(*ways, settled_by=_pinned(commit_timestamp=first))
    if name.changes_need_order and found[0] == _place_of_dms(name, layout):
        return Layout(layout.names, {**layout.places, "commit_at": found[0]})
    raise _ambiguous_order(f"the column {first!r}", first)


def _place_of_dms(name: Name, layout: Layout) -> int:
    """Return where AWS DMS writes the commit timestamp: behind the operation, and behind schema and table."""
    behind = len(TABLE_COLUMNS) if name.form == ORDERED_CHANGES else 0
    return layout.places.get("op", -1) + 1 + behind


def _ambiguous_order(column: str, pinned: str) -> RejectedError:
    return ambiguous(
        f"its changes are ordered by {column}, which looks like a commit timestamp",
        "they are ordered by the instant of the file, then by their place in it",
        settled_by=f"{_pinned(commit_timestamp=pinned)}, or {json.dumps({'commit_timestamp': None})}",
    )


def _headerless_layout(name: Name, sample: Sequence[Record]) -> Layout:
    width = Counter(len(record) for record in sample).most_common(1)[0][0] if sample else 0
    if name.pin.columns:
        return _pinned_layout(name, name.pin.columns, width)
    readings = _fitting(name, sample)
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


def _fitting(name: Name, sample: Sequence[Record]) -> list[list[str]]:
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
        raise _ambiguous_order(f"its last column, {usual_name}", usual_name)
    named = [*columns[:-1], name.pin.commit_timestamp or usual_name]
    return layout_of(named, name.subject, commit_name=name.pin.commit_timestamp or "")


def _pinned_layout(name: Name, columns: Sequence[str], width: int) -> Layout:
    """Read the columns of the pin; a full load beside the changes may lack their operation."""
    without_op = [column for column in columns if name.subject.canonical_name(column) != "op"]
    fitting = next((names for names in (columns, without_op) if len(names) == width), None)
    if fitting is None:
        raise ambiguous(f"the pin names {len(columns)} columns", f"most rows have {width} fields")
    commit_name = (name.pin.commit_timestamp or "") if name.pin.settles_commit else None
    return layout_of(fitting, name.subject, commit_name=commit_name)


def _refuse_two_timestamps(name: Name, width: int, sample: Sequence[Record]) -> None:
    whole = [record for record in sample if len(record) == width]
    for columns in _readings(name):
        two = "commit_at" in columns[:-1] and len(columns) + 1 == width
        if two and _fits([*columns, ""], sample, name) and _most(whole, width - 1, _COMMIT.fullmatch):
            first = columns.index("commit_at") + 1
            raise ambiguous(f"the commit timestamp is column {first}", f"it is column {width}")


def _readings(name: Name) -> list[list[str]]:
    columns = list(name.subject.headerless)
    if name.form == ORDERED_CHANGES:
        front = ["op", *TABLE_COLUMNS]
        return [[*front, *columns], [*front, "commit_at", *columns], [*front, *columns, "commit_at"]]
    with_op = [[*op, *at, *columns, *end] for op, (at, end) in product(([], ["op"]), _ENDS)]
    return [*with_op, ["commit_at", "op", *columns]]


_ENDS: tuple[tuple[list[str], list[str]], ...] = (([], []), (["commit_at"], []), ([], ["commit_at"]))


def _fits(columns: list[str], sample: Sequence[Record], name: Name) -> bool:
    """Return whether the values of the first block allow a reading."""
    whole = [record for record in sample if len(record) == len(columns)]
    tests: dict[str, Callable[[str], object]] = {
        "op": _is_operation,
        "commit_at": _COMMIT.fullmatch,
        name.subject.key: _INTEGER.fullmatch,
    }
    places = {columns.index(column): test for column, test in tests.items() if column in columns}
    return all(_most(whole, place, test) for place, test in places.items())


def _is_operation(value: str) -> bool:
    return value.lower() in OPERATION_SPELLINGS


def _described(columns: list[str]) -> str:
    extra = {"op": "the operation", "commit_at": "the commit timestamp"}
    told = [f"column {place + 1} is {extra[column]}" for place, column in enumerate(columns) if column in extra]
    return " and ".join(told) or "it has the values alone"


def _finished(name: Name, layout: Layout, sample: Sequence[Record]) -> Shape:
    pin, form = name.pin, name.form
    dialect = form or (CHANGES if "op" in layout.places else UPLOAD)
    null_texts = pin.null_texts if pin.settles_null else (() if dialect == UPLOAD else (NULL_OF_DMS,))
    is_full_load = form == FULL_LOAD if pin.full_load is None else pin.full_load
    shape = Shape(
        *(layout, dialect),
        has_header=False,
        is_full_load=is_full_load,
        null_texts=null_texts,
        decimal=pin.decimal or DECIMAL_SIGNS[0],
        date_order=pin.date_order or MONTH_FIRST,
    )
    if form != ORDERED_CHANGES:
        return shape
    table, place = _table_of(name, sample)
    return replace(shape, table=table, table_place=place)


def _table_of(name: Name, sample: Sequence[Record]) -> tuple[str, int]:
    """Return the table that is read of transactions kept in order, in lower case, and which column names it."""
    pairs = {(_plain(record[1]).lower(), _plain(record[2]).lower()) for record in sample if len(record) > 2}
    wanted = name.pin.table or name.subject.name
    if found := [place for place in (1, 2) if any(pair[place - 1] == wanted for pair in pairs)]:
        # A schema may be named like the table: of the two columns, the table's is the one that tells more apart.
        return wanted, max(found, key=lambda place: len({pair[place - 1] for pair in pairs}))
    if name.pin.table or len(pairs) > 1:
        first, *others = sorted(" and ".join(pair) for pair in pairs) or [""]
        other = ", ".join(map(repr, others or [wanted]))
        raise ambiguous(f"the rows of {first!r} are meant", f"those of {other} are")
    # All are of one table. The guide names it before its schema; rows of another one may follow.
    return next((pair[0] for pair in pairs), wanted), 1


def _of_table(name: Name, sample: Sequence[Record]) -> Sequence[Record]:
    """Return the records that tell how the file's own table is written."""
    if name.form != ORDERED_CHANGES:
        return sample
    table, place = _table_of(name, sample)
    return [record for record in sample if len(record) > place and _plain(record[place]).lower() == table]


def refuse_changes_in_full_load(shape: Shape, name: Name, *, changes: int) -> None:
    """Raise RejectedError for updates or deletes in a file that is a full load by its name."""
    if shape.dialect == FULL_LOAD and name.pin.full_load is None and changes:
        raise ambiguous(
            "a full load, as its name says, in which there is nothing but inserts",
            f"a file of changes, as its {changes} updates and deletes say",
        )


def weaknesses(shape: Shape, *, bare_deletes: int) -> list[str]:
    """Return warnings about what a DMS file leaves open."""
    if shape.dialect == UPLOAD:
        return []
    places, full = shape.layout.places, shape.is_full_load
    told = []
    if "op" not in places:
        told.append(
            "Full load without operations: only its name tells its rows from changes."
            if full
            else "No operations: every row is read as an insert or an update, deletes cannot come this way."
        )
    if not full and "commit_at" not in places:
        told.append("No commit timestamp: rows are ordered by the instant of the object, then by their place.")
    if bare_deletes:
        told.append(f"Deletes that carry their key only: {bare_deletes}.")
    return told


def ambiguous(one: str, other: str, *, settled_by: str = f"a {PIN_NAME} in its folder") -> RejectedError:
    """Return the rejection of a file that has two readings."""
    text = f"The file can be read in two ways: {one}; or {other}. Settle it with {settled_by}."
    return RejectedError(Reason("ambiguous_dialect", text))


def _pinned(**said: object) -> str:
    return f"{json.dumps(said)} in a {PIN_NAME} in its folder"


def _plain(value: str | None) -> str:
    return (value or "").strip(_BLANKS)


def _all(pattern: re.Pattern[str], sample: Sequence[Record], place: int) -> bool:
    values = [_plain(record[place]) for record in sample if len(record) > place]
    return bool(values) and all(pattern.fullmatch(value) for value in values)


def _most(records: Sequence[Record], place: int, test: Callable[[str], object]) -> bool:
    """Return whether more than half of the records pass; the others are rows that break a rule."""
    passed = sum(1 for record in records if test(_plain(record[place])))
    return 2 * passed > len(records)
