"""What `assay notebooks upload` makes: archives of the packages, and copies of the notebooks for one stack."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from assay.notebooks import archive, is_for_glue, ready_copy, upload_packages, write_ready

ROOT = Path(__file__).parents[3]


def cell(source: str, *tags: str) -> dict[str, Any]:
    metadata = {"tags": list(tags)} if tags else {}
    return {"cell_type": "code", "id": "a", "metadata": metadata, "outputs": [], "source": source.splitlines(True)}


def notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": {"kernelspec": {"name": "python3"}}, "nbformat": 4, "nbformat_minor": 5}


MAGICS = cell(
    "%glue_version 5.1\n%extra_py_files s3://<lake bucket>/notebooks/glue.zip", "interactive", "skip-execution"
)
SAMPLE = cell('sample = "tests/data/sample"', "parameters")


class Bucket:
    """Stands for S3: keeps what is put."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803 - boto3's names
        self.objects[Bucket, Key] = Body


@pytest.mark.parametrize("package", ["contract", "glue"])
def test_archive_has_every_module_of_a_package__and_is_the_same_each_time(package: str) -> None:
    first = archive(ROOT, package)
    assert first == archive(ROOT, package)
    names = zipfile.ZipFile(io.BytesIO(first)).namelist()
    assert all(name.startswith(f"{package}/") and name.endswith(".py") for name in names)
    # A folder without this file is no package in a zip.
    assert {f"{Path(name).parent}/__init__.py" for name in names} <= set(names)
    assert not [name for name in names if "scripts" in name or "notebooks" in name]


def test_copy_names_the_bucket_and_runs_its_magics__in_awss_kernel() -> None:
    copy = ready_copy(notebook(MAGICS, SAMPLE, cell("1 + 1")), "lake-1")
    assert copy["metadata"]["kernelspec"]["name"] == "glue_pyspark"
    magics, sample, code = copy["cells"]
    assert magics["source"] == "%glue_version 5.1\n%extra_py_files s3://lake-1/notebooks/glue.zip"
    assert magics["metadata"] == {"tags": ["interactive"]}
    assert (sample["source"], sample["metadata"]) == (
        'sample = "s3://lake-1/notebooks/sample"',
        {"tags": ["parameters"]},
    )
    assert (code["source"], code["metadata"]) == ("1 + 1", {})


def test_notebook_without_magics_is_not_for_glue__it_asks_a_running_stack() -> None:
    assert is_for_glue(notebook(MAGICS))
    assert not is_for_glue(notebook(SAMPLE))


def test_upload_puts_packages_and_sample_where_the_copies_look__and_writes_the_copies(tmp_path: Path) -> None:
    for name in ("functions/kpi/contract/limits.py", "glue/lake/run.py", "tests/data/sample/silver/items.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("")
    folder = tmp_path / "glue" / "notebooks"
    folder.mkdir()
    (folder / "silver.ipynb").write_text(json.dumps(notebook(MAGICS)))
    (folder / "explore.ipynb").write_text(json.dumps(notebook(SAMPLE)))
    bucket = Bucket()
    sent = upload_packages(tmp_path, bucket, "lake-1")  # type: ignore[arg-type]
    assert sent == [f"s3://{name}/{key}" for name, key in bucket.objects]
    assert [key for _, key in bucket.objects] == [
        *("notebooks/contract.zip", "notebooks/glue.zip", "notebooks/sample/silver/items.jsonl"),
    ]
    [copy] = write_ready(tmp_path, "lake-1")
    assert copy == folder / "ready" / "silver.ipynb"
    assert "s3://lake-1/notebooks/glue.zip" in copy.read_text()
