"""Find columns of a transactions file that look like card numbers or security codes: they may not leave Bronze."""

import re
from collections.abc import Callable, Sequence

from contract.patterns import SECURITY_CODE_FORM

from reading.card_numbers import is_card_number, masked_key
from reading.layout import Shape
from reading.rejection import Reason

LEAST_VALUES = 5
_SHARE = (9, 10)
_SECURITY_CODE = re.compile(SECURITY_CODE_FORM)
_SECURITY_NAMES = {"cvv", "cvc", "cvv2", "cvc2", "cid", "security_code", "card_security_code"}
_SEPARATORS = str.maketrans("", "", " -\t")
_ZEROS = re.compile(r"\.0+$")
"""Behind whole numbers that were decimals, or floating point on their way."""
_BETWEEN_WORDS = re.compile(r"[ \t-]+")


def secret_columns(shape: Shape, sample: Sequence[Sequence[str | None]]) -> list[Reason]:
    """Return a reason for each column that looks like a secret in the records of the first block."""
    reasons = []
    for place, name in enumerate(shape.layout.names):
        values = [record[place] for record in sample if len(record) > place]
        filled = [_digits(text) for text in map(_trimmed, values) if text not in ("", *shape.null_texts)]
        if len(filled) >= LEAST_VALUES and _most(filled, is_card_number):
            text = f"The column {name!r} looks like card numbers: leave it out, or send the last four digits."
            reasons.append(Reason("card_numbers", text))
        elif filled and _BETWEEN_WORDS.sub("_", name.lower()) in _SECURITY_NAMES and _most(filled, is_security_code):
            text = (
                f"The column {name!r} is named like card security codes and looks like them: leave it out, or, if it "
                "holds something else, rename it."
            )
            reasons.append(Reason("card_security_codes", text))
    return reasons


def _trimmed(value: str | None) -> str:
    return (value or "").strip(" \t")


def _digits(text: str) -> str:
    return _ZEROS.sub("", text.translate(_SEPARATORS))


def is_security_code(digits: str) -> bool:
    return bool(_SECURITY_CODE.fullmatch(digits))


def _most(values: list[str], looks_so: Callable[[str], bool]) -> bool:
    return is_most(sum(1 for value in values if looks_so(value)), len(values))


def is_most(count: int, whole: int) -> bool:
    """Return whether so many values speak for all of them: nine of ten."""
    share, of = _SHARE
    return count * of >= share * whole


def key_reasons(key: str) -> list[Reason]:
    """Return why an object is rejected for its key: whoever reads a mail, a passport or a table reads that, too."""
    if masked_key(key) == key:
        return []
    text = "The object's key holds what may be a card number: upload the file under another key, and delete this one."
    return [Reason("card_numbers", text)]
