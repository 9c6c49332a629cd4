"""`assay quarantine` over small Iceberg tables: what it lists, exports, refuses, and sends."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from contract.sql_types import ORDER_FIELDS
from contract.tables import IMAGE
from deployed_stack import NAMES, TABLES, DeployedStack, file_item, layer_items
from documented_answers import conform

TEXT, NUMBER, MONEY, INSTANT = pa.string(), pa.int64(), pa.decimal128(18, 2), pa.timestamp("us", tz="UTC")
TYPES = {"timestamp": INSTANT, "int": pa.int32(), "string": TEXT, "bigint": NUMBER, "decimal(18,2)": MONEY}
TYPES["array<string>"] = pa.list_(TEXT)
ORDER = pa.struct([(name, TYPES[sql_type]) for name, sql_type in ORDER_FIELDS.items() if sql_type in TYPES])
STATE: list[tuple[str, pa.DataType]] = [(name, TYPES[sql_type]) for name, sql_type in IMAGE.items()]
MORE: dict[str, list[tuple[str, pa.DataType]]] = {
    "silver.quarantine": [
        *[("file_id", TEXT), ("row", NUMBER), ("line", NUMBER), ("raw", TEXT), ("rules", pa.list_(TEXT))],
        ("repaired_by", TEXT),
    ],
    "silver.transactions": [*STATE, ("file_id", TEXT), ("row_order", ORDER)],
    "silver.tombstones": [("dms_id", NUMBER), ("row_order", ORDER)],
}
PLACES = {"dms_id": 0, "amount": 1, "date": 2}
FORMAT = {"kind": "csv", "places": PLACES, "is_full_load": False, "columns": list(PLACES)}
FILE = file_item(outcomes={"quarantined": 4}) | {"subject": "transactions", "format": FORMAT}
CARDS = file_item("../cards/c.csv") | {"subject": "cards", "key": "cards/c.csv"}
ID, REPAIR = FILE["file_id"], "d" * 64
AT = datetime(2026, 11, 24, tzinfo=UTC)
BROKEN: list[tuple[Any, ...]] = [
    (ID, 2, 3, "1,x,2010-01-01", ["amount_unreadable"], None),
    (ID, 3, 4, '2,"y",never', ["amount_unreadable", "date_unreadable"], None),
    (ID, 4, 5, "3,1", ["too_few_fields"], None),
    (ID, 5, 6, "5,5.00,never", ["date_unreadable"], REPAIR),
    (CARDS["file_id"], 1, 2, "z,1", ["card_id_unreadable"], None),
]


@pytest.fixture
def published(stack: DeployedStack) -> Iterator[DeployedStack]:
    """A file with four broken rows, one of them repaired, and one of cards; key 2 has a newer value."""
    with pytest.MonkeyPatch.context() as patch:
        for name, columns in MORE.items():
            patch.setitem(TABLES, name, columns)
        stack.put(FILE, CARDS, *layer_items(rows=1, silver="7.00"))
        stack.write("silver.quarantine", *BROKEN)
        order = dict(zip(ORDER_FIELDS, (AT, 1, AT, "k", "00", "v", 1), strict=False))
        values = (2, AT, Decimal("7.00"), "chip", *[None] * (len(STATE) - 4))
        stack.write("silver.transactions", (*values, "e" * 64, order))
        stack.write("silver.tombstones")
        stack.write("gold.daily_totals", (AT.date(), "chip", 1, Decimal("7.00")))
        yield stack


def exported(stack: DeployedStack, *options: str) -> list[dict[str, str]]:
    result = stack.assay("quarantine", "export", *options)
    assert result.exit_code == 0, result.output
    return list(csv.DictReader(io.StringIO(result.stdout)))


def corrected(folder: Path, *rows: dict[str, str]) -> str:
    path = folder / "rows.csv"
    with path.open("w", newline="") as written:
        writer = csv.DictWriter(written, ["file_id", "row", *PLACES])
        writer.writeheader()
        writer.writerows({"file_id": ID, **row} for row in rows)
    return str(path)


GOOD = {"row": "2", "dms_id": "1", "amount": "1.00", "date": "2010-01-01"}
LATE = {"row": "3", "dms_id": "2", "amount": "2.00", "date": "2010-01-02"}


def sent(stack: DeployedStack) -> dict[str, bytes]:
    s3, bucket = stack.client("s3"), NAMES["BronzeBucket"]
    found = s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {each["Key"]: s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in found}


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the objects whose progress would be shown."""
    keys: list[str] = []

    def follow(_: Any, __: Any, files: list[Any], *, timeout_s: float, show: Any = None) -> int:
        keys.extend(each.file.key for each in files)
        return 0

    monkeypatch.setattr("assay.watch.follow", follow)
    return keys


def test_quarantine_counts_rows_by_file_and_rule__and_those_that_are_open(published: DeployedStack) -> None:
    result = published.assay("quarantine", "--json")

    assert result.exit_code == 0, result.output
    told = [(each["key"], each["rule"], each["rows"], each["open"]) for each in conform("quarantine", result.stdout)]
    assert told == [
        ("transactions/a.csv", "amount_unreadable", 2, 2),
        ("transactions/a.csv", "date_unreadable", 2, 1),
        ("cards/c.csv", "card_id_unreadable", 1, 1),
        ("transactions/a.csv", "too_few_fields", 1, 1),
    ]
    drawn = published.assay("quarantine", "--file", "a.csv").output
    assert "2: 1,x,2010-01-01" in drawn
    assert "c.csv" not in drawn


