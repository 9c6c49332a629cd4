"""The notebooks are committed clean, and their cells are short and shown; so are the product's files."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import median

import nbformat
import pytest

ROOT = Path(__file__).parents[3]
NOTEBOOKS = sorted((ROOT / "glue" / "notebooks").glob("*.ipynb"))
EACH_NOTEBOOK = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
MOST_LINES = {"silver": 900, "gold": 650}
MOST_LINES_OF_A_FILE = 400
PRODUCT = ("assay", "benchmarks", "devcloud", "functions", "glue/lake", "glue/reading", "tools")
# `explore` asks questions of a running stack; it is no job and needs no session of Glue.
LAYERS = [path for path in NOTEBOOKS if path.stem != "explore"]
BY_NAME = pytest.mark.parametrize("path", LAYERS, ids=lambda path: path.stem)


def cells(path: Path, tag: str | None = None) -> list[nbformat.NotebookNode]:
    found = nbformat.read(path, as_version=4).cells
    return [cell for cell in found if tag is None or tag in cell.metadata.get("tags", [])]


def test_notebooks_are_the_two_layers_and_the_exploration__of_the_folder() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["explore", "gold", "silver"]


@EACH_NOTEBOOK
def test_notebook_is_clean__no_outputs_counts_or_accounts(path: Path) -> None:
    for cell in cells(path):
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
        assert set(cell.metadata) <= {"tags"}
    text = path.read_text()
    assert set(re.findall(r"(?<![0-9a-f])[0-9]{12}(?![0-9a-f])", text)) <= {"123456789012"}
    assert not re.search(r"arn:aws|s3://[a-z0-9]", text)


@BY_NAME
def test_notebook_begins_with_its_title__layer_and_grains(path: Path) -> None:
    title = cells(path)[0]
    assert title.cell_type == "markdown"
    assert title.source.startswith(f"# {path.stem.capitalize()}: ")
    assert "Grain in:" in title.source
    assert "rain out:" in title.source


@BY_NAME
def test_notebook_has_its_tagged_cells__magics_and_parameters(path: Path) -> None:
    magics = [cell for cell in cells(path, "interactive") if "%" in cell.source]
    assert any(re.search(r"^%idle_timeout [0-9]+$", cell.source, re.MULTILINE) for cell in magics)
    assert any(re.search(r"^%glue_version 5\.1$", cell.source, re.MULTILINE) for cell in magics)
    assert all("skip-execution" in cell.metadata.tags for cell in magics)
    (parameters,) = cells(path, "parameters")
    assert parameters.source == 'sample = "tests/data/sample"'


@BY_NAME
def test_notebook_explains_each_step__no_code_without_prose_before_a_heading(path: Path) -> None:
    headings = [cell.source for cell in cells(path) if cell.cell_type == "markdown" and cell.source.startswith("## ")]
    assert len(headings) >= 5


@pytest.mark.parametrize(("name", "most"), MOST_LINES.items())
def test_notebook_teaches_one_idea_a_cell__short_ones_each_shown(name: str, most: int) -> None:
    path = ROOT / "glue" / "notebooks" / f"{name}.ipynb"
    code = [cell for cell in cells(path) if cell.cell_type != "markdown"]
    lines = [len(cell.source.splitlines()) for cell in code]
    assert sum(lines) <= most
    assert median(lines) <= 12
    assert max(lines) <= 60
    previews = [cell for cell in cells(path, "interactive") if ".show(" in cell.source or "print(" in cell.source]
    assert len(previews) >= 8


@BY_NAME
def test_job_starts_from_the_script_alone__no_kernel_runs_its_entry(path: Path) -> None:
    entries = [cell for cell in cells(path) if "__main__" in cell.source]
    assert [(cell.cell_type, cell.source.splitlines()[0]) for cell in entries] == [
        ("raw", 'if __name__ == "__main__":')
    ]
    script = (ROOT / "glue" / "scripts" / f"{path.stem}.py").read_text()
    assert script.endswith(f"\n{entries[0].source}\n")


def test_files_of_the_product_are_short__but_the_exports() -> None:
    lengths = {
        str(file.relative_to(ROOT)): file.read_text().count("\n")
        for folder in PRODUCT
        for file in (ROOT / folder).rglob("*.py")
    }
    assert {file: lines for file, lines in lengths.items() if lines > MOST_LINES_OF_A_FILE} == {}
