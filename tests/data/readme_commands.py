"""The commands of README.md: its blocks of bash, line by line, and which lines need an AWS account or Docker."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)
ELSEWHERE = re.compile(r"#.*\bneeds (AWS|Docker)\b")


def blocks() -> list[list[str]]:
    """Return the lines of each block."""
    return [found[1].splitlines() for found in BLOCK.finditer((ROOT / "README.md").read_text())]


def is_marked(line: str) -> bool:
    """Tell whether a line says that it needs more than a laptop."""
    return bool(ELSEWHERE.search(line))


def command_of(line: str) -> str:
    """Return a line without the comment behind it."""
    return re.sub(r"\s+# .*$", "", line)
