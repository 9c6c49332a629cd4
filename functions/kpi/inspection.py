"""Reads one file from its first byte to its last and says everything that the ledger keeps of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from contract import RULED, Reason, RejectedError
from control import Control, control_of_metadata, control_of_side_car
from csv_rows import ByteStream, CsvRows
from kpis import Kpis, count_kpis, money_text
from parquet_rows import ParquetRows
from reconcile import LearnedRange, Policy, is_proven, range_warnings, reasons_against
from rules import Limits, broken_rules, parsed
from source import HEAD_BYTES, Gunzipped, Rewound, kind_of, kind_warnings

_COPY_BYTES = 1 << 20


@dataclass
class Inspection:
    """What was found; `kpis` is None where the file could not be read to its end."""

    format: dict[str, object] = field(default_factory=dict)
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
    learned: Callable[[], LearnedRange | None],
    policy: Policy,
) -> Inspection:
    """Read the file and decide over it; a file that cannot be read has its reasons and no figures."""
    found = Inspection()
    try:
        found.control = _control(metadata, read_side_car)
        found.kpis = _read(found, key, stream, Limits.of(last_modified_at))
    except RejectedError as rejected:
        found.reasons.extend(rejected.reasons)
        return found
    found.reasons = reasons_against(found.kpis, found.control, policy)
    if not found.reasons and not is_proven(found.control):
        found.warnings += range_warnings(found.kpis, learned())
    return found


def read_rows(stream: ByteStream, limits: Limits) -> pl.DataFrame:
    """Return every record of a file: `row`, `line`, `raw`, `rules` (the broken ones, in order), `key`, `cents`, `us`.

    This is for small files and tests: it holds the whole file.
    """
    head, whole = _sniffed(stream)
    rules = pl.concat_list(pl.when(rule).then(pl.lit(name)) for name, rule in broken_rules(limits).items())
    with TemporaryDirectory(prefix="parquet-") as folder:
        if kind_of(head) == "parquet":
            frames = ParquetRows(_copied(whole, Path(folder)), RULED, places=True).frames()
        else:
            frames = CsvRows(_text(head, whole), RULED, places=True).frames()
        known = ["row", "line", "raw", "rules", "key", "cents", "us", "channel"]
        return pl.concat(parsed(frame).with_columns(rules=rules.list.drop_nulls()).select(known) for frame in frames)


def _control(metadata: Mapping[str, str], read_side_car: Callable[[], bytes | None]) -> Control:
    if control := control_of_metadata(metadata):
        return control
    side_car = read_side_car()
    return Control() if side_car is None else control_of_side_car(side_car)


def _read(found: Inspection, key: str, stream: ByteStream, limits: Limits) -> Kpis:
    head, whole = _sniffed(stream)
    kind = kind_of(head)
    found.format["kind"] = kind
    if not head:
        raise RejectedError(Reason("empty_file", "The file has no bytes."))
    found.warnings += kind_warnings(key, kind)
    return _read_parquet(found, whole, limits) if kind == "parquet" else _read_csv(found, _text(head, whole), limits)


def _read_csv(found: Inspection, text: ByteStream, limits: Limits) -> Kpis:
    rows = CsvRows(text, RULED)
    kpis = count_kpis(rows.frames(), limits)
    found.format |= {
        "columns": list(rows.layout.names),
        "blank_lines_before_header": rows.blank_lines_before_header,
        "odd_quote_lines": rows.odd_quote_lines,
    }
    found.warnings += rows.layout.warnings()
    return kpis


def _read_parquet(found: Inspection, stream: ByteStream, limits: Limits) -> Kpis:
    # The footer is at the end: Parquet needs a file that can be read from any place.
    with TemporaryDirectory(prefix="parquet-") as folder:
        rows = ParquetRows(_copied(stream, Path(folder)), RULED)
        found.format |= {
            "columns": list(rows.layout.names),
            "types": list(rows.types),
            "blank_lines_before_header": 0,
            "odd_quote_lines": 0,
        }
        found.warnings += rows.layout.warnings()
        return count_kpis(rows.frames(), limits)


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
