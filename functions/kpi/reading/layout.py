"""The shape of a file: its columns, and all else that is settled before its first row is read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from contract.items import FileFormat
from contract.limits import COLUMNS, NAME_CHARACTERS, REASON_CHARACTERS, STORED_NAMES
from contract.subjects import TRANSACTIONS, Subject
from contract.vocabulary import UPLOAD
from contract.writing import COMMA, DECIMAL_SIGNS, MONTH_FIRST

from reading.card_numbers import masked
from reading.missing_columns import missing_column_reasons
from reading.near_names import near_name
from reading.rejection import Reason, RejectedError
from reading.visible import visible

MAXIMUM_NAMED = 20
"""So many unknown columns are named in a warning; a ledger item must not grow with a header."""
TABLE_COLUMNS = ("table or schema (1)", "table or schema (2)")
"""What the two columns of a headerless file of transactions are called that say whose row it is."""


NAMELESS = "nameless "
"""What the columns of a frame are called that have no name in the file, before their place."""


def _counted(opening: str, names: Sequence[str]) -> str:
    """Return a sentence with the first names that it has room for, and how many more there are."""
    kept = list(names[:MAXIMUM_NAMED])
    while True:
        more = f" and {len(names) - len(kept):,} more" if len(kept) < len(names) else ""
        text = f"{opening}{', '.join(kept)}{more}."
        if len(text) <= REASON_CHARACTERS or not kept:
            return text
        kept.pop()


@dataclass(frozen=True)
class Layout:
    """The columns of a file: its own names in order, and the place of each column that is known."""

    names: tuple[str, ...]
    places: dict[str, int]

    @property
    def nameless(self) -> tuple[int, ...]:
        """The places of columns without a name."""
        return tuple(place for place, name in enumerate(self.names) if not name)

    def warnings(self, subject: Subject = TRANSACTIONS) -> list[str]:
        """Return warnings about columns that are not read and columns that are absent."""
        known = set(self.places.values())
        named = [name for place, name in enumerate(self.names) if name and place not in known]
        unknown = [repr(name) for name in named if name not in TABLE_COLUMNS]
        missing = [name for name in subject.texts if name not in self.places]
        near = {name: meant for name in named if (meant := near_name(name, missing))}
        absent = [repr(name) for name in missing]
        warnings = [
            f"The column '{visible(name, most=40)}' is not read. If it is {meant!r}, call it so."
            for name, meant in list(near.items())[:MAXIMUM_NAMED]
        ]
        if unknown:
            warnings.append(_counted("Unknown columns, not read: ", unknown))
        if absent:
            warnings.append(f"Absent columns, null in every row of this file: {', '.join(absent)}.")
        return warnings


@dataclass(frozen=True)
class Shape:
    """How a file is to be read: all that is settled before its first row."""

    layout: Layout
    dialect: str = UPLOAD
    has_header: bool = True
    is_full_load: bool = False
    null_texts: tuple[str, ...] = ()
    table: str | None = None
    """In lower case; a row whose field at `table_place` is another name belongs to another table."""
    table_place: int = 0
    delimiter: str = ","
    decimal: str = "."
    date_order: str = MONTH_FIRST
    encodings: Mapping[str, str] = field(default_factory=dict)
    """How values of an image are written where that is not as a row's are, by column."""
    warnings: tuple[str, ...] = ()
    """What its name or its first block leaves open."""

    def as_item(self, kind: str) -> FileFormat:
        """Return the ledger's map `format`, as far as readers of all kinds of files know it."""
        item = FileFormat(
            kind=kind,
            dialect=self.dialect,
            has_header=self.has_header,
            columns=[masked(name) for name in self.layout.names[:STORED_NAMES]],
            places=dict(self.layout.places),
            is_full_load=self.is_full_load,
        )
        if len(self.layout.names) > STORED_NAMES:
            item["column_count"] = len(self.layout.names)
        if self.null_texts:
            item["null_text"] = self.null_texts[0]
        if self.null_texts[1:]:
            item["more_null_texts"] = list(self.null_texts[1:])
        if self.table is not None:
            item |= {"table": self.table, "table_places": [self.table_place]}
        return item | self._writing()

    def _writing(self) -> FileFormat:
        """Return how the file is written, as far as it is not the usual way."""
        item = FileFormat()
        if self.delimiter != COMMA:
            item["delimiter"] = self.delimiter
        if self.decimal != DECIMAL_SIGNS[0]:
            item["decimal"] = self.decimal
        if self.date_order != MONTH_FIRST:
            item["date_order"] = self.date_order
        if self.encodings:
            item["encodings"] = dict(self.encodings)
        if "commit_at" in self.layout.places:
            item["ordered_by"] = masked(self.layout.names[self.layout.places["commit_at"]])
        return item


