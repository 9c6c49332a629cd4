"""The documents say what the contract says: the generated tables, the Open Data Contract, and the figures in prose."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from contract import limits
from contract.dimensions import ALL_DIMENSIONS
from contract.rules import rules_of
from contract.subjects import SUBJECTS
from contract.tables import TABLES
from open_data_contract_standard.model import OpenDataContractStandard

from tools.contract_odcs import contract_yaml, logical_type
from tools.contract_page import BLOCKS
from tools.write_contract import BlockError, differing_tables, filled

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "data-contract.md").read_text(encoding="utf-8")
ODCS = ROOT / "docs" / "assay.odcs.yaml"
DOCUMENT = yaml.load(ODCS.read_text(encoding="utf-8"), yaml.CSafeLoader)
OBJECTS: dict[str, dict[str, Any]] = {each["name"]: each for each in DOCUMENT["schema"]}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a copy of what the generator reads and writes."""
    for path in ("functions/kpi/contract", "tools", "docs", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copy
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / path, tmp_path / path)
    return tmp_path


def write_contract(tree: Path, *arguments: str) -> tuple[int, str]:
    """Run the generator of a copied tree; return its exit code and what it says."""
    command = [sys.executable, "tools/write_contract.py", *arguments]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_documents_are_what_the_contract_says__all_tables_and_the_standard_s_file() -> None:
    assert filled(PAGE, BLOCKS) == PAGE
    assert contract_yaml(ROOT) == ODCS.read_text(encoding="utf-8")


def test_generator_names_what_differs_then_writes_it__column_added(tree: Path) -> None:
    columns = tree / "functions" / "kpi" / "contract" / "columns.py"
    last = '    SourceColumn("errors", NAMES, "What went wrong at the terminal."),\n'
    added = '    SourceColumn("terminal_id", INTEGER, "The terminal."),\n'
    columns.write_text(columns.read_text().replace(last, last + added))

    code, said = write_contract(tree, "--check")
    assert code == 1
    assert re.search(r"data-contract\.md \(tables: columns, rules, structs, table columns\), docs/assay\.odcs", said)
    assert write_contract(tree)[0] == 0
    assert write_contract(tree, "--check") == (0, "")
    page = (tree / "docs" / "data-contract.md").read_text(encoding="utf-8")
    assert "| `terminal_id` | integer | | | The terminal |" in page
    assert "| `terminal_id_unreadable` | not null and not an integer in 64 bits | |" in page


@pytest.mark.parametrize(
    "page",
    [
        PAGE.replace("<!-- generated: rules -->", "<!-- generated: laws -->"),
        PAGE.replace("<!-- generated: rules -->", "<!-- generated: columns -->"),
        PAGE + "<!-- generated: rules -->\n",
    ],
    ids=["unknown", "twice", "without end"],
)
def test_page_must_have_each_table_once__else_it_is_refused(page: str) -> None:
    with pytest.raises(BlockError):
        filled(page, BLOCKS)


def test_tables_that_differ_are_named__by_hand_changed() -> None:
    assert differing_tables(PAGE.replace("| `zip` |", "| `plz` |", 1), PAGE) == ["columns"]


def test_standard_accepts_the_file__by_its_schema_and_by_its_model() -> None:
    schema = json.loads(files("open_data_contract_standard").joinpath("schema.json").read_text(encoding="utf-8"))
    errors = list(jsonschema.Draft201909Validator(schema).iter_errors(DOCUMENT))
    assert [f"{error.json_path}: {error.message}" for error in errors] == []
    contract = OpenDataContractStandard.from_file(str(ODCS))
    assert contract.apiVersion == "v3.2.0"
    assert contract.schema_ is not None
    assert len(contract.schema_) == len(SUBJECTS) + len(TABLES)


