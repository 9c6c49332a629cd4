"""Read what the sender says of a file: its control totals and the instant of its extract."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from contract.control_totals import CONTROL_FIGURES, SUM_MODULUS, Unit
from contract.items import ControlSource
from contract.limits import COMPANION_BYTES, EARLIEST_YEAR, FUTURE_DAYS

from reading.card_numbers import masked
from reading.json_text import json_of
from reading.rejection import Reason, RejectedError

_ROW_COUNT = re.compile(r"[0-9]{1,18}", re.ASCII)
_TOTAL = re.compile(r"([-+]?)([0-9]{1,36})(?:\.([0-9]{1,2})0*)?", re.ASCII)
_SUM = re.compile(r"-?[0-9]{1,60}", re.ASCII)
_WITH_TRAILER: Mapping[ControlSource, ControlSource] = {
    "metadata": "metadata and trailer",
    "side-car": "side-car and trailer",
}


@dataclass(frozen=True)
class Control:
    """What one source says of a file: its figures by name, money in cents."""

    source: ControlSource = "none"
    figures: Mapping[str, int] = field(default_factory=dict)

    def beside(self, trailer: "Control") -> "Control":
        """Return the figures of both, of one that both have the sender's own."""
        if not (self.figures and trailer.figures):
            return trailer if trailer.figures else self
        return Control(_WITH_TRAILER[self.source], {**trailer.figures, **self.figures})


def control_of_metadata(metadata: Mapping[str, str]) -> Control | None:
    """Return the totals of an object's metadata, None if it has none; raise RejectedError for unreadable ones."""
    given = {
        name: metadata[figure.metadata_name]
        for name, figure in CONTROL_FIGURES.items()
        if figure.metadata_name in metadata
    }
    return control_of("metadata", given) if given else None


def control_of_side_car(content: bytes) -> Control:
    """Return the totals of a side-car; raise RejectedError if it has none or they cannot be read."""
    if len(content) > COMPANION_BYTES:
        raise _unreadable(f"The side-car is larger than {COMPANION_BYTES >> 10} KiB.")
    try:
        figures = json_of(content, parse_float=Decimal)
    except ValueError as error:
        raise _unreadable(f"The side-car is not JSON: {error}.") from error
    if not isinstance(figures, dict) or not CONTROL_FIGURES.keys() & figures.keys():
        raise _unreadable(f"The side-car names none of {', '.join(map(repr, CONTROL_FIGURES))}.")
    return control_of("side-car", {name: figures[name] for name in CONTROL_FIGURES if name in figures})


def as_of_of_metadata(metadata: Mapping[str, str], last_modified_at: datetime) -> datetime | None:
    """Return the instant at which the sender took the extract, if it is given; it is not later than the object."""
    text = metadata.get("as-of")
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text.strip())
        in_utc = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _unreadable(f"The metadata 'as-of' is {text!r}, not an ISO 8601 instant.") from error
    if in_utc.year < EARLIEST_YEAR:
        raise _unreadable(f"The metadata 'as-of' is {text!r}, earlier than {EARLIEST_YEAR}.")
    if in_utc > last_modified_at + timedelta(days=FUTURE_DAYS):
        raise _unreadable(
            f"The metadata 'as-of' is {text!r}, more than {FUTURE_DAYS} day later than the object was written."
        )
    return in_utc


def accepts_range(metadata: Mapping[str, str]) -> bool:
    """Return whether the sender vouches for figures outside of the learned range."""
    text = metadata.get("accept-range", "false").strip().lower()
    if text not in ("true", "false"):
        raise _unreadable(f"The metadata 'accept-range' is {text!r}, not true or false.")
    return text == "true"


def control_of(source: ControlSource, given: Mapping[str, object]) -> Control:
    """Return the figures that a source gives, by their names in side-cars; raise RejectedError for unreadable ones."""
    read = {
        name: _READERS[CONTROL_FIGURES[name].unit](name.replace("_", " "), source, value)
        for name, value in given.items()
        if value is not None
    }
    return Control(source, read)


def _row_count(name: str, source: str, value: object) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not _ROW_COUNT.fullmatch(text) or masked(text) != text:
        raise _unreadable(f"The {name} in the {source} is {text!r}, not a whole number.")
    return int(text)


def _cents(name: str, source: str, value: object) -> int:
    text = str(value).strip()
    match = None if isinstance(value, bool) else _TOTAL.fullmatch(text)
    if not match or masked(text) != text:
        raise _unreadable(f"The {name} in the {source} is {text!r}, not an amount with at most two decimals.")
    sign, whole, decimals = match.groups(default="")
    cents = int(whole) * 100 + int(decimals.ljust(2, "0"))
    return -cents if sign == "-" else cents


def _remainder(name: str, source: str, value: object) -> int:
    # Of sums of 16 digits one in ten has a card number's check digit: like ids, they stay.
    text = str(value).strip()
    if isinstance(value, bool) or not _SUM.fullmatch(text):
        raise _unreadable(f"The {name} in the {source} is {text!r}, not a whole number.")
    return int(text) % SUM_MODULUS


_READERS: Mapping[Unit, Callable[[str, str, object], int]] = {
    Unit.ROWS: _row_count,
    Unit.CENTS: _cents,
    Unit.REMAINDER: _remainder,
}


def _unreadable(text: str) -> RejectedError:
    return RejectedError(Reason("unreadable_control", text))
