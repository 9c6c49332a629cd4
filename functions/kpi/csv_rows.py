"""Cuts the bytes of a CSV file into the records of the data contract (section 2), block by block.

Memory follows the size of a block, never that of the file. Two ways lead to the same records: blocks whose lines are
all plain are split by polars as they are, every other block is first cut into lines and each line is judged.
"""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

import polars as pl
from layout import Layout, Reason, RejectedError, Shape, layout_of, readable_header

BLOCK_BYTES = 8 << 20
MAXIMUM_RECORD_LINES = 64
MAXIMUM_LINE_BYTES = 64 << 20
"""What waits for the end of its line, or of its record, is held in memory."""
MAXIMUM_SET_ASIDE = 2_000
"""Quoted lines that are taken out of a plain block one by one; beyond it the whole block goes the other way."""
MAXIMUM_REGEX_FIELDS = 100
"""A pattern that counts more fields would be too large."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FIELD = re.compile(r'"((?:[^"]|"")*+)"|([^",]*)')
_QUOTED = r'"(?:[^"]|"")*"'
_ANY_FIELD = rf'(?:{_QUOTED}|[^",]*)'
_WELL_FORMED = rf"^{_ANY_FIELD}(?:,{_ANY_FIELD})*$"
_BLANK = re.compile(rb"[ \t]*\r?\n?")
SAMPLE_RECORDS = 1_000
"""So many records of the first block are looked at to tell how the file is written."""


def shape_of_header(first: Sequence[str] | None, sample: Sequence[Sequence[str | None]]) -> Shape:
    """Read the first record as the header of a plain transactions file."""
    return Shape(layout_of(readable_header(first)))


class ByteStream(Protocol):
    """What the reader needs of its source: at most `size` bytes, and none only at the end."""

    def read(self, size: int, /) -> bytes: ...


@dataclass
class _Judged:
    """The lines of one block: the records found in them and how many lines they used."""

    records: pl.DataFrame
    used: int


@dataclass
class CsvRows:
    """Reads a CSV stream; `frames` gives its records, the attributes what was seen on the way.

    `settle` tells from the first record (None where a quote in it is misused) and a sample how the file is written.

    A frame has one text column per column of `wanted` that the file has, not trimmed, and `broken`: the rule of
    section 2 that the record breaks, or null. With `places` it also has `row`, `line` and `raw`, in order.
    """

    stream: ByteStream
    wanted: tuple[str, ...]
    places: bool = False
    block_bytes: int = BLOCK_BYTES
    maximum_set_aside: int = MAXIMUM_SET_ASIDE
    settle: Callable[[Sequence[str] | None, Sequence[Sequence[str | None]]], Shape] = shape_of_header
    shape: Shape = field(init=False)
    blank_lines_before_header: int = field(init=False, default=0)
    odd_quote_lines: int = field(init=False, default=0)
    _row: int = field(init=False, default=1)
    _line: int = field(init=False, default=1)

    @property
    def layout(self) -> Layout:
        """The columns of the file, once its first block is read."""
        return self.shape.layout

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the records after the header; raise RejectedError for a file that has none or is not UTF-8."""
        pending, final, header_seen = self._first_bytes(), False, False
        while not final:
            piece = _read_fully(self.stream, self.block_bytes)
            final = not piece
            data = pending + piece
            whole = len(data) if final else data.rfind(b"\n") + 1
            start = 0
            if not header_seen and (begin := self._header(data[:whole], final=final)) is not None:
                start, header_seen = begin, True
            used = start
            if header_seen and whole > start:
                block = data[start:whole]
                _require_utf8(block)
                frames, taken = self._block(block, final=final)
                used += taken
                yield from frames
            pending = data[used:]
            if len(pending) > MAXIMUM_LINE_BYTES:
                text = f"A line is longer than {MAXIMUM_LINE_BYTES >> 20} MB; lines end in LF or CRLF, not in CR alone."
                raise RejectedError(Reason("endless_line", text))

    def _first_bytes(self) -> bytes:
        head = _read_fully(self.stream, len(BYTE_ORDER_MARK))
        return b"" if head == BYTE_ORDER_MARK else head

    def _header(self, data: bytes, *, final: bool) -> int | None:
        """Settle how the file is written; return where its rows begin, None if the first record is not there yet."""
        start, blanks = 0, 0
        while start < len(data):
            end = data.find(b"\n", start) + 1 or len(data)
            line = data[start:end]
            if not _BLANK.fullmatch(line):
                self.shape = self._settled(line, data[start:])
                if not self.shape.has_header:
                    return 0
                self.blank_lines_before_header = blanks
                self._line = blanks + 2
                return end
            start, blanks = end, blanks + 1
        if final:
            raise RejectedError(Reason("empty_file", "The file holds nothing, not even a header."))
        return None

    def _settled(self, first: bytes, data: bytes) -> Shape:
        try:
            return self.settle(_fields_of_line(first), _sample(data))
        except RejectedError as error:
            if not first.endswith(b"\n") and b"\r" in first.rstrip(b"\r"):
                text = "The file is one line, because its lines end in CR alone: write them with LF or CRLF."
                raise RejectedError(Reason("missing_column", text)) from error
            raise

    def _block(self, block: bytes, *, final: bool) -> tuple[list[pl.DataFrame], int]:
        text = block.replace(b"\r\n", b"\n") if b"\r" in block else block
        if final:
            text = text.removesuffix(b"\r")
        if not self.places and (frames := self._plain_frames(text)) is not None:
            return frames, len(block)
        judged = self._judge(text, final=final)
        return [judged.records], _end_of_line(block, judged.used)

    def _plain_frames(self, text: bytes) -> list[pl.DataFrame] | None:
        """Split a block of plain lines as it is; None if any line in it may be something else.

        Sound because polars refuses a line with more fields than the schema: if none has more, and the commas
        are as many as the lines need, none has fewer.
        """
        if b"\r" in text or text.startswith(BYTE_ORDER_MARK) or self.shape.table is not None:
            return None
        if len(self.layout.names) == 1:  # a blank line would be a record
            return None
        parts = _set_quoted_lines_aside(text, self.maximum_set_aside)
        if parts is None:
            return [self._split(text)] if self._is_well_formed(text) else None
        plain, quoted = parts
        lines = plain.count(b"\n") + (not plain.endswith(b"\n") if plain else 0)
        if plain.count(b",") != lines * (len(self.layout.names) - 1):
            return None
        try:
            frames = [self._split(plain)] if plain else []
        except (pl.exceptions.ComputeError, pl.exceptions.SchemaError):  # the latter where it is the first line
            return None
        if quoted:
            frames.append(self._judge(quoted, final=True).records)
        return frames

    def _is_well_formed(self, text: bytes) -> bool:
        """Say whether each line is a record by itself with the header's number of fields."""
        width = len(self.layout.names)
        if width > MAXIMUM_REGEX_FIELDS:
            return False
        pattern = rf"^{_ANY_FIELD}(?:,{_ANY_FIELD}){{{width - 1}}}$"
        return bool(_lines(text).str.contains(pattern).all())

    def _split(self, text: bytes) -> pl.DataFrame:
        """Split lines that are known to be well formed and to have the header's number of fields."""
        width = len(self.layout.names)
        frame = pl.read_csv(
            text,
            has_header=False,
            schema={f"column_{place + 1}": pl.String for place in range(width)},
            empty_string_is_null=True,
        )
        wanted = {f"column_{place + 1}": name for name, place in self.layout.places.items() if name in self.wanted}
        return frame.select(pl.col(old).alias(new) for old, new in wanted.items()).with_columns(
            broken=pl.lit(None, pl.String)
        )

    def _judge(self, text: bytes, *, final: bool) -> _Judged:
        """Cut the block into lines and those into records; leave what may go on in the next block."""
        lines = pl.DataFrame(_lines(text)).with_columns(
            at=pl.int_range(pl.len(), dtype=pl.UInt32), quotes=pl.col("raw").str.count_matches('"', literal=True)
        )
        spans, used = self._long_records(lines, final=final)
        inner = {line for first, last in spans for line in range(first, last + 1)}
        width = len(self.layout.names)
        single = (
            lines.head(used)
            .filter(~pl.col("at").is_in(sorted(inner)) & ~pl.col("raw").str.contains(r"^[ \t]*$"))
            .with_columns(broken=_broken(width))
            .pipe(self._of_other_tables)
        )
        simple = single["broken"].is_null() & ~single["raw"].str.contains("\r", literal=True)
        parts = [
            self._split_simple(single.filter(simple)),
            self._split_slowly(single.filter(~simple)),
            self._split_slowly(self._of_other_tables(_joined(lines, spans))),
        ]
        records = pl.concat(parts).sort("at")
        if self.places:
            records = records.with_columns(
                row=pl.int_range(pl.len(), dtype=pl.Int64) + self._row, line=pl.col("at").cast(pl.Int64) + self._line
            )
        self._row += records.height
        self._line += used
        return _Judged(records.drop("at") if self.places else records.drop("at", "raw"), used)

    def _of_other_tables(self, records: pl.DataFrame) -> pl.DataFrame:
        """Name the rule that a record of another table breaks, whatever its number of fields."""
        table, place = self.shape.table, self.shape.table_place
        if table is None:
            return records

        def is_other(raw: str) -> bool:
            fields = split_record(raw)
            return fields is None or len(fields) <= place or fields[place].strip(" \t").lower() != table

        other = pl.Series([is_other(raw) for raw in records["raw"]], dtype=pl.Boolean)
        well_quoted = records["broken"].is_null() | (records["broken"] != "malformed_quotes")
        return records.with_columns(
            broken=pl.when(other & well_quoted).then(pl.lit("other_table")).otherwise(pl.col("broken"))
        )

    def _long_records(self, lines: pl.DataFrame, *, final: bool) -> tuple[list[tuple[int, int]], int]:
        """Find the records of several lines, as (first, last), and how many lines of the block can be judged now."""
        odd = lines.filter(pl.col("quotes") % 2 == 1)["at"].to_list()
        spans: list[tuple[int, int]] = []
        here, used = 0, lines.height
        while here < len(odd):
            first = odd[here]
            last = odd[here + 1] if here + 1 < len(odd) else None
            if last is None and not final and lines.height - first < MAXIMUM_RECORD_LINES:
                used = first
                break
            joins = last is not None and self._is_record(lines, first, last)
            if joins and last is not None:
                spans.append((first, last))
            here += 2 if joins else 1
        self.odd_quote_lines += sum(1 for line in odd if line < used)
        return spans, used

    def _is_record(self, lines: pl.DataFrame, first: int, last: int) -> bool:
        if last - first >= MAXIMUM_RECORD_LINES:
            return False
        fields = split_record("\n".join(lines["raw"][first : last + 1]))
        return fields is not None and len(fields) == len(self.layout.names)

    def _split_simple(self, single: pl.DataFrame) -> pl.DataFrame:
        # The first line keeps polars from taking a byte order mark inside the file for one at its beginning.
        guard = "," * (len(self.layout.names) - 1)
        text = pl.concat([pl.Series("raw", [guard]), single["raw"]]).str.join("\n").item()
        return self._split(text.encode()).slice(1).with_columns(single["at"], single["raw"])

    def _split_slowly(self, records: pl.DataFrame) -> pl.DataFrame:
        names = [name for name in self.layout.places if name in self.wanted]
        columns: dict[str, list[str | None]] = {name: [] for name in names}
        for raw, broken in records.select("raw", "broken").iter_rows():
            fields = None if broken else split_record(raw)
            for name in names:
                columns[name].append(fields[self.layout.places[name]] if fields else None)
        series = [pl.Series(name, values, pl.String) for name, values in columns.items()]
        return pl.DataFrame(series).with_columns(records["broken"], records["at"], records["raw"])


