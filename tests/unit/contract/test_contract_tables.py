"""The contract as data: its tables are those that were deployed, its parts fit together, and references avoid it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Annotated, NotRequired, get_origin, get_type_hints

import pytest
from contract import closings, items, runs
from contract.aggregates import AggregateTable, Period
from contract.descriptions import column_description
from contract.kinds import Fault
from contract.rules import COMPARISONS, Rule, rules_of
from contract.subjects import SUBJECTS, Subject
from contract.tables import TABLES

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "functions" / "kpi" / "contract"
MODULES = sorted(path for path in PACKAGE.glob("*.py") if path.stem != "__init__")
STANDARD = {"collections", "dataclasses", "enum", "hashlib", "json", "re", "typing"}
REFERENCES = (
    "tests/unit/kpi/kpi_reference.py",
    "tests/unit/kpi/kpi_reference_files.py",
    "tests/data/nasty/build.py",
    "tests/data/nasty/foreign_cases.py",
    "tests/data/nasty/parquet_cases.py",
    "tests/data/nasty/json_cases.py",
    "tests/data/dms/envelope_cases.py",
    "tests/unit/kpi/kpi_reference_json.py",
    "tests/data/dms/build.py",
)
"""What errors of the contract are caught by: all of it is written from the words of the data contract."""
BY_SUBJECT = pytest.mark.parametrize("subject", SUBJECTS.values(), ids=list(SUBJECTS))


def imports_of(path: Path) -> set[str]:
    """Return the top-level packages that a module imports."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def test_tables_are_those_of_deployed_stacks__columns_layout_and_order() -> None:
    lines = [
        line
        for name, table in TABLES.items()
        for line in (name, f"  {table.column_list}", f"  {table.partitioning or '-'}", f"  {table.sort_order or '-'}")
    ]
    assert lines == (ROOT / "tests" / "data" / "golden" / "tables.txt").read_text().splitlines()


def test_tables_have_their_keys_among_their_columns__and_a_description_of_each_column() -> None:
    for table in TABLES.values():
        assert set(table.key) | table.of_the_run <= set(table.schema)
        assert all(column_description(name) for name in table.schema)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_contract_imports_the_standard_library_and_itself__only(path: Path) -> None:
    assert imports_of(path) <= STANDARD | {"contract"}


def test_contract_loads_by_itself__every_module_in_an_interpreter_without_packages() -> None:
    code = "; ".join(f"import contract.{path.stem}" for path in MODULES)
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=PACKAGE.parent, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("path", REFERENCES)
def test_references_do_not_know_the_contract__so_that_they_catch_its_errors(path: str) -> None:
    assert "contract" not in imports_of(ROOT / path)


@BY_SUBJECT
def test_rules_have_names_of_their_own_and_words__each_subject(subject: Subject) -> None:
    rules = rules_of(subject)
    assert len({rule.name for rule in rules}) == len(rules)
    assert all(rule.description for rule in rules)
    assert {rule.column for rule in rules} <= {"", *subject.known}


@BY_SUBJECT
def test_orders_name_columns_that_there_are__each_subject(subject: Subject) -> None:
    assert set(subject.headerless) <= set(subject.texts)
    assert set(subject.first_version) <= set(subject.image)
    assert next(iter(subject.image)) == subject.key


def test_comparison_is_one_line__its_rule_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    above = Rule("amount_above_limit", "amount", Fault.ABOVE_LIMIT, limit="10000.00")
    monkeypatch.setitem(COMPARISONS, "transactions", (above,))  # type: ignore[arg-type]
    assert rules_of(SUBJECTS["transactions"])[-1] == above


def test_aggregate_is_one_entry__week_two_dimensions_or_all_time() -> None:
    weekly = AggregateTable("weekly", Period.WEEK, ("channel", "merchant"), "Each week by channel and merchant.")
    assert weekly.key == ("week", "channel", "merchant_key")
    assert list(weekly.schema) == ["week", "channel", "merchant_key", "row_count", "total_amount"]
    ever = AggregateTable("ever", Period.ALL_TIME, ("client",), "Each client.")
    assert (ever.key, list(ever.schema)[:2]) == (("client_key",), ["client_key", "client_id"])


@pytest.mark.parametrize(
    "item",
    [items.FileItem, runs.LayerItem, runs.BreakerItem, items.RangeItem, closings.ClosedItem, closings.ClosedMonthsItem],
)
def test_items_say_what_each_attribute_means__where_its_name_alone_does_not(item: type) -> None:
    hints = get_type_hints(item, include_extras=True)
    types = {name: hint.__args__[0] if get_origin(hint) is NotRequired else hint for name, hint in hints.items()}
    assert [name for name, kind in types.items() if get_origin(kind) is not Annotated] == []
