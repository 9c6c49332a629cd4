"""Find the column that a name was probably meant for: written a little otherwise, or with more words around it."""

import re
from collections.abc import Iterable

_SHORT_NAME = 5
"""Names of so few letters are near only with one letter changed; longer ones with two."""
_SEPARATORS = re.compile(r"[\s_.-]+")


def near_name(name: str, wanted: Iterable[str]) -> str | None:
    """Return the first of the wanted names that is near a name, None if none is."""
    return next((each for each in wanted if _is_near(_words(name), _words(each))), None)


def _words(name: str) -> list[str]:
    return [word for word in _SEPARATORS.split(name.strip().lower()) if word]


def _is_near(words: list[str], wanted: list[str]) -> bool:
    one, other = "".join(words), "".join(wanted)
    most = 1 if len(other) <= _SHORT_NAME else 2
    if abs(len(one) - len(other)) <= most and _distance(one, other) <= most:
        return True
    starts = range(len(words) - len(wanted) + 1)
    return any(words[start : start + len(wanted)] == wanted for start in starts)


def _distance(one: str, other: str) -> int:
    """Return how many letters must be changed, left out, put in, or swapped with their neighbour."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, start=1):
        line = [row]
        for column, against in enumerate(other, start=1):
            cost = min(last[column] + 1, line[column - 1] + 1, last[column - 1] + (letter != against))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == against:
                cost = min(cost, before[column - 2] + 1)
            line.append(cost)
        before, last = last, line
    return last[-1]
