"""The preview of a repair computes from the tables what its run will do."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from preview_tables import Items, Tables

from assay.quarantine.fixing import Corrected
from assay.quarantine.preview import Preview, preview

ORIGINAL, MARKER = "a" * 64, "c" * 64
NAMES = ("dms_id", "amount", "date", "use_chip", "zip", "merchant_city", "errors", "mcc", "op")


def original(*, is_full_load: bool = False, **changed: Any) -> dict[str, Any]:
    shape = {"kind": "csv", "places": {name: place for place, name in enumerate(NAMES)}, "is_full_load": is_full_load}
    item = {"file_id": ORIGINAL, "subject": "transactions", "key": "m", "format": shape, "sequencer": "1"}
    return {**item, "version_id": "v", "last_modified_at": "2024-03-05T00:00:00.000000Z", **changed}


def seen(tables: Tables, *rows: dict[str, str], item: dict[str, Any] | None = None, **silver: Any) -> Preview:
    usual = dict.fromkeys(NAMES, "") | {"date": "2024-01-02", "use_chip": "chip", "op": "I"}
    file = item or original()
    repair = Corrected(file, [{**usual, "row": str(number), **row} for number, row in enumerate(rows, 1)])
    ledger: Any = Items(file, {"file_id": MARKER, "load": silver.pop("load", {"files": [], "start_at": ""})})
    lake: Any = tables
    return preview(lake, ledger, silver, 4, [repair])


def held(tables: Tables, key: int, amount: str, day: int) -> None:
    """Let a key live with the order of a day in March."""
    tables.hold("b" * 64, key, amount)
    order = f"TIMESTAMP '2024-03-{day:02}'"
    place = (
        f"{{'position': {order}, 'phase': 1, 'instant': {order}, 'object_key': 'k', 'sequencer': '1', 'version_id': "
    )
    tables.rows(
        f"UPDATE silver.transactions SET row_order = {place}'v', 'row': 1, 'repair': NULL}} WHERE dms_id = {key}"
    )


@pytest.fixture
def tables() -> Tables:
    return Tables()


def counted(found: Preview) -> dict[str, tuple[int, str]]:
    return {outcome: (rows, str(amount)) for outcome, (rows, amount) in found.outcomes.items()}


def test_preview_tells_what_becomes_of_rows__where_the_key_has_moved_on(tables: Tables) -> None:
    held(tables, 1, "10.00", 1)
    held(tables, 2, "20.00", 9)  # newer than the file
    held(tables, 3, "30.00", 1)
    held(tables, 4, "40.00", 1)
    rows = [("1", "11.00"), ("2", "22.00"), ("3", "30.00"), ("5", "50.00"), ("5", "55.00")]
    found = seen(
        tables, *({"dms_id": key, "amount": amount} for key, amount in rows), {"dms_id": "4", "amount": "", "op": "D"}
    )
    assert counted(found) == {
        "updated": (1, "11.00"),
        "stale": (1, "22.00"),
        "unchanged": (1, "30.00"),
        "superseded": (1, "50.00"),
        "inserted": (1, "55.00"),
        "deleted": (1, "0.00"),
    }
    assert found.effect == Decimal("16.00")
    assert [(row["dms_id"], row["after"]) for row in found.movements] == [
        (5, Decimal("55.00")),
        (4, None),
        (1, Decimal("11.00")),
    ]
    (group,) = found.groups
    assert (group["rows_before"], group["rows_after"], group["after"]) == (5, 5, Decimal("116.00"))


@pytest.mark.parametrize(
    "changed",
    [{"zip": "501"}, {"merchant_city": "Lynn"}, {"errors": "Bad PIN"}, {"mcc": "742"}, {"use_chip": "online"}, {}],
)
def test_preview_compares_every_value__one_differs(tables: Tables, changed: dict[str, str]) -> None:
    held(tables, 1, "10.00", 1)
    found = seen(tables, {"dms_id": "1", "amount": "10.00", **changed})
    assert list(found.outcomes) == ["updated" if changed else "unchanged"]


def test_preview_sees_the_floor__file_of_a_load(tables: Tables) -> None:
    start = "2024-03-02T00:00:00.000000Z"
    marker = {"files": [ORIGINAL], "start_at": start}
    row = {"dms_id": "1", "amount": "10.00"}
    loads = {MARKER: start}
    found = seen(tables, row, item=original(is_full_load=True), loads=loads, load=marker)
    assert list(found.outcomes) == ["inserted"]
    left = seen(tables, row, item=original(is_full_load=True), loads=loads, load={**marker, "files": []})
    assert list(left.outcomes) == ["stale"]


def test_preview_sees_a_tombstone__the_key_was_deleted_since(tables: Tables) -> None:
    order = "TIMESTAMP '2024-03-09'"
    place = (
        f"{{'position': {order}, 'phase': 1, 'instant': {order}, 'object_key': 'k', 'sequencer': '1', 'version_id': "
    )
    tables.rows(f"INSERT INTO silver.tombstones (dms_id, row_order) VALUES (1, {place}'v', 'row': 1, 'repair': NULL}})")
    assert list(seen(tables, {"dms_id": "1", "amount": "10.00"}).outcomes) == ["stale"]
