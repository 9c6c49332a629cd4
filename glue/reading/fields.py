"""Takes a record on one line apart into its fields (section 2 of `docs/data-contract.md`), and puts it together."""

from __future__ import annotations

import re
from functools import cache

from contract.items import FileFormat
from contract.patterns import csv_field
from contract.writing import COMMA


def column_count(shape: FileFormat) -> int:
    """Return how many columns a file has: the ledger does not keep the names of all."""
    return shape.get("column_count", len(shape["columns"]))


@cache
def field_form(delimiter: str) -> str:
    """Return the form of a field as Java takes it: possessive, or long records exhaust its stack."""
    return csv_field(delimiter).replace("*", "*+")


@cache
def record_form(delimiter: str) -> str:
    """Return the form of a record whose quotes are all in their places."""
    field = field_form(delimiter)
    return f"{field}(?:[{delimiter}]{field})*+"


def split_line(text: str, delimiter: str = COMMA) -> list[str] | None:
    """Return the fields of a record on one line, without the quotes around them; None if a quote is misused."""
    if not re.fullmatch(record_form(delimiter), text):
        return None
    fields = [match[1] for match in re.finditer(rf"(?:^|[{delimiter}])({field_form(delimiter)})", text)]
    return [field[1:-1].replace('""', '"') if field.startswith('"') else field for field in fields]


def join_line(fields: list[str], delimiter: str = COMMA) -> str:
    """Return a record on one line, quoted where it must be."""
    return delimiter.join(
        '"' + field.replace('"', '""') + '"' if re.search(f'["{delimiter}]', field) else field for field in fields
    )
