"""A notebook becomes one script: with the modules that it needs, in their order, and without names that collide."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from export_notebooks import ExportError, export


def project(root: Path, modules: dict[str, str], *cells: str) -> Path:
    """Write a project of these modules and one notebook `layer`, whose first cell is its title."""
    for path, source in modules.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(source)
    (root / "glue" / "notebooks").mkdir(parents=True, exist_ok=True)
    nodes = [nbformat.v4.new_markdown_cell("# Layer: a test"), *map(nbformat.v4.new_code_cell, cells)]
    nbformat.write(nbformat.v4.new_notebook(cells=nodes), root / "glue" / "notebooks" / "layer.ipynb")
    return root


def run(script: str) -> dict[str, object]:
    names: dict[str, object] = {}
    exec(compile(script, "layer.py", "exec"), names)  # noqa: S102 - what was exported a line before
    return names


def test_modules_are_inlined_with_what_they_import__each_once_and_before_its_use(tmp_path: Path) -> None:
    modules = {
        "glue/lake/run.py": '"""Runs."""\n\nfrom glue.reading.lines import LINES\n\nTWICE = 2 * LINES\n',
        "glue/reading/lines.py": '"""Lines."""\n\nfrom contract.limits import LIMIT\n\nLINES = LIMIT + 1\n',
        "functions/kpi/contract/limits.py": '"""Limits."""\n\nLIMIT = 64\n',
    }
    cells = (
        "from glue.lake.run import TWICE",
        "from contract.limits import LIMIT\nfrom glue.reading.lines import LINES\n\nfound = (LIMIT, LINES, TWICE)",
    )
    script = export("layer", project(tmp_path, modules, *cells))
    assert run(script)["found"] == (64, 65, 130)
    assert script.count("LIMIT = 64") == 1
    homes = [line for line in script.splitlines() if line.startswith("# From")]
    assert homes == [
        "# From functions/kpi/contract/limits.py", "# From glue/reading/lines.py", "# From glue/lake/run.py",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "cell"),
    [
        ("def read(): ...\n", "def read(): ...\n", ""),
        ("KIND = 1\n", "for KIND in (): ...\n", ""),
        ("class Column: ...\n", "from decimal import Decimal as Column\n", ""),
        ("from math import log\n", "from cmath import log\n", ""),
        ("import decimal\n", "", "decimal = 1"),
        ("def read(): ...\n", "", "def read(): ..."),
    ],
    ids=["functions", "loop variable", "class and import", "two imports", "module and cell", "function and cell"],
)
def test_names_that_collide_are_refused__whoever_gives_them(tmp_path: Path, one: str, other: str, cell: str) -> None:
    modules = {
        "glue/one.py": f'"""One."""\n\n{one}\nONE = 1\n',
        "glue/other.py": f'"""Other."""\n\n{other}\nOTHER = 1\n',
    }
    imports = "from glue.one import ONE\nfrom glue.other import OTHER"
    with pytest.raises(ExportError, match="collides with"):
        export("layer", project(tmp_path, modules, imports, cell))


def test_same_import_in_two_modules_is_no_collision(tmp_path: Path) -> None:
    modules = {
        "glue/one.py": '"""One."""\n\nfrom decimal import Decimal\n\nONE = Decimal(1)\n',
        "glue/other.py": '"""Other."""\n\nimport decimal\nfrom decimal import Decimal\n\nOTHER = decimal.Decimal(2)\n',
    }
    cell = "from decimal import Decimal\nfrom glue.one import ONE\nfrom glue.other import OTHER\n\ntotal = ONE + OTHER"
    assert run(export("layer", project(tmp_path, modules, cell)))["total"] == 3


@pytest.mark.parametrize("line", ["import glue.one", "from glue.one import ONE as FIRST"])
def test_import_that_cannot_be_inlined_is_refused__module_or_new_name(tmp_path: Path, line: str) -> None:
    with pytest.raises(ExportError, match="import names of glue as they are"):
        export("layer", project(tmp_path, {"glue/one.py": '"""One."""\n\nONE = 1\n'}, line))
