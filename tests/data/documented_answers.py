"""The schemas of docs/commands.md, and how an answer is held to one."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

DOCUMENT = Path(__file__).parents[2] / "docs" / "commands.md"
SECTION = re.compile(r"^## (?P<name>[A-Za-z ]+)\n(?:(?!^## ).)*?```json\n(?P<schema>.*?)```", re.DOTALL | re.MULTILINE)


@cache
def schemas() -> dict[str, Any]:
    """Return the schema of each command that is documented, by its name."""
    read = {found["name"]: json.loads(found["schema"]) for found in SECTION.finditer(DOCUMENT.read_text())}
    definitions = read.pop("Definitions")
    return {name.removeprefix("assay "): schema | definitions for name, schema in read.items()}


def conform(command: str, answer: str) -> Any:
    """Return the value that a command printed; raise AssertionError if it is not as documented."""
    value = json.loads(answer)
    errors = [error.message for error in Draft202012Validator(schemas()[command]).iter_errors(value)]
    assert not errors, f"assay {command}: {errors[:3]}"
    return value
