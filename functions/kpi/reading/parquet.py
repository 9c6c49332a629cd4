"""Read a Parquet file in bounded batches, each value as the text that the rules know (data contract, section 3.3)."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from contract.kinds import AMOUNT, Kind, ParquetType
from contract.limits import SAMPLE_RECORDS
from contract.subjects import Subject

from reading.layout import NAMELESS, Layout, Shape
from reading.rejection import Reason, RejectedError
from reading.texts import instants_as_text

BATCH_ROWS = 131_072
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
    _schema: pl.Schema = field(init=False)

    def __post_init__(self) -> None:
        try:
            self._schema = pl.Schema(pl.read_parquet_schema(self.path))
        except _UNREADABLE as error:
            raise _unreadable(error) from error
        self.types = tuple(type_name(kind) for kind in self._schema.dtypes())
        self.shape = self.shape_of(self._schema.names(), self._sample())
        reasons = [reason for name in self.layout.places if (reason := self._unsupported(name))]
        if reasons:
            raise RejectedError(*reasons)

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
        try:
            found = pl.scan_parquet(self.path, glob=False).select(texts).head(SAMPLE_RECORDS).collect()
        except _UNREADABLE:
            return []
        found = found.with_columns(self._sample_of_bytes(name) for name in names if self._schema[name] == pl.Binary)
        absent = [pl.lit(None, pl.String).alias(name) for name in names if name not in found.columns]
        return found.with_columns(absent).select(names).rows()

    def _sample_of_bytes(self, name: str) -> pl.Series:
        """Return the first values of a column of bytes, which may be text; nulls if they are not."""
        found = pl.scan_parquet(self.path, glob=False).select(name).head(SAMPLE_RECORDS).collect()[name]
        try:
            return found.cast(pl.String)
        except pl.exceptions.PolarsError:
            return pl.Series(name, [None] * len(found), pl.String)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the records; raise RejectedError if a page cannot be read."""
        names = tuple(self.subject.known) if self.places else self.wanted
        texts = [self._value(name).alias(name) for name in names if name in self.layout.places]
        texts += [] if self.places else [self._mark_of_value(place) for place in self.layout.nameless]
        first = 1
        while not (batch := self._batch(texts, first)).is_empty():
            yield self._placed(batch, first) if self.places else batch.with_columns(broken=pl.lit(None, pl.String))
            first += batch.height

    def _batch(self, texts: list[pl.Expr], first: int) -> pl.DataFrame:
        # Slices, because `collect_batches` holds the file's decoded columns in memory (10 M rows: 650 MB against 100).
        try:
            return pl.scan_parquet(self.path, glob=False).select(texts).slice(first - 1, BATCH_ROWS).collect()
        except _UNREADABLE as error:
            raise _unreadable(error) from error

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
        return pl.when(has_value).then(pl.lit("a value")).alias(f"{NAMELESS}{place}")

    def _type(self, name: str) -> tuple[str, pl.DataType]:
        own_name = self._schema.names()[self.layout.places[name]]
        return own_name, self._schema[own_name]

    def _unsupported(self, name: str) -> Reason | None:
        own_name, kind = self._type(name)
        values = self.subject.known[name].kind
        if _is_supported(values, kind):
            return None
        money = values is AMOUNT and kind.is_float()
        why = "floating point cannot carry cents exactly" if money else "the data contract does not list it"
        return Reason("unsupported_column_type", f"The column {own_name!r} has the type {type_name(kind)}: {why}.")

    def _value(self, name: str) -> pl.Expr:
        own_name, kind = self._type(name)
        column = pl.col(own_name)
        if isinstance(kind, pl.Datetime):
            us = _microseconds(column, kind)
            return instants_as_text(us) if self.places else us
        if isinstance(kind, pl.List):
            return column.list.eval(pl.element().drop_nulls()).list.join(",")
        return _integral_text(column) if kind.is_float() else column.cast(pl.String)


def type_name(kind: pl.DataType) -> str:
    """Return a type's name in the ledger: `string`, `int64`, `decimal(18,2)`, `timestamp[ns]`, `timestamp[us, UTC]`."""
    if isinstance(kind, pl.String | pl.Categorical | pl.Enum):
        return "string"
    if isinstance(kind, pl.Decimal):
        return f"decimal({kind.precision},{kind.scale})"
    if isinstance(kind, pl.Datetime):
        return f"timestamp[{kind.time_unit}{f', {kind.time_zone}' if kind.time_zone else ''}]"
    if isinstance(kind, pl.List):
        return f"list<{type_name(pl.Series(dtype=kind.inner).dtype)}>"
    return str(kind.base_type()).lower()


def _has_text(kind: pl.DataType) -> bool:
    """Return whether polars can write the values of a type as text; it refuses a whole frame for one that it cannot."""
    of_text = (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Date, pl.Datetime, pl.Time)
    return kind.is_numeric() or isinstance(kind, of_text)


def _is_supported(values: Kind, kind: pl.DataType) -> bool:
    """Return whether a type can hold a column's values."""
    return any(_IS_OF[parquet_type](kind) for parquet_type in values.parquet)


_IS_OF: Mapping[ParquetType, Callable[[pl.DataType], bool]] = {
    ParquetType.TEXT: lambda kind: isinstance(kind, pl.String | pl.Categorical | pl.Enum),
    ParquetType.INTEGER: lambda kind: kind.is_integer(),
    ParquetType.DECIMAL: lambda kind: kind.is_decimal(),
    ParquetType.WHOLE_BINARY: lambda kind: kind.is_float() and kind != pl.Float16,
    ParquetType.TIMESTAMP: lambda kind: isinstance(kind, pl.Datetime),
    ParquetType.DATE: lambda kind: isinstance(kind, pl.Date),
    ParquetType.TEXT_LIST: lambda kind: kind == pl.List(pl.String),
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


def _unreadable(error: BaseException) -> RejectedError:
    first_line = str(error).strip().partition("\n")[0][:200]
    return RejectedError(Reason("unreadable_parquet", f"The Parquet file cannot be read: {first_line}."))