def test_export_writes_open_rows_of_transactions__with_fields_and_reasons(published: DeployedStack) -> None:
    rows = exported(published)
    assert [(row["row"], row["reasons"]) for row in rows] == [
        ("2", "amount_unreadable"),
        ("3", "amount_unreadable date_unreadable"),
        ("4", "too_few_fields"),
    ]
    assert [rows[1][name] for name in ("file_id", "line", *PLACES)] == [ID, "4", "2", "y", "never"]
    assert [rows[2][name] for name in ("raw", *PLACES)] == ["3,1", "", "", ""]
    assert [row["row"] for row in exported(published, "--rule", "too_few_fields", "--file", ID)] == ["4"]
    as_json = published.assay("quarantine", "export", "--rule", "too_few_fields", "--json").stdout
    assert [row["row"] for row in conform("quarantine export", as_json)] == [4]
    nothing = published.assay("quarantine", "export", "--file", "c.csv")
    assert (nothing.exit_code, "no open row here can be repaired" in nothing.stderr) == (2, True)


def test_fix_shows_the_effect_and_sends__what_it_has_exported(
    published: DeployedStack, tmp_path: Path, followed: list[str]
) -> None:
    rows = exported(published)[:2]
    for row, right in zip(rows, (GOOD, LATE), strict=True):
        row.update(right)
    path = corrected(tmp_path, *({name: row[name] for name in ("row", *PLACES)} for row in rows))

    dry = published.assay("quarantine", "fix", path, "--dry-run")
    assert dry.exit_code == 0, dry.output
    told = [line.split() for line in dry.output.splitlines()]
    assert ["stale", "1", "2.00"] in told
    assert ["inserted", "1", "1.00"] in told
    programs = conform("quarantine fix", published.assay("quarantine", "fix", path, "--dry-run", "--json").stdout)
    assert ([each["rows"] for each in programs["repaired"]], programs["results"]) == ([[2, 3]], [])
    assert (sent(published), followed) == ({}, [])

    done = published.assay("quarantine", "fix", path, "--yes")
    assert done.exit_code == 0, done.output
    ((key, body),) = sent(published).items()
    assert key.startswith(f"transactions/repairs/{ID}/")
    assert body == b"row,dms_id,amount,date\n2,1,1.00,2010-01-01\n3,2,2.00,2010-01-02\n"
    assert followed == [key]
    head = published.client("s3").head_object(Bucket=NAMES["BronzeBucket"], Key=key)
    assert head["Metadata"] == {"row-count": "2", "total-amount": "3.00"}

    arrived = file_item() | {"file_id": REPAIR, "key": key, "repairs": ID, "version_id": head["VersionId"]}
    published.put(arrived | {"status": "accepted"})
    again = published.assay("quarantine", "fix", path, "--yes")
    assert again.exit_code == 0, again.output
    assert followed == [key, key], "the same command follows what it has sent"
    other = published.assay("quarantine", "fix", corrected(tmp_path, GOOD), "--yes")
    assert (other.exit_code, "is on its way" in other.stderr) == (2, True)
    assert len(sent(published)) == 1


@pytest.mark.parametrize(
    ("row", "code", "words"),
    [
        ({**GOOD, "row": "9"}, 2, "row 9 of transactions/a.csv is not in quarantine"),
        ({**GOOD, "row": "5"}, 2, f"row 5 of transactions/a.csv is closed already, by {REPAIR}"),
        ({**GOOD, "file_id": "f" * 64}, 2, "the ledger knows no file"),
        ({**GOOD, "file_id": CARDS["file_id"]}, 2, "it is no file of transactions"),
        ({**GOOD, "amount": "1,x"}, 1, "Nothing was sent"),
    ],
)
def test_fix_refuses_the_whole_file__one_row_will_not_do(
    published: DeployedStack, tmp_path: Path, followed: list[str], row: dict[str, str], code: int, words: str
) -> None:
    result = published.assay("quarantine", "fix", corrected(tmp_path, LATE, row), "--yes")
    assert (result.exit_code, words in " ".join(result.stderr.split())) == (code, True), result.output
    assert (sent(published), followed) == ({}, [])


def test_fix_asks_nobody__no_terminal_and_no_yes(published: DeployedStack, tmp_path: Path) -> None:
    result = published.assay("quarantine", "fix", corrected(tmp_path, GOOD))
    assert (result.exit_code, "--dry-run" in result.stderr) == (2, True)


def test_waive_sends_rule_and_reason__only_where_a_row_is_open(published: DeployedStack, followed: list[str]) -> None:
    waive = ("quarantine", "waive", "transactions/a.csv", "--reason", "a trailer")
    dry = published.assay(*waive, "--rule", "too_few_fields", "--dry-run")
    assert (dry.exit_code, sent(published)) == (0, {})
    programs = published.assay(*waive, "--rule", "too_few_fields", "--dry-run", "--json").stdout
    assert conform("quarantine waive", programs)["repaired"][0]["open"] == 1
    unknown = published.assay(*waive, "--rule", "zip_impossible", "--yes")
    assert (unknown.exit_code, "no open row of transactions/a.csv breaks" in unknown.stderr) == (2, True)
    done = published.assay(*waive, "--rule", "too_few_fields", "--yes")
    assert done.exit_code == 0, done.output
    ((key, body),) = sent(published).items()
    assert (key.endswith(".waiver.json"), followed) == (True, [key])
    said = json.loads(body)
    assert (said["rule"], said["reason"]) == ("too_few_fields", "a trailer")