def split_record(text: str) -> list[str] | None:
    """Split a record into its fields by rule 4; None if a quote is misused."""
    fields: list[str] = []
    at = 0
    while match := _FIELD.match(text, at):
        fields.append(match[2] if match[1] is None else match[1].replace('""', '"'))
        at = match.end()
        if at == len(text):
            return fields
        if text[at] != ",":
            return None
        at += 1
    return None


def _fields_of_line(line: bytes) -> list[str] | None:
    _require_utf8(line)
    return split_record(line.decode().removesuffix("\n").removesuffix("\r"))


def _sample(data: bytes) -> list[list[str]]:
    """Return the first records that are single lines."""
    lines = (line for line in io.BytesIO(data) if not _BLANK.fullmatch(line))
    texts = (line.decode(errors="replace").removesuffix("\n").removesuffix("\r") for line in lines)
    fields = (split_record(text) for text in texts)
    return list(islice((record for record in fields if record is not None), SAMPLE_RECORDS))


def _require_utf8(data: bytes) -> None:
    try:
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError as error:
        text = f"The text is not UTF-8: {error.reason} 0x{data[error.start]:02x}."
        raise RejectedError(Reason("not_utf8", text)) from error


def _read_fully(stream: ByteStream, size: int) -> bytes:
    pieces: list[bytes] = []
    while size > 0 and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


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