@pytest.mark.parametrize("name", SUBJECTS)
def test_file_of_a_subject_has_all_columns_and_rules__by_their_names(name: str) -> None:
    subject, bronze = SUBJECTS[name], OBJECTS[f"bronze_{name}"]
    columns = {column["name"]: column for column in bronze["properties"]}
    assert list(columns) == list(subject.known)
    assert {column for column in columns if columns[column]["required"]} == set(subject.required)
    checks = [*bronze["quality"], *(check for column in columns.values() for check in column.get("quality", []))]
    assert {check["name"] for check in checks} == {rule.name for rule in rules_of(subject)}
    restricted = {column for column in columns if columns[column].get("classification") == "restricted"}
    assert restricted == ({"card_number", "cvv"} if name == "cards" else set())


@pytest.mark.parametrize("name", TABLES)
def test_table_has_all_columns_its_key_and_its_types(name: str) -> None:
    table, columns = TABLES[name], OBJECTS[name.replace(".", "_")]["properties"]
    assert {column["name"]: column["physicalType"] for column in columns} == table.schema
    keys = {column["primaryKeyPosition"]: column["name"] for column in columns if column.get("primaryKey")}
    assert tuple(keys[position] for position in sorted(keys)) == table.key
    assert [column["name"] for column in columns if column.get("partitioned")] == ["run_seq"] * bool(table.partitioning)


def test_fact_points_to_each_dimension__that_there_is() -> None:
    columns = OBJECTS["gold_fact_transactions"]["properties"]
    targets = [target["to"].split(".") for column in columns for target in column.get("relationships", [])]
    assert len(targets) == len(ALL_DIMENSIONS)
    for table, key in targets:
        assert key in {column["name"] for column in OBJECTS[table]["properties"] if column.get("primaryKey")}


def test_types_are_taken_apart__structs_of_decimals_and_lists() -> None:
    found = logical_type("struct<amount: decimal(18,2), errors: array<string>, row: struct<at: timestamp, n: int>>")
    fields = {field["name"]: field for field in found["properties"]}
    assert {name: field["logicalType"] for name, field in fields.items()} == {
        "amount": "number", "errors": "array", "row": "object",
    }  # fmt: skip
    assert fields["errors"]["items"] == {"logicalType": "string", "physicalType": "string"}
    assert [field["name"] for field in fields["row"]["properties"]] == ["at", "n"]


@pytest.mark.parametrize(
    "words",
    [
        f"at most {limits.RECORD_LINES} lines long",
        f"lines of at most {limits.LINE_BYTES >> 20} MB",
        f"first {limits.SAMPLE_RECORDS:,} records",
        f"at most {limits.MARKER_FILES:,} files",
        f"taken, {limits.EARLIEST_YEAR} at the earliest",
        f"beyond {limits.AMOUNT_DIGITS} digits",
        f"zeros to {limits.SEQUENCER_CHARACTERS} characters",
        f"written as `{limits.BEGINNING_OF_TIME}`",
        f"the last to `{limits.END_OF_TIME[:10]}`",
    ],
)
def test_prose_has_the_figures_of_the_contract(words: str) -> None:
    assert words in " ".join(PAGE.split())


@pytest.mark.parametrize("name", ["data-contract.md", "extending.md", "upgrading.md", "adr/0009-contract-as-data.md"])
def test_prose_is_wrapped__at_120_characters(name: str) -> None:
    prose = re.sub(r"```.*?```", "", (ROOT / "docs" / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert [line for line in prose.splitlines() if len(line) > 120 and not line.startswith("|")] == []


def test_limits_page_computes_the_contracts_rows__from_the_bytes_that_it_shows() -> None:
    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    of_silver = [int(line.split("|")[4]) for line in page.splitlines() if line.startswith("| Silver, ")]
    held = 44_000_000_000 * 2 // (3 * max(of_silver))
    assert limits.WORKER_ROWS <= held < limits.WORKER_ROWS + 5_000_000
    told = " ".join(page.split())
    assert f"**{limits.WORKER_ROWS // 10**6} million for each worker but the driver**" in told
    assert f"at most {limits.FILE_ROWS // 10**6} million rows (`FILE_ROWS`)" in told
