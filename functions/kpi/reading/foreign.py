"""Tell what a file is that is no table, by its first bytes, and refuse it by name."""

import re
from itertools import chain

from contract.formats import (
    BYTE_ORDER_MARKS,
    FOREIGN_FORMATS,
    GZIP,
    HTML,
    JSON_ARRAY,
    PARQUET,
    TAR,
    UNMARKED_TEXTS,
    XML,
    ForeignFormat,
)

from reading.rejection import Reason, RejectedError

_TEXTS = (
    (HTML, re.compile(rb"<!doctype\s+html|<(?:html|head|body)[\s>]", re.IGNORECASE)),
    (XML, re.compile(rb"<\?xml\s|<[A-Za-z_][\w:.-]*(?:\s[^<>]*)?/?>(?!\s*,)")),
    (JSON_ARRAY, re.compile(rb'\[\s*(?:["{\[\]]|\Z)')),
)
_NULLS = rb"(?:null[ \t\r]*\n\s*)"
_JSON_OBJECT = re.compile(rb'%b*\{\s*(?:"|\}|\Z)|%b+n?u?l?l?[ \t\r]*\Z' % (_NULLS, _NULLS))
_LATER_OBJECT = re.compile(rb'\n[ \t\r]*\{"')
_MARKS = re.compile(rb"\A(?:\xef\xbb\xbf)*")
_TAR_HEADER = 512
_TAR_CHECKSUM = slice(148, 156)
_PERCENT_OF_ZEROS = 70
"""So many in a hundred of the bytes that are zero in Latin letters must be: names and cities may have others."""


def refuse_foreign(head: bytes, *, in_gzip: bool = False, arrays_are_read: bool = False) -> None:
    """Raise RejectedError if a file that begins so is something other than the kinds that are read."""
    _refuse_other_encodings(head)
    if found := foreign_format(head, in_gzip=in_gzip):
        if found is JSON_ARRAY and arrays_are_read and not in_gzip:
            return
        raise RejectedError(refusal(found, in_gzip=in_gzip))


def begins_json_object(head: bytes) -> bool:
    """Return whether a text begins as a JSON object does, behind marks, blanks and nulls, or has no more than nulls."""
    return bool(_JSON_OBJECT.match(_content(head)))


def has_later_json_object(head: bytes) -> bool:
    """Return whether a line behind the first one begins as a JSON object does."""
    return bool(_LATER_OBJECT.search(head))


def begins_json_array(head: bytes) -> bool:
    return foreign_format(head) is JSON_ARRAY


def refusal(found: ForeignFormat, *, in_gzip: bool = False) -> Reason:
    """Return why a file of a format is refused, and what converts it."""
    name = f"{found.name} inside of gzip" if in_gzip else found.name
    unpacked = found.in_gzip or f"run `gunzip -c FILE > INNER`; of INNER, {found.remedy}"
    remedy = unpacked if in_gzip else found.remedy
    return Reason("unsupported_format", f"The file is {name}, not a table in CSV, JSON lines or Parquet: {remedy}.")


def foreign_format(head: bytes, *, in_gzip: bool = False) -> ForeignFormat | None:
    """Return the format that a file begins like, None if it may be a table."""
    formats = (*FOREIGN_FORMATS, GZIP, PARQUET) if in_gzip else FOREIGN_FORMATS
    for each in formats:
        signed = any(head.startswith(sign, offset) for offset, sign in each.signs)
        if signed and (not each.extra or any(extra in head for extra in each.extra)):
            return each
    if _is_old_tar(head):
        return TAR
    text = _content(head)
    return next((each for each, form in _TEXTS if form.match(text)), None)


def _content(head: bytes) -> bytes:
    return _MARKS.sub(b"", head, count=1).lstrip()


def _is_old_tar(head: bytes) -> bool:
    """Return whether the head is a tar header: its checksum counts its own field as blanks."""
    header = head[:_TAR_HEADER]
    if len(header) < _TAR_HEADER or not header[0]:
        return False
    said = re.fullmatch(rb" *([0-7]{1,7})[ \0]*", header[_TAR_CHECKSUM])
    total = sum(header) - sum(header[_TAR_CHECKSUM]) + 8 * ord(" ")
    return said is not None and int(said[1], 8) == total


def _refuse_other_encodings(head: bytes) -> None:
    marked = ((told, name) for mark, told, name in BYTE_ORDER_MARKS if head.startswith(mark))
    unmarked = ((told, name) for told, name, width, zeros in UNMARKED_TEXTS if _is_text(head, width, zeros))
    told, name = next(chain(marked, unmarked), ("", ""))
    if told:
        text = f"The text is {told}, not UTF-8: run `iconv -f {name} -t UTF-8 FILE > COPY.csv`."
        raise RejectedError(Reason("not_utf8", text))


def _is_text(head: bytes, width: int, zeros: tuple[int, ...]) -> bool:
    """Return whether almost all characters of this width have zeros where Latin letters have them, and only there."""
    whole = head[: len(head) // width * width]
    if len(whole) < 2 * width:
        return False
    percents = [whole[place::width].count(0) * width * 100 // len(whole) for place in range(width)]
    return all((share >= _PERCENT_OF_ZEROS) if place in zeros else not share for place, share in enumerate(percents))
