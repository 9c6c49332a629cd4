"""The corpus of DMS and reference files: how each is read, its rows and its figures are what the goldens say."""

import json
from collections import Counter
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from contract.limits import REASON_CHARACTERS
from contract.subjects import subject_of
from dms.build import FOLDER, TEXTS
from dms.goldens import FILES, golden_of
from judging.kpis import money_text
from judging.values import columns_to_read
from reading.dialect_file import pin_of
from reading.file_name import Name
from reading.files import SourceFile, frames_of

GOLDENS: dict[str, dict[str, Any]] = {
    name: json.loads((FOLDER / f"{name}.expected.json").read_text()) for name in sorted(FILES)
}
READABLE = [name for name, golden in GOLDENS.items() if "rows" in golden]
OPERATIONS = {"I": "insert", "U": "update", "D": "delete"}


def test_corpus_is_complete__one_golden_per_file() -> None:
    goldens = {path.name.removesuffix(".expected.json") for path in FOLDER.glob("*.expected.json")}
    assert goldens == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_file_is_read_as_the_golden_says__each_form(name: str) -> None:
    assert golden_of(name) == GOLDENS[name]


@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_as_they_are_sent__a_pin_says_commas(name: str, tmp_path: Path) -> None:
    key, body, pin = FILES[name]
    subject = subject_of(key)
    file = SourceFile.sniff(Name(key, subject, pin_of(pin)), BytesIO(body))
    [frame] = frames_of(file.rows(columns_to_read(subject), tmp_path), subject)
    assert {column: frame[column].to_list() for column in TEXTS[name]} == TEXTS[name]


@pytest.mark.parametrize("name", READABLE)
def test_kpis_are_the_sums_over_the_rows__each_readable_file(name: str) -> None:
    rows, kpis = GOLDENS[name]["rows"], GOLDENS[name]["kpis"]
    keys = [row["key"] for row in rows if row["key"] is not None]
    cents = [row["cents"] for row in rows if row.get("cents") is not None]
    images = [row for row in rows if "cents" in row and row["op"] != "D"]
    assert kpis["row_count"] == len(rows)
    assert kpis["distinct_keys"] == len(set(keys))
    assert kpis["duplicate_keys"] == len(keys) - len(set(keys))
    assert kpis["unreadable_keys"] == len(rows) - len(keys)
    assert kpis["unreadable_amounts"] == sum(row["cents"] is None for row in images)
    assert kpis["bad_rows"] == sum(bool(row["rules"]) for row in rows)
    assert kpis["broken_rules"] == Counter(rule for row in rows for rule in row["rules"])
    assert kpis["total_amount"] == money_text(sum(cents))
    assert Decimal(kpis["total_amount"]) == Decimal(sum(cents)) / 100
    assert kpis["positive_total"] == money_text(sum(value for value in cents if value > 0))
    assert kpis["negative_total"] == money_text(sum(value for value in cents if value < 0))
    assert kpis["key_sum"] == sum(keys) % 10**16
    assert kpis["hash_total"] == sum((row["key"] or 0) * (row.get("cents") or 0) for row in rows) % 10**16


@pytest.mark.parametrize("name", [name for name in READABLE if "operations" in GOLDENS[name]["kpis"]])
def test_operations_are_counted_over_good_rows__each_file_that_has_them(name: str) -> None:
    good = Counter(OPERATIONS[row["op"]] for row in GOLDENS[name]["rows"] if not row["rules"])
    assert Counter(GOLDENS[name]["kpis"]["operations"]) == good


def test_codes_of_all_rejections_are_the_contracts__corpus() -> None:
    found = {reason["code"] for golden in GOLDENS.values() for reason in golden["reasons"]}
    assert found == {
        "ambiguous_dialect", "unreadable_dialect", "card_numbers", "card_security_codes", "multi_line_records",
        "missing_column", "unreadable_json", "unsupported_column_type",
    }  # fmt: skip


def test_reasons_and_warnings_are_whole_where_the_ledger_keeps_them__corpus() -> None:
    texts = [reason["text"] for golden in GOLDENS.values() for reason in golden["reasons"]]
    texts += [warning for golden in GOLDENS.values() for warning in golden["warnings"]]
    assert [text for text in texts if len(text) > REASON_CHARACTERS] == []
