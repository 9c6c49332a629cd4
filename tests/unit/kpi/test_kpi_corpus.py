"""The corpus of nasty files: every record, and the figures of every file, are what the goldens say."""

import io
import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

import pytest
from admission import Inspection
from build import FOLDER, LAST_MODIFIED_AT, contents
from judging.kpis import instant_text, money_text
from judging.rules import Limits
from kpi_rows import PLAIN, inspected_file, read_rows
from reading.csv_blocks import CsvRows

FILES = contents()
GOLDENS = {name: json.loads((FOLDER / f"{name}.expected.json").read_text()) for name in FILES}
READABLE = [name for name, golden in GOLDENS.items() if "rows" in golden]
REJECTED = [name for name, golden in GOLDENS.items() if "reasons" in golden]


def inspected(name: str, metadata: Mapping[str, str] = MappingProxyType({})) -> Inspection:
    return inspected_file(FILES[name], key=name, metadata=metadata, last_modified_at=LAST_MODIFIED_AT)


def test_corpus_is_complete__one_golden_per_file() -> None:
    goldens = {path.name.removesuffix(".expected.json") for path in FOLDER.glob("*.expected.json")}
    assert goldens == set(FILES)
    assert len(READABLE) + len(REJECTED) == len(FILES)


@pytest.mark.parametrize("name", READABLE)
def test_rows_are_as_the_golden_says__each_readable_file(name: str) -> None:
    found = [
        {
            "row": row["row"],
            "line": row["line"],
            "raw": row["raw"],
            "rules": row["rules"],
            "amount": None if row["cents"] is None else money_text(row["cents"]),
            "dms_id": row["key"],
            "at": None if row["us"] is None else instant_text(row["us"]),
        }
        for row in read_rows(io.BytesIO(FILES[name]), Limits.of(LAST_MODIFIED_AT)).iter_rows(named=True)
    ]
    assert found == GOLDENS[name]["rows"]


@pytest.mark.parametrize("name", READABLE)
def test_kpis_are_the_sums_over_the_rows__each_readable_file(name: str) -> None:
    rows = GOLDENS[name]["rows"]
    kpis = inspected(name).kpis
    assert kpis is not None
    keys = [row["dms_id"] for row in rows if row["dms_id"] is not None]
    amounts = [Decimal(row["amount"]) for row in rows if row["amount"] is not None]
    both = [row for row in rows if row["dms_id"] is not None and row["amount"] is not None]
    instants = sorted(row["at"] for row in rows if row["at"] is not None)
    item = kpis.as_item()
    assert item == {
        "row_count": len(rows),
        "distinct_keys": len(set(keys)),
        "duplicate_keys": len(keys) - len(set(keys)),
        "unreadable_keys": len(rows) - len(keys),
        "unreadable_amounts": len(rows) - len(amounts),
        "unreadable_dates": len(rows) - len(instants),
        "negative_amounts": sum(amount < 0 for amount in amounts),
        "zero_amounts": sum(amount == 0 for amount in amounts),
        "bad_rows": sum(bool(row["rules"]) for row in rows),
        "broken_rules": Counter(rule for row in rows for rule in row["rules"]),
        "total_amount": f"{sum(amounts, Decimal('0.00'))}",
        "positive_total": f"{sum((amount for amount in amounts if amount > 0), Decimal('0.00'))}",
        "negative_total": f"{sum((amount for amount in amounts if amount < 0), Decimal('0.00'))}",
        "key_sum": sum(keys) % 10**16,
        "hash_total": sum(row["dms_id"] * int(Decimal(row["amount"]) * 100) for row in both) % 10**16,
        "first_at": instants[0],
        "last_at": instants[-1],
        "channels": item["channels"],
    }


@pytest.mark.parametrize("name", REJECTED)
def test_file_is_rejected__each_unreadable_file(name: str) -> None:
    assert [reason.code for reason in inspected(name).reasons] == GOLDENS[name]["reasons"]


@pytest.mark.parametrize("block_bytes", [7, 64, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", [name for name in READABLE if name.endswith(".csv") and FILES[name][:2] != b"\x1f\x8b"]
)
def test_rows_do_not_depend_on_the_blocks__each_csv_file(name: str, block_bytes: int) -> None:
    stream, wanted = io.BytesIO(FILES[name]), ("dms_id",)
    rows = CsvRows(stream, PLAIN, wanted, places=True, may_have_trailer=True, block_bytes=block_bytes)
    found = [record for frame in rows.frames() for record in frame.select("row", "line", "raw").iter_rows()]
    assert found == [(row["row"], row["line"], row["raw"]) for row in GOLDENS[name]["rows"]]


def test_channels_are_counted_without_broken_rows__corpus() -> None:
    kpis = inspected("many_rules.csv").kpis
    assert kpis is not None
    assert kpis.channels == {"swipe": 0, "chip": 3, "online": 0, "unknown": 2}


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("ctrl_z.csv", "2"), ("ctrl_z_behind_a_value.csv", "2"), ("nuls_behind_the_end.csv", "2"),
        ("empty_records_at_the_end.csv", "2"), ("sep_comma.csv", "1"),
    ],
)  # fmt: skip
def test_control_totals_are_proven__nothing_but_rows_counts(name: str, rows: str) -> None:
    found = inspected(name, {"row-count": rows, "total-amount": {"1": "1.00", "2": "3.00"}[rows]})
    assert found.reasons == []
    assert found.as_item()["control"]["proven"]


def test_names_of_columns_have_no_carriage_return__lines_end_in_two() -> None:
    assert inspected("doubled_carriage_returns.csv").format["columns"] == ["dms_id", "amount", "date", "note"]


def test_format_counts_what_the_text_way_must_know__odd_quotes_and_blank_lines() -> None:
    assert inspected("stray_quotes.csv").format["odd_quote_lines"] == 8
    assert inspected("blank_lines.csv").format["blank_lines_before_header"] == 2


def test_name_that_promises_another_kind_is_a_warning__content_decides() -> None:
    assert "The name promises Parquet, the content is CSV" in inspected("csv_by_content.parquet").warnings[0]
    assert inspected("quotes.csv").warnings[0].startswith("Absent columns")
