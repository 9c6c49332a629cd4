"""Accept or reject a file: read it from its first byte to its last, and return the figures and the reasons."""

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import reading.allocator  # noqa: F401 - before polars
from contract.companions import PIN_NAME
from contract.control_totals import CONTROL_FIGURES, Unit
from contract.items import ControlTotals, DeclaredLoad, FileFormat, InspectedFile, RejectionReason, Waiver
from contract.limits import EXAMPLE_BLOCKS
from contract.partitions import PartitionOffsets
from contract.subjects import subject_of
from judging.broken_rows import TOO_MANY, BrokenRow, broken_rows, example_reasons, first_of_each, most_frequent
from judging.card_data import CardData, security_codes_of
from judging.kpis import Kpis, count_kpis, instant_text, money_text
from judging.learned_range import LearnedRange, range_warnings
from judging.reconcile import Policy, held_reasons, reasons_against, repeated_keys
from judging.rules import Limits
from judging.values import columns_to_read, known_columns, us_of
from judging.writing import Writings, null_reasons, texts_of, warnings_about_writing
from reading.bytes import ByteStream, kind_warnings
from reading.card_secrets import key_reasons
from reading.control import Control, accepts_range, control_of_metadata, control_of_side_car
from reading.dialect import refuse_changes_in_full_load, weaknesses
from reading.dialect_file import pin_of
from reading.file_name import Name
from reading.files import Frames, Rows, SourceFile, counted_frames, format_of, frames_of, refuse_large, refuse_many
from reading.markers import Listed, Load, load_of, refuse_absent, refuse_future
from reading.offsets import offsets_of
from reading.rejection import Reason, RejectedError, stored_reasons, stored_warnings
from reading.trailer import Trailer

TOMBSTONES_ALONE = (
    "No rows, only tombstones of Kafka. Behind deletes in change envelopes they say nothing new. In a topic of plain "
    "rows each is a delete whose key is in its record's key alone, and is not carried out."
)
Reopen = Callable[[], ByteStream]
"""Opens a file once more from its first byte."""


@dataclass
class Inspection:
    """What was found; `kpis` is None where the file could not be read to its end."""

    format: FileFormat = field(default_factory=FileFormat)
    load: DeclaredLoad | None = None
    waives: Waiver | None = None
    offsets: PartitionOffsets | None = None
    kpis: Kpis | None = None
    control: Control = field(default_factory=Control)
    trailer: Trailer | None = None
    warnings: list[str] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    doubts: list[Reason] = field(default_factory=list)
    """What many broken rows may come from."""
    is_in_range: bool = True
    """Whether it may widen the learned range at once; not in the ledger."""

    def as_item(self) -> InspectedFile:
        """Return the attributes that the ledger keeps."""
        warnings = stored_warnings(self.warnings)
        item = InspectedFile(format=self.format, control=self._control_totals(), warnings=warnings)
        if self.load is not None:
            item["load"] = self.load
        if self.waives is not None:
            item["waives"] = self.waives
        if self.offsets is not None:
            item["offsets"] = self.offsets
        if self.kpis is not None:
            item["kpis"] = self.kpis.as_item()
        if self.reasons:
            item["reasons"] = [
                RejectionReason(code=reason.code, text=reason.text) for reason in stored_reasons(self.reasons)
            ]
        return item

    def _control_totals(self) -> ControlTotals:
        control = self.control
        agrees = bool(control.figures) and not any(reason.code.endswith("_mismatch") for reason in self.reasons)
        proven = agrees and self.kpis is not None
        given = {
            name: money_text(value) if CONTROL_FIGURES[name].unit is Unit.CENTS else value
            for name, value in control.figures.items()
        }
        return cast(ControlTotals, {"source": control.source, **given, "proven": proven})


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
    reopen: Reopen | None = None,
    size: int = 0,
) -> Inspection:
    """Read a file and decide whether to accept it; a file that cannot be read has reasons and no figures.

    A file with too many broken rows is opened again, so that its reasons can show some of them: a file that is
    accepted is read once, without the places of its rows.
    """
    found, limits = Inspection(), Limits.of(last_modified_at)
    cards = CardData(subject_of(key))
    try:
        if refused := key_reasons(key):
            raise RejectedError(*refused)
        found.control, is_vouched = _control(metadata, read_side_car), accepts_range(metadata)
        found.offsets = offsets_of(key, metadata, records=0)
        refuse_many(found.control.figures.get("row_count", 0), policy.maximum_rows)
        name = Name(key, subject_of(key), pin_of(read_pin()))
        file = SourceFile.sniff(name, stream)
        refuse_large(file.kind, size)
        _refuse_trailers_elsewhere(name)
        found.kpis = _read(found, file, limits, cards, reopen, policy.maximum_rows)
        tombstones = found.format.get("tombstones", 0)
        found.offsets = offsets_of(key, metadata, found.kpis.row_count + tombstones)
        of_sender, of_trailer = found.control, found.trailer.control() if found.trailer else Control()
        found.control = of_sender.beside(of_trailer)
    except RejectedError as rejected:
        found.reasons.extend(rejected.reasons)
        return found
    found.reasons = [
        *_missing_trailer(name, file.kind, found),
        *reasons_against(found.kpis, (of_sender, of_trailer), policy, may_be_empty=tombstones > 0),
    ]
    found.reasons += cards.reasons(empties_codes=policy.empties_security_codes)
    if any(reason.code == TOO_MANY for reason in found.reasons):
        examples = _examples(name, reopen, found.kpis, limits) if reopen else {}
        found.reasons += example_reasons(found.kpis.broken_rules, examples, name.subject)
        found.reasons[-1:-1] = found.doubts
    is_compared = found.kpis.row_count > 0 and not (is_vouched or found.control.figures)
    if not found.reasons and is_compared and (earlier := learned()):
        outside = range_warnings(found.kpis, earlier)
        found.is_in_range = not outside
        found.warnings += outside
    if not found.reasons and policy.hold_warnings and found.warnings:
        found.reasons = held_reasons(found.warnings)
    return found


