"""Look at the records of a file's first block."""

import re
from collections.abc import Callable, Sequence

from contract.patterns import COMMIT_FORM

COMMIT = re.compile(COMMIT_FORM)
_BLANKS = " \t"

Record = Sequence[str | None]


def plain(value: str | None) -> str:
    return (value or "").strip(_BLANKS)


def all_match(pattern: re.Pattern[str], sample: Sequence[Record], place: int) -> bool:
    values = [plain(record[place]) for record in sample if len(record) > place]
    return bool(values) and all(pattern.fullmatch(value) for value in values)


def most(records: Sequence[Record], place: int, test: Callable[[str], object]) -> bool:
    """Return whether more than half of the records pass; the others are rows that break a rule."""
    passed = sum(1 for record in records if test(plain(record[place])))
    return 2 * passed > len(records)
