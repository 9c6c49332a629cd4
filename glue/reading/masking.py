"""Copies a file of cards to staging without what must stay in Bronze: card numbers and security codes.

A card number becomes its last four digits, a colon, and its HMAC-SHA256 under the stack's secret key, so that equal
numbers can be told without being known; a security code becomes nothing. A number in any other column is masked: an id
or an amount cannot be read then, and its row is quarantined. A record that cannot be taken apart is replaced whole: it
breaks the data contract anyway, and its text could hold a card number anywhere.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import io
import re
import tempfile
from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import cached_property
from math import trunc
from numbers import Real
from typing import Any

import boto3
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from contract.columns import CARD_COLUMNS, CHANGE_COLUMNS
from contract.items import FileFormat, FileItem
from contract.kinds import SECURITY_CODE
from contract.patterns import LINE_END_SIGN, empty_record
from contract.subjects import REFERENCES
from contract.writing import COMMA

from glue.reading.card_numbers import LAST_DIGITS, masked_text
from glue.reading.fields import column_count, join_line, split_line

SECRET_COLUMNS = REFERENCES["cards"].secret
SECURITY_CODES = tuple(column.name for column in CARD_COLUMNS if column.kind is SECURITY_CODE)
# Rules read them: their types stay as they are.
CHECKED_COLUMNS = (*REFERENCES["cards"].ruled, *(column.name for column in CHANGE_COLUMNS))
WITHHELD = "withheld: a broken record of cards"
_END = re.compile(rf"(?<!{LINE_END_SIGN}){LINE_END_SIGN}*+\n?\Z")


class CardKey:
    """The secret key of a stack, fetched when it is first needed."""

    def __init__(self, secret_id: str) -> None:
        self._secret_id = secret_id

    @cached_property
    def _key(self) -> bytes:
        if not self._secret_id:
            raise RuntimeError("a file of cards needs the job's argument --card_key_secret")
        return str(boto3.client("secretsmanager").get_secret_value(SecretId=self._secret_id)["SecretString"]).encode()

    def masked(self, name: str | None, text: str | None) -> str:
        """Return what may leave Bronze of a value in the column of this name; None is one that the contract lacks."""
        if name not in (*SECRET_COLUMNS, None):
            return masked_text(text or "")
        digits = re.sub("[^0-9]", "", re.sub(r"\.0+$", "", text or ""))
        if name is None or name in SECURITY_CODES or not digits:
            return ""
        return f"{digits[-LAST_DIGITS:]}:{hmac.new(self._key, digits.encode(), hashlib.sha256).hexdigest()}"


def names_of(shape: FileFormat) -> list[str | None]:
    """Return the contract's name of each of a file's columns, None for unknown ones."""
    names = {place: name for name, place in shape["places"].items()}
    tables = shape.get("table_places", [])
    return [names.get(place, "op" if place in tables else None) for place in range(column_count(shape))]


def copy_masked(file: FileItem, body: Any, lake: str, path: str, key: CardKey) -> None:
    """Write the masked copy of a file of cards (`body`: its bytes as a stream) to a path of the lake bucket."""
    with tempfile.TemporaryFile() as copy:
        if file["format"]["kind"] == "parquet":
            _copy_parquet(file, body, copy, key)
        else:
            _copy_csv(file, body, copy, key)
        copy.seek(0)
        boto3.client("s3").upload_fileobj(copy, lake, path)


def _copy_csv(file: FileItem, body: Any, copy: Any, key: CardKey) -> None:
    zipped = file["format"]["kind"] == "csv.gz"
    source = gzip.GzipFile(fileobj=body) if zipped else body
    text = io.TextIOWrapper(io.BufferedReader(_Readable(source)), encoding="utf-8", newline="\n")
    target = gzip.GzipFile(fileobj=copy, mode="wb", mtime=0) if zipped else copy
    for line in masked_lines(file, text, key):
        target.write(line.encode())
    if zipped:
        target.close()


class _Readable(io.RawIOBase):
    """Gives a stream that only knows `read` the interface that text needs."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._source.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def masked_lines(file: FileItem, lines: Iterable[str], key: CardKey) -> Iterator[str]:
    """Yield the lines of a CSV file with its secret columns masked; line breaks and blank lines stay."""
    shape = file["format"]
    names, tables, delimiter = names_of(shape), shape.get("table_places", []), shape.get("delimiter", COMMA)
    header = shape.get("blank_lines_before_header", 0) if shape["has_header"] else -1
    for number, line in enumerate(lines):
        text = _END.sub("", line).lstrip("\ufeff")
        is_kept = number <= header or re.fullmatch(empty_record(delimiter), text)
        yield line if is_kept else _masked_line(line, names, tables, delimiter, key)


def _masked_line(line: str, names: list[str | None], tables: list[int], delimiter: str, key: CardKey) -> str:
    text = _END.sub("", line)
    end = line[len(text) :]
    fields = split_line(text, delimiter)
    if fields is None:
        return f'"{WITHHELD}"!{end}'  # still breaks the rule of quotes
    if len(fields) != len(names):
        # Still too few or too many, and still of the table that it names.
        kept = [field if place in tables else "" for place, field in enumerate(fields)]
        return join_line([WITHHELD, *kept[1:]], delimiter) + end
    return join_line([key.masked(name, field) for name, field in zip(names, fields, strict=True)], delimiter) + end


def _copy_parquet(file: FileItem, body: Any, copy: Any, key: CardKey) -> None:
    shape = file["format"]
    names = names_of(shape)
    with tempfile.TemporaryFile() as whole:
        while piece := body.read(1 << 20):
            whole.write(piece)
        source = pq.ParquetFile(whole)
        # All but the columns that rules read become text, and of those the ones that hold a card number.
        typed = [name in CHECKED_COLUMNS and _is_free(source, place) for place, name in enumerate(names)]
        fields = zip(typed, source.schema_arrow, strict=True)
        schema = pa.schema([field if is_typed else pa.field(field.name, pa.string()) for is_typed, field in fields])
        point = shape.get("decimal", ".")
        with pq.ParquetWriter(copy, schema) as writer:
            for batch in source.iter_batches():
                columns = [
                    column
                    if is_typed
                    else pa.array([key.masked(name, _text(value, point)) for value in column.to_pylist()], pa.string())
                    for is_typed, name, column in zip(typed, names, batch.columns, strict=True)
                ]
                writer.write_batch(pa.record_batch(columns, schema=schema))


def _is_free(source: pq.ParquetFile, place: int) -> bool:
    """Tell whether no value of a column holds a card number: instants hold none."""
    field = source.schema_arrow.field(place)
    if pa.types.is_temporal(field.type):
        return True
    batches = source.iter_batches(columns=[field.name])
    texts = (_text(value) or "" for batch in batches for value in batch.columns[0].to_pylist())
    return all(masked_text(text) == text for text in texts)


def _text(value: Any, point: str = ".") -> str | None:
    """Return a value as text, a decimal with the file's own sign."""
    if isinstance(value, Real) and value == value // 1:
        return str(trunc(value))
    if isinstance(value, Decimal):
        return format(value, "f").replace(".", point)
    return None if value is None else str(value)
