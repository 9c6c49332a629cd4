"""Read `mcc_codes` from one JSON object, code to description."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
from contract.limits import CODES_BYTES
from contract.subjects import Subject

from reading.bytes import ByteStream, read_fully
from reading.json_text import json_of
from reading.layout import Shape, layout_of
from reading.rejection import Reason, RejectedError

COLUMNS = ("mcc", "description")
_OF_LINES = {COLUMNS[0], "op", "payload"}
"""Names in an object that is one line of several; the last two are those of a change by Debezium."""


@dataclass
class JsonCodes:
    """Reads `mcc_codes` in JSON as the table that the object stands for."""

    stream: ByteStream
    subject: Subject
    types: tuple[str, ...] = ()
    blank_lines_before_header: int = 0
    odd_quote_lines: int = 0
    declared_rows: int = 0
    trailer: None = None
    tombstones: int = 0

    @property
    def shape(self) -> Shape:
        return Shape(layout_of(COLUMNS, self.subject))

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the codes as one block; raise RejectedError if the text is not such an object."""
        yield _frame(_pairs(_whole(self.stream)))


def is_of_lines(head: bytes) -> bool:
    """Return whether a text is JSON lines and not one whole object of codes.

    Its first line is an object that names its code, is the envelope of a change, or is followed by an object.
    """
    first, _, rest = head.removeprefix(b"\xef\xbb\xbf").lstrip().partition(b"\n")
    try:
        said = json_of(first)
    except ValueError:
        return False
    if not isinstance(said, dict):
        return False
    return rest.lstrip().startswith(b"{") or not _OF_LINES.isdisjoint(name.strip(" \t").lower() for name in said)


def _whole(stream: ByteStream) -> bytes:
    content = read_fully(stream, CODES_BYTES + 1)
    if len(content) > CODES_BYTES:
        raise _unreadable(f"it is larger than {CODES_BYTES >> 20} MiB")
    return content


def _frame(pairs: list[tuple[str, str]]) -> pl.DataFrame:
    frame = pl.DataFrame({"mcc": [code for code, _ in pairs]}, schema={"mcc": pl.String})
    return frame.with_columns(
        broken=pl.lit(None, pl.String),
        row=pl.int_range(1, pl.len() + 1, dtype=pl.Int64),
        line=pl.lit(None, pl.Int64),
        raw=pl.Series([f"{code},{name}" for code, name in pairs], dtype=pl.String),
    )


def _pairs(content: bytes) -> list[tuple[str, str]]:
    try:
        pairs = json_of(content, object_pairs_hook=list)
    except ValueError as error:
        raise _unreadable(str(error)) from error
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) and isinstance(pair[1], str) for pair in pairs):
        raise _unreadable("it is not one object of codes and descriptions")
    if len(dict(pairs)) < len(pairs):
        raise _unreadable("a code occurs twice")
    return pairs


def _unreadable(why: str) -> RejectedError:
    return RejectedError(Reason("unreadable_json", f"The JSON file cannot be read: {why}."))
