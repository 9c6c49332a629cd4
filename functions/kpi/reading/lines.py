"""What holds for the lines of all files of text: their encoding, their ends, and how many of them may be blank."""

import re

from contract.envelopes import TOMBSTONE
from contract.limits import BLANK_LINES
from contract.patterns import LINE_END_SIGN

from reading.bytes import BYTE_ORDER_MARK, ByteStream, read_fully
from reading.rejection import Reason, RejectedError

_ENDS_OF_LINES = re.compile(rf"(?<!{LINE_END_SIGN}){LINE_END_SIGN}++(?=\n)".encode())
_TOMBSTONE = re.compile(TOMBSTONE)
_LAST_END = re.compile(rf"(?<!{LINE_END_SIGN}){LINE_END_SIGN}++\Z".encode())


def without_marks(stream: ByteStream) -> bytes:
    """Read the first bytes behind all byte order marks: some programs put a second one in front of the first."""
    while (head := read_fully(stream, len(BYTE_ORDER_MARK))) == BYTE_ORDER_MARK:
        pass
    return head


def with_plain_ends(block: bytes, *, final: bool) -> bytes:
    """Return whole lines without what belongs to their ends but for the line feeds; a CR is all that is usual."""
    text = block.replace(b"\r\n", b"\n") if b"\r" in block else block
    if b"\r" in text or b"\x1a" in text or b"\0" in text:
        text = _ENDS_OF_LINES.sub(b"", text)
    return _LAST_END.sub(b"", text) if final else text


def text_of(line: bytes) -> str:
    """Return a line without its end, whatever its encoding."""
    return _LAST_END.sub(b"", line.removesuffix(b"\n")).decode(errors="replace")


def is_blank(line: str) -> bool:
    """Return whether a line without its end has no content."""
    return not line.strip(" \t")


def is_tombstone(line: str) -> bool:
    """Return whether a line is what Kafka keeps behind a delete: nothing, or an envelope of nothing."""
    return _TOMBSTONE.fullmatch(line) is not None


def require_utf8(data: bytes) -> None:
    """Raise RejectedError if a text is in another encoding."""
    try:
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError as error:
        text = f"The text is not UTF-8: {error.reason} 0x{data[error.start]:02x}."
        raise RejectedError(Reason("not_utf8", text)) from error


def refuse_long(pending: bytes, most: int) -> None:
    """Raise RejectedError if what waits for its line end is longer than a line may be."""
    if len(pending) > most:
        text = f"A line is longer than {most >> 20} MB; lines end in LF or CRLF, not in CR alone."
        raise RejectedError(Reason("endless_line", text))


def refuse_blank_lines(lines: int, rows: int) -> None:
    """Raise RejectedError if there are too many lines without content behind so many rows."""
    if lines > max(BLANK_LINES, rows):
        text = (
            f"The file has {lines:,} lines without content and {rows:,} rows so far; more than {BLANK_LINES:,} are "
            "taken only from a file with as many rows. Drop them: `grep -v '^[[:space:],]*$' FILE > COPY.csv`."
        )
        raise RejectedError(Reason("too_many_blank_lines", text))