def _lines(text: bytes) -> pl.Series:
    return pl.Series("raw", [text.decode().removesuffix("\n")]).str.split("\n").explode()


def _broken(width: int) -> pl.Expr:
    """Name the rule that a line which is a record by itself breaks, or null."""
    raw, quotes = pl.col("raw"), pl.col("quotes")
    outside = pl.when(quotes == 0).then(raw).otherwise(raw.str.replace_all(_QUOTED, ""))
    commas = outside.str.count_matches(",", literal=True)
    return (
        pl.when((quotes > 0) & ~raw.str.contains(_WELL_FORMED))
        .then(pl.lit("malformed_quotes"))
        .when(commas < width - 1)
        .then(pl.lit("too_few_fields"))
        .when(commas > width - 1)
        .then(pl.lit("too_many_fields"))
        .otherwise(pl.lit(None, pl.String))
    )


def _joined(lines: pl.DataFrame, spans: list[tuple[int, int]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "raw": ["\n".join(lines["raw"][first : last + 1]) for first, last in spans],
            "at": [first for first, _ in spans],
            "broken": [None for _ in spans],
        },
        schema={"raw": pl.String, "at": pl.UInt32, "broken": pl.String},
    )


def _end_of_line(block: bytes, lines: int) -> int:
    """Return where the given number of physical lines ends."""
    total = block.count(b"\n") + (not block.endswith(b"\n"))
    if lines == total:
        return len(block)
    at = len(block)
    for _ in range(total - lines + (block.endswith(b"\n"))):
        at = block.rfind(b"\n", 0, at)
    return at + 1
