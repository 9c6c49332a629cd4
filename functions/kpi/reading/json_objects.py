"""Read a line of JSON as the data contract takes it (section 2.1): by RFC 8259 alone, and numbers as their texts.

What a line holds is a list of pairs, name and value; a value is a text, None, or of another type: true, false, a list.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from contract.limits import JSON_LEVELS

BLANKS = " \t\r"
Pairs = list[tuple[str, Any]]


class Members(Pairs):
    """The pairs of an object, where it is to be told from an array."""


class Number(str):
    """The text of a number, where it is to be told from a text."""

    __slots__ = ()


MALFORMED = "malformed_json"
_HALF_OF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
"""What may be one: few texts hold it."""


class LineReader:
    """Reads lines; `number` makes what stands for a number of its text, `members` what stands for an object's pairs."""

    def __init__(
        self, number: Callable[[str], str] = str, members: Callable[[Pairs], Pairs] = lambda pairs: pairs
    ) -> None:
        decoder = json.JSONDecoder(
            object_pairs_hook=members, parse_int=number, parse_float=number, parse_constant=_refuse_constant
        )
        self._decode: Callable[[str], tuple[Any, int]] = decoder.raw_decode

    def pairs(self, line: str) -> Pairs | None:
        """Return what the object of a line holds, None if the line is not one object."""
        text = line.strip(BLANKS)
        if not text.startswith("{"):
            return None
        found = self._first(text)
        if found is None or found[1] != len(text):
            return None
        pairs = found[0]
        if text.count("{") + text.count("[") > JSON_LEVELS and not _is_shallow(pairs, JSON_LEVELS):
            return None
        return None if _HALF_OF_A_PAIR.search(text) and not _is_whole(pairs) else pairs

    def is_followed(self, text: str) -> bool:
        """Return whether a text begins with an object and goes on with another one."""
        start = text.lstrip(BLANKS)
        found = self._first(start) if start.startswith("{") else None
        return found is not None and start[found[1] :].lstrip(f"{BLANKS},").startswith("{")

    def _first(self, text: str) -> tuple[Pairs, int] | None:
        try:
            return self._decode(text)
        except (ValueError, RecursionError):
            return None


def plain_name(name: str) -> str:
    """Return what names are compared by."""
    return name.strip(" \t").lower()


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _is_shallow(value: Any, levels: int) -> bool:
    """Return whether a list of pairs or values holds others at most so deep, itself included."""
    if not isinstance(value, list):
        return True
    inner = (each[1] if isinstance(each, tuple) else each for each in value)
    return levels > 0 and all(_is_shallow(each, levels - 1) for each in inner)


def _is_whole(pairs: Pairs) -> bool:
    """Return whether no text holds half of a surrogate pair, which no UTF-8 can."""
    try:
        json.dumps(pairs, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
