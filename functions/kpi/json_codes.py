"""Reads `mcc_codes` as one JSON object, code to description, in the form of the other readers."""

from collections.abc import Iterator

import polars as pl
from csv_rows import ByteStream
from json_text import json_of
from layout import Reason, RejectedError, Shape, layout_of
from subjects import Subject

MAXIMUM_BYTES = 16 << 20
COLUMNS = ("mcc", "description")


def codes_shape(subject: Subject) -> Shape:
    """Return how the object is to be read: as the table that it stands for."""
    return Shape(layout_of(COLUMNS, subject))


def code_frames(stream: ByteStream) -> Iterator[pl.DataFrame]:
    """Yield the codes as one block; raise RejectedError if the text is not such an object."""
    pieces: list[bytes] = []
    while piece := stream.read(1 << 20):
        pieces.append(piece)
        if sum(map(len, pieces)) > MAXIMUM_BYTES:
            raise _unreadable(f"it is larger than {MAXIMUM_BYTES >> 20} MiB")
    pairs = _pairs(b"".join(pieces))
    frame = pl.DataFrame({"mcc": [code for code, _ in pairs]}, schema={"mcc": pl.String})
    yield frame.with_columns(
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
