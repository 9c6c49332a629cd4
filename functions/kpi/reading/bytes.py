"""Read the bytes of an object by what they are: Parquet, gzip or plain CSV, told by the first bytes alone."""

import zlib
from typing import Protocol

from contract.limits import INFLATED_BYTES, INFLATION

from reading.rejection import Reason, RejectedError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
PARQUET_MAGIC = b"PAR1"
GZIP_MAGIC = b"\x1f\x8b"
HEAD_BYTES = 4096
"""Enough for the signs of all formats, and to see what a text begins with behind a byte order mark and blanks."""
_ENDINGS = {
    ".parquet": "parquet",
    ".csv.gz": "csv.gz",
    ".csv": "csv",
    ".json": "json",
    **dict.fromkeys((".jsonl", ".ndjson"), "jsonl"),
    **dict.fromkeys((".json.gz", ".jsonl.gz", ".ndjson.gz"), "jsonl.gz"),
}
_TITLES = {
    "parquet": "Parquet",
    "csv.gz": "gzip-compressed CSV",
    "csv": "CSV",
    "json": "JSON",
    "jsonl": "JSON lines",
    "jsonl.gz": "gzip-compressed JSON lines",
}
_ALSO = {("json", "jsonl")}
"""A name that ends in `.json` promises JSON, one object or one a line."""


class ByteStream(Protocol):
    """What readers need of their source: at most `size` bytes, and none only at the end."""

    def read(self, size: int, /) -> bytes: ...


def read_fully(stream: ByteStream, size: int) -> bytes:
    """Read this many bytes, fewer only at the end."""
    pieces: list[bytes] = []
    while size > 0 and (piece := stream.read(size)):
        pieces.append(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class Rewound:
    """A stream whose first bytes were read to look at them and are given again."""

    def __init__(self, head: bytes, rest: ByteStream) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int, /) -> bytes:
        if not self._head:
            return self._rest.read(size)
        piece, self._head = self._head[:size], self._head[size:]
        return piece


class Gunzipped:
    """The text inside a gzip stream of one or more members, decompressed as it is read."""

    def __init__(self, stream: ByteStream, *, piece_bytes: int = 1 << 20) -> None:
        self._stream = stream
        self._piece_bytes = piece_bytes
        self._member = zlib.decompressobj(wbits=31)
        self._pending = b""
        self._begun = False
        self._compressed_bytes = 0
        self._text_bytes = 0

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; raise RejectedError if the stream is damaged, padded, ends early or explodes."""
        while True:
            if self._member.eof:
                self._next_member()
            if not self._pending:
                self._pending = self._stream.read(self._piece_bytes)
                if not self._pending:
                    return self._end()
                self._compressed_bytes += len(self._pending)
            if text := self._decompress(size):
                self._refuse_explosion(len(text))
                return text

    def _next_member(self) -> None:
        self._pending = self._member.unused_data
        self._member = zlib.decompressobj(wbits=31)
        self._begun = False

    def _decompress(self, size: int) -> bytes:
        # Padding, as tapes have it: the gzip of Hadoop, by which Spark reads the file, takes it for a broken member.
        if not self._begun and self._pending.startswith(b"\0"):
            raise RejectedError(Reason("truncated_gzip", "Zeros follow the end of the gzip stream: write it without."))
        self._begun = True
        try:
            text = self._member.decompress(self._pending, size)
        except zlib.error as error:
            raise RejectedError(Reason("truncated_gzip", f"The gzip stream is damaged: {error}.")) from error
        self._pending = self._member.unconsumed_tail
        return text

    def _refuse_explosion(self, more: int) -> None:
        self._text_bytes += more
        read = self._compressed_bytes - len(self._pending)
        if self._text_bytes > max(INFLATED_BYTES, INFLATION * read):
            text = (
                f"The first {read:,} bytes of the gzip stream hold {self._text_bytes:,} bytes of text, more than "
                f"{INFLATION} times as many: no export does. Look into it with `gunzip -c FILE | head`."
            )
            raise RejectedError(Reason("suspicious_compression", text))

    def _end(self) -> bytes:
        if self._begun:
            raise RejectedError(Reason("truncated_gzip", "The gzip stream ends before its end."))
        return b""


def first_inside(head: bytes) -> bytes:
    """Return the first bytes of the text inside a gzip stream that begins so, as far as they can be told."""
    text, rest = b"", head
    while rest and not text:
        member = zlib.decompressobj(wbits=31)
        try:
            text = member.decompress(rest, HEAD_BYTES)
        except zlib.error:
            return b""
        rest = member.unused_data
    return text


def kind_of(head: bytes) -> str:
    """Return `parquet`, `csv.gz` or `csv`."""
    if head.startswith(PARQUET_MAGIC):
        return "parquet"
    return "csv.gz" if head.startswith(GZIP_MAGIC) else "csv"


def kind_warnings(key: str, kind: str) -> list[str]:
    """Return a warning if the name of an object promises another kind than its content is."""
    promised = next((kind for ending, kind in _ENDINGS.items() if key.lower().endswith(ending)), None)
    if promised in (None, kind) or (promised, kind) in _ALSO:
        return []
    return [f"The name promises {_TITLES[str(promised)]}, the content is {_TITLES[kind]}; it was read as such."]
