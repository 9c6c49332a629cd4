"""Copies a file of cards to staging without what must stay in Bronze: card numbers and security codes.

A card number becomes its last four digits, a colon, and its HMAC-SHA256 under the stack's secret key, so that equal
numbers can be told without being known; a security code becomes nothing. A record that cannot be taken apart is
replaced whole: it breaks the data contract anyway, and its text could hold a card number anywhere.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import io
import tempfile
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from ledger import Item
from records import join_line, split_line

SECRET_COLUMNS = ("card_number", "cvv")
WITHHELD = "withheld: a broken record of cards"
LAST_DIGITS = 4


class CardKey:
    """The secret key of a stack, fetched when it is first needed."""

    def __init__(self, secret_id: str) -> None:
        self._secret_id = secret_id

    @cached_property
    def _key(self) -> bytes:
        if not self._secret_id:
            raise RuntimeError("a file of cards needs the job's argument --card_key_secret")
        return str(boto3.client("secretsmanager").get_secret_value(SecretId=self._secret_id)["SecretString"]).encode()

    def masked(self, name: str, text: str | None) -> str:
        """Return what may leave Bronze of a value."""
        digits = "".join(character for character in text or "" if character.isdigit())
        if name != "card_number" or not digits:
            return ""
        return f"{digits[-LAST_DIGITS:]}:{hmac.new(self._key, digits.encode(), hashlib.sha256).hexdigest()}"


def copy_masked(file: Item, body: Any, lake: str, path: str, key: CardKey) -> None:
    """Write the masked copy of a file of cards (`body`: its bytes as a stream) to a path of the lake bucket."""
    with tempfile.TemporaryFile() as copy:
        if file["format"]["kind"] == "parquet":
            _copy_parquet(file, body, copy, key)
        else:
            _copy_csv(file, body, copy, key)
        copy.seek(0)
        boto3.client("s3").upload_fileobj(copy, lake, path)


def _copy_csv(file: Item, body: Any, copy: Any, key: CardKey) -> None:
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


def masked_lines(file: Item, lines: Iterable[str], key: CardKey) -> Iterator[str]:
    """Yield the lines of a CSV file with its secret columns masked; line breaks and blank lines stay."""
    shape = file["format"]
    places = {name: shape["places"][name] for name in SECRET_COLUMNS if name in shape["places"]}
    header = shape.get("blank_lines_before_header", 0) if shape["has_header"] else -1
    for number, line in enumerate(lines):
        blank = not line.strip(" \t\r\n\ufeff")
        yield line if number <= header or blank else _masked_line(line, places, len(shape["columns"]), key)


def _masked_line(line: str, places: dict[str, int], width: int, key: CardKey) -> str:
    text = line.rstrip("\r\n")
    end = line[len(text) :]
    fields = split_line(text)
    if fields is None:
        return f'"{WITHHELD}"!{end}'  # still breaks the rule of quotes
    if len(fields) != width:
        return ",".join([WITHHELD] + [""] * (len(fields) - 1)) + end  # still too few or too many
    for name, place in places.items():
        fields[place] = key.masked(name, fields[place])
    return join_line(fields) + end


def _copy_parquet(file: Item, body: Any, copy: Any, key: CardKey) -> None:
    shape = file["format"]
    secret = {shape["places"][name]: name for name in SECRET_COLUMNS if name in shape["places"]}
    with tempfile.TemporaryFile() as whole:
        while piece := body.read(1 << 20):
            whole.write(piece)
        source = pq.ParquetFile(whole)
        schema = pa.schema(
            [
                pa.field(field.name, pa.string()) if place in secret else field
                for place, field in enumerate(source.schema_arrow)
            ]
        )
        with pq.ParquetWriter(copy, schema) as writer:
            for batch in source.iter_batches():
                columns = [
                    pa.array([key.masked(secret[place], _text(value)) for value in column.to_pylist()], pa.string())
                    if place in secret
                    else column
                    for place, column in enumerate(batch.columns)
                ]
                writer.write_batch(pa.record_batch(columns, schema=schema))


def _text(value: Any) -> str:
    """Return a card number as digits, also where a tool that writes integers with nulls has made `….0` of it."""
    return "" if value is None else str(value).removesuffix(".0")
