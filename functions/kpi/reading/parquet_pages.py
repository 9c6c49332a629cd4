"""Look at each page of a Parquet file: its header can be read, and its bytes match the checksum that it carries."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from reading.parquet_footer import Chunk, Footer, unreadable
from reading.thrift import DAMAGED, Compact, ThriftError

_COMPRESSED_SIZE, _CHECKSUM, _DATA, _DATA_OF_SECOND_FORM = 3, 4, 5, 8
_VALUES = 1
"""The numbers of fields in parquet.thrift's PageHeader."""
_HEADER_BYTES = (256, 1 << 13, 1 << 24)
"""A header is tried within so many bytes: the values of its statistics may be long texts."""
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class Page:
    """The place and the size of a page's bytes, and the checksum that it carries, if any."""

    start: int
    size: int
    checksum: int | None
    values: int


def check_pages(path: Path, footer: Footer) -> None:
    """Raise RejectedError for a page that has no header, or other bytes than it was written with.

    Columns that nobody reads are looked at, too: what they hold is free, but a damaged file is damaged.
    """
    with path.open("rb", buffering=0) as file:
        for chunk in footer.chunks:
            values = 0
            for page in _pages(file, chunk):
                values += page.values
                if page.checksum is not None and _crc(file, page) != page.checksum:
                    raise unreadable(f"a page of the column {chunk.leaf.name!r} does not match its checksum")
            if values != chunk.values:
                raise unreadable(
                    f"the pages of the column {chunk.leaf.name!r} hold {values:,} values, not {chunk.values:,}"
                )


def _pages(file: BinaryIO, chunk: Chunk) -> Iterator[Page]:
    at = chunk.start
    while at < chunk.end:
        page = _page(file, at, chunk)
        at = page.start + page.size
        if at > chunk.end:
            raise _damaged(chunk, "it is longer than its column")
        yield page


def _page(file: BinaryIO, at: int, chunk: Chunk) -> Page:
    for size in _HEADER_BYTES:
        file.seek(at)
        reader = Compact(file.read(min(size, chunk.end - at)))
        try:
            said = reader.struct()
            checksum = said.get(_CHECKSUM)
            unsigned = None if checksum is None else checksum & 0xFFFFFFFF
            data = said.get(_DATA) or said.get(_DATA_OF_SECOND_FORM) or {_VALUES: 0}
            return Page(at + reader.at, _size(said[_COMPRESSED_SIZE]), unsigned, _size(data[_VALUES]))
        except ThriftError as error:
            if not error.is_short or size == _HEADER_BYTES[-1] or size >= chunk.end - at:
                raise _damaged(chunk, str(error)) from error
        except DAMAGED as error:
            raise _damaged(chunk, "it has no size") from error
    raise _damaged(chunk, "it does not end")


def _size(said: int) -> int:
    if said < 0:
        raise ValueError
    return said


def _crc(file: BinaryIO, page: Page) -> int:
    file.seek(page.start)
    left, crc = page.size, 0
    while left and (piece := file.read(min(left, _PIECE_BYTES))):
        crc = zlib.crc32(piece, crc)
        left -= len(piece)
    return crc


def _damaged(chunk: Chunk, why: str) -> Exception:
    return unreadable(f"the header of a page of the column {chunk.leaf.name!r} is damaged ({why})")
