"""The preview computes from the tables what the run will do: over DuckDB, with tables in the form of the contract."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from contract.tables import GOLD_TABLES, SILVER_TABLES

from assay.undo.preview import Preview, preview

RIGHT, WRONG, MARKER = "a" * 64, "b" * 64, "c" * 64
SILVER = {"run_seq": 4}


class Tables:
    """As much of a lake as a preview asks for."""

    def __init__(self) -> None:
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'")
        for schema, tables in (("silver", SILVER_TABLES), ("gold", GOLD_TABLES)):
            self._connection.execute(f"CREATE SCHEMA {schema}")
            for name, table in tables.items():
                columns = ", ".join(f'"{column}" {_in_duckdb(kind)}' for column, kind in table.schema.items())
                self._connection.execute(f"CREATE TABLE {schema}.{name} ({columns})")

    def tables(self) -> list[str]:
        return ["silver.decisions"]

    def open(self, schema: str, name: str) -> list[str]:
        """Give the columns of a table; every one is there."""
        return list((SILVER_TABLES if schema == "silver" else GOLD_TABLES)[name].schema)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        relation = self._connection.sql(statement, params=list(values))
        return relation.to_arrow_table().to_pylist() if relation is not None else []

    def add(
        self,
        file_id: str,
        key: int,
        amount: str,
        day: int,
        *,
        op: str = "I",
        load: bool = False,
        row: int | None = None,
        repairs: str | None = None,
        at: int = 0,
    ) -> None:
        """Add a row of a file: of an instant in March, or of a full load; or of a repair, itself of a day of April."""
        own = (
            f"{{'file_id': '{repairs}', 'instant': TIMESTAMP '2024-04-{at:02}', 'object_key': 'r', 'sequencer': '1', "
            f"'version_id': 'v', 'row': {key}}}"
            if repairs
            else "NULL"
        )
        begins = "1800-01-01" if load else f"2024-03-{day:02}"
        order = (
            f"{{'position': TIMESTAMP '{begins}', 'phase': {int(not load)}, 'instant': TIMESTAMP '2024-03-{day:02}', "
            f"'object_key': '{(repairs or file_id)[0]}', 'sequencer': '1', 'version_id': 'v', 'row': {row or key}, "
            f"'repair': {own}}}"
        )
        given = {"dms_id": key, "amount": amount, "transacted_at": "TIMESTAMP '2024-01-02'", "channel": "'chip'"}
        given |= {"row_order": order, "file_id": f"'{file_id}'", "row": key, "op": f"'{op}'"}
        given |= {"repairs": f"'{repairs}'"} if repairs else {}
        self.rows(_insert("silver.transaction_history", given))

    def hold(self, file_id: str, key: int, amount: str) -> None:
        """Add a row to what Silver and Gold hold."""
        given = {"dms_id": key, "amount": amount, "transacted_at": "TIMESTAMP '2024-01-02'", "channel": "'chip'"}
        self.rows(_insert("silver.transactions", given | {"file_id": f"'{file_id}'"}))
        day = {"transacted_on": "DATE '2024-01-02'", "channel": "'chip'", "row_count": 5, "total_amount": "100.00"}
        if not self.rows("FROM gold.daily_totals"):
            self.rows(_insert("gold.daily_totals", day))


class Items:
    """As much of a ledger as a preview asks for."""

    def __init__(self, *items: dict[str, Any]) -> None:
        self._items = {item["file_id"]: item for item in items}

    def get(self, file_ids: Any) -> dict[str, dict[str, Any]]:
        return {file_id: self._items[file_id] for file_id in file_ids if file_id in self._items}


def _in_duckdb(kind: str) -> str:
    named = kind.replace("string", "VARCHAR").replace("array<VARCHAR>", "VARCHAR[]").replace(": ", " ")
    return named.replace("struct<", "STRUCT(").replace(">", ")")


def _insert(table: str, given: dict[str, Any]) -> str:
    return f"INSERT INTO {table} ({', '.join(given)}) VALUES ({', '.join(map(str, given.values()))})"


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
