"""What a statement reads: tables and columns, found by DuckDB's own parser."""

from collections.abc import Iterator

import duckdb
import pytest

from assay.errors import UserError
from assay.query import needed_columns, read_of

COLUMNS = ["dms_id", "amount", "channel", "row_order"]


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
def test_read_of_finds_the_tables__anywhere(
    connection: duckdb.DuckDBPyConnection, statement: str, tables: set[tuple[str, str]]
) -> None:
    assert read_of(connection, statement).tables == tables


@pytest.mark.parametrize(
    ("statement", "columns"),
    [
        ("SELECT sum(Amount) FROM gold.t", ["amount"]),
        ("SELECT count(*) FROM gold.t", ["dms_id"]),
        ("SELECT x.row_order.position FROM gold.t x WHERE channel = 'chip'", ["channel", "row_order"]),
        ("SELECT 1 FROM gold.t JOIN silver.u USING (dms_id)", ["dms_id"]),
        ("SELECT * FROM gold.t", COLUMNS),
        ("SELECT t FROM gold.t", COLUMNS),
        ("SELECT x FROM gold.t x", COLUMNS),
        ("SELECT 1 FROM gold.t NATURAL JOIN silver.u", COLUMNS),
        ("SELECT b FROM gold.t AS x(a, b)", COLUMNS),
        ("SELECT columns('a.*') FROM gold.t", COLUMNS),
        ("SUMMARIZE gold.t", COLUMNS),
        ("SELECT #2 FROM gold.t", COLUMNS),
        ("SELECT dms_id FROM gold.t ORDER BY #1", COLUMNS),
        ("SELECT 1 FROM gold.t PIVOT (sum(amount) FOR channel IN ('chip'))", COLUMNS),
        ("SELECT gold.t FROM gold.t", COLUMNS),
    ],
)
def test_read_of_keeps_the_needed_columns__all_when_unsure(
    connection: duckdb.DuckDBPyConnection, statement: str, columns: list[str]
) -> None:
    assert needed_columns(COLUMNS, read_of(connection, statement).words) == columns


@pytest.mark.parametrize(
    "statement", ["DROP TABLE gold.t", "SELECT 1; SELECT 2", "SELCT 1", "", "INSERT INTO gold.t VALUES (1)"]
)
def test_read_of_refuses__not_one_select(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    with pytest.raises(UserError):
        read_of(connection, statement)
