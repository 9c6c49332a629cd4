"""Write the cells that set up a notebook's Glue session, from the job in `template.yaml` and the notebook's imports.

So a session has the version, the workers and the catalog of the job, and the packages that the notebook imports. The
lake bucket stays a placeholder, which `assay notebooks upload` fills in. `--check` compares and writes nothing.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from assay.notebooks import PACKAGES, PLACEHOLDER, archive_address

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "glue" / "notebooks"
JOBS = {"silver": "SilverJob", "gold": "GoldJob"}
# Plain IPython does not know the magics: nbclient and papermill skip cells with the second tag.
TAGS = ["interactive", "skip-execution"]
_IDS = ("session-magics", "session-arguments")
_IDLE_MINUTES = 30  # the service's own default is two days


def magics(template: dict[str, Any], job: str, packages: list[str]) -> list[str]:
    """Return the two cells: line magics, and the arguments that only `%%configure` sets."""
    properties = template["Resources"][job]["Properties"]
    lines = [
        f"%glue_version {properties['GlueVersion']}",
        f"%worker_type {properties['WorkerType']}",
        f"%number_of_workers {_value(template, properties['NumberOfWorkers'])}",
        f"%idle_timeout {_IDLE_MINUTES}",
    ]
    if packages:
        lines.append(f"%extra_py_files {','.join(archive_address(package) for package in packages)}")
    arguments = {name: properties["DefaultArguments"][f"--{name}"] for name in ("datalake-formats", "conf")}
    configured = {name: _value(template, value) for name, value in arguments.items()}
    return ["\n".join(lines), f"%%configure\n{json.dumps(configured, indent=4)}"]


def imported_packages(sources: list[str], root: Path = ROOT) -> list[str]:
    """Return the project's packages that sources import, themselves or through each other."""
    found, waiting = set[str](), list(sources)
    while waiting:
        for package in sorted(_packages(waiting.pop()) - found):
            found.add(package)
            waiting += [file.read_text() for file in sorted((root / PACKAGES[package] / package).rglob("*.py"))]
    return sorted(found)


def with_magics(notebook: nbformat.NotebookNode, cells: list[str]) -> nbformat.NotebookNode:
    """Put these cells in the place of the magics that a notebook has."""
    at = next(number for number, cell in enumerate(notebook.cells) if _is_magic(cell))
    made = [
        nbformat.v4.new_code_cell(source, id=name, metadata={"tags": TAGS})  # type: ignore[no-untyped-call]
        for name, source in zip(_IDS, cells, strict=True)
    ]
    kept = [cell for cell in notebook.cells if not _is_magic(cell)]
    notebook.cells = [*kept[:at], *made, *kept[at:]]
    return notebook


def _value(template: dict[str, Any], value: Any) -> str:
    """Return a property as text: a parameter by its default, the lake bucket as the placeholder."""
    if isinstance(value, dict) and set(value) == {"Ref"}:
        return str(template["Parameters"][value["Ref"]]["Default"])
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        return " ".join(str(value["Fn::Sub"]).replace("${LakeBucket}", PLACEHOLDER).split())
    return str(value)


def _packages(source: str) -> set[str]:
    return {name.partition(".")[0] for name in _imported(ast.parse(source))} & set(PACKAGES)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _is_magic(cell: nbformat.NotebookNode) -> bool:
    return cell.cell_type == "code" and set(TAGS) <= set(cell.metadata.get("tags", []))


def written(name: str, template: dict[str, Any]) -> str:
    """Return a notebook's file with its magics as they must be."""
    path = NOTEBOOKS / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code" and not _is_magic(cell)]
    renewed = with_magics(notebook, magics(template, JOBS[name], imported_packages(sources)))
    return str(nbformat.writes(renewed)) + "\n"  # type: ignore[no-untyped-call]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="fail when a notebook differs; write nothing")
    check = parser.parse_args().check
    template = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    stale = []
    for name in JOBS:
        path, text = NOTEBOOKS / f"{name}.ipynb", written(name, template)
        if path.read_text(encoding="utf-8") != text:
            stale.append(str(path.relative_to(ROOT)))
            if not check:
                path.write_text(text, encoding="utf-8")
    if stale:
        print(("magics differ from template.yaml, run `make export`: " if check else "magics: ") + ", ".join(stale))
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
