"""Say which required columns a file lacks, what its header holds instead, and what is near to them."""

import re
from collections.abc import Collection, Sequence
from difflib import SequenceMatcher

from contract.limits import REASON_CHARACTERS
from contract.subjects import Subject
from contract.writing import COMMA, DELIMITERS

from reading.rejection import Reason
from reading.visible import visible

_NAME_CHARACTERS = 40
_NEAR = 3
"""So many near misses are named."""
_SIMILAR = (3, 4)
"""The share of two names' letters that are the same, from which on they are near."""
_LEAST_PART = 4
"""A name that holds one of at least so many letters is near to it: `amount_usd` to `amount`, not `paid` to `id`."""
_MISREAD = re.compile("[\u00c3\u00c2\u00ef][\u0080-\u00bf]|\ufffd")
"""What UTF-8 looks like that was taken for Latin-1 and written as UTF-8 again."""


def missing_column_reasons(
    missing: Sequence[str], names: Sequence[str], unread: Collection[str], subject: Subject
) -> list[Reason]:
    """Return a reason for each missing column, with those of the unread names that are near, and one for the header."""
    reasons = [Reason("missing_column", _missing(name, unread, subject)) for name in missing]
    # The first line of a file of cards may be a card.
    told = [re.sub(".*[0-9].*", "(digits)", name, flags=re.DOTALL) for name in names] if subject.secret else names
    return [*reasons, Reason("missing_column", _header(told))] if reasons else []


def _missing(name: str, unread: Collection[str], subject: Subject) -> str:
    column = subject.known.get(name)
    others = [alias for alias in column.aliases if alias != name] if column else []
    also = f" (or {', '.join(map(repr, others))})" if others else ""
    near = [found for found in unread if any(_is_near(found, known) for known in (name, *others))]
    told = f" Near it: {', '.join(map(_shown, near[:_NEAR]))}; rename the column." if near else ""
    return f"The required column {_shown(name)}{also} is missing.{told}"


def _is_near(found: str, known: str) -> bool:
    one, other = (re.sub("[^a-z0-9]", "", text.lower()) for text in (found, known))
    if not 0 < len(one) <= 2 * _NAME_CHARACTERS:
        return False
    holds = len(other) >= _LEAST_PART and other in one
    return one == other or holds or _are_similar(one, other)


def _are_similar(one: str, other: str) -> bool:
    share, of = _SIMILAR
    same = sum(block.size for block in SequenceMatcher(None, one, other).get_matching_blocks())
    return 2 * same * of >= share * (len(one) + len(other))


def _header(names: Sequence[str]) -> str:
    counted = f"{len(names):,} {'column' if len(names) == 1 else 'columns'}"
    opening, hint = f"The header has {counted}: ", _hint(names)
    told: list[str] = []
    for number, name in enumerate(names):
        more = f" and {len(names) - number - 1:,} more" if number + 1 < len(names) else ""
        line = f"{opening}{', '.join([*told, _shown(name)])}{more}.{hint}"
        if len(line) > REASON_CHARACTERS:
            break
        told.append(_shown(name))
    left = len(names) - len(told)
    return f"{opening}{', '.join(told)}{f' and {left:,} more' if left else ''}.{hint}"


def _hint(names: Sequence[str]) -> str:
    text = "".join(names)
    found = max((each for each in DELIMITERS if each != COMMA), key=text.count)
    if text.count(found) >= len(names):
        return f" Its fields look separated by {_shown(found)} instead of commas: pin it as delimiter."
    if _MISREAD.search(text):
        return " Its names look like UTF-8 that was taken for another encoding: export it again."
    return ""


def _shown(name: str) -> str:
    return f"'{visible(name, most=_NAME_CHARACTERS)}'"
