"""Takes corrected rows back: ties each to its quarantined row, has the contract judge them, and makes repairs of them.

All rows of one file become one object, which the pipeline takes whole or not at all.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import cast

from admission import Inspection, broken_rows_of
from contract.items import FileItem
from contract.subjects import REPAIR, TRANSACTIONS
from contract.vocabulary import IN_SILVER
from contract.writing import COMMA
from judging.broken_rows import BrokenRow
from judging.kpis import money_text
from judging.reconcile import Policy
from judging.rules import Limits
from reading.csv_records import split_record
from reading.dialect_file import pin_of
from reading.file_name import Name
from repairs import inspect_repair, pin_of_original

from assay.errors import UserError
from assay.ledger import Item, Ledger
from assay.quarantine.objects import repair_key
from assay.quarantine.rows import PLACE, TOLD

EXPORT = "begin with the file that `assay quarantine export` writes"
POLICY = Policy(Decimal(0), 1)
SEPARATORS = (COMMA, ";", "\t")


@dataclass(frozen=True)
class Corrected:
    """The corrected rows of one file: its item, and the object that repairs them."""

    original: Item
    rows: Sequence[Mapping[str, str]]

    @property
    def numbers(self) -> list[int]:
        return [int(row["row"]) for row in self.rows]

    @property
    def columns(self) -> list[str]:
        """Return the columns of the repair: those of the file, in its order."""
        places: Mapping[str, int] = self.original["format"]["places"]
        return sorted(places, key=lambda name: places[name])

    @cached_property
    def body(self) -> bytes:
        written = io.StringIO()
        writer = csv.writer(written, lineterminator="\n")
        writer.writerow(["row", *self.columns])
        writer.writerows([row["row"], *(row[name] for name in self.columns)] for row in self.rows)
        return written.getvalue().encode()

    @cached_property
    def key(self) -> str:
        return repair_key(self.original, self.body, ".csv")

    @property
    def control(self) -> dict[str, str]:
        """Return the control totals that go with the object."""
        kpis = self.inspection.kpis
        return {"row-count": str(len(self.rows)), "total-amount": money_text(kpis.total_cents if kpis else 0)}

    @cached_property
    def inspection(self) -> Inspection:
        """The rows, judged as the pipeline will."""
        stream = io.BytesIO(self.body)
        return inspect_repair(self.key, stream, cast(FileItem, self.original), metadata={}, policy=POLICY)

    def broken(self) -> list[BrokenRow]:
        """Return the rows that break a rule; `row` is the place among the corrected rows."""
        name = Name(self.key, REPAIR, pin_of(pin_of_original(self.original["format"])))
        limits = Limits.of(datetime.fromisoformat(self.original["last_modified_at"]))
        return list(broken_rows_of(name, io.BytesIO(self.body), limits))


def read_corrected(path: Path) -> list[dict[str, str]]:
    """Read a file of corrected rows; raise UserError where a row cannot be tied to a file and a row."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8", "save it as CSV UTF-8") from None
    header, *records = _records(text, path) or [[]]
    if missing := [name for name in PLACE if name not in header]:
        raise UserError(f"{path} has no column {missing[0]}", EXPORT)
    if unknown := [name for name in header if name not in (*PLACE, *TOLD, *TRANSACTIONS.known)]:
        raise UserError(f"{path} has an unknown column {unknown[0]!r}", EXPORT)
    if twice := [name for name in header if header.count(name) > 1]:
        raise UserError(f"{path} has the column {twice[0]} twice", EXPORT)
    rows: list[dict[str, str]] = []
    for number, record in enumerate(records, 2):
        if not any(field.strip() for field in record):
            continue
        if len(record) < len(header) or any(record[len(header) :]):
            raise UserError(f"{path}, record {number}: it has other fields than the header", EXPORT)
        row = dict(zip(header, record, strict=False))
        if not (row["row"].isascii() and row["row"].isdecimal()):
            raise UserError(f"{path}, record {number}: row {row['row']!r} is no number of a row", EXPORT)
        rows.append(row)
    if not rows:
        raise UserError(f"{path} has no rows", EXPORT)
    return rows


def _records(text: str, path: Path) -> list[list[str]]:
    """Split what spreadsheets make of an export: other separators, a line that names theirs, columns without names."""
    if re.match("sep=.\r?\n", text, re.IGNORECASE):
        text = text.partition("\n")[2]
    names = text.partition("\n")[0].rstrip("\r").lower()
    told = {sign: [name.strip() for name in split_record(names, sign) or ()] for sign in SEPARATORS}
    delimiter = next((sign for sign in SEPARATORS if PLACE[0] in told[sign]), COMMA)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records, begins = list[list[str]](), 1
    try:
        for record in reader:
            records.append(record)
            begins = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}, the record in line {begins}: {error}", "quote whole fields") from None
    if records:
        records[0] = [name.strip().lower() for name in records[0]]
        while records[0] and not records[0][-1]:
            records[0].pop()
    return records


def corrected(rows: Sequence[Mapping[str, str]], ledger: Ledger) -> list[Corrected]:
    """Gather corrected rows by their files; raise UserError for a file that cannot be, or a row named twice."""
    by_file: dict[str, list[Mapping[str, str]]] = {}
    for row in rows:
        by_file.setdefault(row["file_id"], []).append(row)
    files = ledger.get(by_file)
    return [_of_file(file_id, files.get(file_id), of_file) for file_id, of_file in by_file.items()]


def _of_file(file_id: str, file: Item | None, rows: Sequence[Mapping[str, str]]) -> Corrected:
    if file is None or file["kind"] != "file" or "repairs" in file:
        raise UserError(f"the ledger knows no file {file_id!r} with rows of its own", EXPORT)
    if file["subject"] != TRANSACTIONS.name:
        how = "correct the file, and upload it: assay upload FILE --as-of INSTANT; or waive its rows"
        raise UserError(f"rows of {file['key']} cannot be repaired: it is no file of transactions", how)
    if file["status"] in IN_SILVER and not file["in_effect"]:
        raise UserError(f"{file['key']} is undone: a repair would have no effect", f"first: assay redo {file_id}")
    found = Corrected(file, sorted(rows, key=lambda row: int(row["row"])))
    if twice := [a for a, b in zip(found.numbers, found.numbers[1:], strict=False) if a == b]:
        raise UserError(f"row {twice[0]} of {file['key']} is there twice", "leave one of them")
    if missing := [name for name in found.columns if name not in rows[0]]:
        raise UserError(f"the column {missing[0]} of {file['key']} is missing", EXPORT)
    return found


def refuse_closed(repair: Corrected, closed_by: Mapping[tuple[str, int], str | None]) -> None:
    """Raise UserError for a row that is not in quarantine, or not open."""
    file_id, key = repair.original["file_id"], repair.original["key"]
    for number in repair.numbers:
        if (file_id, number) not in closed_by:
            raise UserError(f"row {number} of {key} is not in quarantine", "see which are: assay quarantine export")
        if closer := closed_by[file_id, number]:
            raise UserError(f"row {number} of {key} is closed already, by {closer}", f"first: assay undo {closer}")
