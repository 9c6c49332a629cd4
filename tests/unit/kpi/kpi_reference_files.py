"""A slow, plain reading of whole files, written from the words of the data contract (sections 1 and 2)."""

import gzip
import re
import zlib
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import kpi_reference as reference

ALIASES = {"id": "dms_id"}
REQUIRED = ("dms_id", "amount", "date")
DELIMITERS = ",;\t|"
SEPARATOR_LINE = re.compile('"?sep=[^"]"?', re.IGNORECASE)


class UnreadableError(Exception):
    """The file has no rows that could be told."""


@dataclass(frozen=True)
class Row:
    """What is told of a row; `raw` only where a rule is broken."""

    row: int
    line: int
    raw: str | None
    rules: list[str]
    key: int | None
    cents: int | None
    us: int | None


@dataclass(frozen=True)
class Table:
    """A file that can be read; `fields` are the texts by column, of the rows that have some."""

    rows: list[Row]
    fields: list[dict[str, str]]

    @property
    def may_be_written_otherwise(self) -> bool:
        """Whether a date may have the day first, or an amount a comma for its decimals."""
        return any("/" in row["date"] or "," in row["amount"] for row in self.fields)

    @property
    def has_values_without_a_name(self) -> bool:
        return any(name.startswith(" ") and text.strip(" \t") for row in self.fields for name, text in row.items())


def read(content: bytes, last_modified_at: datetime) -> Table:
    """Return all rows of a CSV file; raise UnreadableError where there are none."""
    lines = reference.lines_of(text_inside(content))
    at = next((at for at, line in enumerate(lines) if not _says_nothing(line)), None)
    if at is None:
        raise UnreadableError("empty")
    delimiter = _delimiter(lines[at])
    names = _names(reference.split(lines[at], delimiter))
    below = lines[at + 1 :]
    names += _columns_without_a_name(names, below, delimiter)
    rows, fields = [], []
    records = reference.records(below, len(names), delimiter=delimiter, first_line=at + 2)
    for number, (line, raw, told) in enumerate(records, start=1):
        if isinstance(told, str):
            rows.append(Row(number, line, raw, [told], None, None, None))
            continue
        fields.append(dict(zip(names, told, strict=True)))
        rules, key, cents, us = reference.judge(fields[-1], last_modified_at)
        rows.append(Row(number, line, raw if rules else None, rules, key, cents, us))
    if not rows:
        raise UnreadableError("no rows")
    return Table(rows, fields)


def text_inside(content: bytes) -> str:
    """Return the text of a file, unzipped and without byte order marks; raise UnreadableError if there is none."""
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise UnreadableError("damaged gzip") from error
        if content[:2] == b"\x1f\x8b":
            raise UnreadableError("gzip in gzip")
    while content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UnreadableError("not UTF-8") from error


def _says_nothing(line: str) -> bool:
    is_blank = any(reference.is_empty(line, sign) for sign in DELIMITERS)
    return is_blank or bool(SEPARATOR_LINE.fullmatch(line))


def _delimiter(header: str) -> str:
    fitting = [
        sign for sign in DELIMITERS if set(REQUIRED) <= set(map(_canonical, reference.split(header, sign) or []))
    ]
    return fitting[0] if len(fitting) == 1 else ","


def _canonical(name: str) -> str:
    plain = name.strip(" \t").lower()
    return ALIASES.get(plain, plain)


def _names(header: list[str] | None) -> list[str]:
    names = [_canonical(name) or f" {place}" for place, name in enumerate(header or [])]
    if not set(REQUIRED) <= set(names):
        raise UnreadableError("missing column")
    if max(Counter(names).values()) > 1:
        raise UnreadableError("a column twice")
    return names


def _columns_without_a_name(names: list[str], lines: list[str], delimiter: str) -> list[str]:
    """Return a column for each empty field that the rows have behind those of the header (section 1)."""
    told = [line for line in lines if not any(reference.is_empty(line, sign) for sign in DELIMITERS)]
    records = [fields for line in told if (fields := reference.split(line, delimiter))]
    longer = [fields for fields in records if len(fields) > len(names)]
    widths = {len(fields) for fields in longer}
    if len(widths) != 1 or any(len(fields) == len(names) for fields in records) or 2 * len(longer) <= len(records):
        return []
    if any(field.strip(" \t") for fields in longer for field in fields[len(names) :]):
        return []
    return [f" behind {place}" for place in range(len(names), widths.pop())]
