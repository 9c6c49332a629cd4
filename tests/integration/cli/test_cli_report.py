"""`assay report` reads ledger and tables at one cut, and says at once what the page says."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deployed_stack import NAMES, DeployedStack, file_item, identifier_of, layer_items
from documented_answers import conform

MONEY = pa.decimal128(19, 2)
OF_ROWS = [("file_id", pa.string()), ("row", pa.int64()), ("run_seq", pa.int64())]
WIDE: dict[str, list[tuple[str, pa.DataType]]] = {
    "silver.transaction_history": [*OF_ROWS, ("outcome", pa.string()), ("effect_amount", MONEY)],
    "silver.transaction_effects": [
        *OF_ROWS,
        ("cause", pa.string()),
        ("dms_id", pa.int64()),
        ("effect_amount", MONEY),
    ],
    "silver.quarantine": [
        *OF_ROWS,
        ("line", pa.int64()),
        ("raw", pa.string()),
        ("rules", pa.list_(pa.string())),
        ("repaired_by", pa.string()),
    ],
}
OUTCOMES = {"inserted": 2, "quarantined": 2}
GOOD, REJECTED = "transactions/a.csv", "transactions/late & <odd>.csv"


def write(stack: DeployedStack, table: str, *rows: tuple[Any, ...]) -> None:
    schema = pa.schema(WIDE[table])
    data = pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)
    stack.catalog.create_table_if_not_exists(identifier_of(table), schema).append(data)


def put_cut(stack: DeployedStack) -> None:
    """Name what the tables hold now as the readers' cut."""
    tables = {"silver": [*(name.split(".")[1] for name in WIDE)], "gold": ["daily_totals"]}
    snapshots = {
        layer: {
            name: stack.catalog.load_table(identifier_of(f"{layer}.{name}")).current_snapshot().snapshot_id
            for name in names
        }
        for layer, names in tables.items()
    }
    cut = {"run_seq": 1, "silver_run_seq": 1, "at": "2026-11-23T06:00:05.000000Z", "snapshots": snapshots}
    stack.client("s3").put_object(Bucket=NAMES["LakeBucket"], Key="current.json", Body=json.dumps(cut))


@pytest.fixture
def published(stack: DeployedStack) -> DeployedStack:
    """A file of two good rows and two broken ones, one of them repaired, and a rejected file."""
    item = file_item(outcomes=OUTCOMES)
    of_file = item["file_id"]
    rejected = file_item("late & <odd>.csv") | {"status": "rejected", "reasons": [{"code": "empty_file", "text": "0"}]}
    for layer in ("silver", "gold"):
        del rejected[layer]
    stack.put(item, rejected, *layer_items(rows=2, silver="10.00"))
    write(
        stack,
        "silver.transaction_history",
        (of_file, 1, 1, "inserted", Decimal("4.00")),
        (of_file, 2, 1, "inserted", Decimal("6.00")),
    )
    write(
        stack,
        "silver.transaction_effects",
        (of_file, 1, 1, "file", 71, Decimal("4.00")),
        (of_file, 2, 1, "file", 72, Decimal("6.00")),
    )
    write(
        stack,
        "silver.quarantine",
        (of_file, 3, 1, 4, "73,x,2010-01-01", ["amount_unreadable"], None),
        (of_file, 4, 1, 5, "74,y,2010-13-01", ["amount_unreadable", "date_unreadable"], "b" * 64),
    )
    stack.write("gold.daily_totals", (date(2010, 1, 1), "swipe", 2, Decimal("10.00")))
    put_cut(stack)
    return stack


def report(stack: DeployedStack, path: Path, *arguments: str) -> tuple[int, str, str]:
    result = stack.assay("report", *(arguments or ("--month", "2026-11")), "-o", str(path))
    return result.exit_code, result.stdout, path.read_text()


def test_report_shows_a_month__its_files_rows_and_cents(published: DeployedStack, tmp_path: Path) -> None:
    code, said, page = report(published, tmp_path / "month.html")
    assert code == 0
    assert "1 file was rejected; 1 published file has warnings; 1 row is in quarantine" in said
    assert (tmp_path / "month.html").as_uri() in said
    told = conform("report", published.assay("report", "--month", "2026-11", "-o", "a.html", "--json").stdout)
    assert told["level"] == "open"
    assert all(problem["do"] for problem in told["problems"])
    flow = page[page.index('id="flow"') : page.index('id="time"')]
    assert all(figure in flow for figure in ("<b>10.00</b>", "+10.00", "dated", "2010-01-01"))
    quarantine = page[page.index('id="quarantine"') : page.index('id="gold"')]
    assert "<b>1 row is open</b>, 1 repaired" in quarantine
    assert all(
        text in quarantine
        for text in ("73,x,2010-01-01", "date_unreadable", f"{GOOD.replace('/', '/<wbr>')}</bdi></a>, row 3")
    )
    movements = page[page.index('id="movements"') : page.index('id="closed"')]
    assert movements.index("+6.00") < movements.index("+4.00")
    assert "late &amp; &lt;odd&gt;.csv" in page
    assert "differs" not in page[page.index('id="audit"') :]


def test_report_stays_at_its_cut__a_run_is_being_published(published: DeployedStack, tmp_path: Path) -> None:
    _, _, before = report(published, tmp_path / "before.html")
    later = file_item("b.csv", amount="5.00")
    later["silver"]["run_seq"] = later["gold"]["run_seq"] = 2
    published.put(later)
    published.write("gold.daily_totals", (date(2010, 1, 2), "chip", 2, Decimal("5.00")))
    code, said, after = report(published, tmp_path / "after.html")
    assert code == 0
    assert "1 file is not in Gold yet" in said
    gold = '<p class="big">10.00</p>'
    assert gold in before
    assert gold in after


def test_report_fails__gold_differs_by_a_cent(published: DeployedStack, tmp_path: Path) -> None:
    published.write("gold.daily_totals", (date(2010, 1, 1), "chip", 0, Decimal("0.01")))
    put_cut(published)
    code, said, page = report(published, tmp_path / "wrong.html")
    assert code == 1
    assert said.startswith("✗ Not in order: 2 comparisons of the audit are different.")
    assert "assay audit --full" in page


def test_report_is_about_files_that_came_since__an_instant(published: DeployedStack, tmp_path: Path) -> None:
    since = ("--since", "2026-11-24T00:00:00Z")
    code, said, page = report(published, tmp_path / "since.html", *since)
    assert code == 0
    assert said.startswith("! No file arrived since 2026-11-24 00:00 UTC.")
    assert "before this period" in page
    assert '<td class="n">10.00</td>' in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--month", "2026-13"), "--month 2026-13 is no month"),
        (("--month", "june"), "--month june is no month"),
        (("--month", "2026-06", "--since", "2026-06-01"), "--month and --since exclude each other"),
        (("--since", "yesterday"), "--since yesterday is no instant"),
    ],
)
def test_report_refuses__a_period_that_is_none(
    stack: DeployedStack, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = stack.assay("report", *arguments, "-o", str(tmp_path / "x.html"))
    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / "x.html").exists()


def test_report_is_written__nothing_is_published_yet(stack: DeployedStack, tmp_path: Path) -> None:
    code, said, page = report(stack, tmp_path / "empty.html")
    assert code == 0
    assert "No file arrived in 2026-11." in said
    assert "Nothing is published yet." in page
