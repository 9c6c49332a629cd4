"""Read a Parquet file in bounded batches, each value as the text that the rules know (data contract, section 3.3)."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from contract.kinds import AMOUNT, Kind, ParquetType
from contract.limits import SAMPLE_RECORDS
from contract.parquet import (
    CODECS,
    INT96,
    LAST_LOGICAL_TYPE,
    NULL_LOGICAL_TYPE,
    UNREAD_CODECS,
    UNREAD_ENCODINGS,
    UNREAD_LOGICAL_TYPES,
    USUAL,
)
from contract.subjects import Subject

from reading.layout import NAMELESS, Layout, Shape
from reading.parquet_footer import Footer, Leaf, read_footer, unreadable
from reading.parquet_pages import check_pages
from reading.rejection import Reason, RejectedError
from reading.texts import instants_as_text

BATCH_ROWS = 131_072
ARROW_NOTE = b"ARROW:schema"
_UNREADABLE = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)


@dataclass
class ParquetRows:
    """Reads a Parquet file; `frames` gives its records in the form of `CsvRows.frames`.

    An instant that is a timestamp stays one, in microseconds of UTC, unless `places` asks for texts. `shape_of`
    tells how the file is written from the names and a sample of the rows.
    """

    path: Path
    shape_of: Callable[[list[str], Sequence[Sequence[str | None]]], Shape]
    wanted: tuple[str, ...]
    subject: Subject
    places: bool = False
    shape: Shape = field(init=False)
    types: tuple[str, ...] = field(init=False)
    blank_lines_before_header: int = field(init=False, default=0)
    odd_quote_lines: int = field(init=False, default=0)
    trailer: None = field(init=False, default=None)
    tombstones: int = field(init=False, default=0)
    _schema: pl.Schema = field(init=False)
    _is_widened: bool = field(init=False)
    _footer: Footer = field(init=False)

    def __post_init__(self) -> None:
        self._footer = read_footer(self.path)
        if reasons := [reason for leaf in self._footer.leaves if (reason := _unopened(leaf))]:
            raise RejectedError(*reasons)
        check_pages(self.path, self._footer)
        written = _schema_of(self.path)
        if any(self._is_int96(written, name, kind) for name, kind in written.items()):
            # Arrow notes the unit and the zone from which it wrote them, and polars would take no other.
            _hide(self.path, ARROW_NOTE)
            written = _schema_of(self.path)
        # Nanoseconds end in 2262: polars would write the instants of INT96 that lie beyond as the last one before it.
        widened = {name: pl.Datetime("us") for name, kind in written.items() if self._is_int96(written, name, kind)}
        self._schema, self._is_widened = pl.Schema({**written, **widened}), bool(widened)
        self.types = tuple(
            "null" if self._is_null(place) else type_name(kind) for place, kind in enumerate(written.dtypes())
        )
        self.shape = self.shape_of(self._schema.names(), self._sample())
        reasons = [reason for name in self.layout.places if (reason := self._unsupported(name))]
        if reasons := reasons or self._unread_pages():
            raise RejectedError(*reasons)

    def _is_int96(self, schema: pl.Schema, name: str, kind: pl.DataType) -> bool:
        leaf = self._footer.leaf_of(schema.names().index(name))
        return isinstance(kind, pl.Datetime) and leaf is not None and leaf.physical == INT96

    def _is_null(self, place: int) -> bool:
        """Return whether the column can hold nothing but nulls."""
        leaf = self._footer.leaf_of(place)
        return leaf is not None and leaf.logical == NULL_LOGICAL_TYPE

    def _unread_pages(self) -> list[Reason]:
        """Return why pages of columns that are read are none for Spark: the first column of each codec or encoding."""
        found: dict[str, Reason] = {}
        for chunk in self._footer.of_places(set(self.layout.places.values())):
            written = [f"encoded by {name}" for code, name in UNREAD_ENCODINGS.items() if code in chunk.encodings]
            if chunk.codec in UNREAD_CODECS or chunk.codec not in CODECS:
                written.append(f"compressed by {CODECS.get(chunk.codec, f'codec {chunk.codec}')}")
            for how in written:
                text = f"The column {chunk.leaf.name!r} is {how}, which Spark cannot read: write the file with {USUAL}."
                found.setdefault(how, Reason("unreadable_parquet", text))
        return list(found.values())

    @property
    def declared_rows(self) -> int:
        """How many rows the footer says that there are."""
        return self._footer.row_count

    @property
    def layout(self) -> Layout:
        """The columns of the file."""
        return self.shape.layout

    def _sample(self) -> list[tuple[str | None, ...]]:
        """Return the first rows as texts, unless the first page cannot be read: then `frames` says so.

        A column that cannot be written as text is null: the others are looked at all the same.
        """
        names = self._schema.names()
        texts = [
            instants_as_text(_microseconds(pl.col(name), kind)).alias(name)
            if isinstance(kind := self._schema[name], pl.Datetime)
            else _integral_text(pl.col(name)).alias(name)
            if kind.is_float()
            else pl.col(name).cast(pl.String, strict=False)
            for name in names
            if _has_text(self._schema[name])
        ]
        found = self._first_rows(texts)
        of_bytes = [self._sample_of_bytes(name) for name in names if self._schema[name] == pl.Binary]
        found = found.with_columns(column for column in of_bytes if len(column) == len(found))
        absent = [pl.lit(None, pl.String).alias(name) for name in names if name not in found.columns]
        return found.with_columns(absent).select(names).rows()

    def _scan(self) -> pl.LazyFrame:
        # A schema makes polars look at columns that nobody reads: it is given only where it differs.
        return pl.scan_parquet(self.path, glob=False, schema=self._schema if self._is_widened else None)

    def _first_rows(self, texts: list[pl.Expr]) -> pl.DataFrame:
        """Return the first rows of the columns that can be read: a column that nobody reads may hold anything."""
        try:
            return self._scan().select(texts).head(SAMPLE_RECORDS).collect()
        except _UNREADABLE:
            if len(texts) == 1:
                return pl.DataFrame()
            found = [self._first_rows([text]) for text in texts]
            return pl.concat([frame for frame in found if frame.width] or [pl.DataFrame()], how="horizontal")

    def _sample_of_bytes(self, name: str) -> pl.Series:
        """Return the first values of a column of bytes, which may be text; nulls if they are not."""
        found = self._first_rows([pl.col(name)])
        try:
            return found.get_column(name, default=pl.Series(name, [], pl.Binary)).cast(pl.String)
        except pl.exceptions.PolarsError:
            return pl.Series(name, [None] * len(found), pl.String)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the records; raise RejectedError if a page of a known column cannot be read."""
        known = [name for name in self.subject.known if name in self.layout.places]
        read = known if self.places else [name for name in known if name in self.wanted]
        # Pages of the others are decoded and let go: Silver will read them.
        values = {name: self._value(name) if name in read else pl.col(self._type(name)[0]) for name in known}
        if not self.places:
            marks = {f"{NAMELESS}{place}": self._mark_of_value(place) for place in self.layout.nameless}
            values, read = values | marks, [*read, *marks]
        first = 1
        while not (batch := self._batch(values, first)).is_empty():
            records = batch.select(read)
            yield self._placed(records, first) if self.places else records.with_columns(broken=pl.lit(None, pl.String))
            first += batch.height

    def _batch(self, values: Mapping[str, pl.Expr], first: int) -> pl.DataFrame:
        # Slices, because `collect_batches` holds the file's decoded columns in memory (10 M rows: 650 MB against 100).
        texts = [value.alias(name) for name, value in values.items()]
        try:
            return self._scan().select(texts).slice(first - 1, BATCH_ROWS).collect()
        except _UNREADABLE as error:
            raise self._refused(error, values, first) from error

    def _refused(self, error: BaseException, values: Mapping[str, pl.Expr], first: int) -> RejectedError:
        """Return the rejection for a batch that cannot be read: the first column whose pages cannot."""
        for name, value in values.items():
            try:
                self._scan().select(value).slice(first - 1, BATCH_ROWS).collect()
            except _UNREADABLE as found:
                return _unreadable_column(self._type(name)[0] if name in self.layout.places else "", found)
        return _unreadable(error)

    def _placed(self, batch: pl.DataFrame, first: int) -> pl.DataFrame:
        raw = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in batch.iter_rows(named=True)]
        return batch.select(name for name in batch.columns if name in self.wanted).with_columns(
            broken=pl.lit(None, pl.String),
            row=pl.int_range(pl.len(), dtype=pl.Int64) + first,
            line=pl.lit(None, pl.Int64),
            raw=pl.Series(raw, dtype=pl.String),
        )

    def _mark_of_value(self, place: int) -> pl.Expr:
        """Return whether there is a value in a column without a name, as a text or null."""
        has_value = pl.col(self._schema.names()[place]).is_not_null()
        return pl.when(has_value).then(pl.lit("a value"))

    def _type(self, name: str) -> tuple[str, pl.DataType]:
        own_name = self._schema.names()[self.layout.places[name]]
        return own_name, self._schema[own_name]

    def _unsupported(self, name: str) -> Reason | None:
        own_name, kind = self._type(name)
        values = self.subject.known[name].kind
        is_null = self._is_null(self.layout.places[name]) and not kind.is_nested()
        if is_null or _is_supported(values, self._list_type(name, kind)):
            return None
        money = values is AMOUNT and kind.is_float()
        why = "floating point cannot carry cents exactly" if money else "the data contract does not list it"
        return Reason("unsupported_column_type", f"The column {own_name!r} has the type {type_name(kind)}: {why}.")

    def _list_type(self, name: str, kind: pl.DataType) -> pl.DataType:
        """Return the type of a list of nothing but nulls as one of texts: pandas writes lists that are all empty so."""
        of_nulls = isinstance(kind, pl.List | pl.Array) and self._is_null(self.layout.places[name])
        return pl.List(pl.String()) if of_nulls else kind

    def _value(self, name: str) -> pl.Expr:
        own_name, kind = self._type(name)
        column = pl.col(own_name)
        if isinstance(kind, pl.Datetime):
            us = _microseconds(column, kind)
            return instants_as_text(us) if self.places else us
        if isinstance(kind, pl.List | pl.Array):
            return column.cast(pl.List(pl.String)).list.eval(pl.element().drop_nulls()).list.join(",")
        return _integral_text(column) if kind.is_float() else column.cast(pl.String)


