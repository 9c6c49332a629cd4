"""What a load's declaration says, and which objects are files of a load."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from assay.errors import UserError
from assay.load.declare import Declaration, LoadFile, folder_of, is_load_file, refuse_future

START = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("prefix", "folder"),
    [
        ("full", "transactions/full/"),
        ("/full/eu/", "transactions/full/eu/"),
        ("transactions/full", "transactions/full/"),
        ("transactions", "transactions/"),
        ("", "transactions/"),
        ("transactions_old", "transactions/transactions_old/"),
    ],
)
def test_folder_of_lies_below_transactions__any_form(prefix: str, folder: str) -> None:
    assert folder_of(prefix) == folder


@pytest.mark.parametrize(
    ("key", "is_one"),
    [
        ("transactions/full/LOAD00000001.csv", True),
        ("transactions/LOAD0000000A.csv.gz", True),
        ("transactions/eu_part_LOAD00000001.parquet", True),
        ("transactions/LOAD00000001.csv.control.json", False),
        ("transactions/LOAD0000001.csv", False),
        ("transactions/LOAD00000001/other.csv", False),
        ("transactions/xLOAD00000001.csv", False),
        ("transactions/20260101-000000001.csv", False),
    ],
)
def test_is_load_file_goes_by_the_last_part__key(key: str, is_one: bool) -> None:
    assert is_load_file(key) is is_one


def test_declaration_has_the_form_of_the_contract__two_files() -> None:
    files = [LoadFile(f"transactions/ä/LOAD0000000{n}.csv", f"v{n}", 10, START) for n in (1, 2)]

    written = Declaration("full", START.astimezone(UTC), files).as_bytes()

    assert "ä".encode() in written
    assert json.loads(written) == {
        "load": "full",
        "start": "2026-11-22T06:00:00.000000Z",
        "files": [
            {"key": "transactions/ä/LOAD00000001.csv", "version": "v1"},
            {"key": "transactions/ä/LOAD00000002.csv", "version": "v2"},
        ],
    }


def test_refuse_future_stops__load_begins_later_than_now() -> None:
    refuse_future(START, START)

    with pytest.raises(UserError, match="lies in the future"):
        refuse_future(START + timedelta(seconds=1), START)
