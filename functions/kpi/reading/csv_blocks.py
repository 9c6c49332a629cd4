"""Read a CSV file block by block, each a number of whole lines.

Memory follows the size of a block, never that of the file. Two ways lead to the same records: blocks whose lines are
all plain are split by polars as they are, every other block is first cut into lines and each line is judged.
"""

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

import polars as pl
from contract.control_totals import TRAILER_MARK
from contract.limits import LINE_BYTES, SAMPLE_RECORDS
from contract.patterns import empty_record
from contract.writing import DELIMITERS

from reading.bytes import BYTE_ORDER_MARK, ByteStream, read_fully
from reading.csv_records import Beginning, RecordCutter, split_record
from reading.layout import Shape
from reading.lines import refuse_blank_lines, refuse_long, require_utf8, text_of, with_plain_ends, without_marks
from reading.rejection import Reason, RejectedError
from reading.trailer import Trailer, trailer_of

BLOCK_BYTES = 8 << 20
SHORT_LINE_BYTES = 8
_WITHOUT_CONTENT = re.compile(rf"\n[ \r{''.join(DELIMITERS)}]*+(?=\n)".encode())
MAXIMUM_SET_ASIDE = 2_000
"""Quoted lines that are taken out of a plain block one by one; beyond it the whole block goes the other way."""
_EMPTY = re.compile("|".join(map(empty_record, DELIMITERS)))
"""Of a line whose separator is not known yet."""
_SIGNS_OF_BLANK_LINES = b' \t\r\n\x1a\0"' + "".join(DELIMITERS).encode()
_TAIL_BYTES = 1 << 12
"""Most files' last line with content begins in so many bytes."""
_SEPARATOR = re.compile('"?sep=[^"]"?', re.IGNORECASE)
"""What Excel is told in front of the header; the header itself says it, too."""


