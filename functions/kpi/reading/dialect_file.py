"""Read a pin, `_dialect.json`: what the owner of a folder says about the files in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contract.companions import PIN_NAME
from contract.limits import COMPANION_BYTES, NAME_CHARACTERS
from contract.writing import DATE_ORDERS, DECIMAL_SIGNS, DELIMITERS

from reading.card_numbers import masked
from reading.json_text import json_of
from reading.rejection import Reason, RejectedError

_BLANKS = " \t"


@dataclass(frozen=True)
class Pin:
    """What is settled; None where the pin is silent.

    `null_texts` counts only with `settles_null`, and a `commit_timestamp` of None only with `settles_commit`.
    """

    header: bool | None = None
    columns: tuple[str, ...] | None = None
    settles_commit: bool = False
    commit_timestamp: str | None = None
    settles_null: bool = False
    null_texts: tuple[str, ...] = ()
    full_load: bool | None = None
    table: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    date_order: str | None = None
    trailer: bool | None = None
    """Whether each CSV file must end in a trailer record, or whether none has one."""

    @property
    def commit_name(self) -> str | None:
        """The settled name of the commit timestamp, empty where there is none; None where the pin is silent."""
        return (self.commit_timestamp or "") if self.settles_commit else None


_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "header": bool,
    "columns": list,
    "commit_timestamp": (str, type(None)),
    "null": (str, list, type(None)),
    "full_load": bool,
    "table": str,
    "delimiter": str,
    "decimal": str,
    "date_order": str,
    "trailer": bool,
}
_CHOICES: Mapping[str, Sequence[str]] = {
    "delimiter": tuple(DELIMITERS),
    "decimal": DECIMAL_SIGNS,
    "date_order": DATE_ORDERS,
}


def pin_of(content: bytes | None) -> Pin:
    """Return what a pin says, an empty one without content; raise RejectedError if it cannot be read."""
    if content is None:
        return Pin()
    if len(content) > COMPANION_BYTES:
        raise _unreadable(f"it is larger than {COMPANION_BYTES >> 10} KiB")
    try:
        said = json_of(content)
    except ValueError as error:
        raise _unreadable(f"it is not JSON: {error}") from error
    if not isinstance(said, dict):
        raise _unreadable("it is not a JSON object")
    for name, value in said.items():
        _check(name, value)
    return Pin(
        header=said.get("header"),
        columns=tuple(said["columns"]) if "columns" in said else None,
        settles_commit="commit_timestamp" in said,
        commit_timestamp=said.get("commit_timestamp"),
        settles_null="null" in said,
        null_texts=_null_texts(said.get("null")),
        full_load=said.get("full_load"),
        table=said["table"].strip(_BLANKS).lower() if "table" in said else None,
        delimiter=said.get("delimiter"),
        decimal=said.get("decimal"),
        date_order=said.get("date_order"),
        trailer=said.get("trailer"),
    )


def _null_texts(said: str | list[str] | None) -> tuple[str, ...]:
    texts = [said] if isinstance(said, str) else said or []
    return tuple(dict.fromkeys(plain for text in texts if (plain := text.strip(_BLANKS))))


def _check(name: str, value: object) -> None:
    if name not in _KINDS:
        raise _unreadable(f"it says {name!r}, which is none of {', '.join(map(repr, _KINDS))}")
    if not isinstance(value, _KINDS[name]) or (value == "" and name != "null"):
        raise _unreadable(f"its {name!r} has the wrong type")
    if isinstance(value, list) and not ((value or name == "null") and all(isinstance(one, str) for one in value)):
        raise _unreadable(f"its {name!r} is not a list of {'texts' if name == 'null' else 'names'}")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise _unreadable(f"its {name!r} is {value!r}, which is none of {', '.join(map(repr, _CHOICES[name]))}")
    texts = value if isinstance(value, list) else [value]
    if any(isinstance(text, str) and masked(text) != text for text in texts):
        raise _unreadable(f"its {name!r} holds what may be a card number")
    if any(isinstance(text, str) and len(text) > NAME_CHARACTERS for text in texts):
        raise _unreadable(f"its {name!r} has more than {NAME_CHARACTERS} characters")


def _unreadable(why: str) -> RejectedError:
    return RejectedError(Reason("unreadable_dialect", f"The pin {PIN_NAME} cannot be used: {why}."))
