"""Makes a stack's copies of the notebooks for Glue's interactive sessions, and uploads the packages that they import.

A committed notebook names no bucket: its magics hold a placeholder (`tools/notebook_magics.py` writes them). The copy
holds the stack's lake bucket, and opens in AWS's kernel.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from assay.options import AsJson, Profile, Region, StackName, open_target, project

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PLACEHOLDER = "<lake bucket>"
PREFIX = "notebooks"
# What the notebooks import of this project, each package with the folder that it lies in.
PACKAGES = {"contract": "functions/kpi", "glue": "."}
SOURCES = "glue/notebooks"
READY = "glue/notebooks/ready"
SAMPLE = "tests/data/sample"
# Generated from the notebooks, or the notebooks themselves: no part of what a notebook imports.
_LEFT_OUT = frozenset({"scripts", "notebooks"})
_EPOCH = (1980, 1, 1, 0, 0, 0)
_KERNEL = {"display_name": "Glue PySpark", "language": "python", "name": "glue_pyspark"}


def archive_address(package: str, bucket: str = PLACEHOLDER) -> str:
    """Return where a package's archive lies."""
    return f"s3://{bucket}/{PREFIX}/{package}.zip"


def archive(project: Path, package: str) -> bytes:
    """Return a package as a zip file, the same bytes for the same modules."""
    root = project / PACKAGES[package]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as opened:
        for file in sorted((root / package).rglob("*.py")):
            place = file.relative_to(root)
            if not _LEFT_OUT & set(place.parts):
                opened.writestr(zipfile.ZipInfo(str(place), _EPOCH), file.read_bytes())
    return content.getvalue()


def is_for_glue(notebook: dict[str, Any]) -> bool:
    return any(PLACEHOLDER in "".join(cell["source"]) for cell in notebook["cells"])


def ready_copy(notebook: dict[str, Any], bucket: str) -> dict[str, Any]:
    """Return a notebook that runs in a Glue session of the stack with this bucket; its magics are not skipped."""
    known = {PLACEHOLDER: bucket, f'"{SAMPLE}"': f'"s3://{bucket}/{PREFIX}/sample"'}
    cells = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        for name, value in known.items():
            source = source.replace(name, value)
        tags = [tag for tag in cell["metadata"].get("tags", []) if tag != "skip-execution"]
        cells.append({**cell, "source": source, "metadata": {"tags": tags} if tags else {}})
    return {**notebook, "cells": cells, "metadata": {"kernelspec": _KERNEL}}


def upload_packages(project: Path, s3: S3Client, bucket: str) -> list[str]:
    """Upload the packages and the sample; return their addresses."""
    sent = []
    for package in PACKAGES:
        s3.put_object(Bucket=bucket, Key=f"{PREFIX}/{package}.zip", Body=archive(project, package))
        sent.append(archive_address(package, bucket))
    folder = project / SAMPLE
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        key = f"{PREFIX}/sample/{file.relative_to(folder).as_posix()}"
        s3.put_object(Bucket=bucket, Key=key, Body=file.read_bytes())
        sent.append(f"s3://{bucket}/{key}")
    return sent


def write_ready(project: Path, bucket: str) -> list[Path]:
    """Write the ready copies of all notebooks that are for Glue."""
    written = []
    for source in sorted((project / SOURCES).glob("*.ipynb")):
        notebook = json.loads(source.read_text(encoding="utf-8"))
        if is_for_glue(notebook):
            copy = project / READY / source.name
            copy.parent.mkdir(exist_ok=True)
            text = json.dumps(ready_copy(notebook, bucket), indent=1, ensure_ascii=False)
            copy.write_text(f"{text}\n", encoding="utf-8")
            written.append(copy)
    return written


app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Run the notebooks in Glue interactive sessions.",
)


@app.callback()
def notebooks() -> None:
    """Keep `upload` a sub-command although it is the only one."""


@app.command("upload")
def upload(as_json: AsJson = False, stack: StackName = None, region: Region = None, profile: Profile = None) -> None:
    """Upload the packages that the notebooks import. Also writes copies of the notebooks for this stack."""
    from assay import console

    target = open_target(stack, region, profile)
    bucket, role = target.stack.lake_bucket, target.stack.notebook_role
    addresses = upload_packages(project(), target.s3, bucket)
    copies = [str(copy.relative_to(project())) for copy in write_ready(project(), bucket)]
    if as_json:
        console.print_json({"uploaded": addresses, "ready": copies, "role": role})
        return
    for address in addresses:
        console.say(f"uploaded {address}")
    for copy in copies:
        console.say(f"ready    {copy}")
    if target.is_local:
        following = "open a copy with the kernel `Glue PySpark`: make notebook"
    else:
        following = f"open a copy with the kernel `Glue PySpark` and the role {role} (glue_role_arn, or %iam_role)"
    console.say(f"Next: {following}")