def type_name(kind: pl.DataType) -> str:
    """Return a type's name in the ledger: `string`, `int64`, `decimal(18,2)`, `timestamp[ns]`, `timestamp[us, UTC]`."""
    if isinstance(kind, _TEXT):
        return "string"
    if isinstance(kind, pl.Decimal):
        return f"decimal({kind.precision},{kind.scale})"
    if isinstance(kind, pl.Datetime):
        return f"timestamp[{kind.time_unit}{f', {kind.time_zone}' if kind.time_zone else ''}]"
    if isinstance(kind, pl.List | pl.Array):
        return f"list<{type_name(pl.Series(dtype=kind.inner).dtype)}>"
    return str(kind.base_type()).lower()


def _has_text(kind: pl.DataType) -> bool:
    """Return whether polars can write the values of a type as text; it refuses a whole frame for one that it cannot."""
    return kind.is_numeric() or isinstance(kind, (*_TEXT, pl.Boolean, pl.Date, pl.Datetime, pl.Time))


def _is_supported(values: Kind, kind: pl.DataType) -> bool:
    """Return whether a type can hold a column's values."""
    return any(_IS_OF[parquet_type](kind) for parquet_type in values.parquet)


_TEXT = (pl.String, pl.Categorical, pl.Enum)
_IS_OF: Mapping[ParquetType, Callable[[pl.DataType], bool]] = {
    ParquetType.TEXT: lambda kind: isinstance(kind, _TEXT),
    # Those of 128 bits are bytes that only Arrow's own note calls integers: Spark reads them as bytes.
    ParquetType.INTEGER: lambda kind: kind.is_integer() and kind not in (pl.Int128, pl.UInt128),
    ParquetType.DECIMAL: lambda kind: kind.is_decimal(),
    ParquetType.WHOLE_BINARY: lambda kind: kind.is_float() and kind != pl.Float16,
    ParquetType.TIMESTAMP: lambda kind: isinstance(kind, pl.Datetime),
    ParquetType.DATE: lambda kind: isinstance(kind, pl.Date),
    # Of a fixed length, or of a dictionary's texts, they are in Arrow's note alone: the file has lists of text.
    ParquetType.TEXT_LIST: lambda kind: isinstance(kind, pl.List | pl.Array) and isinstance(kind.inner, _TEXT),
}


