"""Reads one file from its first byte to its last and says everything that the ledger keeps of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import allocator  # noqa: F401 - before polars
import polars as pl
from control import Control, control_of_metadata, control_of_side_car
from csv_rows import BYTE_ORDER_MARK, ByteStream, CsvRows
from dialect import Name, Record, csv_shape, named_shape, refuse_changes_in_full_load, weaknesses
from facts import without_null_text
from json_codes import code_frames, codes_shape
from kpis import Kpis, count_kpis, instant_text, money_text
from layout import Layout, Reason, RejectedError, Shape
from markers import Listed, Load, load_of, refuse_absent
from parquet_rows import ParquetRows
from pins import pin_of
from reconcile import LearnedRange, Policy, is_proven, range_warnings, reasons_against
from rules import Limits, broken_reference_rules, broken_rules, parsed, parsed_reference
from secrets_in_files import secret_columns
from source import HEAD_BYTES, Gunzipped, Rewound, kind_of, kind_warnings
from subjects import TRANSACTIONS, subject_of

_COPY_BYTES = 1 << 20


@dataclass
class Inspection:
    """What was found; `kpis` is None where the file could not be read to its end."""

    format: dict[str, object] = field(default_factory=dict)
    load: dict[str, object] | None = None
    kpis: Kpis | None = None
    control: Control = field(default_factory=Control)
    warnings: list[str] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)

    def control_item(self) -> dict[str, object]:
        """Return the ledger's map of the control totals."""
        given = {
            "row_count": self.control.row_count,
            "total_amount": None if self.control.total_cents is None else money_text(self.control.total_cents),
        }
        found = {name: value for name, value in given.items() if value is not None}
        agrees = is_proven(self.control) and not any(reason.code.endswith("_mismatch") for reason in self.reasons)
        return {"source": self.control.source, "proven": agrees and self.kpis is not None, **found}


def inspect_file(
    key: str,
    stream: ByteStream,
    *,
    last_modified_at: datetime,
    metadata: Mapping[str, str],
    read_side_car: Callable[[], bytes | None],
    read_pin: Callable[[], bytes | None] = lambda: None,
    learned: Callable[[], LearnedRange | None],
    policy: Policy,
) -> Inspection:
    """Read the file and decide over it; a file that cannot be read has its reasons and no figures."""
    found = Inspection()
    try:
        found.control = _control(metadata, read_side_car)
        name = Name(key, subject_of(key), pin_of(read_pin()))
        found.kpis = _read(found, name, stream, Limits.of(last_modified_at))
    except RejectedError as rejected:
        found.reasons.extend(rejected.reasons)
        return found
    found.reasons = reasons_against(found.kpis, found.control, policy)
    if not found.reasons and not is_proven(found.control):
        found.warnings += range_warnings(found.kpis, learned())
    return found


def inspect_marker(content: bytes, bucket: str, *, is_usable: Callable[[Listed], bool]) -> Inspection:
    """Read the marker of a reload and decide over it; it has no rows and no money."""
    found = Inspection(format={"kind": "load"})
    try:
        load = load_of(content)
        refuse_absent(load, is_usable)
    except RejectedError as rejected:
        found.reasons.extend(rejected.reasons)
        return found
    found.load = _load_item(load, bucket)
    found.kpis = Kpis()
    return found


