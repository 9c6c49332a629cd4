"""Takes a record on one line apart into its fields (section 2 of `docs/data-contract.md`), and puts it together."""

from __future__ import annotations

import re

from contract.patterns import CSV_FIELD

FIELD = CSV_FIELD.replace("*", "*+")  # possessive, or long records exhaust Java's stack
_RECORD = re.compile(rf"{FIELD}(?:,{FIELD})*+")
_FIELDS = re.compile(rf"(?:^|,)({FIELD})")


def split_line(text: str) -> list[str] | None:
    """Return the fields of a record on one line, without the quotes around them; None if a quote is misused."""
    if not _RECORD.fullmatch(text):
        return None
    fields = [match[1] for match in _FIELDS.finditer(text)]
    return [field[1:-1].replace('""', '"') if field.startswith('"') else field for field in fields]


def join_line(fields: list[str]) -> str:
    """Return a record on one line, quoted where it must be."""
    return ",".join('"' + field.replace('"', '""') + '"' if re.search('[",]', field) else field for field in fields)
