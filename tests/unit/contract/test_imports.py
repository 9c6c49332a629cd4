"""Modules import one another without circles, and the command line needs nothing of the laptop's part to start."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# The folder in which imports are looked up, and the parts of it.
PARTS = [
    (ROOT, ("assay", "devcloud", "glue/lake", "glue/reading", "tools")),
    (ROOT / "functions" / "kpi", (".",)),
]
# The commands that need a laptop's packages, and what finds a running local cloud.
AT_NEED = {"assay/workshop.py", "assay/target.py"}


def modules() -> dict[str, Path]:
    """Return all modules by name."""
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for root, folders in PARTS
        for folder in folders
        for path in (root / folder).rglob("*.py")
    }


def imports(nodes: list[ast.stmt]) -> Iterator[str]:
    """Yield what the statements import when the module is loaded; `a.b` and `a.b.c` for `from a.b import c`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from imports(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports([child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)])


def graph(paths: dict[str, Path]) -> dict[str, set[str]]:
    """Return the modules that each module imports when it is loaded; a package stands for its own file alone."""
    found = {name: set(imports(ast.parse(path.read_text()).body)) for name, path in paths.items()}
    return {name: imported & paths.keys() for name, imported in found.items()}


def test_modules_import_one_another_without_a_circle() -> None:
    TopologicalSorter(graph(modules())).prepare()


def test_circle_is_found__of_three_modules(tmp_path: Path) -> None:
    texts = {"a": "from b import x", "b": "class X:\n    import c", "c": "import a\nif TYPE_CHECKING:\n    import d"}
    paths = {name: tmp_path / f"{name}.py" for name in (*texts, "d")}
    for name, path in paths.items():
        path.write_text(texts.get(name, "def f():\n    import a"))
    assert graph(paths) == {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": set()}
    with pytest.raises(CycleError):
        TopologicalSorter(graph(paths)).prepare()


def test_command_line_imports_devcloud_at_need_alone__in_one_place() -> None:
    paths = {name: path for name, path in modules().items() if path.is_relative_to(ROOT / "assay")}
    whole = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in paths.values()}
    loaded = {name for name, tree in whole.items() if any(_is_devcloud(found) for found in imports(tree.body))}
    at_need = {name for name, tree in whole.items() if any(_imports_devcloud(node) for node in ast.walk(tree))}
    assert loaded == set()
    assert at_need <= AT_NEED


def _imports_devcloud(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom) and any(_is_devcloud(name) for name in imports([node]))


def _is_devcloud(name: str) -> bool:
    return name.partition(".")[0] == "devcloud"