def _load_item(load: Load, bucket: str) -> dict[str, object]:
    start_us = (load.start_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    files = [listed.file_id(bucket) for listed in load.files]
    return {"name": load.name, "start_at": instant_text(start_us), "files": files}


def read_rows(
    stream: ByteStream, limits: Limits, *, key: str = "transactions/file.csv", pin: bytes | None = None
) -> pl.DataFrame:
    """Return every record of a file: `row`, `line`, `raw`, `rules` (the broken ones, in order) and its values.

    The values are `op`, `commit_us`, `key`, and of transactions `cents`, `us`, `channel`. This is for small files and
    tests: it holds the whole file.
    """
    head, whole = _sniffed(stream)
    name = Name(key, subject_of(key), pin_of(pin))
    with TemporaryDirectory(prefix="parquet-") as folder:
        rows = _opened(name, head, whole, Path(folder), places=True)
        frames = [without_null_text(frame, rows.shape.null_text) for frame in rows.frames()]
    rules = broken_rules(limits) if name.subject.has_money else broken_reference_rules(name.subject)
    named = pl.concat_list(pl.when(rule).then(pl.lit(rule_name)) for rule_name, rule in rules.items())
    known = ["row", "line", "raw", "rules", "op", "commit_us", "key"]
    known += ["cents", "us", "channel"] if name.subject.has_money else []
    read = parsed if name.subject.has_money else (lambda frame: parsed_reference(frame, name.subject))
    return pl.concat(read(frame).with_columns(rules=named.list.drop_nulls()).select(known) for frame in frames)


def _control(metadata: Mapping[str, str], read_side_car: Callable[[], bytes | None]) -> Control:
    if control := control_of_metadata(metadata):
        return control
    side_car = read_side_car()
    return Control() if side_car is None else control_of_side_car(side_car)


@dataclass
class JsonRows:
    """Reads `mcc_codes` in JSON, with the interface of the other readers."""

    stream: ByteStream
    shape: Shape

    @property
    def layout(self) -> Layout:
        """The columns of the table that the object stands for."""
        return self.shape.layout

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the codes."""
        return code_frames(self.stream)


def _read(found: Inspection, name: Name, stream: ByteStream, limits: Limits) -> Kpis:
    head, whole = _sniffed(stream)
    kind = _kind(name, head)
    found.format["kind"] = kind
    if not head:
        raise RejectedError(Reason("empty_file", "The file has no bytes."))
    found.warnings += kind_warnings(name.key, kind)
    with TemporaryDirectory(prefix="parquet-") as folder:
        rows = _opened(name, head, whole, Path(folder))
        kpis = count_kpis(rows.frames(), limits, name.subject, null_text=lambda: rows.shape.null_text)
    changes = kpis.operations["update"] + kpis.operations["delete"]
    refuse_changes_in_full_load(rows.shape, name, changes=changes)
    found.format |= rows.shape.as_item() | _lines_of(rows)
    found.warnings += rows.layout.warnings(name.subject) + weaknesses(rows.shape, bare_deletes=kpis.bare_deletes)
    if name.subject.name == "cards" and isinstance(rows, CsvRows) and rows.odd_quote_lines:
        text = f"{rows.odd_quote_lines} lines of the file have odd quotes: a file of cards must have a line per record."
        raise RejectedError(Reason("multi_line_records", text))
    return kpis


def _opened(
    name: Name, head: bytes, whole: ByteStream, folder: Path, *, places: bool = False
) -> CsvRows | ParquetRows | JsonRows:
    """Return the reader of a file; it tells how the file is written from its beginning."""
    wanted, kind = name.subject.read, _kind(name, head)

    def of_csv(first: Sequence[str] | None, sample: Sequence[Record]) -> Shape:
        shape = csv_shape(name, first, sample)
        return _without_secrets(shape, name, sample[1:] if shape.has_header else sample)

    def of_parquet(columns: list[str], sample: Sequence[Record]) -> Shape:
        return _without_secrets(named_shape(name, columns, sample), name, sample)

    if kind == "parquet":
        # The footer is at the end: Parquet needs a file that can be read from any place.
        return ParquetRows(_copied(whole, folder), wanted, places=places, subject=name.subject, settle=of_parquet)
    if kind == "json":
        return JsonRows(whole, codes_shape(name.subject))
    return CsvRows(_text(head, whole), wanted, places=places, settle=of_csv)


def _without_secrets(shape: Shape, name: Name, sample: Sequence[Record]) -> Shape:
    reasons = secret_columns(shape, sample) if name.subject is TRANSACTIONS else []
    if reasons:
        raise RejectedError(*reasons)
    return shape


def _lines_of(rows: CsvRows | ParquetRows | JsonRows) -> dict[str, object]:
    if isinstance(rows, CsvRows):
        return {
            "blank_lines_before_header": rows.blank_lines_before_header,
            "odd_quote_lines": rows.odd_quote_lines,
        }
    types = {"types": list(rows.types)} if isinstance(rows, ParquetRows) else {}
    return {**types, "blank_lines_before_header": 0, "odd_quote_lines": 0}


def _kind(name: Name, head: bytes) -> str:
    kind = kind_of(head)
    is_object = (
        name.subject.name == "mcc_codes" and kind == "csv" and head.removeprefix(BYTE_ORDER_MARK).lstrip()[:1] == b"{"
    )
    return "json" if is_object else kind


def _sniffed(stream: ByteStream) -> tuple[bytes, ByteStream]:
    head = b""
    while len(head) < HEAD_BYTES and (piece := stream.read(HEAD_BYTES - len(head))):
        head += piece
    return head, Rewound(head, stream)


def _text(head: bytes, whole: ByteStream) -> ByteStream:
    return Gunzipped(whole) if kind_of(head) == "csv.gz" else whole


def _copied(stream: ByteStream, folder: Path) -> Path:
    path = folder / "file.parquet"
    with path.open("wb") as file:
        while piece := stream.read(_COPY_BYTES):
            file.write(piece)
    return path
