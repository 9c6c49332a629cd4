"""A column is one line of the contract, and so is a rule: a copy of the function with the line added obeys it.

Silver's half is in `tests/integration/glue`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from changed_contract import KPI, add_column, add_rule, copied

DATA = Path(__file__).parents[2] / "data"

INSPECT = """
import io, json, sys
from base64 import b64decode
from datetime import UTC, datetime
from decimal import Decimal
from admission import inspect_file
from judging.reconcile import Policy
from judging.rules import Limits
from kpi_rows import read_rows

def inspected(body):
    at = datetime(2024, 1, 1, tzinfo=UTC)
    found = inspect_file(
        "transactions/file", io.BytesIO(body), last_modified_at=at, metadata={}, read_side_car=lambda: None,
        learned=lambda: None, policy=Policy(maximum_bad_share=Decimal(1), minimum_rows=1),
    )
    rules = read_rows(io.BytesIO(body), Limits.of(at))["rules"].to_list() if not found.reasons else []
    return {**found.as_item(), "rules": rules}

print(json.dumps({name: inspected(b64decode(body)) for name, body in json.load(sys.stdin).items()}))
"""
USUAL, ODD_DATE = "2023-05-06 07:08:09", "5/6/2023 7:08"
Items = dict[str, dict[str, Any]]


def csv_of(header: str, *rows: str) -> bytes:
    return "".join(f"{row}\n" for row in (header, *rows)).encode()


def amounts_at(date: str) -> bytes:
    amounts = ["$10000.00", "$10000.01", "$-10000.01"]
    return csv_of("id,amount,date", *(f"{number},{amount},{date}" for number, amount in enumerate(amounts)))


def parquet_of(terminals: pa.Array) -> bytes:
    sink, count = pa.BufferOutputStream(), len(terminals)
    columns = {"id": list(range(count)), "amount": ["1.00"] * count, "date": [USUAL] * count, "terminal_id": terminals}
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue().to_pybytes())


ROWS = [
    *(f"1,$1.00,{USUAL},17", f"2,$1.00,{USUAL},", f"3,$1.00,{USUAL},x", f"4,$1.00,{USUAL},+4"),
    *(f"5,$1.00,{ODD_DATE},17.0", f"6,$1.00,{ODD_DATE},1.5"),
]
BROKEN = [[], [], ["terminal_id_unreadable"], ["terminal_id_unreadable"], [], ["terminal_id_unreadable"]]
FILES = {
    "terminals": csv_of("id,amount,date,terminal_id", *ROWS),
    "without": csv_of("id,amount,date", f"1,$1.00,{USUAL}"),
    "integers": parquet_of(pa.array([7, None])),
    "texts": parquet_of(pa.array(["7", "x"])),
    "truth values": parquet_of(pa.array([True])),
    "usual form": amounts_at(USUAL),
    "any form": amounts_at(ODD_DATE),
}


def inspected(project: Path) -> Items:
    """Inspect all files with the function of a copy, in a process of its own."""
    path = os.pathsep.join([str(project / KPI), str(DATA)])
    given = json.dumps({name: b64encode(body).decode() for name, body in FILES.items()}).encode()
    command = [sys.executable, "-c", INSPECT]
    done = subprocess.run(command, input=given, env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=True)
    items: Items = json.loads(done.stdout)
    return items


def inspected_with(tmp: pytest.TempPathFactory, change: Callable[[Path], None]) -> Items:
    project = copied(tmp.mktemp("project"), KPI)
    change(project)
    return inspected(project)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Items:
    return inspected_with(tmp_path_factory, lambda _: None)


@pytest.fixture(scope="module")
def with_column(tmp_path_factory: pytest.TempPathFactory) -> Items:
    return inspected_with(tmp_path_factory, add_column)


@pytest.fixture(scope="module")
def with_rule(tmp_path_factory: pytest.TempPathFactory) -> Items:
    return inspected_with(tmp_path_factory, add_rule)


def test_column_is_one_line__read_and_counted_where_unreadable(before: Items, with_column: Items) -> None:
    old, new = before["terminals"], with_column["terminals"]
    assert "'terminal_id'" in old["warnings"][0]
    assert (old["kpis"]["bad_rows"], "terminal_id" in old["format"]["places"]) == (0, False)
    assert (new["kpis"]["bad_rows"], new["rules"]) == (3, BROKEN)
    assert new["format"]["places"]["terminal_id"] == 3
    assert not [warning for warning in new["warnings"] if warning.startswith("Unknown")]


def test_column_is_optional__files_without_it_are_as_good_as_before(before: Items, with_column: Items) -> None:
    old, new = before["without"], with_column["without"]
    assert (new["kpis"], new["format"], new["rules"]) == (old["kpis"], old["format"], [[]])
    assert [warning for warning in new["warnings"] if "'terminal_id'" in warning]


def test_column_has_the_parquet_types_of_its_kind__integers_and_no_truth_values(with_column: Items) -> None:
    assert with_column["integers"]["rules"] == [[], []]
    assert with_column["texts"]["rules"] == [[], ["terminal_id_unreadable"]]
    assert [reason["code"] for reason in with_column["truth values"]["reasons"]] == ["unsupported_column_type"]


@pytest.mark.parametrize("form", ["usual form", "any form"])
def test_rule_is_one_line__amounts_above_the_limit(before: Items, with_rule: Items, form: str) -> None:
    assert before[form]["kpis"]["bad_rows"] == 0
    assert (with_rule[form]["kpis"]["bad_rows"], with_rule[form]["rules"]) == (1, [[], ["amount_above_limit"], []])
    assert with_rule[form]["kpis"]["total_amount"] == "10000.00"
