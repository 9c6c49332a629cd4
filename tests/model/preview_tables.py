"""Tables in the form of the contract in DuckDB, and items: as much of a lake and a ledger as previews ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
from contract.tables import GOLD_TABLES, SILVER_TABLES


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
