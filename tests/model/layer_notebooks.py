"""The notebooks of the layers as modules: their exported cells, over the packages that they import."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import nbformat

NOTEBOOKS = Path(__file__).parents[2] / "glue" / "notebooks"


def load(name: str) -> ModuleType:
    """Run the cells of a notebook that are exported, and return their names; its job does not start."""
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code" and "interactive" not in cell.metadata.get("tags", [])]
    source = "\n\n".join(["from __future__ import annotations", *(cell.source for cell in code)])
    module = ModuleType(f"{name}_notebook")
    sys.modules[module.__name__] = module  # dataclasses look their module up
    exec(compile(source, f"{name}.ipynb", "exec"), module.__dict__)  # noqa: S102 - the project's own notebook
    return module


SILVER, GOLD = load("silver"), load("gold")
