"""Show what may be a card number with its last four digits alone: in whatever text leaves Bronze (section 3.4)."""

import re
from itertools import accumulate

from contract.patterns import CARD_NUMBER_FORM, CARD_NUMBER_IN_TEXT, CARD_NUMBER_RUN, DATE_AHEAD, GIVEN_NAME

FEWEST_DIGITS, MOST_DIGITS = 13, 19
LAST_DIGITS = 4
MASK = "*"
_CARD_NUMBER = re.compile(CARD_NUMBER_FORM)
_RUN = re.compile(rf"(?<![0-9])(?<![0-9]\.){CARD_NUMBER_IN_TEXT}")
"""From the first digit on; what stands behind a decimal point is the fraction of a number."""
_GROUP = re.compile("[0-9]+")
_DIGIT = re.compile("[0-9]")
_DATE_AHEAD = re.compile(DATE_AHEAD)
_GIVEN_NAME = re.compile(f"(?<![0-9A-Za-z])({GIVEN_NAME})(?![0-9A-Za-z])")


def is_card_number(digits: str) -> bool:
    """Return whether digits end in their check digit (ISO/IEC 7812-1, annex B: the Luhn formula)."""
    if not _CARD_NUMBER.fullmatch(digits):
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10 == 0


def masked(text: str) -> str:
    """Return a text in which no card number is left but for its last four digits."""
    return _RUN.sub(lambda run: _masked_run(run[0]), text)


def masked_key(key: str) -> str:
    """Return an object's key, or a text that may have some, masked; what programs call files by stays as it is."""
    parts = _GIVEN_NAME.split(key)
    return "".join(part if place % 2 else masked(part) for place, part in enumerate(parts))


def _masked_run(run: str) -> str:
    groups = _GROUP.findall(run)
    digits, hidden = "".join(groups), set[int]()
    if len(run) > CARD_NUMBER_RUN:
        hidden.update(range(len(digits) - LAST_DIGITS))
    else:
        for first, end in _numbers_in(groups, digits):
            hidden.update(range(first, end - LAST_DIGITS))
    places = iter(range(len(digits)))
    return _DIGIT.sub(lambda digit: MASK if next(places) in hidden else digit[0], run) if hidden else run


def _numbers_in(groups: list[str], digits: str) -> list[tuple[int, int]]:
    """Return where card numbers begin and end in the digits of a run: each is a number of whole groups."""
    bounds = list(accumulate(map(len, groups), initial=0))
    return [
        (first, end)
        for place, first in enumerate(bounds)
        for end in bounds[place + 1 : place + 1 + MOST_DIGITS]
        if FEWEST_DIGITS <= end - first <= MOST_DIGITS
        and is_card_number(digits[first:end])
        and not _DATE_AHEAD.match(digits, first)
    ]