def _refuse_trailers_elsewhere(name: Name) -> None:
    """Raise RejectedError for a pin that asks for trailers where none is read."""
    if name.pin.trailer and not name.subject.has_money:
        text = f"The pin {PIN_NAME} cannot be used: it asks for trailers, and files of {name.subject.name} have none."
        raise RejectedError(Reason("unreadable_dialect", text))


def _missing_trailer(name: Name, kind: str, found: Inspection) -> list[Reason]:
    """Return why a file is rejected whose pin requires a trailer that is not there; the footer of Parquet is one."""
    if not name.pin.trailer or found.trailer is not None or kind == "parquet":
        return []
    text = (
        "The last record of the file is no trailer (T, rows, amount), which the pin of its folder requires: the file "
        "is cut off, or its sender wrote none. Have it sent again."
    )
    return [Reason("missing_trailer", text)]


_BrokenRows = Generator[BrokenRow, None, None]


def broken_rows_of(name: Name, stream: ByteStream, limits: Limits, *, blocks: int | None = None) -> _BrokenRows:
    """Yield the broken rows of a file's first blocks, or of all; raise RejectedError where it cannot be read."""
    yield from broken_rows(_first_frames(name, stream, blocks), name.subject, limits)


def _first_frames(name: Name, stream: ByteStream, blocks: int | None = EXAMPLE_BLOCKS) -> Frames:
    """Yield the records of a file's first blocks, or of all, with their places."""
    file = SourceFile.sniff(name, stream)
    with TemporaryDirectory(prefix="parquet-") as folder:
        frames = frames_of(file.rows(columns_to_read(name.subject), Path(folder), places=True), name.subject)
        yield from islice(frames, blocks)


def _examples(name: Name, reopen: Reopen, kpis: Kpis, limits: Limits) -> dict[str, BrokenRow]:
    rows = broken_rows_of(name, reopen(), limits, blocks=EXAMPLE_BLOCKS)
    with closing(rows):
        return first_of_each(rows, most_frequent(kpis.broken_rules))


def inspect_marker(
    content: bytes, bucket: str, *, last_modified_at: datetime, is_usable: Callable[[Listed], bool]
) -> Inspection:
    """Read the marker of a reload and decide whether to accept it; it has no rows and no money."""
    found = Inspection(format=FileFormat(kind="load"))
    try:
        load = load_of(content)
        refuse_future(load, last_modified_at)
        refuse_absent(load, is_usable)
    except RejectedError as rejected:
        found.reasons.extend(rejected.reasons)
        return found
    found.load = _declared(load, bucket)
    found.kpis = Kpis()
    return found


def _declared(load: Load, bucket: str) -> DeclaredLoad:
    files = [listed.file_id(bucket) for listed in load.files]
    return {"name": load.name, "start_at": instant_text(us_of(load.start_at)), "files": files}


def _control(metadata: Mapping[str, str], read_side_car: Callable[[], bytes | None]) -> Control:
    if control := control_of_metadata(metadata):
        return control
    side_car = read_side_car()
    return Control() if side_car is None else control_of_side_car(side_car)


def _read(
    found: Inspection, file: SourceFile, limits: Limits, cards: CardData, reopen: Reopen | None, most_rows: int
) -> Kpis:
    name = file.name
    found.format = FileFormat(kind=file.kind)
    if file.is_empty:
        raise RejectedError(Reason("empty_file", "The file has no bytes."))
    found.warnings += kind_warnings(name.key, file.kind)
    with TemporaryDirectory(prefix="parquet-") as folder:
        wanted = (*known_columns(name.subject), *security_codes_of(name.subject))
        rows = file.rows(wanted, Path(folder))
        refuse_many(rows.declared_rows, most_rows)
        writings = Writings(name.subject, name.pin, lambda: texts_of(rows.shape, rows.types))
        frames = counted_frames(frames_of(rows, name.subject), most_rows)
        kpis = count_kpis(cards.watched(frames), limits, name.subject, writings)
        found.format, found.trailer = format_of(file.kind, rows), rows.trailer
    is_empty = rows.tombstones > 0 and kpis.row_count == 0
    changes = kpis.operations["update"] + kpis.operations["delete"]
    refuse_changes_in_full_load(rows.shape, name, changes=changes)
    found.warnings += rows.shape.warnings
    found.warnings += [TOMBSTONES_ALONE] if is_empty else rows.shape.layout.warnings(name.subject)
    if writings.proves_another_way and reopen:
        writings.look_up(_first_frames(name, reopen()))
    found.warnings += warnings_about_writing(writings, rows.shape)
    found.warnings += weaknesses(rows.shape, bare_deletes=kpis.bare_deletes)
    found.warnings += repeated_keys(kpis, rows.shape)
    found.doubts = null_reasons(writings)
    if name.subject.secret:
        _require_single_lines(rows)
    return kpis


def _require_single_lines(rows: Rows) -> None:
    """Raise RejectedError for records of several lines: secrets are taken out of a file line by line."""
    if rows.odd_quote_lines:
        text = f"{rows.odd_quote_lines} lines of the file have odd quotes: a file of cards must have a line per record."
        raise RejectedError(Reason("multi_line_records", text))
