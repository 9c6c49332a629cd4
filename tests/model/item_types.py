"""Tells where a ledger item differs from the type that the contract gives it: absent, unknown or wrong attributes."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from types import UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict


def differences(value: Any, expected: Any, path: str = "item") -> Iterator[str]:
    """Yield what of a value read from DynamoDB is not as its type says."""
    origin, arguments = get_origin(expected), get_args(expected)
    if origin in (Annotated, NotRequired):
        yield from differences(value, arguments[0], path)
    elif is_typeddict(expected):
        yield from _of_map(value, expected, path)
    elif origin is Literal:
        if value not in arguments:
            yield f"{path} is {value!r}"
    elif origin in (Union, UnionType):
        if all(list(differences(value, each, path)) for each in arguments):
            yield f"{path} is {value!r}"
    elif origin in (list, dict, set):
        yield from _of_collection(value, origin, arguments[-1], path)
    elif not isinstance(value, Decimal | int if expected is int else expected) or isinstance(value, bool) is not (
        expected is bool
    ):
        yield f"{path} is {value!r}"


def _of_map(value: Any, expected: Any, path: str) -> Iterator[str]:
    hints = get_type_hints(expected, include_extras=True)
    needed = {name for name, hint in hints.items() if get_origin(hint) is not NotRequired}
    yield from (f"{path}.{name} is absent" for name in sorted(needed - value.keys()))
    yield from (f"{path}.{name} is unknown" for name in sorted(value.keys() - hints.keys()))
    for name in value.keys() & hints.keys():
        yield from differences(value[name], hints[name], f"{path}.{name}")


def _of_collection(value: Any, expected: type, inner: Any, path: str) -> Iterator[str]:
    if not isinstance(value, expected):
        yield f"{path} is {value!r}"
        return
    places = value.items() if isinstance(value, dict) else enumerate(value)
    for place, each in places:
        yield from differences(each, inner, f"{path}.{place}")
