"""Read a pin, `_dialect.json`: what the owner of a folder says about the files in it."""

from dataclasses import dataclass

from contract.companions import PIN_NAME

from reading.json_text import json_of
from reading.rejection import Reason, RejectedError

_BLANKS = " \t"


@dataclass(frozen=True)
class Pin:
    """What is settled; None where the pin is silent. `null_text` counts only with `settles_null`."""

    header: bool | None = None
    columns: tuple[str, ...] | None = None
    commit_timestamp: str | None = None
    settles_null: bool = False
    null_text: str | None = None
    full_load: bool | None = None
    table: str | None = None


_KINDS: dict[str, type | tuple[type, ...]] = {
    "header": bool,
    "columns": list,
    "commit_timestamp": str,
    "null": (str, type(None)),
    "full_load": bool,
    "table": str,
}


def pin_of(content: bytes | None) -> Pin:
    """Return what a pin says, an empty one without content; raise RejectedError if it cannot be read."""
    if content is None:
        return Pin()
    try:
        said = json_of(content)
    except ValueError as error:
        raise _unreadable(f"it is not JSON: {error}") from error
    if not isinstance(said, dict):
        raise _unreadable("it is not a JSON object")
    for name, value in said.items():
        _check(name, value)
    null = (said.get("null") or "").strip(_BLANKS)
    return Pin(
        header=said.get("header"),
        columns=tuple(said["columns"]) if "columns" in said else None,
        commit_timestamp=said.get("commit_timestamp"),
        settles_null="null" in said,
        null_text=null or None,
        full_load=said.get("full_load"),
        table=said["table"].strip(_BLANKS).lower() if "table" in said else None,
    )


def _check(name: str, value: object) -> None:
    if name not in _KINDS:
        raise _unreadable(f"it says {name!r}, which is none of {', '.join(map(repr, _KINDS))}")
    if not isinstance(value, _KINDS[name]) or (value == "" and name != "null"):
        raise _unreadable(f"its {name!r} has the wrong type")
    if isinstance(value, list) and not (value and all(isinstance(one, str) for one in value)):
        raise _unreadable(f"its {name!r} is not a list of names")


def _unreadable(why: str) -> RejectedError:
    return RejectedError(Reason("unreadable_dialect", f"The pin {PIN_NAME} cannot be used: {why}."))