@dataclass
class CsvRows:
    """Reads a CSV stream; `frames` gives its records as `RecordCutter` does, the attributes what was seen on the way.

    `shape_of` tells how the file is written from its first lines.
    """

    stream: ByteStream
    shape_of: Callable[[Beginning], Shape]
    wanted: tuple[str, ...]
    places: bool = False
    may_have_trailer: bool = False
    block_bytes: int = BLOCK_BYTES
    maximum_set_aside: int = MAXIMUM_SET_ASIDE
    shape: Shape = field(init=False)
    blank_lines_before_header: int = field(init=False, default=0)
    types: tuple[str, ...] = field(init=False, default=())
    declared_rows: int = field(init=False, default=0)
    trailer: Trailer | None = field(init=False, default=None)
    tombstones: int = field(init=False, default=0)
    _cutter: RecordCutter = field(init=False)
    _rows: int = field(init=False, default=0)
    _lines: int = field(init=False, default=0)
    _blank_lines: int = field(init=False, default=0)

    @property
    def odd_quote_lines(self) -> int:
        """How many lines have an odd number of quotes, among those that were read."""
        return self._cutter.odd_quote_lines

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the records after the header; raise RejectedError for a file that has none or is not UTF-8."""
        pending, final, header_seen = without_marks(self.stream), False, False
        while not final:
            piece = read_fully(self.stream, self.block_bytes)
            final = not piece
            data = pending + piece
            whole = len(data) if final else data.rfind(b"\n") + 1
            start = 0
            if not header_seen and (begin := self._header(data[:whole], final=final)) is not None:
                start, header_seen = begin, True
                self._lines = data.count(b"\n", 0, start)
            used = start
            if header_seen and self.may_have_trailer:
                whole = self._before_trailer(data, start, whole, final=final)
            if header_seen and whole > start:
                block = data[start:whole]
                require_utf8(block)
                # Lines are looked at only where most may be blank; before they are cut, where that takes much memory.
                lines = block.count(b"\n")
                if is_dense := lines * SHORT_LINE_BYTES > len(block):
                    self._refuse_blank_lines(block)
                frames, taken = self._block(block, final=final)
                used += taken
                self._lines += lines - data.count(b"\n", used, whole)
                rows = sum(frame.height for frame in frames)
                self._rows += rows
                if not is_dense and lines > 2 * rows + 1:
                    self._refuse_blank_lines(block[:taken])
                yield from frames
            pending = data[used:]
            refuse_long(pending, LINE_BYTES)

    def _before_trailer(self, data: bytes, start: int, whole: int, *, final: bool) -> int:
        """Return where the lines end that may be cut now: a trailer is kept back until it proves to be the last."""
        line = _last_line(data, start, whole)
        if line is None or (found := self._trailer_in(data[slice(*line)])) is None:
            return whole
        if not self._is_blank(data[line[1] : whole]):
            return whole
        if final:
            before = self._lines + data.count(b"\n", start, line[0])
            self.trailer = replace(found, line=before + 1)
        else:
            refuse_blank_lines(data.count(b"\n", line[1], whole), self._rows)
        return line[0]

    def _trailer_in(self, line: bytes) -> Trailer | None:
        if not line.lstrip(b' \t"').startswith(TRAILER_MARK.encode()):
            return None
        return trailer_of(split_record(text_of(line), self.shape.delimiter), self.shape.decimal)

    def _is_blank(self, data: bytes) -> bool:
        empty = re.compile(empty_record(self.shape.delimiter))
        return all(empty.fullmatch(text_of(line)) for line in io.BytesIO(data))

    def _refuse_blank_lines(self, block: bytes) -> None:
        """Raise RejectedError if there are too many lines without content, with those of this block."""
        self._blank_lines += sum(1 for _ in _WITHOUT_CONTENT.finditer(b"\n" + block))
        refuse_blank_lines(self._blank_lines, self._rows)

    def _header(self, data: bytes, *, final: bool) -> int | None:
        """Find out how the file is written; return where its rows begin, None if the first record is not there yet."""
        start, blanks = 0, 0
        while start < len(data):
            end = data.find(b"\n", start) + 1 or len(data)
            line = data[start:end]
            if not _says_nothing(line):
                self.shape = self._told_shape(line, data[start:])
                if not self.shape.has_header:
                    self._cutter = RecordCutter(self.shape, self.wanted, 1, self.places)
                    return 0
                self.blank_lines_before_header = blanks
                self._cutter = RecordCutter(self.shape, self.wanted, blanks + 2, self.places)
                return end
            start, blanks = end, blanks + 1
            refuse_blank_lines(blanks, 0)
        if final:
            raise RejectedError(Reason("empty_file", "The file holds nothing, not even a header."))
        return None

    def _told_shape(self, first: bytes, data: bytes) -> Shape:
        try:
            return self.shape_of(_beginning(first, data))
        except RejectedError as error:
            if not first.endswith(b"\n") and b"\r" in first.rstrip(b"\r"):
                text = "The file is one line, because its lines end in CR alone: write them with LF or CRLF."
                raise RejectedError(Reason("missing_column", text)) from error
            raise

    def _block(self, block: bytes, *, final: bool) -> tuple[list[pl.DataFrame], int]:
        text = with_plain_ends(block, final=final)
        if not self.places and (frames := self._plain_frames(text)) is not None:
            return frames, len(block)
        records, used = self._cutter.cut(text, final=final)
        return [records], _end_of_line(block, used)

    def _plain_frames(self, text: bytes) -> list[pl.DataFrame] | None:
        """Split a block of plain lines as it is; None if any line in it may be something else.

        Sound because polars refuses a line with more fields than the schema: if none has more, and the separators
        are as many as the lines need, none has fewer.
        """
        if b"\r" in text or text.startswith(BYTE_ORDER_MARK) or self.shape.table is not None:
            return None
        if self._cutter.width == 1:  # a blank line would be a record
            return None
        parts = _set_quoted_lines_aside(text, self.maximum_set_aside)
        if parts is None:
            return [self._cutter.split(text)] if self._cutter.are_single(text) else None
        plain, quoted = parts
        lines = plain.count(b"\n") + (not plain.endswith(b"\n") if plain else 0)
        if plain.count(self._cutter.delimiter.encode()) != lines * (self._cutter.width - 1):
            return None
        try:
            frames = [self._cutter.split(plain)] if plain else []
        except (pl.exceptions.ComputeError, pl.exceptions.SchemaError):  # the latter where it is the first line
            return None
        if quoted:
            frames.append(self._cutter.cut(quoted, final=True)[0])
        return frames


def _last_line(data: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Return where the last line begins and ends that holds more than signs of blank lines; None if there is none."""
    for size in (_TAIL_BYTES, end - start):
        first = max(start, end - size)
        if tail := data[first:end].rstrip(_SIGNS_OF_BLANK_LINES):
            content = first + len(tail)
            return data.rfind(b"\n", start, content) + 1 or start, data.find(b"\n", content, end) + 1 or end
    return None


def _beginning(first: bytes, data: bytes) -> Beginning:
    """Return what the first lines say; of the block only as many lines as may be looked at."""
    require_utf8(first)
    lines = (text for line in io.BytesIO(data) if not _EMPTY.fullmatch(text := text_of(line)))
    return Beginning(text_of(first), list(islice(lines, 2 * SAMPLE_RECORDS)))


def _says_nothing(line: bytes) -> bool:
    """Return whether a line before the header is blank, or only tells a spreadsheet what separates fields."""
    text = text_of(line)
    return bool(_EMPTY.fullmatch(text) or _SEPARATOR.fullmatch(text))


def _set_quoted_lines_aside(text: bytes, maximum: int) -> tuple[bytes, bytes] | None:
    """Return the lines without and those with quotes; None if a line's quotes are odd or the latter are many."""
    plain: list[bytes] = []
    quoted: list[bytes] = []
    start = 0
    while (quote := text.find(b'"', start)) >= 0:
        first = text.rfind(b"\n", start, quote) + 1 or start
        end = text.find(b"\n", quote) + 1 or len(text)
        line = text[first:end]
        if line.count(b'"') % 2 or len(quoted) >= maximum:
            return None
        plain.append(text[start:first])
        quoted.append(line)
        start = end
    return (b"".join([*plain, text[start:]]), b"".join(quoted)) if quoted else (text, b"")


def _end_of_line(block: bytes, lines: int) -> int:
    """Return where the given number of physical lines ends."""
    total = block.count(b"\n") + (not block.endswith(b"\n"))
    if lines == total:
        return len(block)
    at = len(block)
    for _ in range(total - lines + (block.endswith(b"\n"))):
        at = block.rfind(b"\n", 0, at)
    return at + 1
