"""`assay smoke` on the deployed stack: its rows go in and out again, and each figure on the way agrees."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from deployed_app import DeployedApp
from ended_batch import EndedBatch

from assay.query import lake
from assay.smoke import FIRST_KEY, FOLDER, ROWS


@pytest.fixture(scope="module")
def smoke(app: DeployedApp, ended: EndedBatch) -> subprocess.CompletedProcess[str]:
    assert ended.items
    command = [str(Path(sys.executable).with_name("assay")), "smoke"]
    return subprocess.run(command, cwd=app.project, capture_output=True, text=True, check=False)


def test_smoke_agrees_and_leaves_gold_as_it_was(app: DeployedApp, smoke: subprocess.CompletedProcess[str]) -> None:
    assert smoke.returncode == 0, smoke.stdout + smoke.stderr
    assert "The job runs took" in smoke.stderr
    with lake(app.target) as tables:
        files = f"FROM silver.transaction_history WHERE row_order.object_key LIKE '{FOLDER}%'"
        found = tables.ask(f"SELECT outcome, count(*) AS n {files} GROUP BY outcome").read_all().to_pylist()
        left = tables.one(f"SELECT count(*) AS n FROM gold.fact_transactions WHERE dms_id >= {FIRST_KEY}")
    assert {row["outcome"]: row["n"] for row in found} == {"inserted": ROWS, "deleted": ROWS}
    assert left == {"n": 0}
