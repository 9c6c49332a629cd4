"""A sample for the previews of the notebooks: small files as a job would find them staged, with their ledger items."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from contract.items import FileItem
from pyspark.sql import SparkSession

from glue.reading.staging import Staging


def files_of(spark: SparkSession, sample: str) -> tuple[dict[str, FileItem], Staging]:
    """Return the items of a sample's files by `file_id`, and where the files lie.

    `sample` is a folder of this project, wherever in it the notebook runs, or an address on S3.
    """
    address = sample if "://" in sample else _folder(sample).as_uri()
    lines = spark.read.text(f"{address}/items.jsonl").collect()
    items = [cast(FileItem, json.loads(line.value)) for line in lines]
    return {item["file_id"]: item for item in items}, Staging(lake="", folder=address)


def _folder(sample: str) -> Path:
    here = Path.cwd()
    return next(folder / sample for folder in (here, *here.parents) if (folder / sample).is_dir())
