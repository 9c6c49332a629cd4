"""The preview computes from the tables what the run will do: over DuckDB, with tables in the form of the contract."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from preview_tables import Items, Tables

from assay.undo.preview import Preview, preview

RIGHT, WRONG, MARKER = "a" * 64, "b" * 64, "c" * 64
SILVER = {"run_seq": 4}


def file(file_id: str, *, in_effect: bool = True, key: str = "transactions/x.csv") -> dict[str, Any]:
    return {"file_id": file_id, "key": key, "in_effect": in_effect, "subject": "transactions"}


@pytest.fixture
def tables() -> Tables:
    return Tables()


def seen(tables: Tables, decided: dict[str, Any], *others: dict[str, Any], **silver: Any) -> Preview:
    found: Any = tables, Items(decided, *others), SILVER | silver
    return preview(*found, 4, decided)


def test_preview_gives_keys_back_to_the_rows_before__wrong_file_undone(tables: Tables) -> None:
    for key, amount in ((1, "10.00"), (2, "20.00"), (3, "30.00")):
        tables.add(RIGHT, key, amount, 1)
    for key, amount in ((1, "100.00"), (3, "30.00"), (4, "40.00")):
        tables.add(WRONG, key, amount, 2)
        tables.hold(WRONG, key, amount)
    tables.hold(RIGHT, 2, "20.00")
    found = seen(tables, file(WRONG), file(RIGHT, key="transactions/right.csv"))
    assert (found.changes, found.unchanged) == ({"updated": 1, "deleted": 1}, 1)
    assert found.after - found.before == Decimal("-130.00")
    assert found.givers == [("transactions/right.csv", 1)]
    assert [(row["dms_id"], row["before"], row["after"]) for row in found.movements] == [
        (1, Decimal("100.00"), Decimal("10.00")),
        (4, Decimal("40.00"), None),
    ]
    (group,) = found.groups
    assert (group["rows_before"], group["rows_after"]) == (5, 4)
    assert (group["before"], group["after"]) == (Decimal("100.00"), Decimal("-30.00"))


def test_preview_lets_newer_values_stay__file_redone(tables: Tables) -> None:
    tables.add(WRONG, 1, "100.00", 2)
    tables.add(WRONG, 2, "200.00", 2)
    tables.add(RIGHT, 1, "10.00", 3)
    tables.hold(RIGHT, 1, "10.00")
    decision = f"(2, '{WRONG}', false, 'ann', TIMESTAMP '2024-03-04', '')"
    tables.rows(f"INSERT INTO silver.decisions VALUES {decision}")
    found = seen(tables, file(WRONG, in_effect=False), file(RIGHT))
    assert (found.changes, found.unchanged) == ({"inserted": 1}, 1)
    assert found.after - found.before == Decimal("200.00")


def test_preview_brings_back_what_a_reload_had_deleted__its_marker_undone(tables: Tables) -> None:
    tables.add(RIGHT, 1, "10.00", 1)
    tables.add(WRONG, 2, "20.00", 2, load=True)
    tables.hold(WRONG, 2, "20.00")
    start = "2024-03-02T00:00:00.000000Z"
    marker = file(MARKER) | {"load": {"files": [WRONG], "start_at": start}}
    found = seen(tables, marker, file(RIGHT), file(WRONG), loads={MARKER: start})
    assert (found.changes, found.unchanged, found.all_keys) == ({"inserted": 1}, 0, True)
    again = seen(tables, marker | {"in_effect": False}, file(RIGHT), file(WRONG), incomplete_loads={MARKER: start})
    assert (again.changes, again.all_keys) == ({}, True)


REPAIR, NEWER = "d" * 64, "e" * 64


def test_preview_takes_repairs_along__their_original_undone(tables: Tables) -> None:
    tables.add(WRONG, 1, "10.00", 2)
    tables.add(RIGHT, 2, "2.00", 1)
    tables.add(REPAIR, 2, "20.00", 2, row=7, repairs=WRONG, at=1)
    tables.hold(WRONG, 1, "10.00")
    tables.hold(REPAIR, 2, "20.00")
    found = seen(tables, file(WRONG), file(RIGHT))
    assert (found.changes, found.unchanged) == ({"deleted": 1, "updated": 1}, 0)
    assert found.after - found.before == Decimal("-28.00")


def test_preview_brings_back_an_older_repair__the_newest_of_the_row_undone(tables: Tables) -> None:
    tables.add(REPAIR, 2, "20.00", 2, row=7, repairs=WRONG, at=1)
    tables.add(NEWER, 3, "30.00", 2, row=7, repairs=WRONG, at=2)
    tables.hold(NEWER, 3, "30.00")
    found = seen(tables, file(NEWER), file(WRONG), file(REPAIR))
    assert found.changes == {"deleted": 1, "inserted": 1}
    assert found.after - found.before == Decimal("-10.00")
    tables.rows(f"INSERT INTO silver.decisions VALUES (2, '{REPAIR}', false, 'ann', TIMESTAMP '2024-03-04', '')")
    again = seen(tables, file(NEWER), file(WRONG), file(REPAIR, in_effect=False))
    assert again.changes == {"deleted": 1}
