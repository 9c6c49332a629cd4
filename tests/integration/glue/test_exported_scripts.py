"""The exported scripts, each a process of its own as Glue starts it, end in the totals that the golden holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from glue_pipeline import Pipeline, csv
from pyiceberg.catalog import load_catalog

SCRIPTS = Path(__file__).parents[3] / "glue" / "scripts"
GOLDEN = Path(__file__).parents[2] / "data" / "golden" / "two_increments.txt"
FIRST = csv(
    "1,$14.57,2023-01-01 00:01:00,Swipe Transaction,5,",
    '2,"$1,412.64",2023-01-01 10:00,Chip Transaction,5,"Bad PIN,Insufficient Balance"',
    "3,$-77.00,1/2/2023 0:01,Online Transaction,6,",
    "4,12.345,2023-01-02,chip,6,",
    "5,5.00,2023-01-02,,,",
)
SECOND = csv(
    "1,$14.57,2023-01-01 00:01:00,Swipe Transaction,5,",
    "3,($70.00),2023-01-02 00:01,online,6,",
    "6,0.10,2023-01-03,swipe,7,",
    "6,0.20,2023-01-03,swipe,7,",
    "7,7.00,2023-01-03,tap,7,",
)


def run(pipeline: Pipeline, layer: str) -> None:
    names = {"lake_bucket": pipeline.lake_bucket, "ledger_table": pipeline.ledger_table}
    names |= {"silver_database": pipeline.database("silver")}
    names |= {"gold_database": pipeline.database("gold"), "stage": "test"} if layer == "gold" else {}
    arguments = [part for name, value in names.items() for part in (f"--{name}", value)]
    subprocess.run([sys.executable, str(SCRIPTS / f"{layer}.py"), *arguments], check=True)


def summary(pipeline: Pipeline, file_ids: list[str]) -> str:
    """Return what became of the files, and Gold's totals, as text."""
    catalog = load_catalog("glue", type="glue", **{
        "glue.endpoint": os.environ["AWS_ENDPOINT_URL"], "s3.endpoint": os.environ["AWS_ENDPOINT_URL"],
        "s3.access-key-id": "local", "s3.secret-access-key": "local", "s3.region": "us-east-1",
    })  # fmt: skip
    lines = []
    for file_id in file_ids:
        item = pipeline.item(file_id)
        outcomes = " ".join(f"{name}={count}" for name, count in sorted(item["silver"]["outcomes"].items()) if count)
        lines.append(f"{item['key']} {item['status']} {outcomes} effect={item['silver']['effect_amount']}")
    totals = catalog.load_table(f"{pipeline.database('gold')}.daily_totals").scan().to_arrow().to_pylist()
    lines += sorted(
        f"{row['transacted_on']} {row['channel']} {row['row_count']} {row['total_amount']}" for row in totals
    )
    bad = catalog.load_table(f"{pipeline.database('silver')}.quarantine").scan().to_arrow().to_pylist()
    lines += sorted(f"quarantined line {row['line']}: {','.join(row['rules'])}" for row in bad)
    return "".join(f"{line}\n" for line in lines)


# Quicker, the deployed scripts run from end to end in tests/e2e/test_batch.py.
@pytest.mark.slow
def test_scripts_bring_files_to_gold__two_increments_of_which_one_is_repeated() -> None:
    pipeline = Pipeline(spark=None).create()
    first = pipeline.upload("transactions/1.csv", FIRST, as_of="2024-01-01T00:00:00Z")
    second = pipeline.upload("transactions/2.csv", SECOND, as_of="2024-02-01T00:00:00Z")
    run(pipeline, "silver")
    run(pipeline, "gold")
    assert summary(pipeline, [first, second]) == GOLDEN.read_text()
