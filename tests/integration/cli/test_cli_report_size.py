"""A large month: the report is made within bounds of time and memory, by a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from boto3.dynamodb.types import TypeSerializer
from deployed_stack import KEYS, NAMES, REGION, DeployedStack, account, deploy, identifier_of
from generated_month import MONTH, Item, Month, money, month

from assay.ledger import OUTCOMES

MONEY, WIDE = pa.decimal128(19, 2), pa.decimal128(21, 2)
TOTALS = [("row_count", pa.int64()), ("total_amount", pa.decimal128(38, 2))]
DAYS = pa.schema([("transacted_on", pa.date32()), ("channel", pa.string()), *TOTALS])
KEPT = [name for name in OUTCOMES if name != "quarantined"]
MOVED = ["inserted", "updated", "deleted"]
BATCH = 25  # of DynamoDB
FILES_OF_A_COMMIT = 1_000
CHILD = """
import json, resource, sys, time
from pathlib import Path
import boto3
began = time.monotonic()
from assay.ledger import Ledger
from assay.report import cli
from assay.target import Target
session = boto3.Session("test", "test", region_name={region!r})
target = Target("assay-local", session, {endpoint!r}, Path.cwd())
ledger = Ledger(target.dynamodb, target.stack.ledger_table)
verdict = cli.write(target, ledger, cli.period({month!r}, None), Path("m.html"))
# Not ru_maxrss: a process inherits that from the one that started it.
peak = next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
cpu = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({{"seconds": time.monotonic() - began, "cpu": cpu.ru_utime + cpu.ru_stime, "megabytes": peak,
    "line": verdict.line}}))
"""


def put_items(stack: DeployedStack, items: list[Item]) -> None:
    """Write the items in batches; one that names a file twice is an action, with an id of its own."""
    seen, requests = set[str](), list[dict[str, Any]]()
    for item in items:
        own = item["file_id"] if item["file_id"] not in seen else "a" * 64
        seen.add(own)
        form = {name: TypeSerializer().serialize(value) for name, value in {**item, "file_id": own}.items()}
        requests.append({"PutRequest": {"Item": form}})
    for first in range(0, len(requests), BATCH):
        batch = {NAMES["LedgerTable"]: requests[first : first + BATCH]}
        stack.client("dynamodb").batch_write_item(RequestItems=batch)


def put_tables(stack: DeployedStack, made: Month) -> None:
    """Write what the runs left, a row for each row of a file, in a few commits; and Gold's days."""
    files = [item for item in made.items if "silver" in item and "decides" not in item]
    for first in range(0, len(files), FILES_OF_A_COMMIT):
        of_commit = files[first : first + FILES_OF_A_COMMIT]
        kept, moved, broken = (rows_of(of_commit, names) for names in (KEPT, MOVED, ["quarantined"]))
        effect = pa.array(np.zeros(len(kept), np.int64)).cast(WIDE).cast(MONEY)
        append(stack, "silver.transaction_history", kept.append_column("effect_amount", effect))
        effects = pa.table({"dms_id": moved["row"], "cause": pa.repeat("file", len(moved))})
        cents = pa.array(np.arange(len(moved)) % 90_000).cast(WIDE).cast(MONEY)
        for name in ("file_id", "row", "run_seq"):
            effects = effects.append_column(name, moved[name])
        append(stack, "silver.transaction_effects", effects.append_column("effect_amount", cents))
        if len(broken):
            append(stack, "silver.quarantine", quarantine(broken))
    cells = [
        {"transacted_on": date.fromisoformat(cell.interval), "channel": cell.channel, "row_count": cell.rows}
        | {"total_amount": cell.amount}
        for cell in made.lake.cells
    ]
    undone = money(made.cents) - sum(cell.amount for cell in made.lake.cells)
    taken_back = {"transacted_on": None, "channel": "swipe", "row_count": 0, "total_amount": undone}
    append(stack, "gold.daily_totals", pa.Table.from_pylist([*cells, taken_back], DAYS))


def rows_of(items: list[Item], outcomes: Sequence[str]) -> pa.Table:
    """Return a row for each row of the files that has one of some outcomes."""
    counts = np.array([item["silver"]["outcomes"][name] for item in items for name in outcomes])
    each = np.repeat(np.arange(len(counts)), counts)
    of_file = pa.array(each // len(outcomes))
    return pa.table(
        {
            "file_id": pa.array([item["file_id"] for item in items]).take(of_file),
            "row": pa.array(np.arange(len(each)) - np.repeat(np.cumsum(counts) - counts, counts) + 1),
            "run_seq": pa.array([item["silver"]["run_seq"] for item in items], pa.int64()).take(of_file),
            "outcome": pa.array(outcomes).take(pa.array(each % len(outcomes))),
        }
    )


def quarantine(broken: pa.Table) -> pa.Table:
    rows = len(broken)
    more = {
        "line": broken["row"],
        "raw": pa.array(["1,2,3"] * rows),
        "rules": pa.array([["amount_unreadable"]] * rows),
        "repaired_by": pa.array([None] * rows, pa.string()),
    }
    return pa.table({name: broken[name] for name in ("file_id", "row", "run_seq")} | more)


def append(stack: DeployedStack, table: str, rows: pa.Table) -> None:
    stack.catalog.create_table_if_not_exists(identifier_of(table), rows.schema).append(rows)


def put_month(stack: DeployedStack, made: Month) -> None:
    """Write a month's items and tables, and the cut that names their snapshots."""
    put_items(stack, made.items)
    put_tables(stack, made)
    tables = {"silver": ("transaction_history", "transaction_effects", "quarantine"), "gold": ("daily_totals",)}
    snapshots = {
        layer: {
            name: stack.catalog.load_table(identifier_of(f"{layer}.{name}")).current_snapshot().snapshot_id
            for name in names
        }
        for layer, names in tables.items()
    }
    cut = json.dumps({**made.cut, "snapshots": snapshots})
    stack.client("s3").put_object(Bucket=NAMES["LakeBucket"], Key="current.json", Body=cut)


@pytest.mark.parametrize(
    ("files", "runs"), [(300, 3), pytest.param(10_000, 100, marks=[pytest.mark.slow, pytest.mark.timeout(3_000)])]
)
def test_report_is_made_in_20_seconds_and_500_megabytes__of_a_month(
    server_process: str, tmp_path: Path, files: int, runs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bound holds for the process's own time: what the machine does besides counts for nothing."""
    with account(server_process, tmp_path) as stack:
        deploy(stack)
        put_month(stack, month(files, runs=runs))
        code = CHILD.format(region=REGION, endpoint=stack.endpoint, month=MONTH)
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, cwd=tmp_path, env=os.environ | KEYS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    with capsys.disabled():
        print(f"\n{files:,} files, {runs} runs: {found}")
    assert found["line"].startswith("Every figure adds up to the cent")
    assert found["cpu"] <= 20
    assert found["megabytes"] <= 500
    assert (tmp_path / "m.html").stat().st_size < 3_000_000
