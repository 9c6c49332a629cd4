"""Tell a trailer record: the last record of a CSV file that is not blank, when it counts the rows and sums them up."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from contract.control_totals import TRAILER_FIGURES, TRAILER_MARK
from contract.patterns import AMOUNT_FORM, INTEGER_FORM, NEGATIVE_MARK
from contract.writing import DECIMAL_SIGNS

from reading.control import Control, control_of
from reading.first_block import plain

_INTEGER = re.compile(INTEGER_FORM)
_AMOUNT = re.compile(AMOUNT_FORM)
_NEGATIVE = re.compile(NEGATIVE_MARK)
_EXCHANGED = str.maketrans(",.", ".,")


@dataclass(frozen=True)
class Trailer:
    """What a trailer record says, as sent but for a decimal point, and the physical line on which it stands."""

    row_count: str
    total_amount: str
    line: int = 0

    def control(self) -> Control:
        """Return its control totals; raise RejectedError if the amount has parts of a cent."""
        sign = "-" if _NEGATIVE.search(self.total_amount) else ""
        digits = re.sub(r"[^0-9.]", "", self.total_amount)
        whole = "0" if digits[:1] in ("", ".") else ""
        told = (self.row_count.partition(".")[0], f"{sign}{whole}{digits}")
        return control_of("trailer", dict(zip(TRAILER_FIGURES, told, strict=True)))


def trailer_of(record: Sequence[str] | None, decimal: str = DECIMAL_SIGNS[0]) -> Trailer | None:
    """Return a record as a trailer; None if it is none: `T`, an integer, an amount, and only empty fields after."""
    fields = [plain(field) for field in record or ()]
    if len(fields) < 3 or fields[0] != TRAILER_MARK or any(fields[3:]):
        return None
    amount = fields[2] if decimal == DECIMAL_SIGNS[0] else fields[2].translate(_EXCHANGED)
    return Trailer(fields[1], amount) if _INTEGER.fullmatch(fields[1]) and _AMOUNT.fullmatch(amount) else None
