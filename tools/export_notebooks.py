"""Export the Glue notebooks to self-contained scripts, one way, byte for byte the same each time.

A cell tagged `interactive` stays behind; markdown becomes comments. A raw cell, which no kernel runs, is code of the
script alone: the entry of the job. The modules of this project's packages are inlined, with all that they import in
turn, because SAM packages a job's script but not its extra Python files. As one script has one namespace, two names
that collide are refused. `--check` compares and writes nothing.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import symtable
import sys
import textwrap
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
JOBS = ("silver", "gold")
INLINED = {"glue": ".", "contract": "functions/kpi"}
"""Packages whose modules are inlined, each with the folder that it lies in."""


class ExportError(Exception):
    """A notebook cannot become one script."""


class Imports:
    """The import statements of several sources, merged: each name once."""

    def __init__(self) -> None:
        self._modules: set[str] = set()
        self._names: dict[str, set[str]] = {}

    def add(self, node: ast.Import | ast.ImportFrom, line: str) -> None:
        """Add a statement; `line` is its source, whose comment stays with a module that it imports."""
        names = {alias.name + (f" as {alias.asname}" if alias.asname else "") for alias in node.names}
        if isinstance(node, ast.Import):
            _, mark, comment = line.partition("  #")
            self._modules |= {name + mark + comment for name in names}
        elif node.module != "__future__":
            self._names.setdefault(str(node.module), set()).update(names)

    def text(self) -> str:
        lines = [f"import {name}" for name in sorted(self._modules)]
        lines += [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(self._names.items())]
        return "\n".join(lines)


class Script:
    """A script in the making: its imports, the modules that it needs in their order, and where each name comes from."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._origins: dict[str, str] = {}
        self._inlined: set[str] = set()
        self.imports = Imports()
        self.modules: list[str] = []

    def take(self, source: str, origin: str) -> str:
        """Return a source without its top-level imports; inline first the modules that it names."""
        self._claim(source, origin)
        lines = source.splitlines()
        imported = [node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)]
        for node in imported:
            package = _package(node)
            if package is None:
                self.imports.add(node, lines[node.lineno - 1])
            elif not isinstance(node, ast.ImportFrom) or any(alias.asname for alias in node.names):
                raise ExportError(f"{origin}: import names of {package} as they are, `from {package}.… import …`")
            else:
                self._inline(str(node.module))
        for node in reversed(imported):
            del lines[node.lineno - 1 : node.end_lineno]
        return "\n".join(lines).strip()

    def _inline(self, module: str) -> None:
        if module in self._inlined:
            return
        self._inlined.add(module)
        folder = INLINED[module.partition(".")[0]]
        path = f"{folder}/{module.replace('.', '/')}.py".removeprefix("./")
        source = (self._root / path).read_text(encoding="utf-8")
        first = ast.parse(source).body[0]
        has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        lines = source.splitlines()[first.end_lineno if has_docstring else 0 :]
        self.modules.append(f"# From {path}\n\n{self.take(chr(10).join(lines), path)}")

    def _claim(self, source: str, origin: str) -> None:
        """Remember where each top-level name of a source comes from; refuse a name that two of them give."""
        imported = {
            alias.asname or alias.name.partition(".")[0]: _origin(node, alias.name)
            for node in ast.parse(source).body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        table = symtable.symtable(source, origin, "exec")
        assigned = [symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned()]
        for name in sorted({*assigned, *imported}):
            given_by = imported.get(name, origin)
            if self._origins.setdefault(name, given_by) != given_by:
                raise ExportError(f"{name} of {given_by} collides with {name} of {self._origins[name]}")


def _package(node: ast.Import | ast.ImportFrom) -> str | None:
    """Return the package whose modules an import wants inlined, None if it is to stay an import."""
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]
    return next((name.partition(".")[0] for name in names if name.partition(".")[0] in INLINED), None)


def _origin(node: ast.Import | ast.ImportFrom, name: str) -> str:
    """Return where an imported name comes from; the name of an inlined module is that module's own."""
    if isinstance(node, ast.Import):
        return name.partition(".")[0]
    module = str(node.module)
    if (package := module.partition(".")[0]) in INLINED:
        return f"{INLINED[package]}/{module.replace('.', '/')}.py".removeprefix("./")
    return f"{module}.{name}"


def comment(markdown: str) -> str:
    lines = [part for line in markdown.splitlines() for part in textwrap.wrap(line, width=118) or [""]]
    return "\n".join(f"# {line}".rstrip() for line in lines)


def tidy(source: str) -> str:
    """Sort the imports and format, as the linter of this project wants it."""
    for command in (["check", "--quiet", "--select", "I", "--fix-only", "-"], ["format", "--quiet", "-"]):
        ruff = [sys.executable, "-m", "ruff", command[0], "--stdin-filename", "glue/scripts/exported.py", *command[1:]]
        source = subprocess.run(ruff, input=source, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return source


def export(name: str, root: Path = ROOT) -> str:
    """Return the script of one notebook; raise `ExportError` if names collide."""
    cells = nbformat.read(root / "glue" / "notebooks" / f"{name}.ipynb", as_version=4).cells  # type: ignore[no-untyped-call]
    kept = [cell for cell in cells if "interactive" not in cell.metadata.get("tags", [])]
    script, parts = Script(root), []
    for number, cell in enumerate(kept[1:], start=1):
        if cell.cell_type == "markdown":
            parts.append(comment(cell.source))
        else:
            parts.append(script.take(cell.source, f"cell {number} of {name}.ipynb"))
    title = re.sub(r"^#+ ", "", kept[0].source.splitlines()[0])
    origin = (
        f"Exported from glue/notebooks/{name}.ipynb by tools/export_notebooks.py; edit the notebook, not this file."
    )
    head = f'"""{title}\n\n{origin}\n"""'
    body = [head, "from __future__ import annotations", script.imports.text(), *script.modules, *parts]
    return tidy("\n\n\n".join(part for part in body if part) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail when a script differs; write nothing")
    check = parser.parse_args().check
    stale = []
    for name in JOBS:
        script, exported = ROOT / "glue" / "scripts" / f"{name}.py", export(name)
        if not script.exists() or script.read_text(encoding="utf-8") != exported:
            stale.append(str(script.relative_to(ROOT)))
            if not check:
                script.write_text(exported, encoding="utf-8")
    if stale:
        told = "not what its notebook, the packages and the contract make: " if check else "exported: "
        print(told + ", ".join(stale))
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
