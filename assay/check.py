"""Reads local files as the KPI function does, without a cloud: what it would say of each, before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from admission import Inspection, broken_rows_of, inspect_file
from contract.companions import PIN_NAME, SIDE_CAR_ENDING
from contract.subjects import is_marker, subject_of
from judging.broken_rows import BrokenRow
from judging.reconcile import Policy
from judging.rules import Limits
from reading.dialect_file import pin_of
from reading.file_name import Name
from reading.rejection import Reason
from rich.console import Group, RenderableType
from rich.text import Text

from assay import console, passport
from assay.control import side_car_of
from assay.errors import UserError
from assay.ledger import Item
from assay.upload import Source, unfit

POLICY = Policy(maximum_bad_share=Decimal("0.5"), minimum_rows=1)
"""The parameters of a stack that keeps their defaults."""


@dataclass(frozen=True)
class Checked:
    """What the KPI function would find in a file, and the first of its broken rows."""

    source: Source
    found: Inspection
    broken: Sequence[BrokenRow] = ()

    @property
    def is_good(self) -> bool:
        """Whether the file would be accepted."""
        return not self.found.reasons

    @property
    def item(self) -> Item:
        """The ledger's item as far as it is known before an upload."""
        status = "would be accepted" if self.is_good else "would be rejected"
        return {"key": self.source.key, "subject": subject_of(self.source.key).name, "status": status} | dict(
            self.found.as_item()
        )

    def as_json(self) -> dict[str, Any]:
        """Return the item with the local file and the broken rows."""
        rows = [{"row": row.row, "line": row.line, "rules": row.rules, "raw": row.raw} for row in self.broken]
        return {"file": str(self.source.path), "accepted": self.is_good, "broken_rows": rows, **self.item}


def check(source: Source, metadata: Mapping[str, str], *, rows: int) -> Checked:
    """Read a file with its pin and its side-car, as if it were uploaded now; keep so many of its broken rows."""
    if unsent := unfit(source):
        return Checked(source, Inspection(reasons=[Reason("not_sent", "; ".join(unsent.told))]))
    now, pin = datetime.now(UTC), _pin(source)
    with source.path.open("rb") as stream:
        found = inspect_file(
            source.key,
            stream,
            last_modified_at=now,
            metadata=metadata,
            read_side_car=lambda: _content(source.path.with_name(source.path.name + SIDE_CAR_ENDING)),
            read_pin=lambda: pin,
            learned=lambda: None,
            policy=POLICY,
            reopen=lambda: _rewound(stream),
        )
        if found.kpis is None or not found.kpis.bad_rows:
            return Checked(source, found)
        name = Name(source.key, subject_of(source.key), pin_of(pin))
        return Checked(source, found, _first_broken(name, _rewound(stream), Limits.of(now), rows))


def checkable(sources: Sequence[Source]) -> list[Source]:
    """Return the files that can be read without a cloud; raise UserError if there is none."""
    found = [source for source in sources if not source.is_companion and not is_marker(source.key)]
    if not found:
        raise UserError("there is no file to check", "name files of data: what lies beside them is read with them")
    return found


def write_side_cars(sources: Sequence[Source], folder: Path) -> list[tuple[Source, Source]]:
    """Write into a folder the side-car of each file of data, with all figures; return it behind its file.

    Raises UserError for a file that has a side-car, or that cannot be read.
    """
    return [(source, _side_car(source, folder / f"{number}.json")) for number, source in enumerate(checkable(sources))]


def _side_car(source: Source, path: Path) -> Source:
    if source.path.with_name(source.path.name + SIDE_CAR_ENDING).exists():
        raise UserError(f"{source.path} has a side-car already", "leave --compute-control out: its figures are sent")
    found = check(source, {}, rows=0).found
    if found.kpis is None:
        raise UserError(f"{source.path} cannot be read: {found.reasons[0].text}", f"assay check {source.path}")
    path.write_text(json.dumps(side_car_of(found.kpis.control_figures())))
    return Source(path, source.key + SIDE_CAR_ENDING)


def render(checked: Checked) -> RenderableType:
    """Draw what would be said of a file, then the first of its broken rows."""
    parts: list[RenderableType] = [passport.render(checked.item, short=True)]
    if checked.broken:
        kpis = checked.found.kpis
        total = kpis.bad_rows if kpis else len(checked.broken)
        title = f"Broken rows: {len(checked.broken):,} of {total:,}"
        grid = console.table(title, ("row", "line", "rules", "raw"), right=("row", "line"), lines=("raw",))
        for row in checked.broken:
            line = "" if row.line is None else str(row.line)
            grid.add_row(str(row.row), line, ", ".join(row.rules), console.shown(row.raw))
        parts += [grid, Text("")]
    return Group(*parts)


def _first_broken(name: Name, stream: BinaryIO, limits: Limits, rows: int) -> list[BrokenRow]:
    found = broken_rows_of(name, stream, limits)
    with closing(found):
        return list(islice(found, rows))


def _pin(source: Source) -> bytes | None:
    """Return the pin of the file's folder, or of one above it that is uploaded with the file."""
    folder, key = source.path.parent, source.key
    while "/" in key:
        key = key.rpartition("/")[0]
        if (content := _content(folder / PIN_NAME)) is not None:
            return content
        if folder.name != key.rpartition("/")[2]:
            return None
        folder = folder.parent
    return None


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _rewound(stream: BinaryIO) -> BinaryIO:
    stream.seek(0)
    return stream
