"""The cells that set up a session come from the template and from the notebook's imports."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import nbformat
import pytest
from notebook_magics import TAGS, imported_packages, magics, with_magics

TEMPLATE: dict[str, Any] = {
    "Parameters": {"GlueWorkers": {"Default": 3}},
    "Resources": {
        "SilverJob": {
            "Properties": {
                "GlueVersion": "5.1",
                "WorkerType": "G.2X",
                "NumberOfWorkers": {"Ref": "GlueWorkers"},
                "DefaultArguments": {
                    "--datalake-formats": "iceberg",
                    "--conf": {"Fn::Sub": "a=1\n --conf b=s3://${LakeBucket}/warehouse/"},
                },
            }
        }
    },
}


def test_magics_are_those_of_the_job__the_bucket_a_placeholder() -> None:
    lines, configured = magics(TEMPLATE, "SilverJob", ["contract", "glue"])
    assert lines.splitlines() == [
        "%glue_version 5.1",
        "%worker_type G.2X",
        "%number_of_workers 3",
        "%idle_timeout 30",
        "%extra_py_files s3://<lake bucket>/notebooks/contract.zip,s3://<lake bucket>/notebooks/glue.zip",
    ]
    head, _, arguments = configured.partition("\n")
    assert head == "%%configure"
    # The kernel reads it as Python, not as JSON.
    assert ast.literal_eval(arguments) == {
        "datalake-formats": "iceberg",
        "conf": "a=1 --conf b=s3://<lake bucket>/warehouse/",
    }


@pytest.mark.parametrize(
    ("source", "packages"),
    [
        ("from glue.lake.run import publish", ["contract", "glue"]),
        ("import contract.limits", ["contract"]),
        ("def f():\n    from contract import kinds", ["contract"]),
        ("import json\nfrom glueless import x", []),
    ],
)
def test_packages_are_what_a_notebook_imports__through_each_other_too(
    tmp_path: Path, source: str, packages: list[str]
) -> None:
    (tmp_path / "functions" / "kpi" / "contract").mkdir(parents=True)
    (tmp_path / "functions" / "kpi" / "contract" / "limits.py").write_text("import json\n")
    (tmp_path / "glue" / "lake").mkdir(parents=True)
    (tmp_path / "glue" / "lake" / "run.py").write_text("from contract.limits import LINES\n")
    assert imported_packages([source], tmp_path) == packages


def test_magics_take_the_place_of_the_old_ones__the_rest_stays() -> None:
    old = nbformat.v4.new_code_cell("%glue_version 4.0", metadata={"tags": TAGS})
    title, code = nbformat.v4.new_markdown_cell("# Title"), nbformat.v4.new_code_cell("1 + 1")
    notebook = nbformat.v4.new_notebook(cells=[title, old, code])
    renewed = with_magics(with_magics(notebook, ["%a", "%%b"]), ["%c", "%%d"])
    assert [cell.source for cell in renewed.cells] == ["# Title", "%c", "%%d", "1 + 1"]
    assert all(cell.metadata.tags == TAGS for cell in renewed.cells[1:3])
