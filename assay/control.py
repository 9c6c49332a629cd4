"""The control totals that go with a file: those that its sender knows, or those of the local file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from contract.control_totals import CONTROL_FIGURES, Unit

from assay.errors import UserError

LIKE = "write it like --control 1200:51234.10,key-sum=8812,hash-total=4477"
_BY_METADATA_NAME = {figure.metadata_name: figure for figure in CONTROL_FIGURES.values()}


def control_metadata(control: str | None) -> dict[str, str]:
    """Turn `ROWS:AMOUNT,NAME=FIGURE,...` into the object metadata of control totals; every part may be left out."""
    if control is None:
        return {}
    metadata: dict[str, str] = {}
    for part in control.split(","):
        given = _named(part) if "=" in part else _rows_and_amount(part, control)
        if twice := given.keys() & metadata.keys():
            raise UserError(f"--control gives {twice.pop()} twice", LIKE)
        metadata |= given
    return metadata


def _named(part: str) -> dict[str, str]:
    name, _, figure = part.partition("=")
    known = _BY_METADATA_NAME.get(name)
    if known is None:
        raise UserError(f"there is no control total {name}", f"name one of {', '.join(_BY_METADATA_NAME)}")
    if known.unit is Unit.CENTS:
        return {name: _amount(figure)}
    if not re.fullmatch(r"[0-9]+" if known.unit is Unit.ROWS else r"-?[0-9]+", figure):
        raise UserError(f"the control total {name}={figure} is not a whole number", LIKE)
    return {name: figure}


def _rows_and_amount(part: str, control: str) -> dict[str, str]:
    rows, colon, amount = part.partition(":")
    if not colon or not re.fullmatch(r"[0-9]*", rows) or not (rows or amount):
        raise UserError(f"--control {control} is not ROWS:AMOUNT", LIKE)
    metadata = {"row-count": rows, "total-amount": _amount(amount) if amount else ""}
    return {name: value for name, value in metadata.items() if value}


def _amount(text: str) -> str:
    try:
        value = Decimal(text)
        exact = value.quantize(Decimal("0.01"))
    except InvalidOperation:
        raise UserError(f"the control amount {text} is not a number", LIKE) from None
    if exact != value:
        raise UserError(f"the control amount {text} has parts of a cent", LIKE)
    return f"{exact:f}"


def side_car_of(figures: Mapping[str, int]) -> dict[str, int | str]:
    """Return the side-car that gives figures; money in cents becomes text."""
    return {
        name: str(Decimal(value).scaleb(-2)) if CONTROL_FIGURES[name].unit is Unit.CENTS else value
        for name, value in figures.items()
    }
