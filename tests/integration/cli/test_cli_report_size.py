"""A large month: the report is made within bounds of time and memory, by a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from boto3.dynamodb.types import TypeSerializer
from deployed_stack import KEYS, NAMES, REGION, DeployedStack, identifier_of
from generated_month import MONTH, Item, Month, month

from assay.ledger import OUTCOMES

MONEY = pa.decimal128(19, 2)
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
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
cpu = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({{"seconds": time.monotonic() - began, "cpu": cpu.ru_utime + cpu.ru_stime, "megabytes": peak,
    "line": verdict.line}}))
"""


def put_items(stack: DeployedStack, items: list[Item]) -> None:
    """Write the items as a batch; one that names a file twice is an action, with an id of its own."""
    seen = set[str]()
    for item in items:
        own = item["file_id"] if item["file_id"] not in seen else "a" * 64
        seen.add(own)
        form = {name: TypeSerializer().serialize(value) for name, value in {**item, "file_id": own}.items()}
        stack.client("dynamodb").put_item(TableName=NAMES["LedgerTable"], Item=form)


def put_tables(stack: DeployedStack, made: Month) -> None:
    """Write what the runs left: one commit for each in each of Silver's tables, and Gold's days."""
    for run in range(1, made.runs + 1):
        of_run = [item for item in made.items if item.get("run") == run and "decides" not in item and "silver" in item]
        append(stack, "silver.transaction_history", history(of_run, run))
        append(stack, "silver.transaction_effects", effects(of_run, run))
        append(stack, "silver.quarantine", quarantine(of_run, run))
    cells = [
        {"transacted_on": cell.interval, "channel": cell.channel, "row_count": cell.rows, "total_amount": cell.amount}
        for cell in made.lake.cells
    ]
    days = pa.Table.from_pylist(cells).set_column(
        0, "transacted_on", pa.array([cell["transacted_on"] for cell in cells]).cast(pa.date32())
    )
    undone = made.cents - sum(int(cell.amount.scaleb(2)) for cell in made.lake.cells)
    totals = [("row_count", pa.int64()), ("total_amount", pa.decimal128(38, 2))]
    form = pa.schema([("transacted_on", pa.date32()), ("channel", pa.string()), *totals])
    append(stack, "gold.daily_totals", days.cast(form))
    taken_back = {"transacted_on": None, "channel": "swipe", "row_count": 0, "total_amount": Decimal(undone).scaleb(-2)}
    append(stack, "gold.daily_totals", pa.Table.from_pylist([taken_back], form))


def append(stack: DeployedStack, table: str, rows: pa.Table) -> None:
    stack.catalog.create_table_if_not_exists(identifier_of(table), rows.schema).append(rows)


def history(items: list[Item], run: int) -> pa.Table:
    ids, outcomes, numbers = [], [], []
    for item in items:
        for name in OUTCOMES:
            rows = item["silver"]["outcomes"][name] if name != "quarantined" else 0
            ids += [item["file_id"]] * rows
            outcomes += [name] * rows
            numbers += list(range(1, rows + 1))
    amounts = [Decimal("0.00")] * len(ids)
    return table(ids, numbers, run, {"outcome": pa.array(outcomes), "effect_amount": pa.array(amounts, MONEY)})


def effects(items: list[Item], run: int) -> pa.Table:
    ids, numbers = [], []
    for item in items:
        rows = sum(item["silver"]["outcomes"][name] for name in ("inserted", "updated", "deleted"))
        ids += [item["file_id"]] * rows
        numbers += list(range(1, rows + 1))
    amounts = pa.array([Decimal(number).scaleb(-2) for number in numbers], MONEY)
    keys = {"dms_id": pa.array(numbers, pa.int64()), "cause": pa.array(["file"] * len(ids))}
    return table(ids, numbers, run, {**keys, "effect_amount": amounts})


def quarantine(items: list[Item], run: int) -> pa.Table:
    ids, rules, numbers = [], [], []
    for item in items:
        rows = item["silver"]["outcomes"]["quarantined"]
        ids += [item["file_id"]] * rows
        rules += [list(item["kpis"]["broken_rules"])] * rows
        numbers += list(range(1, rows + 1))
    more = {
        "line": pa.array(numbers, pa.int64()),
        "raw": pa.array(["1,2,3"] * len(ids), pa.string()),
        "rules": pa.array(rules, pa.list_(pa.string())),
        "repaired_by": pa.array([None] * len(ids), pa.string()),
    }
    return table(ids, numbers, run, more)


def table(ids: list[str], numbers: list[int], run: int, more: dict[str, pa.Array]) -> pa.Table:
    first = {
        "file_id": pa.array(ids, pa.string()),
        "row": pa.array(numbers, pa.int64()),
        "run_seq": pa.array([run] * len(ids), pa.int64()),
    }
    return pa.table({**first, **more})


@pytest.mark.parametrize(
    ("files", "runs"), [(300, 3), pytest.param(10_000, 100, marks=[pytest.mark.slow, pytest.mark.timeout(3_000)])]
)
def test_report_is_made_in_20_seconds_and_500_megabytes__of_a_month(
    stack: DeployedStack, tmp_path: Path, files: int, runs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Time is the process's own: what the machine does besides, and the cloud that it asks, are none of its."""
    made = month(files, runs=runs)
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
