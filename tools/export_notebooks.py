"""Export the Glue notebooks to self-contained scripts, one way, byte for byte the same each time.

A cell tagged `interactive` stays behind; markdown becomes comments; the modules of `glue/shared/` are inlined, because
SAM packages a job's script but not its extra Python files. `--check` compares and writes nothing.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "glue" / "notebooks"
SCRIPTS = ROOT / "glue" / "scripts"
SHARED = ROOT / "glue" / "shared"
JOBS = ("silver", "gold")


class Imports:
    """The import statements of several sources, merged: each name once."""

    def __init__(self) -> None:
        self._modules: set[str] = set()
        self._names: dict[str, set[str]] = {}

    def add(self, node: ast.Import | ast.ImportFrom) -> None:
        names = {alias.name + (f" as {alias.asname}" if alias.asname else "") for alias in node.names}
        if isinstance(node, ast.Import):
            self._modules |= names
        elif node.module != "__future__":
            self._names.setdefault(str(node.module), set()).update(names)

    def text(self) -> str:
        lines = [f"import {name}" for name in sorted(self._modules)]
        lines += [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(self._names.items())]
        return "\n".join(lines)


def take_imports(source: str, imports: Imports, *, inlined: list[str]) -> str:
    """Move a source's top-level imports to `imports`, and the names of shared modules, in their order, to `inlined`."""
    lines = source.splitlines()
    for node in reversed([node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)]):
        if isinstance(node, ast.ImportFrom) and (SHARED / f"{node.module}.py").exists():
            if node.module not in inlined:
                inlined.insert(0, str(node.module))
        else:
            imports.add(node)
        del lines[node.lineno - 1 : node.end_lineno]
    return "\n".join(lines).strip()


def shared_source(module: str, imports: Imports) -> str:
    """Return a shared module's code without its docstring and imports, under a line that names its home."""
    source = (SHARED / f"{module}.py").read_text()
    docstring = ast.parse(source).body[0]
    body = "\n".join(source.splitlines()[docstring.end_lineno :])
    return f"# From glue/shared/{module}.py\n\n{take_imports(body, imports, inlined=[])}"


def comment(markdown: str) -> str:
    lines = [part for line in markdown.splitlines() for part in textwrap.wrap(line, width=118) or [""]]
    return "\n".join(f"# {line}".rstrip() for line in lines)


def tidy(source: str) -> str:
    """Sort the imports and format, as the linter of this project wants it."""
    for command in (["check", "--quiet", "--select", "I", "--fix-only", "-"], ["format", "--quiet", "-"]):
        ruff = [sys.executable, "-m", "ruff", command[0], "--stdin-filename", "glue/scripts/exported.py", *command[1:]]
        source = subprocess.run(ruff, input=source, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return source


def export(name: str) -> str:
    """Return the script of one notebook."""
    cells = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4).cells  # type: ignore[no-untyped-call]
    kept = [cell for cell in cells if "interactive" not in cell.metadata.get("tags", [])]
    imports, inlined = Imports(), list[str]()
    parts = []
    for cell in kept[1:]:
        is_text = cell.cell_type == "markdown"
        parts.append(comment(cell.source) if is_text else take_imports(cell.source, imports, inlined=inlined))
    shared = [shared_source(module, imports) for module in inlined]
    title = re.sub(r"^#+ ", "", kept[0].source.splitlines()[0])
    origin = (
        f"Exported from glue/notebooks/{name}.ipynb by tools/export_notebooks.py; edit the notebook, not this file."
    )
    head = f'"""{title}\n\n{origin}\n"""'
    body = [head, "from __future__ import annotations", imports.text(), *shared, *parts]
    return tidy("\n\n\n".join(part for part in body if part) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail when a script differs; write nothing")
    check = parser.parse_args().check
    stale = []
    for name in JOBS:
        script, exported = SCRIPTS / f"{name}.py", export(name)
        if not script.exists() or script.read_text() != exported:
            stale.append(str(script.relative_to(ROOT)))
            if not check:
                script.write_text(exported)
    if stale:
        print(("differs from its notebook, run `make export`: " if check else "exported: ") + ", ".join(stale))
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
