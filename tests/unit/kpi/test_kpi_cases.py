"""Files that people really have, where they lie beside the project: read to the cent, or refused by what they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from admission import Inspection
from cases import BESIDE, CASES, READ, REFUSED
from contract.companions import is_companion
from judging.kpis import money_text
from kpi_rows import inspected_file

WRITTEN_AT = datetime(2026, 11, 1, tzinfo=UTC)
WARNED = {
    "amounts/dot_thousands.csv": "with three digits behind a single point",
    "nulls/pandas_nan.csv": "if that means null",
    "order/excel_rounded_ids.csv": "repeat an id",
    "order/load_by_name/2_second/LOAD20240306.csv": "no full load",
}
"""Read as they are, and not in silence."""
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