def readable_header(first: Sequence[str] | None) -> list[str]:
    """Return the names in a header; raise RejectedError if its quotes do not let it be cut into fields."""
    if first is None:
        raise RejectedError(Reason("missing_column", "The header cannot be read: a quote in it is misused."))
    return list(first)


def layout_of(names: Sequence[str], subject: Subject = TRANSACTIONS, *, commit_name: str | None = None) -> Layout:
    """Find the known columns; raise RejectedError if one is missing or any name occurs twice.

    Columns without a name (a trailing comma of a spreadsheet) are unknown ones, not repetitions of each other.
    `commit_name` is the pinned name of the commit timestamp, empty where there is none; columns that are usually named
    so are then unknown.
    """
    refuse_boundless(names)
    canonical = [canonical_name(name, subject, commit_name) for name in names]
    twice = sorted(name for name, count in Counter(canonical).items() if name and count > 1)
    required = [*subject.required, *(["commit_at"] if commit_name else [])]
    missing = [name for name in required if name not in canonical]
    unread = [name for name, known in zip(names, canonical, strict=True) if known not in subject.known]
    told = [commit_name if commit_name and name == "commit_at" else name for name in missing]
    reasons = missing_column_reasons(told, names, unread, subject)
    reasons += [
        Reason("duplicate_column", f"The column '{visible(name)}' occurs more than once.")
        for name in twice[:MAXIMUM_NAMED]
    ]
    if len(twice) > MAXIMUM_NAMED:
        reasons.append(Reason("duplicate_column", f"So do {len(twice) - MAXIMUM_NAMED} more columns."))
    if reasons:
        raise RejectedError(*reasons)
    places = {name: canonical.index(name) for name in subject.known if name in canonical}
    return Layout(tuple(name.strip(" \t") for name in names), places)


def refuse_boundless(names: Sequence[str]) -> None:
    """Raise RejectedError for more columns, or a longer name, than any table has that people make."""
    if len(names) > COLUMNS:
        text = (
            f"The file has {len(names):,} columns, {COLUMNS:,} at the most. The first is "
            f"'{visible(names[0], most=40)}'. If that is data, the header is missing, or lines do not end in LF."
        )
        raise RejectedError(Reason("too_many_columns", text))
    for place, name in enumerate(names, start=1):
        if len(name) > NAME_CHARACTERS:
            text = (
                f"The name of column {place} has {len(name):,} characters, {NAME_CHARACTERS} at the most. It begins "
                f"'{visible(name, most=40)}'. Most often a quote is not closed, or a line end is missing."
            )
            raise RejectedError(Reason("long_column_name", text))


def canonical_name(name: str, subject: Subject, commit_name: str | None) -> str:
    """Return what the contract calls a name; `commit_name` is the pinned one of the commit timestamp."""
    known = subject.canonical_name(name)
    if commit_name is None:
        return known
    plain = name.strip(" \t").lower()
    if plain and plain == commit_name.strip(" \t").lower():
        return "commit_at"
    return plain if known == "commit_at" else known
