"""The quarantined rows at the published cut: what is open, how many rows by file and rule, and their fields."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contract.limits import LINE_BYTES
from contract.rules import STRUCTURE_RULES
from contract.subjects import TRANSACTIONS
from contract.vocabulary import DEBEZIUM
from contract.writing import COMMA, DECIMAL_SIGNS
from reading.envelopes import decoder, row_of
from reading.json_lines import with_comma
from reading.json_objects import LineReader, Members, Number, plain_name
from rich.console import RenderableType

from assay import console
from assay.errors import UserError
from assay.ledger import Item, Ledger
from assay.query import Lake

csv.field_size_limit(LINE_BYTES)  # of the process; Python's own limit is 128 KB

EXAMPLE_CHARACTERS = 60
PLACE = ("file_id", "row")
TOLD = ("line", "reasons", "raw")
"""Columns of the exported file that are there to be read, and are not taken back."""
UNCUT = frozenset(rule.name for rule in STRUCTURE_RULES)
"""A row that breaks one of these has no fields."""
COUNTS = """
    SELECT file_id, rule, count(*) AS "rows", count(*) FILTER (repaired_by IS NULL) AS open,
           arg_min(struct_pack("row" := "row", line := line, raw := raw),
                   (repaired_by IS NOT NULL, "row")) AS example
    FROM (SELECT *, unnest(rules) AS rule FROM silver.quarantine)
    GROUP BY file_id, rule"""
OPEN = """
    SELECT file_id, "row", line, rules, raw FROM silver.quarantine
    WHERE repaired_by IS NULL AND (len($1) = 0 OR file_id IN (SELECT unnest($1))) ORDER BY file_id, "row" """
OF_FILES = 'SELECT file_id, "row", repaired_by FROM silver.quarantine WHERE file_id IN (SELECT unnest(?))'


@dataclass(frozen=True)
class Broken:
    """How many rows of a file break a rule, how many of them are open, and the first open one."""

    file: Item
    rule: str
    rows: int
    open: int
    example: Mapping[str, Any]

    def as_json(self) -> dict[str, object]:
        told = {"file_id": self.file["file_id"], "key": self.file["key"], "in_effect": self.file["in_effect"]}
        return {**told, "rule": self.rule, "rows": self.rows, "open": self.open, "example": dict(self.example)}


def has_quarantine(lake: Lake) -> bool:
    return "silver.quarantine" in lake.tables()


def broken(lake: Lake, ledger: Ledger, chosen: Sequence[Item] | None = None) -> list[Broken]:
    """Count the quarantined rows by file and rule, the most open ones first; of some files, or of all."""
    if not has_quarantine(lake):
        return []
    lake.open("silver", "quarantine")
    found = lake.rows(COUNTS)
    if chosen is not None:
        found = [row for row in found if row["file_id"] in {item["file_id"] for item in chosen}]
    files = ledger.get(row["file_id"] for row in found)
    counted = [
        Broken(files[row["file_id"]], row["rule"], row["rows"], row["open"], row["example"])
        for row in found
        if row["file_id"] in files
    ]
    return sorted(counted, key=lambda each: (-each.open, -each.rows, each.file["key"], each.rule))


def render(found: Sequence[Broken]) -> RenderableType:
    """Draw the rows by file and rule; a row counts for each rule that it breaks."""
    names = ("file", "rule", "rows", "open", "first open row")
    title = "Quarantine (a row counts for each rule that it breaks)"
    grid = console.table(title, names, right=("rows", "open"), keys=names[:1], lines=names[-1:], spare=names[-1:])
    for each in found:
        key = console.shown(each.file["key"]) + ("" if each.file["in_effect"] else " (undone)")
        example = "" if each.open == 0 else _example(each.example)
        grid.add_row(key, each.rule, console.count(each.rows), console.count(each.open), example)
    return grid


def _example(example: Mapping[str, Any]) -> str:
    raw = console.shown(example["raw"] or "(not shown)")
    cut = raw if len(raw) <= EXAMPLE_CHARACTERS else raw[: EXAMPLE_CHARACTERS - 1] + "…"
    return f"{example['row']:,}: {cut}"


def open_rows(lake: Lake, ledger: Ledger, file_ids: Sequence[str], rule: str | None) -> tuple[list[Item], list[str]]:
    """Return the open rows that can be repaired as a table with their fields, and its columns.

    Those are rows of transactions in effect; `file_ids` names the files, all if it is empty. Raises UserError where
    there is none.
    """
    lake.open("silver", "quarantine")
    found = [row for row in lake.rows(OPEN, [list(file_ids)]) if rule is None or rule in row["rules"]]
    files = ledger.get(row["file_id"] for row in found)
    wanted = {file_id for file_id, item in files.items() if can_be_repaired(item)}
    rows = [row for row in found if row["file_id"] in wanted]
    if not rows:
        raise UserError("no open row here can be repaired", "see what there is: assay quarantine")
    known = [name for name in TRANSACTIONS.known if any(name in files[each]["format"]["places"] for each in wanted)]
    return [_exported(row, files[row["file_id"]]) for row in rows], [*PLACE, *TOLD, *known]


def can_be_repaired(file: Item) -> bool:
    return file["subject"] == TRANSACTIONS.name and file["in_effect"] and "repairs" not in file


def _exported(row: Item, file: Item) -> Item:
    told = {"line": row["line"] or "", "reasons": " ".join(row["rules"]), "raw": row["raw"] or ""}
    fields = {} if UNCUT.intersection(row["rules"]) else fields_of(row["raw"] or "", file["format"])
    return {"file_id": row["file_id"], "row": row["row"], **told, **fields}


def fields_of(raw: str, shape: Item) -> dict[str, str]:
    """Take the text of a record apart: known column to its field, as it is written there."""
    if shape["kind"] == "parquet":
        said = json.loads(raw)
        return {name: _text(said.get(name)) for name in shape["places"]}
    if shape["kind"].startswith("jsonl"):
        return _members(raw, shape)
    record = next(csv.reader(io.StringIO(raw, newline=""), delimiter=shape.get("delimiter", COMMA)), [])
    return {name: record[place] for name, place in shape["places"].items() if place < len(record)}


def _members(raw: str, shape: Item) -> dict[str, str]:
    """Take an object on a line apart, as the file has it: a row, or the image of a change envelope."""
    is_envelope = shape.get("dialect") == DEBEZIUM
    has_comma = not is_envelope and shape.get("decimal", DECIMAL_SIGNS[0]) != DECIMAL_SIGNS[0]
    pairs = LineReader(Number, Members).pairs(raw) or []
    said = {plain_name(name): value for name, value in (row_of(pairs) if is_envelope else pairs)}
    fields = {}
    for name, place in shape["places"].items():
        written = shape["columns"][place] if place < len(shape["columns"]) else name
        value = said.get(plain_name(written))
        value = with_comma(value, TRANSACTIONS.known[name].kind) if has_comma else value
        encoding = shape.get("encodings", {}).get(name)
        fields[name] = "" if value is None else decoder(encoding)(value) if encoding else str(value)
    return fields


def _text(value: object) -> str:
    if value is None:
        return ""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def closed_by(lake: Lake, file_ids: Sequence[str]) -> dict[tuple[str, int], str | None]:
    """Return the quarantined rows of files, each with the repair or waiver that closes it."""
    lake.open("silver", "quarantine")
    rows = lake.rows(OF_FILES, [list(file_ids)])
    return {(row["file_id"], row["row"]): row["repaired_by"] for row in rows}
