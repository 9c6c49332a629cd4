"""Which tables a statement reads, found by DuckDB's own parser."""

from collections.abc import Iterator

import duckdb
import pytest

from assay.errors import UserError
from assay.query import tables_in


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


@pytest.mark.parametrize(
    ("statement", "tables"),
    [
        ("SELECT 1", set()),
        ("FROM gold.a", {("gold", "a")}),
        ("SELECT * FROM Gold.A x JOIN SILVER.b USING (k)", {("gold", "a"), ("silver", "b")}),
        ("WITH a AS (SELECT * FROM silver.b) SELECT * FROM a", {("silver", "b")}),
        ("SELECT (SELECT max(x) FROM gold.c) FROM 'file.csv'", {("gold", "c")}),
        ("SELECT 1 FROM gold.a UNION ALL SELECT 2 FROM gold.b", {("gold", "a"), ("gold", "b")}),
        ("DESCRIBE silver.a", {("silver", "a")}),
    ],
)
def test_tables_in_finds_them__anywhere(
    connection: duckdb.DuckDBPyConnection, statement: str, tables: set[tuple[str, str]]
) -> None:
    assert tables_in(connection, statement) == tables


@pytest.mark.parametrize(
    "statement", ["DROP TABLE gold.t", "SELECT 1; SELECT 2", "SELCT 1", "", "INSERT INTO gold.t VALUES (1)"]
)
def test_tables_in_refuses__not_one_select(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    with pytest.raises(UserError):
        tables_in(connection, statement)
