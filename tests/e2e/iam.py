"""Decides, as IAM does, whether statements of policies allow a call; refuses what it does not know.

The rules are those of AWS's "Policy evaluation logic" and "IAM JSON policy elements": everything is denied that no
statement allows, and a statement with Deny outweighs all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

_KNOWN = {"Sid", "Effect", "Action", "Resource", "Condition"}


@dataclass(frozen=True)
class Statement:
    """A statement of an identity's policy."""

    sid: str
    effect: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()  # operator, key, values

    def applies_to(self, action: str, resource: str, context: Mapping[str, str]) -> bool:
        return (
            any(matches(pattern.lower(), action.lower()) for pattern in self.actions)
            and any(matches(pattern, resource) for pattern in self.resources)
            and all(_holds(*condition, context) for condition in self.conditions)
        )

    def grants(self) -> Iterator[Statement]:
        """Yield it in its smallest parts, of one action and one resource each."""
        for action in self.actions:
            for resource in self.resources:
                yield Statement(self.sid, self.effect, (action,), (resource,), self.conditions)


def statements(document: Mapping[str, Any]) -> list[Statement]:
    """Read a policy document whose values are resolved."""
    return [_statement(given) for given in _listed(document["Statement"])]


def allows(policies: Iterable[Statement], action: str, resource: str, context: Mapping[str, str]) -> bool:
    """Tell whether a call is allowed; `context` holds the condition keys of the request."""
    effects = {each.effect for each in policies if each.applies_to(action, resource, context)}
    return effects == {"Allow"}


def matches(pattern: str, value: str) -> bool:
    """Compare with a pattern: `*` stands for any characters, slashes and colons too, `?` for one."""
    return _compiled(pattern).fullmatch(value) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"([*?])", pattern)
    return re.compile("".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in parts), re.DOTALL)


def _statement(given: Mapping[str, Any]) -> Statement:
    if unknown := given.keys() - _KNOWN:
        raise ValueError(f"not known here: {', '.join(sorted(unknown))}")
    conditions = tuple(
        (operator, key.lower(), tuple(str(value) for value in _listed(values)))
        for operator, keys in given.get("Condition", {}).items()
        for key, values in keys.items()
    )
    if unknown := {operator for operator, _, _ in conditions} - _OPERATORS.keys():
        raise ValueError(f"not known here: {', '.join(sorted(unknown))}")
    actions, resources = (tuple(map(str, _listed(given[name]))) for name in ("Action", "Resource"))
    return Statement(given.get("Sid", ""), given["Effect"], actions, resources, conditions)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _holds(operator: str, key: str, values: tuple[str, ...], context: Mapping[str, str]) -> bool:
    found = next((value for name, value in context.items() if name.lower() == key), None)
    if operator.startswith("StringNot"):
        # Of what a negated operator asks for, the request must have none: neither has one without the key.
        return found is None or not any(_OPERATORS[operator](value, found) for value in values)
    return found is not None and any(_OPERATORS[operator](value, found) for value in values)


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": str.__eq__,
    "StringNotEquals": str.__eq__,
    "StringLike": matches,
    "StringNotLike": matches,
    "ArnEquals": matches,
    "ArnLike": matches,
    "Bool": lambda value, found: value.lower() == found.lower(),
}
