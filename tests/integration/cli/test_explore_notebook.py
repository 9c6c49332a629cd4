"""`explore.ipynb` runs from above in plain Jupyter: with tables it shows answers and plots, without a cloud a word."""

from __future__ import annotations

import os
from datetime import date
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import nbformat
import pyarrow as pa
import pytest
from deployed_stack import KEYS, DeployedStack, identifier_of
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[3] / "glue" / "notebooks" / "explore.ipynb"
FOUND = """from types import SimpleNamespace
from devcloud.local import lifecycle
lifecycle.running = lambda project: SimpleNamespace(endpoint={endpoint!r}, environment=lambda: {keys!r})"""
"""Lets the notebook's process take the stack in moto for the project's local cloud."""

pytestmark = [
    pytest.mark.filterwarnings(f"ignore::{category}")  # the kernel's client leaves sockets to the garbage collector
    for category in ("ResourceWarning", "DeprecationWarning", "pytest.PytestUnraisableExceptionWarning")
]


def run(folder: Path, first: str | None = None) -> nbformat.NotebookNode:
    """Run the committed notebook as "Run all" does; any exception in a cell fails."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    if first:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(first))
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, kernel_name="python3", timeout=300, resources=resources).execute()
    return notebook


def shown(notebook: nbformat.NotebookNode, kind: str) -> list[str]:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [output["data"][kind] for output in outputs if kind in output.get("data", {})]


def printed(notebook: nbformat.NotebookNode) -> list[str]:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [line for output in outputs if output.output_type == "stream" for line in output.text.splitlines()]


def write(stack: DeployedStack, name: str, rows: list[dict[str, object]], columns: pa.Schema) -> None:
    stack.catalog.create_table_if_not_exists(identifier_of(name), columns).append(pa.Table.from_pylist(rows, columns))


@pytest.fixture
def published(stack: DeployedStack) -> DeployedStack:
    for month in (1, 2):
        for channel in ("chip", "online"):
            stack.write("gold.daily_totals", (date(2020, month, 3), channel, 2, Decimal("12.50")))
    facts = pa.schema([("merchant_key", pa.int64()), ("amount", pa.decimal128(18, 2))])
    write(stack, "gold.fact_transactions", [{"merchant_key": 5, "amount": Decimal("12.50")}], facts)
    merchants = pa.schema([("merchant_key", pa.int64()), ("merchant_id", pa.int64()), ("mcc", pa.string())])
    write(stack, "gold.dim_merchant", [{"merchant_key": 5, "merchant_id": 77, "mcc": "5411"}], merchants)
    fields = [("file_id", pa.string()), ("row", pa.int64()), ("line", pa.int64()), ("raw", pa.string())]
    broken = {"file_id": "f", "row": 1, "line": 2, "raw": "x,y", "rules": ["amount_unreadable", "zip_impossible"]}
    write(stack, "silver.quarantine", [broken], pa.schema([*fields, ("rules", pa.list_(pa.string()))]))
    return stack


def test_notebook_shows_tables_and_plots__published(published: DeployedStack, tmp_path: Path) -> None:
    notebook = run(tmp_path, FOUND.format(endpoint=published.endpoint, keys=KEYS))

    assert printed(notebook) == []
    assert len(shown(notebook, "image/png")) == 3
    tables = " ".join(shown(notebook, "text/plain"))
    assert all(word in tables for word in ("2020", "chip", "25.00", "77", "5411", "amount_unreadable"))


def test_notebook_says_what_to_do__no_cloud(tmp_path: Path) -> None:
    without = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    without |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/none", "AWS_SHARED_CREDENTIALS_FILE": "/none"}
    with patch.dict(os.environ, without, clear=True):
        notebook = run(tmp_path)

    assert shown(notebook, "image/png") == []
    told = set(printed(notebook))
    assert len(told) == 1
    assert "no local cloud is running here" in next(iter(told))
    assert "assay up" in next(iter(told))


def test_notebook_says_what_to_do__nothing_published(stack: DeployedStack, tmp_path: Path) -> None:
    notebook = run(tmp_path, FOUND.format(endpoint=stack.endpoint, keys=KEYS))

    assert all("nothing published yet" in line for line in printed(notebook))
    assert "upload a file first" in printed(notebook)[0]
