"""Reads `docs/extending.md` as a program: the lines that each section adds, its commands, and what they print."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECTION = re.compile(r"^## (.+)\n((?:(?!^## ).*\n?)*)", re.MULTILINE)
BLOCK = re.compile(r"^```(diff|bash|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Change:
    """A block of changes: the file, the lines that must stand in it once, and those that take their place."""

    path: str
    before: str
    after: str

    @classmethod
    def of(cls, block: str) -> Change:
        first, *lines = block.splitlines()
        before, after = ("".join(f"{line[1:]}\n" for line in lines if line[:1] != mark) for mark in "+-")
        return cls(first.removeprefix("--- "), before, after)

    def apply(self, tree: Path) -> None:
        """Change the file in a copy of the project; raise ValueError unless its lines stand there exactly once."""
        file = tree / self.path
        text = file.read_text(encoding="utf-8")
        if text.count(self.before) != 1:
            raise ValueError(f"{self.path} has {text.count(self.before)} times:\n{self.before}")
        file.write_text(text.replace(self.before, self.after), encoding="utf-8")


@dataclass(frozen=True)
class Extension:
    """A section of the guide: what it changes, then each command block with what it prints, if the guide says so."""

    changes: tuple[Change, ...]
    commands: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, section: str) -> Extension:
        blocks = BLOCK.findall(section)
        following = [*blocks[1:], ("", "")]
        commands = [
            (text, printed if next_kind == "text" else "")
            for (kind, text), (next_kind, printed) in zip(blocks, following, strict=True)
            if kind == "bash"
        ]
        return cls(tuple(Change.of(text) for kind, text in blocks if kind == "diff"), tuple(commands))

    def apply(self, tree: Path) -> None:
        """Make all changes in a copy of the project."""
        for change in self.changes:
            change.apply(tree)


def extensions() -> Mapping[str, Extension]:
    """Return the guide's sections by their headings, in their order; later ones may build on earlier ones."""
    guide = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    return {heading: Extension.of(text) for heading, text in SECTION.findall(guide)}
