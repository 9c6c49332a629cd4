"""Rows to files: CSV, JSON lines and Parquet by the name's ending; each row and cent is counted while it is written.

The same frames give the same bytes. A file appears under its name only when it is complete.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from assay.errors import UserError
from devcloud.sample.extent import AmountType

_TWO_DIGITS = pl.Series([f"{cents:02d}" for cents in range(100)], dtype=pl.String)
CSV_ENDINGS = (".csv", ".csv.gz")
JSON_ENDINGS = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")
_DATE_FORM = "%Y-%m-%d %H:%M:%S"
# Level 6 takes twice the time for a twentieth less.
_GZIP_LEVEL = 4


@dataclass(frozen=True)
class Totals:
    """The control totals of a file."""

    rows: int = 0
    total_cents: int = 0

    @property
    def total_amount(self) -> str:
        """The sum with two decimals."""
        return str(Decimal(self.total_cents).scaleb(-2))

    def plus(self, rows: int, total_cents: int) -> "Totals":
        """Add rows and cents."""
        return Totals(self.rows + rows, self.total_cents + total_cents)


def amount_text(cents: pl.Series) -> pl.Series:
    """Write cents as the source does: `$14.57`, `$-77.00`."""
    absolute = cents.abs()
    sign = pl.select(pl.when(cents < 0).then(pl.lit("$-")).otherwise(pl.lit("$"))).to_series()
    fraction = _TWO_DIGITS.gather(absolute % 100)
    return sign + (absolute // 100).cast(pl.String) + "." + fraction


def text_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of the source in its text forms, dates still being instants."""
    return frame.with_columns(
        amount_text(frame["amount_cents"]).alias("amount_cents"),
        (pl.col("zip").cast(pl.String) + ".0"),
    ).rename({"amount_cents": "amount"})


def csv_bytes(frame: pl.DataFrame, *, header: bool) -> bytes:
    """Write rows as CSV: comma, LF, quotes only where needed."""
    return text_frame(frame).write_csv(include_header=header, datetime_format=_DATE_FORM).encode()


_JSON_AMOUNT = re.compile(rb'"amount":"\$(-?[0-9]+\.[0-9]{2})"')


def json_bytes(frame: pl.DataFrame, *, amounts: AmountType) -> bytes:
    """Write rows as JSON lines; amounts are numbers with two decimals, or texts as in CSV."""
    texts = text_frame(frame).with_columns(pl.col("date").dt.to_string(_DATE_FORM), frame["zip"])
    lines = texts.write_ndjson().encode()
    return lines if amounts == "text" else _JSON_AMOUNT.sub(rb'"amount":\1', lines)


def _decimals(cents: pl.Series) -> pa.Array:
    # 128-bit two's complement, lower half first.
    halves = np.empty((len(cents), 2), dtype="<i8")
    halves[:, 0] = cents.to_numpy()
    halves[:, 1] = halves[:, 0] >> 63
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(cents), [None, pa.py_buffer(halves.tobytes())])


def arrow_table(frame: pl.DataFrame, *, amounts: AmountType) -> pa.Table:
    """Return the columns of the source as Arrow types; `zip` and `mcc` are integers."""
    cents = frame["amount_cents"]
    amount = _decimals(cents) if amounts == "decimal" else amount_text(cents).to_arrow().cast(pa.string())
    columns = {name: frame[name].to_arrow() for name in frame.columns if name != "amount_cents"}
    columns = {
        name: column.cast(pa.string()) if pa.types.is_large_string(column.type) else column
        for name, column in columns.items()
    }
    order = ["amount" if name == "amount_cents" else name for name in frame.columns]
    return pa.table({**columns, "amount": amount}).select(order)


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as sink:
            yield sink
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def text_sink(path: Path, endings: tuple[str, ...] = CSV_ENDINGS) -> Iterator[IO[bytes]]:
    """Open a file of text, plain or in gzip; the bytes do not tell when it was written or under which name."""
    if not path.name.endswith(endings):
        raise UserError(f"{path.name}: not a name for CSV", "let it end in .csv or .csv.gz")
    with _replacing(path) as sink:
        if path.suffix == ".gz":
            with gzip.GzipFile(filename="", mode="wb", compresslevel=_GZIP_LEVEL, fileobj=sink, mtime=0) as packed:
                yield packed  # type: ignore[misc]
        else:
            yield sink


def _write_csv(frames: Iterable[pl.DataFrame], path: Path) -> None:
    with text_sink(path) as sink:
        for number, frame in enumerate(frames):
            sink.write(csv_bytes(frame, header=number == 0))


def _write_json(frames: Iterable[pl.DataFrame], path: Path, *, amounts: AmountType) -> None:
    with text_sink(path, JSON_ENDINGS) as sink:
        for frame in frames:
            sink.write(json_bytes(frame, amounts=amounts))


def _write_parquet(frames: Iterable[pl.DataFrame], path: Path, *, amounts: AmountType) -> None:
    with _replacing(path) as sink:
        writer = None
        for frame in frames:
            table = arrow_table(frame, amounts=amounts)
            writer = writer or pq.ParquetWriter(sink, table.schema, compression="zstd")
            writer.write_table(table)
        if writer:
            writer.close()


def write(
    frames: Iterable[pl.DataFrame],
    path: Path,
    *,
    amounts: AmountType = "decimal",
    on_rows: Callable[[int], object] = lambda rows: None,
) -> Totals:
    """Write frames of `rows.SCHEMA` to a file and return its control totals; `on_rows` hears of each batch."""
    totals = Totals()

    def counted() -> Iterator[pl.DataFrame]:
        nonlocal totals
        for frame in frames:
            yield frame
            totals = totals.plus(len(frame), int(frame["amount_cents"].sum()))
            on_rows(len(frame))

    if path.suffix == ".parquet":
        _write_parquet(counted(), path, amounts=amounts)
    elif path.name.endswith(CSV_ENDINGS):
        _write_csv(counted(), path)
    elif path.name.endswith(JSON_ENDINGS):
        _write_json(counted(), path, amounts=amounts)
    else:
        raise UserError(
            f"{path.name}: the name does not say which kind to write",
            "use .csv, .jsonl, with or without .gz, or .parquet",
        )
    return totals


def write_control(path: Path, totals: Totals) -> Path:
    """Write the side-car that tells a file's control totals."""
    control = path.with_name(path.name + ".control.json")
    figures = {"row_count": totals.rows, "total_amount": totals.total_amount}
    control.write_text(json.dumps(figures) + "\n", encoding="utf-8")
    return control
