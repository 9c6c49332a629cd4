"""Read a file of JSON lines block by block: each line is an object, and a column is where an object has its name.

The first block settles which columns the file has; a known one that comes later is read as well, but those of changes:
rows before it would have been read as if there were none.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, compress
from operator import itemgetter
from typing import Any

import polars as pl
from contract.columns import CHANGE_COLUMNS
from contract.formats import JSON_ON_A_LINE, JSON_OVER_LINES
from contract.kinds import WITH_DECIMAL_SIGN, Kind
from contract.limits import COLUMNS, JSON_LINE_BYTES, SAMPLE_RECORDS
from contract.vocabulary import DEBEZIUM
from contract.writing import DECIMAL_SIGNS

from reading.ambiguity import shown
from reading.bytes import ByteStream, read_fully
from reading.dialect import named_shape
from reading.envelopes import Envelopes, OtherTypeError, RepeatedNameError, envelopes_of, shape_of_tombstones
from reading.file_name import Name
from reading.first_block import Record
from reading.foreign import refusal
from reading.json_objects import MALFORMED, LineReader, Members, Number, plain_name
from reading.layout import Layout, Shape, canonical_name, refuse_boundless
from reading.lines import (
    is_blank,
    is_tombstone,
    refuse_blank_lines,
    refuse_long,
    require_utf8,
    with_plain_ends,
    without_marks,
)
from reading.offsets import names_offsets
from reading.rejection import Reason, RejectedError

BLOCK_BYTES = 4 << 20
"""As objects of Python it takes about ten times as much memory."""
REPEATED, OF_OTHER_TYPE = "repeated_name", "value_of_other_type"
_CHANGES = frozenset(column.name for column in CHANGE_COLUMNS)
_EXCHANGED = str.maketrans(",.", ".,")
_TEXT_TYPES = {str, Number, type(None)}


@dataclass
class JsonRows:
    """Reads a stream of JSON lines; `frames` gives its records as `RecordCutter` does.

    `checked` returns a shape, or refuses it for what the records of the first block hold.
    """

    stream: ByteStream
    name: Name
    checked: Callable[[Shape, Sequence[Record]], Shape] = lambda shape, _: shape
    places: bool = False
    block_bytes: int = BLOCK_BYTES
    shape: Shape = field(init=False)
    types: tuple[str, ...] = field(init=False, default=())
    blank_lines_before_header: int = field(init=False, default=0)
    odd_quote_lines: int = field(init=False, default=0)
    declared_rows: int = field(init=False, default=0)
    trailer: None = field(init=False, default=None)
    tombstones: int = field(init=False, default=0)
    _reader: LineReader = field(init=False, default_factory=lambda: LineReader(Number, Members))
    _envelopes: Envelopes | None = field(init=False, default=None)
    _columns: tuple[str, ...] = field(init=False, default=())
    _names: dict[str, str] = field(init=False, default_factory=dict)
    """The contract's name of each column, or its own, by its plain name."""
    _getters: dict[tuple[str, ...], Callable[[list[Any]], tuple[Any, ...]] | None] = field(
        init=False, default_factory=dict
    )
    """What takes the columns out of the values of an object with these names; None where one of them is repeated."""
    _row: int = field(init=False, default=1)
    _line: int = field(init=False, default=1)
    _blank_lines: int = field(init=False, default=0)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the records; raise RejectedError for a file that is no JSON lines or not UTF-8."""
        pending, final = without_marks(self.stream), False
        while not final:
            piece = read_fully(self.stream, self.block_bytes)
            final = not piece
            data = pending + piece
            whole = len(data) if final else data.rfind(b"\n") + 1
            block, pending = data[:whole], data[whole:]
            if block:
                require_utf8(block)
                text = with_plain_ends(block, final=final).decode()
                if not final and not self._columns and len(data) <= JSON_LINE_BYTES and not _may_have_rows(text):
                    pending = data  # tombstones tell nothing: what follows says whether they are rows
                    continue
                yield from self._frames(text, final=final)
            elif not self._columns:
                self._refuse_objects_on_a_line(pending.decode(errors="replace"))
            refuse_long(pending, JSON_LINE_BYTES)
        if not self._columns:
            raise RejectedError(Reason("empty_file", "The file holds nothing but blank lines."))

    def _frames(self, text: str, *, final: bool) -> Iterator[pl.DataFrame]:
        lines = text.removesuffix("\n").split("\n")
        for long in (line for line in lines if len(line) > JSON_LINE_BYTES // 4):
            refuse_long(long.encode(), JSON_LINE_BYTES)
        content = [not is_blank(line) for line in lines]
        if not self._columns and any(content):
            self._settle([line for line in compress(lines, content) if not is_tombstone(line)], final=final)
        self._blank_lines += content.count(False)
        if self._columns and self.shape.dialect == DEBEZIUM:
            is_row = [is_filled and not is_tombstone(line) for is_filled, line in zip(content, lines, strict=True)]
            self.tombstones += content.count(True) - is_row.count(True)
            content = is_row
        filled = list(compress(lines, content))
        refuse_blank_lines(self._blank_lines, self._row + len(filled))
        if filled:
            frame = self._frame(filled)
            yield self._with_places(frame, content, filled) if self.places else frame
        self._row += len(filled)
        self._line += len(lines)

    def _settle(self, lines: Sequence[str], *, final: bool) -> None:
        """Tell how the file is to be read from the objects of the first block; the last one may have none."""
        if not lines:
            self._settle_tombstones(final=final)
            return
        objects = [pairs for pairs in map(self._reader.pairs, lines[: 2 * SAMPLE_RECORDS]) if pairs is not None]
        if self._reader.pairs(lines[0]) is None:
            self._refuse_objects_on_a_line(lines[0])
        if not objects:
            raise RejectedError(refusal(JSON_OVER_LINES))
        sample, name = objects[:SAMPLE_RECORDS], self.name.without_form()
        self._envelopes = envelopes_of(sample, name)
        if self._envelopes:
            sample = self._envelopes.rows(sample)
        written: dict[str, str] = {}
        for each, _ in chain.from_iterable(sample):
            written.setdefault(plain_name(each), _as_written(each))
        values = [{plain_name(each): value for each, value in pairs} for pairs in sample]
        records = [[_text_of(found.get(each)) for each in written] for found in values]
        if self._envelopes:
            shape = self._envelopes.shape(list(written.values()), records)
        else:
            shape = named_shape(name, list(written.values()), records)
            self._reader = LineReader(str if shape.decimal == DECIMAL_SIGNS[0] else Number)
        self.shape = self.checked(shape, records)
        of_place = {place: each for each, place in shape.layout.places.items()}
        self._names = {each: of_place.get(place, each) for place, each in enumerate(written)}
        known = name.subject.known
        self._columns = tuple(each for each in known if each not in _CHANGES or each in shape.layout.places)

    def _settle_tombstones(self, *, final: bool) -> None:
        """Take a file of tombstones alone for an empty one of envelopes if its key says that Kafka has written it."""
        if not final:
            raise RejectedError(Reason("no_rows", f"The first {JSON_LINE_BYTES >> 20} MB hold nothing but tombstones."))
        if not names_offsets(self.name.key):
            told = "The file holds nothing but tombstones of Kafka, and its key names no offsets."
            raise RejectedError(Reason("no_rows", told))
        self.shape = shape_of_tombstones()
        self._columns = self.shape.layout.names

    def _refuse_objects_on_a_line(self, text: str) -> None:
        if self._reader.is_followed(text):
            raise RejectedError(refusal(JSON_ON_A_LINE))

    def _frame(self, lines: Sequence[str]) -> pl.DataFrame:
        nothing: tuple[Any, ...] = (None,) * len(self._columns)
        told = [self._values(line) for line in lines]
        broken = {at: values for at, values in enumerate(told) if isinstance(values, str)}
        rows = [nothing if isinstance(values, str) else values for values in told] if broken else told
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        odd = [column for column in columns if set(map(type, column)) - _TEXT_TYPES]
        if others := {at for column in odd for at in _of_other_type(column)}:
            broken |= dict.fromkeys(others, OF_OTHER_TYPE)
            columns = list(zip(*(nothing if at in others else row for at, row in enumerate(rows)), strict=True))
        if self._envelopes:
            columns = [self._envelopes.texts(name, values) for name, values in zip(self._columns, columns, strict=True)]
        elif self.shape.decimal != DECIMAL_SIGNS[0]:
            # The file's decimal sign is exchanged later on; JSON's own is always a point.
            kinds = [self.name.subject.known[name].kind for name in self._columns]
            columns = [
                [with_comma(value, kind) for value in values] for kind, values in zip(kinds, columns, strict=True)
            ]
        series = [pl.Series(name, values, pl.String) for name, values in zip(self._columns, columns, strict=True)]
        return pl.DataFrame([*series, pl.Series("broken", map(broken.get, range(len(lines))), pl.String)])

    def _values(self, line: str) -> tuple[Any, ...] | str:
        """Return the values of the columns in a line, or the rule that it breaks.

        What a line holds is let go of at once: many such lists would keep the collector of garbage busy.
        """
        pairs = self._reader.pairs(line)
        if pairs is None:
            return MALFORMED
        if self._envelopes:
            try:
                pairs = self._envelopes.row(pairs)
            except RepeatedNameError:
                return REPEATED
            except OtherTypeError:
                return OF_OTHER_TYPE
        names = tuple([name for name, _ in pairs])
        getter = self._getters[names] if names in self._getters else self._getter_of(names)
        if getter is None:
            return REPEATED
        values = [value for _, value in pairs]
        values.append(None)
        return getter(values)

    def _with_places(self, frame: pl.DataFrame, content: Sequence[bool], filled: Sequence[str]) -> pl.DataFrame:
        numbers = list(compress(range(self._line, self._line + len(content)), content))
        return frame.with_columns(
            row=pl.int_range(pl.len(), dtype=pl.Int64) + self._row,
            line=pl.Series(numbers, dtype=pl.Int64),
            raw=pl.Series(filled, dtype=pl.String),
        )

    def _getter_of(self, names: tuple[str, ...]) -> Callable[[list[Any]], tuple[Any, ...]] | None:
        """Return what takes the columns out of the values of an object with these names, and None behind them."""
        plain = [plain_name(name) for name in names]
        getter = None
        if len(set(plain)) == len(plain):
            for name, written in zip(plain, names, strict=True):
                if name not in self._names:
                    self._add(name, _as_written(written))
            places = {self._names[name]: place for place, name in enumerate(plain)}
            wanted = [places.get(name, len(names)) for name in self._columns]
            getter = itemgetter(*wanted) if len(wanted) > 1 else lambda values: (values[wanted[0]],)
        if len(self._getters) < COLUMNS:
            self._getters[names] = getter
        return getter

    def _canonical(self, name: str) -> str:
        subject = self.name.subject
        pinned = "" if self._envelopes else self.name.pin.commit_name
        return canonical_name(name, subject, pinned)

    def _add(self, name: str, written: str) -> None:
        """Take up a column whose name comes behind the first block."""
        layout = self.shape.layout
        refuse_boundless([*layout.names, written])
        known = self._names[name] = self._canonical(name)
        if known in layout.places:
            raise RejectedError(
                Reason("duplicate_column", f"The column {shown(written)} occurs under another name, too.")
            )
        if known in _CHANGES:
            text = (
                f"The name {shown(written)} occurs in later objects, not in the first ones: those would be read as if "
                "they were no changes. Write it in each object."
            )
            raise RejectedError(Reason("ambiguous_dialect", text))
        places = layout.places | ({known: len(layout.names)} if known in self._columns else {})
        self.shape = replace(self.shape, layout=Layout((*layout.names, written), places))


def _may_have_rows(text: str) -> bool:
    return any(not is_blank(line) and not is_tombstone(line) for line in text.split("\n"))


def with_comma(value: Any, kind: Kind) -> Any:
    """Return a number with a decimal comma where a file's texts of this kind have one, others as they are."""
    return value.translate(_EXCHANGED) if isinstance(value, Number) and kind in WITH_DECIMAL_SIGN else value


def _as_written(name: str) -> str:
    """Return a name as it is shown; an empty one is a name in JSON."""
    return name.strip(" \t") or '""'


def _text_of(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _of_other_type(column: Sequence[Any]) -> Iterator[int]:
    return (at for at, value in enumerate(column) if value is not None and not isinstance(value, str))
