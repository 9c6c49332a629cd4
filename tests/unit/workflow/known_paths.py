"""Which paths of its data a state machine reads without knowing that they are there.

AWS ends an execution at such a path with States.Runtime, which nothing catches; the local Step Functions are kinder and
take a Choice's Default. So every route through the machine is followed here, with what is known to be present on each:
what a state wrote itself, and what a Choice asked for by IsPresent.
"""

from __future__ import annotations

import re
from typing import Any

Known = frozenset[str]
PATH = re.compile(r"(?<!\$)\$\.[\w.\[\]]+")


def unguarded(machine: dict[str, Any], *, given: set[str]) -> set[tuple[str, str]]:
    """Return (state, path) for every path that some route reaches unknown; `given` are the paths of the input."""
    known = {machine["StartAt"]: frozenset(given)}
    ahead, missing = [machine["StartAt"]], set[tuple[str, str]]()
    while ahead:
        name = ahead.pop()
        state = machine["States"][name]
        missing |= {(name, path) for path in _reads(state) if path not in known[name]}
        for successor, after in _successors(name, state, known[name], missing):
            met = known.get(successor, after) & after
            if successor not in known or met != known[successor]:
                known[successor] = met
                ahead.append(successor)
    return missing


def _reads(state: dict[str, Any]) -> set[str]:
    """Return the paths that a state reads outside of its Choice rules and of its own result."""
    return _paths({key: value for key, value in state.items() if key in ("Parameters", "SecondsPath", "CausePath")})


def _paths(node: Any, key: str = "") -> set[str]:
    if isinstance(node, dict):
        return {path for inner, value in node.items() for path in _paths(value, inner)}
    is_read = key.endswith((".$", "Path")) and isinstance(node, str)
    return set(PATH.findall(node)) if is_read else set()


def _successors(
    name: str, state: dict[str, Any], known: Known, missing: set[tuple[str, str]]
) -> list[tuple[str, Known]]:
    """Return each successor with what is known there; note what the rules of a Choice read unknown."""
    found = []
    for rule in state.get("Choices", []):
        after, unknown = _asked(rule, known)
        missing |= {(name, path) for path in unknown}
        found.append((rule["Next"], after))
    for caught in state.get("Catch", []):
        found.append((caught["Next"], _written(known, caught["ResultPath"], {"Error": ""})))
    if "Default" in state:
        found.append((state["Default"], known))
    if "Next" in state:
        found.append((state["Next"], _result(state, known)))
    return found


def _asked(rule: dict[str, Any], known: Known) -> tuple[Known, set[str]]:
    """Return what is known once a rule holds, and the paths that it compares unknown."""
    if "And" in rule:
        unknown: set[str] = set()
        for part in rule["And"]:
            known, more = _asked(part, known)
            unknown |= more
        return known, unknown
    if "Or" in rule or "Not" in rule:
        parts = rule["Or"] if "Or" in rule else [rule["Not"]]
        return known, {path for part in parts for path in _asked(part, known)[1]}
    if "IsPresent" in rule:
        return (known | _with_parents(rule["Variable"]) if rule["IsPresent"] else known), set()
    compared = {rule["Variable"]} | {v for k, v in rule.items() if k.endswith("Path")}
    return known, compared - known


def _result(state: dict[str, Any], known: Known) -> Known:
    """Return what is known after a state went well; a service's answer is opaque without a selector."""
    if state["Type"] not in ("Pass", "Task"):
        return known
    shape = state.get("ResultSelector", state.get("Parameters") if state["Type"] == "Pass" else {})
    return _written(known, state.get("ResultPath", "$"), shape)


def _written(known: Known, path: str | None, shape: Any) -> Known:
    """Return what is known once `shape` stands at `path`, in place of all that stood there."""
    if path is None:
        return known
    kept = frozenset() if path == "$" else {k for k in known if k != path and not k.startswith(f"{path}.")}
    return frozenset(kept) | _with_parents(path) | _inside(path, shape)


def _inside(path: str, shape: Any) -> Known:
    if not isinstance(shape, dict):
        return frozenset({path})
    below = (_inside(f"{path}.{key.removesuffix('.$')}", value) for key, value in shape.items())
    return frozenset({path}).union(*below)


def _with_parents(path: str) -> Known:
    parts = path.split(".")
    return frozenset(".".join(parts[:end]) for end in range(2, len(parts) + 1))
