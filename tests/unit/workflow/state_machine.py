"""The state machine as it is written, and how its states follow each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
DEFINITION = ROOT / "statemachine" / "workflow.asl.json"

State = dict[str, Any]


@cache
def text() -> str:
    return DEFINITION.read_text(encoding="utf-8")


def definition() -> dict[str, Any]:
    """Return a copy of the definition, placeholders and all."""
    machine: dict[str, Any] = json.loads(text())
    return machine


def states(kind: str | None = None) -> dict[str, State]:
    """Return the states of one type, or all."""
    return {name: state for name, state in definition()["States"].items() if kind in (None, state["Type"])}


def successors(state: State) -> Iterator[str]:
    """Yield every state that may follow."""
    for key in ("Next", "Default"):
        if key in state:
            yield state[key]
    for branch in [*state.get("Choices", []), *state.get("Catch", [])]:
        yield branch["Next"]
