"""Reject a file that can be read in two ways, with both and the pin that settles it."""

import json

from contract.companions import PIN_NAME

from reading.rejection import Reason, RejectedError
from reading.visible import visible

_NAME_CHARACTERS = 40


def ambiguous(one: str, other: str, *, settled_by: str = f"a {PIN_NAME} in its folder") -> RejectedError:
    """Return the rejection of a file that has two readings."""
    text = f"The file can be read in two ways: {one}; or {other}. Settle it with {settled_by}."
    return RejectedError(Reason("ambiguous_dialect", text))


def ambiguous_order(column: str, named: str) -> RejectedError:
    """Return the rejection of a file of changes in which a column only looks like their commit timestamp."""
    return ambiguous(
        f"its changes are ordered by {column}, which looks like a commit timestamp",
        "by the instant of the file and their place in it",
        settled_by=f"{pinned(commit_timestamp=named)}, or {json.dumps({'commit_timestamp': None})}",
    )


def shown(name: str) -> str:
    """Return a name of the file as a sentence has it."""
    return f"'{visible(name, most=_NAME_CHARACTERS)}'"


def pinned(**said: object) -> str:
    """Return what a pin must say, and where it lies."""
    return f"{json.dumps(said, ensure_ascii=False)} in a {PIN_NAME} in its folder"
