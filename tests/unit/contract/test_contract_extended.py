"""A column is one line of the contract, and so is a rule: a copy of the function with the line added obeys it.

Silver's half is in `tests/integration/glue`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

DATA = Path(__file__).parents[2] / "data"
sys.path.insert(0, str(DATA))
from changed_contract import KPI, add_column, add_rule, copied  # noqa: E402

INSPECT = """
import io, json, sys
from datetime import UTC, datetime
from decimal import Decimal
from admission import inspect_file
from judging.reconcile import Policy
from judging.rules import Limits
from kpi_rows import read_rows

body, at = sys.stdin.buffer.read(), datetime(2024, 1, 1, tzinfo=UTC)
found = inspect_file(
    "transactions/file", io.BytesIO(body), last_modified_at=at, metadata={}, read_side_car=lambda: None,
    learned=lambda: None, policy=Policy(maximum_bad_share=Decimal(1), minimum_rows=1),
)
rules = read_rows(io.BytesIO(body), Limits.of(at))["rules"].to_list() if not found.reasons else []
print(json.dumps({**found.as_item(), "rules": rules}))
"""
HEADER = "id,amount,date,terminal_id"
USUAL, ODD_DATE = "2023-05-06 07:08:09", "5/6/2023 7:08"


def inspected(project: Path, body: bytes) -> dict[str, Any]:
    """Inspect a file with the function of a copy, in a process of its own."""
    path = os.pathsep.join([str(project / KPI), str(DATA)])
    command = [sys.executable, "-c", INSPECT]
    done = subprocess.run(command, input=body, env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=True)
    item: dict[str, Any] = json.loads(done.stdout)
    return item


def csv_of(*rows: str) -> bytes:
    return "".join(f"{row}\n" for row in (HEADER, *rows)).encode()


def parquet_of(terminals: pa.Array) -> bytes:
    sink = pa.BufferOutputStream()
    count = len(terminals)
    columns = {"id": list(range(count)), "amount": ["1.00"] * count, "date": [USUAL] * count, "terminal_id": terminals}
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


ROWS = [
    *(f"1,$1.00,{USUAL},17", f"2,$1.00,{USUAL},", f"3,$1.00,{USUAL},x", f"4,$1.00,{USUAL},+4"),
    *(f"5,$1.00,{ODD_DATE},17.0", f"6,$1.00,{ODD_DATE},1.5"),
]
BROKEN = [[], [], ["terminal_id_unreadable"], ["terminal_id_unreadable"], [], ["terminal_id_unreadable"]]


def test_column_is_one_line__read_and_counted_where_unreadable(tmp_path: Path) -> None:
    project = copied(tmp_path, KPI)
    before = inspected(project, csv_of(*ROWS))
    assert "'terminal_id'" in before["warnings"][0]
    assert before["kpis"]["bad_rows"] == 0
    add_column(project)
    after = inspected(project, csv_of(*ROWS))
    assert after["format"]["places"]["terminal_id"] == 3
    assert (after["kpis"]["bad_rows"], after["rules"]) == (3, BROKEN)
    assert not [warning for warning in after["warnings"] if warning.startswith("Unknown")]


def test_column_is_optional__files_without_it_are_as_good_as_before(tmp_path: Path) -> None:
    project = copied(tmp_path, KPI)
    body = b"id,amount,date\n1,$1.00,2023-05-06 07:08:09\n"
    before = inspected(project, body)
    add_column(project)
    after = inspected(project, body)
    assert (after["kpis"], after["format"]) == (before["kpis"], before["format"])
    assert [warning for warning in after["warnings"] if "'terminal_id'" in warning]


def test_column_has_the_parquet_types_of_its_kind__integers_and_no_truth_values(tmp_path: Path) -> None:
    project = copied(tmp_path, KPI)
    add_column(project)
    assert inspected(project, parquet_of(pa.array([7, None])))["rules"] == [[], []]
    assert inspected(project, parquet_of(pa.array(["7", "x"])))["rules"] == [[], ["terminal_id_unreadable"]]
    refused = inspected(project, parquet_of(pa.array([True])))
    assert [reason["code"] for reason in refused["reasons"]] == ["unsupported_column_type"]


@pytest.mark.parametrize("date", [USUAL, ODD_DATE], ids=["usual form", "any form"])
def test_rule_is_one_line__amounts_above_the_limit(tmp_path: Path, date: str) -> None:
    project = copied(tmp_path, KPI)
    rows = [f"{number},{amount},{date}," for number, amount in enumerate(["$10000.00", "$10000.01", "$-10000.01"])]
    assert inspected(project, csv_of(*rows))["kpis"]["bad_rows"] == 0
    add_rule(project)
    found = inspected(project, csv_of(*rows))
    assert (found["kpis"]["bad_rows"], found["rules"]) == (1, [[], ["amount_above_limit"], []])
    assert found["kpis"]["total_amount"] == "10000.00"