def _microseconds(column: pl.Expr, kind: pl.Datetime) -> pl.Expr:
    """Return the instant in UTC; what is finer than a microsecond is cut."""
    us = column.dt.cast_time_unit("us")
    in_utc = us if kind.time_zone is None else us.dt.convert_time_zone("UTC")
    return in_utc.dt.replace_time_zone(None)


def _integral_text(column: pl.Expr) -> pl.Expr:
    wide = column.cast(pl.Float64)
    integral = wide.is_between(-(2.0**63), 2.0**63, closed="left") & (wide.floor() == wide)
    return pl.when(integral).then(wide.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(wide.cast(pl.String))


def _schema_of(path: Path) -> pl.Schema:
    """Return the columns of a file, without Arrow's own description of them where polars cannot use that.

    Arrow notes there the text of a zone, which may be one that nobody knows (`+05:30`). The instants do not need it.
    """
    try:
        return pl.Schema(pl.read_parquet_schema(path))
    except _UNREADABLE:
        _hide(path, ARROW_NOTE)
    try:
        return pl.Schema(pl.read_parquet_schema(path))
    except _UNREADABLE as error:
        raise _unreadable(error) from error


def _hide(path: Path, key: bytes) -> None:
    """Give the last entry of this name in the footer of a copy another name of the same length."""
    with path.open("r+b") as file:
        file.seek(-8, 2)
        size = int.from_bytes(file.read(4), "little")
        start = file.seek(-8 - size, 2)
        if (at := file.read(size).rfind(key)) >= 0:
            file.seek(start + at)
            file.write(key.swapcase())


def _unopened(leaf: Leaf) -> Reason | None:
    """Return why Spark cannot open a file with this column, whether it is read or not."""
    if leaf.logical is None or (leaf.logical <= LAST_LOGICAL_TYPE and leaf.logical not in UNREAD_LOGICAL_TYPES):
        return None
    called = UNREAD_LOGICAL_TYPES.get(leaf.logical, "unknown")
    text = f"The column {leaf.name!r} has the type {called}: Spark cannot open a file with it. Leave the column out."
    return Reason("unsupported_column_type", text)


def _unreadable_column(name: str, error: BaseException) -> RejectedError:
    if "invalid UTF-8" in str(error):
        return RejectedError(Reason("not_utf8", f"The text in the column {name!r} is not UTF-8: write it as such."))
    return unreadable(f"the column {name!r}: {_first_line(error)}")


def _unreadable(error: BaseException) -> RejectedError:
    return unreadable(_first_line(error))


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:200].removesuffix(".")
