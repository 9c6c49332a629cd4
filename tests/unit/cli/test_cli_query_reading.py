"""What a statement names, found by DuckDB's own parser, and what is said of names that are not there."""

from collections.abc import Iterator

import duckdb
import pytest

from assay.errors import UserError
from assay.query import SCHEMAS
from assay.query_names import Asked, explained, read, unknown_table


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
def test_read_finds_the_tables__anywhere(
    connection: duckdb.DuckDBPyConnection, statement: str, tables: set[tuple[str, str]]
) -> None:
    assert read(connection, statement, SCHEMAS).tables == tables


@pytest.mark.parametrize(
    ("statement", "bare"),
    [
        ("FROM daily_totals", {"daily_totals"}),
        ("WITH a AS (FROM B), c AS (FROM a) SELECT * FROM c JOIN d USING (k)", {"b", "d"}),
        ("DESCRIBE daily_totals", {"daily_totals"}),
        ("SHOW daily_totals", {"daily_totals"}),
    ],
)
def test_names_without_a_schema_are_found__but_those_of_the_statement_itself(
    connection: duckdb.DuckDBPyConnection, statement: str, bare: set[str]
) -> None:
    assert read(connection, statement, SCHEMAS).bare == bare


@pytest.mark.parametrize(
    ("statement", "asked"),
    [
        ("show tables", Asked(frozenset(), lists_tables=True)),
        ("SHOW TABLES FROM Gold;", Asked(frozenset(), lists_tables=True, schema="gold")),
        ("SHOW gold.a", Asked(frozenset({("gold", "a")}), describes=True)),
        ("DESCRIBE gold.a", Asked(frozenset({("gold", "a")}), describes=True)),
        ("DESCRIBE SELECT 1 AS x FROM gold.a", Asked(frozenset({("gold", "a")}))),
    ],
)
def test_statement_asks_for_tables_or_columns__show_and_describe(
    connection: duckdb.DuckDBPyConnection, statement: str, asked: Asked
) -> None:
    assert read(connection, statement, SCHEMAS) == asked


KNOWN = ("gold.daily_totals", "gold.dim_card", "silver.cards", "silver.transactions")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("gold.dayly_totals", "did you mean gold.daily_totals? "),
        ("transaction", "did you mean silver.transactions? "),
        ("zzz", ""),
    ],
)
def test_unknown_table_is_answered_with_the_nearest__and_all(name: str, hint: str) -> None:
    error = unknown_table(name, KNOWN)
    assert (error.what, error.do) == (f"there is no table {name}", f"{hint}there are {', '.join(KNOWN)}")


@pytest.mark.parametrize(
    "statement", ["SELECT amuont FROM t", "SELECT x.amuont FROM t x", "SELECT sum(amuont) FROM t GROUP BY day"]
)
def test_unknown_column_is_answered_with_the_nearest__and_all_of_its_table(
    connection: duckdb.DuckDBPyConnection, statement: str
) -> None:
    connection.execute("CREATE TABLE t (day DATE, amount DECIMAL(18, 2))")
    with pytest.raises(duckdb.Error) as told:
        connection.sql(statement)
    error = explained(str(told.value), {"gold.t": ["day", "amount"]})
    assert error is not None
    assert error.what == "there is no column amuont"
    assert error.do == "did you mean amount? gold.t has day, amount"


@pytest.mark.parametrize(
    "statement", ["DROP TABLE gold.t", "SELECT 1; SELECT 2", "SELCT 1", "", "INSERT INTO gold.t VALUES (1)"]
)
def test_read_refuses__not_one_select(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    with pytest.raises(UserError):
        read(connection, statement, SCHEMAS)
