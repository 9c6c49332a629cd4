"""How a file may be written: what separates its fields, its decimal sign, the order of day and month, its null words.

Each is decided once per file, from all its values or by a pin, never value by value. The first of each is the default.
"""

from collections.abc import Mapping

COMMA = ","
DELIMITERS: Mapping[str, str] = {COMMA: "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may separate the fields of a CSV file, each with its name."""
DECIMAL_SIGNS = (".", ",")
"""Of the two one is the decimal sign, the other groups digits in threes."""
MONTH_FIRST, DAY_FIRST = "month-first", "day-first"
DATE_ORDERS = (MONTH_FIRST, DAY_FIRST)
"""How dates with slashes are read."""
DAY_FIRST_START = "^([ \\t]*)([0-9]{1,2})/([0-9]{1,2})/"
"""How a date with the day first begins: blanks, day, month."""
NULL_WORDS = ("nan", "none", "null", "<na>", "\\n", "n/a", "#n/a", "na", "nat")
"""What other programs write where nothing is, in lower case. In a list of names such a word is null; elsewhere it is a
text like any other, with a warning."""

_DAY = "(?:1[3-9]|2[0-9]|3[01])"
_DAY_OR_MONTH = "(?:0?[1-9]|1[0-2])"
_YEAR = "/[0-9]{4}(?:[^0-9].*)?"
DATE_ORDER_PROOFS: Mapping[str, str] = {
    MONTH_FIRST: f"{_DAY_OR_MONTH}/{_DAY}{_YEAR}",
    DAY_FIRST: f"{_DAY}/{_DAY_OR_MONTH}{_YEAR}",
}
"""Dates that are in the calendar in one order alone."""
DATE_IN_EITHER_ORDER = f"({_DAY_OR_MONTH})/({_DAY_OR_MONTH}){_YEAR}"
"""Dates that are in the calendar in both; they are two different ones where the groups are."""


def _decimals_after(sign: str, grouping: str) -> str:
    """Return the form of numbers that can only be read with this decimal sign, between anything but digits."""
    number = (
        f"(?:[0-9]{{1,3}}(?:[{grouping}][0-9]{{3}})+[{sign}][0-9]+|[0-9]{{1,3}}(?:[{grouping}][0-9]{{3}}){{2,}}|"
        f"[0-9]*[{sign}](?:[0-9]{{1,2}}|[0-9]{{4,}})|(?:[0-9]{{4,}}|0[0-9]*|)[{sign}][0-9]{{3}})"
    )
    return f"[^0-9.,]*{number}[^0-9.,]*"


DECIMAL_SIGN_PROOFS: Mapping[str, str] = {".": _decimals_after(".", ","), ",": _decimals_after(",", ".")}
"""Amounts that are none with the other sign: two decimals, or both signs in one amount."""
THREE_DIGITS_BEHIND: Mapping[str, str] = {
    sign: f"[^0-9.,]*[1-9][0-9]{{0,2}}[{sign}][0-9]{{3}}[^0-9.,]*" for sign in DECIMAL_SIGNS
}
"""Amounts whose only sign may be the decimal sign, or group digits: `1.500`, `173,900`."""


def delimiter_text(delimiter: str) -> str:
    """Return what separates fields as a sentence says it."""
    return f"{DELIMITERS[delimiter]} ({delimiter!r})"
