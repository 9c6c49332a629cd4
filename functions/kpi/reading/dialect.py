"""Tell how a file is written from its name, its first block and its pin (data contract, section 1, *Dialects*).

What cannot be told apart is rejected with both readings, never guessed.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from contract.patterns import INTEGER_FORM
from contract.vocabulary import CHANGES, FULL_LOAD, NULL_OF_DMS, ORDERED_CHANGES, UPLOAD
from contract.writing import COMMA, DECIMAL_SIGNS, DELIMITERS, MONTH_FIRST, delimiter_text

from reading.ambiguity import ambiguous, ambiguous_order, pinned, shown
from reading.card_numbers import masked
from reading.csv_records import Beginning
from reading.file_name import Name
from reading.first_block import COMMIT, Record, all_match, plain
from reading.headerless import fitting, headerless_layout
from reading.layout import TABLE_COLUMNS, Layout, Shape, layout_of, readable_header
from reading.rejection import Reason, RejectedError

_INTEGER = re.compile(INTEGER_FORM)
_BLANKS = " \t"


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
    is_empty = all(not plain(field) for record in longer for field in record[width:])
    return widths.pop() - width if is_empty else 0


def _headerless_shape(name: Name, beginning: Beginning, sample: Sequence[Record]) -> Shape:
    try:
        return _finished(name, headerless_layout(name, _of_table(name, sample)), sample)
    except RejectedError as rejected:
        raise _with_separator(rejected, name, beginning) from rejected


def _with_separator(rejected: RejectedError, name: Name, beginning: Beginning) -> RejectedError:
    """Name the separator with which a file without a header has the usual columns, if there is one."""
    for delimiter in DELIMITERS if name.pin.delimiter is None else ():
        if delimiter != COMMA and fitting(name, beginning.records(delimiter)):
            text = f"Its fields are separated by {delimiter_text(delimiter)}, and it has no header."
            return RejectedError(Reason("ambiguous_dialect", f"{text} Say so: {pinned(delimiter=delimiter)}."))
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
    commit_name = pin.commit_name
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
        f"is one, say so: {pinned(full_load=True)}."
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
    found = [place for place in unknown if all_match(COMMIT, whole, place)]
    if not found:
        return layout
    first = layout.names[found[0]]
    if len(found) > 1:
        second = layout.names[found[1]]
        ways = (f"the commit timestamp is the column {shown(first)}", f"it is the column {shown(second)}")
        raise ambiguous(*ways, settled_by=pinned(commit_timestamp=first))
    if name.changes_need_order and found[0] == _place_of_dms(name, layout):
        return Layout(layout.names, {**layout.places, "commit_at": found[0]})
    raise ambiguous_order(f"the column {shown(first)}", first)


def _place_of_dms(name: Name, layout: Layout) -> int:
    """Return where AWS DMS writes the commit timestamp: behind the operation, and behind schema and table."""
    behind = len(TABLE_COLUMNS) if name.form == ORDERED_CHANGES else 0
    return layout.places.get("op", -1) + 1 + behind


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
    if masked(table) != table:
        raise RejectedError(Reason("card_numbers", "The name of the rows' table holds what may be a card number."))
    return replace(shape, table=table, table_place=place)


def _table_of(name: Name, sample: Sequence[Record]) -> tuple[str, int]:
    """Return the table that is read of transactions kept in order, in lower case, and which column names it."""
    pairs = {(plain(record[1]).lower(), plain(record[2]).lower()) for record in sample if len(record) > 2}
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
    return [record for record in sample if len(record) > place and plain(record[place]).lower() == table]


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
