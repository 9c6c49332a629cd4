"""Each notebook, run from top to bottom, shows what its golden holds: in AWS's Glue kernel, and in plain Jupyter."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import nbformat
import pytest
from glue_notebook import LAKE, GlueKernel, shown_by
from nbclient import NotebookClient

from assay.notebooks import ready_copy
from devcloud.notebook.kernels import LOCAL, write_kernels

ROOT = Path(__file__).parents[2]
GOLDENS = ROOT / "tests" / "data" / "golden" / "notebooks"
EACH_NOTEBOOK = pytest.mark.parametrize("name", ["silver", "gold"])


def committed(name: str) -> nbformat.NotebookNode:
    return nbformat.read(ROOT / "glue" / "notebooks" / f"{name}.ipynb", as_version=4)


def sections(notebook: nbformat.NotebookNode, shown: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each section that has previews, with what they show; the texts come by the id of their cell."""
    heading, texts = "", list[str]()
    for cell in [*notebook.cells, nbformat.v4.new_markdown_cell("## End")]:
        if cell.cell_type == "markdown" and (found := re.match(r"## (.*)", cell.source)):
            if texts:
                yield heading, "\n".join(texts)
            heading, texts = found[1], []
        elif shown.get(cell.id):
            texts.append(shown[cell.id])


def rendered(notebook: nbformat.NotebookNode, shown: dict[str, str]) -> str:
    return "".join(f"## {heading}\n{text}\n\n" for heading, text in sections(notebook, shown))


@EACH_NOTEBOOK
def test_notebook_shows_its_golden__in_awss_kernel(name: str, glue_kernel: GlueKernel, tmp_path: Path) -> None:
    copy = nbformat.from_dict(ready_copy(committed(name), LAKE))
    shown = glue_kernel.run(copy, tmp_path, sample=f"s3://{LAKE}/notebooks/sample")
    assert rendered(copy, shown) == (GOLDENS / f"{name}.txt").read_text()


@pytest.fixture
def fresh_clone(tmp_path: Path) -> Path:
    """A project without any state: what is committed, and nothing beside it."""
    for part in ("glue", "functions", "tests", "template.yaml"):
        (tmp_path / part).symlink_to(ROOT / part)
    return tmp_path


@pytest.mark.parametrize("name", [pytest.param("silver", marks=pytest.mark.slow), "gold"])
def test_notebook_shows_its_golden__run_all_in_plain_jupyter(
    name: str, fresh_clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # where a kernel sees it, cells do not show what its JVM prints
    notebook = committed(name)
    for cell in notebook.cells:
        # Jupyter Lab runs these cells, too; nbclient would not.
        cell.metadata["tags"] = [tag for tag in cell.metadata.get("tags", []) if tag != "skip-execution"]
    with patch.dict(os.environ, write_kernels(fresh_clone)):
        NotebookClient(
            notebook, kernel_name=LOCAL, timeout=300, resources={"metadata": {"path": str(fresh_clone)}}
        ).execute()
    assert rendered(notebook, shown_by(notebook)) == (GOLDENS / f"{name}.txt").read_text()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output.text for output in outputs if output.get("name") == "stderr"] == [], "Spark's words among the rows"


@EACH_NOTEBOOK
def test_golden_shows_rows_in_every_section__but_those_that_only_hand_over_to_the_commit_protocol(name: str) -> None:
    notebook = committed(name)
    headings = [
        cell.source.splitlines()[0].removeprefix("## ") for cell in notebook.cells if cell.source.startswith("## ")
    ]
    golden = (GOLDENS / f"{name}.txt").read_text()
    parts = dict(re.findall(r"^## (.*)\n((?:(?!## ).*\n)*)", golden, re.MULTILINE))
    assert headings[-2:] == ["One run", "The job"]
    assert list(parts) == headings[:-2]
    assert [heading for heading, text in parts.items() if not text.strip()] == []
