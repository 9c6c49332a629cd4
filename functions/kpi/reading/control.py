"""Read what the sender says of a file: its control totals and the instant of its extract."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from contract.items import ControlSource
from contract.limits import COMPANION_BYTES, EARLIEST_YEAR, FUTURE_DAYS

from reading.card_numbers import masked
from reading.json_text import json_of
from reading.rejection import Reason, RejectedError

_ROW_COUNT = re.compile(r"[0-9]{1,18}", re.ASCII)
_TOTAL = re.compile(r"([-+]?)([0-9]{1,36})(?:\.([0-9]{1,2})0*)?", re.ASCII)


@dataclass(frozen=True)
class Control:
    """The sender's figures; None where it gives none."""

    source: ControlSource = "none"
    row_count: int | None = None
    total_cents: int | None = None


def control_of_metadata(metadata: Mapping[str, str]) -> Control | None:
    """Return the totals of an object's metadata, None if it has none; raise RejectedError for unreadable ones."""
    if "row-count" not in metadata and "total-amount" not in metadata:
        return None
    return _control("metadata", metadata.get("row-count"), metadata.get("total-amount"))


def control_of_side_car(content: bytes) -> Control:
    """Return the totals of a side-car; raise RejectedError if it has none or they cannot be read."""
    if len(content) > COMPANION_BYTES:
        raise _unreadable(f"The side-car is larger than {COMPANION_BYTES >> 10} KiB.")
    try:
        figures = json_of(content, parse_float=Decimal)
    except ValueError as error:
        raise _unreadable(f"The side-car is not JSON: {error}.") from error
    if not isinstance(figures, dict) or not {"row_count", "total_amount"} & figures.keys():
        raise _unreadable("The side-car names neither 'row_count' nor 'total_amount'.")
    return _control("side-car", figures.get("row_count"), figures.get("total_amount"))


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


def _control(source: ControlSource, row_count: object, total_amount: object) -> Control:
    return Control(source, _row_count(source, row_count), _total_cents(source, total_amount))


def _row_count(source: str, value: object) -> int | None:
    if value is None:
        return None
    text = str(value).strip()
    if isinstance(value, bool) or not _ROW_COUNT.fullmatch(text) or masked(text) != text:
        raise _unreadable(f"The row count in the {source} is {text!r}, not a whole number.")
    return int(text)


def _total_cents(source: str, value: object) -> int | None:
    if value is None:
        return None
    text = str(value).strip()
    match = None if isinstance(value, bool) else _TOTAL.fullmatch(text)
    if not match or masked(text) != text:
        raise _unreadable(f"The total amount in the {source} is {text!r}, not an amount with at most two decimals.")
    sign, whole, decimals = match.groups(default="")
    cents = int(whole) * 100 + int(decimals.ljust(2, "0"))
    return -cents if sign == "-" else cents


def _unreadable(text: str) -> RejectedError:
    return RejectedError(Reason("unreadable_control", text))
