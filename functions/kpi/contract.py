"""Names of the data contract that every part of the function shares: columns and the reasons of a rejection."""

from collections.abc import Sequence
from dataclasses import dataclass

ALIASES = {"id": "dms_id"}
REQUIRED = ("dms_id", "amount", "date")
COLUMNS = (
    *REQUIRED,
    "use_chip",
    "zip",
    "client_id",
    "card_id",
    "merchant_id",
    "merchant_city",
    "merchant_state",
    "mcc",
    "errors",
)
RULED = tuple(name for name in COLUMNS if name not in ("merchant_city", "merchant_state", "errors"))
"""The columns that a rule or a figure needs; any text is good in the others, so they are not read."""

MAXIMUM_NAMED = 20
"""So many unknown columns are named in a warning; a ledger item must not grow with a header."""


@dataclass(frozen=True)
class Reason:
    """Why a file is rejected: a code of the data contract and a sentence with the figures."""

    code: str
    text: str


class RejectedError(Exception):
    """The file cannot be accepted, whatever its rows say."""

    def __init__(self, *reasons: Reason) -> None:
        super().__init__("; ".join(reason.text for reason in reasons))
        self.reasons = reasons


@dataclass(frozen=True)
class Layout:
    """The columns of a file: its own names in order, and the place of each column that is known."""

    names: tuple[str, ...]
    places: dict[str, int]

    def warnings(self) -> list[str]:
        """Say what the file has in vain and what it lacks."""
        known = set(self.places.values())
        unknown = [repr(name) for place, name in enumerate(self.names) if place not in known]
        absent = [repr(name) for name in COLUMNS if name not in self.places]
        warnings = []
        if unknown:
            more = f" and {len(unknown) - MAXIMUM_NAMED} more" if len(unknown) > MAXIMUM_NAMED else ""
            warnings.append(f"Unknown columns, not read: {', '.join(unknown[:MAXIMUM_NAMED])}{more}.")
        if absent:
            warnings.append(f"Absent columns, null in every row of this file: {', '.join(absent)}.")
        return warnings


def canonical_name(name: str) -> str:
    """Return the contract's name of a column, or the trimmed lower-case name if the contract has none."""
    plain = name.strip(" \t").lower()
    return ALIASES.get(plain, plain)


def layout_of(names: Sequence[str]) -> Layout:
    """Find the known columns; raise RejectedError if one is missing or any name occurs twice.

    Columns without a name (a trailing comma of a spreadsheet) are unknown ones, not repetitions of each other.
    """
    canonical = [canonical_name(name) for name in names]
    twice = sorted({name for name in canonical if name and canonical.count(name) > 1})
    missing = [name for name in REQUIRED if name not in canonical]
    reasons = [Reason("missing_column", f"The required column {name!r} is missing.") for name in missing]
    reasons += [Reason("duplicate_column", f"The column {name!r} occurs more than once.") for name in twice]
    if reasons:
        raise RejectedError(*reasons)
    places = {name: canonical.index(name) for name in COLUMNS if name in canonical}
    return Layout(tuple(name.strip(" \t") for name in names), places)
