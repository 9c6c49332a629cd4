"""Files that people really have, where they lie beside the project: read to the cent, or refused by what they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from admission import Inspection
from contract.companions import is_companion
from judging.kpis import money_text
from kpi_rows import inspected_file

CASES = Path(__file__).parents[3] / "../shared/cases"
WRITTEN_AT = datetime(2026, 11, 1, tzinfo=UTC)
READ = {
    "amounts/dot_thousands.csv": (6, "862.99"),
    "amounts/excel_accounting.csv": (6, "164.25"),
    "amounts/unicode_minus.csv": (5, "-145.00"),
    "companions/athena/athena.csv": (3, "36.06"),
    "companions/spark_out/part-00000-1f2e.c000.csv": (3, "36.06"),
    "dates/ampm.csv": (6, "81.21"),
    "dates/postgres_timestamptz.csv": (6, "81.21"),
    "dms/future_commit/z_later.csv": (2, "23.00"),
    "dms/sql_server/LOAD00000002.csv": (4, "50.10"),
    "nulls/pandas_nan.csv": (4, "50.10"),
    "order/excel_rounded_ids.csv": (5, "150.00"),
    "order/load_by_name/1_first/daily_0305.csv": (2, "15.00"),
    "order/load_by_name/2_second/LOAD20240306.csv": (2, "27.00"),
    "order/same_second/1_first/z_original.csv": (1, "10.00"),
    "order/same_second/2_second/a_correction.csv": (1, "12.00"),
    "parquet/all_null_column.parquet": (6, "81.21"),
    "parquet/latin1_note.parquet": (6, "81.21"),
    "shape/ctrl_z.csv": (3, "36.06"),
    "shape/excel_empty_rows.csv": (3, "36.06"),
    "shape/python_windows.csv": (4, "50.10"),
    "shape/python_windows_note.csv": (4, "66.26"),
    "shape/sep_comma.csv": (3, "36.06"),
    "shape/sep_semicolon.csv": (1, "1.00"),
    "shape/trailing_comma_rows.csv": (4, "50.10"),
    "shape/two_boms.csv": (3, "36.06"),
}
REFUSED = {
    "dms/created_at/changes_10.csv": "ambiguous_dialect",
    "dms/created_at/changes_9.csv": "ambiguous_dialect",
    "dms/pipe/LOAD00000001.csv": "ambiguous_dialect",
    "shape/customer_ids.csv": "card_security_codes",
    "dates/uk_dates.csv": "day_first_dates",
    "dates/uk_dates_mostly_late.csv": "day_first_dates",
    "shape/semicolon.csv": "decimal_commas",
    "parquet/latin1_city.parquet": "not_utf8",
    "shape/utf16_excel.txt": "not_utf8",
    "shape/utf16_no_bom.csv": "not_utf8",
    "amounts/float_noise.csv": "too_many_bad_rows",
    "dates/excel_serials.csv": "too_many_bad_rows",
    "dms/future_commit/future_commit.csv": "too_many_bad_rows",
    "nulls/redshift_null.csv": "too_many_bad_rows",
    "shape/excel_text_formula.csv": "too_many_bad_rows",
    "shape/space_after_comma.csv": "too_many_bad_rows",
    "parquet/brotli.parquet": "unreadable_parquet",
    "parquet/checksum.parquet": "unreadable_parquet",
    "parquet/damaged_bytes_column.parquet": "unreadable_parquet",
    "parquet/nation.dict-malformed.parquet": "unreadable_parquet",
    "parquet/unusual_unknown_types.parquet": "unsupported_column_type",
    "containers/export.csv": "unsupported_format",
    "containers/export.tar.gz": "unsupported_format",
    "containers/export_plain_header.tar.gz": "unsupported_format",
    "containers/firehose-1-2024-03-05-10-00-00-abc": "unsupported_format",
    "containers/firehose_no_newline.json": "unsupported_format",
    "containers/march.csv.lz4": "unsupported_format",
    "containers/march.csv.zst": "unsupported_format",
    "containers/march.xlsx": "unsupported_format",
    "containers/march_as.csv": "unsupported_format",
    "containers/s3_error.csv": "unsupported_format",
    "containers/twice.csv.gz": "unsupported_format",
    "parquet/encrypt_columns_and_footer.parquet.encrypted": "unsupported_format",
    "parquet/encrypt_columns_plaintext_footer.parquet.encrypted": "unsupported_format",
}
WARNED = {
    "amounts/dot_thousands.csv": "with three digits behind a single point",
    "nulls/pandas_nan.csv": "if that means null",
    "order/excel_rounded_ids.csv": "repeat an id",
    "order/load_by_name/2_second/LOAD20240306.csv": "no full load",
}
"""Read as they are, and not in silence."""
BESIDE = {
    "companions/athena/athena.csv.metadata",
    "companions/athena/manifest",
    "companions/spark_out/.part-00000-1f2e.c000.csv.crc",
    "companions/spark_out/_SUCCESS",
    "companions/spark_out/_committed_123",
    "companions/spark_out/_started_123",
}

pytestmark = pytest.mark.skipif(
    not CASES.exists(), reason="the files that people really have are not beside the project"
)


def inspected(name: str) -> Inspection:
    body = (CASES / name).read_bytes()
    return inspected_file(
        body, key=f"transactions/{name}", last_modified_at=WRITTEN_AT + timedelta(days=1), maximum_bad_share="0.5"
    )


def test_each_file_has_its_end__none_is_left_out() -> None:
    files = {path.relative_to(CASES).as_posix() for path in CASES.rglob("*") if path.is_file()} - {"README.md"}
    assert files == {*READ, *REFUSED, *BESIDE}
    assert {name for name in files if is_companion(f"transactions/{name}")} == BESIDE


@pytest.mark.parametrize("name", READ)
def test_file_is_read__to_the_row_and_the_cent(name: str) -> None:
    found = inspected(name)
    assert found.reasons == []
    assert found.kpis is not None
    assert (found.kpis.row_count, money_text(found.kpis.total_cents)) == READ[name]


@pytest.mark.parametrize("name", REFUSED)
def test_file_is_refused__by_its_name(name: str) -> None:
    assert inspected(name).reasons[0].code == REFUSED[name]


@pytest.mark.parametrize("name", WARNED)
def test_file_is_read_with_a_warning__where_it_may_mean_something_else(name: str) -> None:
    assert any(WARNED[name] in warning for warning in inspected(name).warnings)
