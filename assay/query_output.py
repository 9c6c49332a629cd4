"""Prints the result of a query as a table, CSV or JSON lines of one array; no figure passes through a float."""

import csv
import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from itertools import count, islice
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]

from assay import console
from assay.errors import UserError, first_line
from assay.grid import Column, Grid

MOST_ROWS_IN_A_TABLE = 1_000
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def rows(reader: pa.RecordBatchReader) -> Iterator[dict[str, Any]]:
    """Yield the rows one by one; DuckDB's 128-bit integers arrive as decimals of scale 0.

    Raises `UserError` where DuckDB fails on a later row than the first ones.
    """
    names = names_of(reader)
    kinds = dict(zip(names, reader.schema.types, strict=True))
    wide = {name for name, kind in kinds.items() if pa.types.is_decimal(kind) and kind.scale == 0}
    for batch in _batches(reader):
        for row in batch.rename_columns(names).to_pylist():
            yield {name: int(value) if name in wide and value is not None else value for name, value in row.items()}


def names_of(reader: pa.RecordBatchReader) -> list[str]:
    """Return the names of the columns; one that an earlier column has gets a number."""
    names: list[str] = []
    for name in reader.schema.names:
        numbered = (f"{name}_{number}" for number in count(1))
        names.append(name if name not in names else next(each for each in numbered if each not in names))
    return names


def _batches(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except OSError as error:  # Arrow's form of an error in DuckDB
        raise UserError(first_line(error), "correct the statement, if it is the cause") from None


def print_answer(reader: pa.RecordBatchReader, form: str, *, excel_safe: bool = False, vertical: bool = False) -> None:
    """Print a result in one of the forms `table`, `csv` and `json`; a table is `vertical` if it is too wide, or asked.

    On a terminal a table longer than the screen goes through the pager.
    """
    if form == "csv":
        print_csv(reader, excel_safe=excel_safe)
    elif form == "json":
        print_json(reader)
    else:
        print_table(reader, vertical=vertical)


def print_table(reader: pa.RecordBatchReader, *, vertical: bool = False) -> None:
    kinds = [
        Column(console.shown(name), "figure" if _is_number(kind) else "line" if pa.types.is_nested(kind) else "whole")
        for name, kind in zip(names_of(reader), reader.schema.types, strict=True)
    ]
    answer = rows(reader)
    held = [list(row.values()) for row in islice(answer, MOST_ROWS_IN_A_TABLE)]
    grid = Grid("", kinds)
    for row in held:
        grid.add_row(*map(_cell, row))
    if held and (vertical or not grid.fits(console.out().width)):
        grid = Grid("", kinds, records=True)
        for row in held:
            grid.add_row(*map(_unfolded, row))
    console.page(grid)
    more = next(answer, None) is not None
    shown = "1 row" if len(held) == 1 else f"{len(held):,} rows"
    console.note(f"the first {shown}; for all of them: --format csv" if more else shown)


def print_csv(reader: pa.RecordBatchReader, *, excel_safe: bool = False) -> None:
    """Print CSV; with `excel_safe` no text is a formula to a spreadsheet, and numbers stay numbers.

    On a terminal, control characters are shown instead of obeyed; a file or a pipe gets them as they are.
    """
    written = _seen if sys.stdout.isatty() else _text
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(written(_inert(name) if excel_safe else name) for name in names_of(reader))
    for row in rows(reader):
        cells = (_inert(value) if excel_safe else value for value in row.values())
        writer.writerow("" if value is None else written(value) for value in cells)


def _inert(value: Any) -> Any:
    """Return text that a spreadsheet would take for a formula behind an apostrophe (OWASP, "CSV Injection")."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_SIGNS) else value


def print_json(reader: pa.RecordBatchReader) -> None:
    """Print an array with one object per line, as it comes, however long it is."""
    separator = "[\n"
    for row in rows(reader):
        sys.stdout.write(separator + json.dumps(row, ensure_ascii=False, default=console.as_text))
        separator = ",\n"
    sys.stdout.write("[]\n" if separator == "[\n" else "\n]\n")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_floating(kind))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:,}"
    return _seen(value)


def _seen(value: Any) -> str:
    """Write a value so that nothing in it acts on a terminal.

    Whole numbers stay as they are: one in ten keys and ids has a card number's check digit by chance.
    """
    return str(value) if type(value) is int else console.shown(_text(value))


def _unfolded(value: Any) -> str:
    """Write a value in a record: what a struct holds on lines of its own."""
    if isinstance(value, dict) and value:
        width = max(map(len, value))
        return "\n".join(f"{name:<{width}}  {_cell(inner)}" for name, inner in value.items())
    return _cell(value)


def _text(value: Any) -> str:
    """Write a value in a cell; nested values as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | dict | bool | int):
        return json.dumps(value, ensure_ascii=False, default=console.as_text)
    return console.as_text(value)
