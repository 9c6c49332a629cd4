"""Open a file as the kind that its first bytes tell, and read its records in one form for all kinds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl
from contract.formats import JSON_OF_CARDS
from contract.items import FileFormat
from contract.limits import OBJECT_BYTES, STORED_NAMES
from contract.subjects import Subject

from reading.bytes import HEAD_BYTES, ByteStream, Gunzipped, Rewound, first_inside, kind_of, read_fully
from reading.card_secrets import secret_columns
from reading.csv_blocks import CsvRows
from reading.csv_records import Beginning
from reading.dialect import csv_shape, named_shape
from reading.file_name import Name
from reading.first_block import Record
from reading.foreign import begins_json_array, begins_json_object, has_later_json_object, refusal, refuse_foreign
from reading.json_codes import JsonCodes, is_of_lines
from reading.json_lines import JsonRows
from reading.layout import Shape
from reading.offsets import names_offsets
from reading.parquet import ParquetRows
from reading.rejection import Reason, RejectedError
from reading.texts import in_usual_writing, without_null_texts
from reading.trailer import Trailer

JSON_SUBJECT = "mcc_codes"
"""Its files may be one object of JSON."""
Frames = Iterator[pl.DataFrame]
_COPY_BYTES = 1 << 20


class Rows(Protocol):
    """Reads the records of a file; what it tells of the file is whole once all frames are read."""

    @property
    def shape(self) -> Shape: ...

    @property
    def types(self) -> tuple[str, ...]: ...

    @property
    def blank_lines_before_header(self) -> int: ...

    @property
    def odd_quote_lines(self) -> int: ...

    @property
    def declared_rows(self) -> int:
        """How many rows the file says that it has, before any is read; 0 if it says nothing."""
        ...

    @property
    def trailer(self) -> Trailer | None: ...

    @property
    def tombstones(self) -> int:
        """How many records of Kafka it holds that are no rows."""
        ...

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the records in the form of `RecordCutter`."""
        ...


@dataclass(frozen=True)
class SourceFile:
    """A file whose first bytes were looked at; `kind` is what they say that it is."""

    name: Name
    kind: str
    stream: ByteStream
    is_empty: bool

    @classmethod
    def sniff(cls, name: Name, stream: ByteStream) -> "SourceFile":
        """Read the first bytes and tell the kind from them; raise RejectedError if it is none that is read."""
        head = read_fully(stream, HEAD_BYTES)
        refuse_foreign(head, arrays_are_read=name.subject.name == JSON_SUBJECT)
        return cls(name, _kind(name, head), Rewound(head, stream), is_empty=not head)

    def rows(self, wanted: tuple[str, ...], folder: Path, *, places: bool = False) -> Rows:
        """Return the file's reader; `folder` is for what it needs on disk."""
        subject, stream = self.name.subject, self.stream
        if self.kind == "parquet":
            # The footer is at the end: Parquet needs a file that can be read from any place.
            path = _copied(stream, folder)
            return ParquetRows(path, self._named_shape, wanted, subject, places=places)
        if self.kind == "json":
            return JsonCodes(stream, subject)
        text = _unzipped(stream) if self.kind.endswith(".gz") else stream
        if self.kind.startswith("jsonl"):
            return JsonRows(text, self.name, self._without_secrets, places=places)
        may_have_trailer = subject.has_money and self.name.pin.trailer is not False
        return CsvRows(text, self._csv_shape, wanted, places=places, may_have_trailer=may_have_trailer)

    def _csv_shape(self, beginning: Beginning) -> Shape:
        shape = csv_shape(self.name, beginning)
        sample = beginning.records(shape.delimiter)
        return self._without_secrets(shape, sample[1:] if shape.has_header else sample)

    def _named_shape(self, columns: list[str], sample: Sequence[Record]) -> Shape:
        return self._without_secrets(named_shape(self.name, columns, sample), sample)

    def _without_secrets(self, shape: Shape, sample: Sequence[Record]) -> Shape:
        reasons = secret_columns(shape, sample) if self.name.subject.has_money else []
        if reasons:
            raise RejectedError(*reasons)
        return shape


def frames_of(rows: Rows, subject: Subject) -> Frames:
    """Yield the records of a file in the usual way of writing, with null where they have a text that means null."""
    for frame in rows.frames():
        known = without_null_texts(frame, rows.shape.null_texts)
        yield in_usual_writing(known, rows.shape, subject, rows.types)


def refuse_large(kind: str, size: int) -> None:
    """Raise RejectedError for an object that is larger than the function can take, before more of it is read."""
    if size > (most := OBJECT_BYTES[kind]):
        text = (
            f"The file has {size:,} bytes, one of its kind ({kind}) {most:,} at the most: more could not be read in "
            "the time and on the disk that there is. Split it by rows, and upload the parts under keys of their own."
        )
        raise RejectedError(Reason("file_too_large", text))


def refuse_many(rows: int, most: int, *, at_least: bool = False) -> None:
    """Raise RejectedError for a file with more rows than one may have; of `at_least`, more of them may follow."""
    if rows > most:
        text = (
            f"The file has {'at least ' if at_least else ''}{rows:,} rows, one file {most:,} at the most: more would "
            "not fit into a run of Silver. Split it by rows, and upload the parts under keys of their own."
        )
        raise RejectedError(Reason("too_many_rows", text))


def counted_frames(frames: Frames, most: int) -> Frames:
    """Yield frames as long as they have so many rows together; raise RejectedError, and read no more, behind that."""
    rows = 0
    for frame in frames:
        rows += frame.height
        refuse_many(rows, most, at_least=True)
        yield frame


def format_of(kind: str, rows: Rows) -> FileFormat:
    """Return the ledger's map `format` of a file that was read."""
    item = rows.shape.as_item(kind)
    if rows.types:
        item["types"] = list(rows.types[:STORED_NAMES])
    item["blank_lines_before_header"] = rows.blank_lines_before_header
    item["odd_quote_lines"] = rows.odd_quote_lines
    if rows.trailer is not None:
        item["trailer_line"] = rows.trailer.line
    if rows.tombstones:
        item["tombstones"] = rows.tombstones
    return item


def _kind(name: Name, head: bytes) -> str:
    kind = kind_of(head)
    if kind == "parquet":
        return kind
    text = first_inside(head) if kind == "csv.gz" else head
    is_object, is_topic = begins_json_object(text), _is_of_json_records(name.key)
    may_be_codes = name.subject.name == JSON_SUBJECT and kind == "csv" and not is_topic
    if may_be_codes and (is_object or begins_json_array(text)) and not is_of_lines(text):
        return "json"
    is_object = is_object or (is_topic and has_later_json_object(text))
    if is_object and name.subject.secret:
        raise RejectedError(refusal(JSON_OF_CARDS))
    return kind.replace("csv", "jsonl") if is_object else kind


def _is_of_json_records(key: str) -> bool:
    """Return whether a key says that its lines are records of Kafka in JSON, whatever the first ones are."""
    return key.lower().removesuffix(".gz").endswith((".json", ".jsonl")) and names_offsets(key)


def _unzipped(stream: ByteStream) -> ByteStream:
    """Return the text inside a gzip stream; raise RejectedError if it is a file of another format."""
    text = Gunzipped(stream)
    head = read_fully(text, HEAD_BYTES)
    refuse_foreign(head, in_gzip=True)
    return Rewound(head, text)


def _copied(stream: ByteStream, folder: Path) -> Path:
    path = folder / "file.parquet"
    with path.open("wb") as file:
        while piece := stream.read(_COPY_BYTES):
            file.write(piece)
    return path
