"""A slow, plain reading of JSON lines, written from the words of the data contract (section 2.1), sign by sign."""

import re
from datetime import datetime

import kpi_reference as reference
from kpi_reference_files import REQUIRED, Row, Table, UnreadableError, text_inside

NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
SPACES = " \t\r"
MOST_LEVELS = 16


class MalformedError(Exception):
    """The line is no JSON object."""


class Other:
    """A value that is neither a text, a number nor null."""


class Walker:
    """Walks over a line."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def sign(self) -> str:
        return self.text[self.at : self.at + 1]

    def spaces(self) -> None:
        while self.sign() and self.sign() in SPACES:
            self.at += 1

    def expect(self, sign: str) -> None:
        if not self.text.startswith(sign, self.at):
            raise MalformedError
        self.at += len(sign)

    def string(self) -> str:
        self.expect('"')
        units: list[str] = []
        while (sign := self.sign()) != '"':
            if not sign or sign < " ":
                raise MalformedError
            self.at += 1
            units.append(self.escape() if sign == "\\" else sign)
        self.at += 1
        try:
            return "".join(units).encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError as error:
            raise MalformedError from error

    def escape(self) -> str:
        sign = self.sign()
        self.at += 1
        if sign == "u":
            digits = self.text[self.at : self.at + 4]
            if not re.fullmatch("[0-9a-fA-F]{4}", digits):
                raise MalformedError
            self.at += 4
            return chr(int(digits, 16))
        if sign not in ESCAPES:
            raise MalformedError
        return ESCAPES[sign]

    def value(self, level: int) -> str | Other | None:
        sign = self.sign()
        if sign == '"':
            return self.string()
        if sign in ("{", "["):
            if level > MOST_LEVELS:
                raise MalformedError
            self.members(level) if sign == "{" else self.elements(level)
            return Other()
        for word, value in (("true", Other()), ("false", Other()), ("null", None)):
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        number = NUMBER.match(self.text, self.at)
        if not number:
            raise MalformedError
        self.at = number.end()
        return number[0]

    def elements(self, level: int) -> None:
        self.at += 1
        self.spaces()
        while self.sign() != "]":
            self.value(level + 1)
            self.next("]")
        self.at += 1

    def members(self, level: int) -> list[tuple[str, str | Other | None]]:
        found = []
        self.expect("{")
        self.spaces()
        while self.sign() != "}":
            name = self.string()
            self.spaces()
            self.expect(":")
            self.spaces()
            found.append((name, self.value(level + 1)))
            self.next("}")
        self.at += 1
        return found

    def next(self, end: str) -> None:
        """Go to the next member or to the end; no comma stands before the end."""
        self.spaces()
        if self.sign() != end:
            self.expect(",")
            self.spaces()
            if self.sign() == end:
                raise MalformedError


def members(line: str) -> list[tuple[str, str | Other | None]] | None:
    """Return what the object of a line holds, None if it is no object."""
    walker = Walker(line)
    walker.spaces()
    try:
        found = walker.members(1)
    except MalformedError:
        return None
    walker.spaces()
    return found if walker.at == len(line) else None


def is_followed(line: str) -> bool:
    """Return whether a line is an object and the beginning of another one."""
    walker = Walker(line)
    walker.spaces()
    try:
        walker.members(1)
    except MalformedError:
        return False
    return line[walker.at :].lstrip(f"{SPACES},").startswith("{")


def is_lines(content: bytes) -> bool:
    """Return whether a file begins as JSON lines do: with an object's brace and what may stand behind it."""
    try:
        text = text_inside(content)
    except UnreadableError:
        return False
    return (
        re.match(r'\s*(null[ \t\r]*\n\s*)*\{\s*("|\}|\Z)|\s*(null[ \t\r]*\n\s*)+(null)?\Z', text, re.ASCII) is not None
    )


def canonical(name: str) -> str:
    plain = name.strip(" \t").lower()
    return "dms_id" if plain == "id" else plain


KNOWN = {*REQUIRED, "use_chip", "zip", "client_id", "card_id", "merchant_id"}
KNOWN |= {"merchant_city", "merchant_state", "mcc", "errors"}


def read(content: bytes, last_modified_at: datetime) -> Table:
    """Return all rows of a file of JSON lines; raise UnreadableError where there are none."""
    lines = [(at, line) for at, line in enumerate(reference.lines_of(text_inside(content)), 1) if line.strip(" \t")]
    objects = [members(line) for _, line in lines]
    names = {name.strip(" \t").lower() for found in objects for name, _ in found or []}
    if not lines or not any(found is not None for found in objects):
        raise UnreadableError("no object on any line")
    if objects[0] is None and is_followed(lines[0][1]):
        raise UnreadableError("several objects on a line")
    if not set(REQUIRED) <= set(map(canonical, names)):
        raise UnreadableError("missing column")
    if {"id", "dms_id"} <= names:
        raise UnreadableError("a column under two names")
    rows, fields = [], []
    for number, ((at, line), found) in enumerate(zip(lines, objects, strict=True), start=1):
        told = _told(found)
        if isinstance(told, str):
            rows.append(Row(number, at, line, [told], None, None, None))
            continue
        fields.append({name: told.get(name) or "" for name in (*REQUIRED, *told)})
        rules, key, cents, us = reference.judge(fields[-1], last_modified_at)
        rows.append(Row(number, at, line if rules else None, rules, key, cents, us))
    return Table(rows, fields)


def _told(found: list[tuple[str, str | Other | None]] | None) -> dict[str, str | None] | str:
    if found is None:
        return "malformed_json"
    values = {name.strip(" \t").lower(): value for name, value in found}
    if len(values) < len(found):
        return "repeated_name"
    known = {canonical(name): value for name, value in values.items() if canonical(name) in KNOWN}
    if any(isinstance(value, Other) for value in known.values()):
        return "value_of_other_type"
    return {name: value for name, value in known.items() if not isinstance(value, Other)}
