"""The control totals that a sender can give of a file; each that is given must agree."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

SUM_MODULUS = 10**16
"""Sums of ids, and of ids times cents, are the remainder by this number, which is never negative: a sum of -1 is
9,999,999,999,999,999. Of a sender's figure the remainder is taken, too."""


class Unit(StrEnum):
    """What a control total counts."""

    ROWS = "rows"
    CENTS = "cents"
    REMAINDER = "remainder"
    """Of an integer by SUM_MODULUS."""


@dataclass(frozen=True)
class ControlFigure:
    """A control total: its name in side-cars, figures and reasons, and what of a file adds up to it."""

    name: str
    unit: Unit
    summed: str

    @property
    def metadata_name(self) -> str:
        """Its name in an object's metadata."""
        return self.name.replace("_", "-")


CONTROL_FIGURES: Mapping[str, ControlFigure] = {
    figure.name: figure
    for figure in (
        ControlFigure("row_count", Unit.ROWS, "rows"),
        ControlFigure("total_amount", Unit.CENTS, "amounts"),
        ControlFigure("positive_total", Unit.CENTS, "amounts above zero"),
        ControlFigure("negative_total", Unit.CENTS, "amounts below zero"),
        ControlFigure("key_sum", Unit.REMAINDER, "ids"),
        ControlFigure("hash_total", Unit.REMAINDER, "products of id and cents"),
    )
}
TRAILER_MARK = "T"
"""The first field of a trailer record; a row count and a total amount follow."""
TRAILER_FIGURES = ("row_count", "total_amount")
