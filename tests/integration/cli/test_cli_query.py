"""Queries over small Iceberg tables: exact, and clear when they cannot be asked."""

import csv
import io
import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import boto3
import duckdb
import pytest
from deployed_stack import DeployedStack

from assay import query as query_module
from assay.errors import UserError

LARGEST = Decimal("9999999999999999.99")
NOON = datetime(2010, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def lake(shared_stack: DeployedStack) -> DeployedStack:
    shared_stack.write("silver.transactions", (1, LARGEST, 'a "b",\nc', NOON), (2, LARGEST, None, NOON))
    shared_stack.write("gold.daily_totals", (date(2010, 1, 1), "chip", 1, Decimal("1234.50")))
    shared_stack.write("gold.fact_transactions")
    return shared_stack


def query(lake: DeployedStack, statement: str, form: str = "json") -> Any:
    result = lake.assay("query", statement, "--format", form)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout) if form == "json" else result.stdout


def test_query_is_exact_to_the_cent__json(lake: DeployedStack) -> None:
    answer = query(lake, "SELECT count(*) AS n, sum(dms_id) AS ids, sum(amount) AS total FROM silver.transactions")

    assert answer == [{"n": 2, "ids": 3, "total": "19999999999999999.98"}]


def test_query_is_exact_to_the_cent__csv(lake: DeployedStack) -> None:
    answer = query(lake, "FROM silver.transactions ORDER BY dms_id", "csv")

    assert list(csv.reader(io.StringIO(answer))) == [
        ["dms_id", "amount", "channel", "transacted_at"],
        ["1", "9999999999999999.99", 'a "b",\nc', "2010-01-01T12:00:00.000000Z"],
        ["2", "9999999999999999.99", "", "2010-01-01T12:00:00.000000Z"],
    ]


def test_query_keeps_columns_apart__of_one_name(lake: DeployedStack) -> None:
    statement = (
        "SELECT dms_id, amount, -amount AS amount, 1 AS amount_1, 2 AS n FROM silver.transactions ORDER BY 1 LIMIT 1"
    )

    answer = query(lake, statement)
    lines = list(csv.reader(io.StringIO(query(lake, statement, "csv"))))

    assert answer == [{"dms_id": 1, "amount": str(LARGEST), "amount_1": f"-{LARGEST}", "amount_1_1": 1, "n": 2}]
    assert lines == [list(answer[0]), ["1", str(LARGEST), f"-{LARGEST}", "1", "2"]]


def test_query_shows_a_table__for_people(lake: DeployedStack) -> None:
    answer = query(lake, "SELECT channel, total_amount FROM gold.daily_totals ORDER BY 1", "table")

    assert ["chip", "1,234.50"] in [line.split() for line in answer.splitlines()]


def test_query_joins_layers__several_tables(lake: DeployedStack) -> None:
    answer = query(
        lake,
        "SELECT count(*) AS n FROM silver.transactions t JOIN gold.daily_totals d ON d.total_amount < t.amount",
    )

    assert answer == [{"n": 2}]


def test_query_reads_instants_in_utc__any_time_zone(lake: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")

    assert query(lake, "SELECT DISTINCT hour(transacted_at) AS h FROM silver.transactions") == [{"h": 12}]


def test_query_keeps_duckdbs_progress_bar_out_of_its_answer__slow_statement(lake: DeployedStack) -> None:
    assert query(lake, "SELECT current_setting('enable_progress_bar') AS bar") == [{"bar": False}]


def test_query_gives_an_empty_array__no_rows(lake: DeployedStack) -> None:
    assert query(lake, "SELECT * FROM gold.fact_transactions") == []


def test_query_lists_the_tables__no_statement(lake: DeployedStack) -> None:
    assert "gold.daily_totals\n" in lake.assay("query").stdout


def test_query_lists_the_tables__as_sql_does_or_for_programs(lake: DeployedStack) -> None:
    tables = [
        {"schema": "gold", "table": "daily_totals"},
        {"schema": "gold", "table": "fact_transactions"},
        {"schema": "gold", "table": "transactions_flat"},
        {"schema": "silver", "table": "transactions"},
    ]

    assert query(lake, "SHOW TABLES") == tables
    assert query(lake, "SHOW TABLES FROM silver") == tables[3:]
    assert json.loads(lake.assay("query", "--json").stdout) == tables


def test_query_describes_a_table__with_or_without_its_schema(lake: DeployedStack) -> None:
    described = query(lake, "DESCRIBE gold.daily_totals")

    assert described == query(lake, "DESCRIBE daily_totals")
    assert described[0] == {"column": "transacted_on", "type": "DATE", "comment": ""}


def test_query_finds_tables_without_their_schema__in_any_place(lake: DeployedStack) -> None:
    statement = """WITH best AS (SELECT max(total_amount) AS most FROM daily_totals)
        SELECT channel FROM Daily_Totals JOIN best ON most = total_amount"""

    assert query(lake, statement) == [{"channel": "chip"}]


WIDE = "SELECT 'x' AS a, repeat('w', 70) AS b, 1234.50::DECIMAL(9, 2) AS c, {'d': 1, 'long': [1, 2]} AS e"
AS_RECORD = [
    ["a", "x"],
    ["b", "w" * 70],
    ["c", "1,234.50"],
    ["e", "d", "1"],
    ["long", "[1,", "2]"],
]


def test_query_turns_vertical__result_wider_than_the_screen(
    lake: DeployedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert [line.split() for line in query(lake, WIDE, "table").splitlines()] == AS_RECORD

    monkeypatch.setenv("COLUMNS", "120")
    assert query(lake, WIDE, "table").splitlines()[0].split() == ["a", "b", "c", "e"]


def test_query_turns_vertical__asked_to(lake: DeployedStack) -> None:
    assert [line.split() for line in lake.assay("query", WIDE, "-x").stdout.splitlines()] == AS_RECORD


def test_query_folds_structs__no_room_for_them(lake: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")

    lines = query(lake, "SELECT 1 AS n, {'alpha': 'one', 'beta': 'two', 'gamma': 'three'} AS s", "table").splitlines()

    assert lines[2].strip().split(maxsplit=1) == ["1", '{"alpha": "one", "beta": "two",…']


def test_query_counts_positions_over_all_columns__ordinals(lake: DeployedStack) -> None:
    answer = query(lake, "SELECT #2 AS amount, #3 AS channel FROM silver.transactions WHERE dms_id = 2")

    assert answer == [{"amount": str(LARGEST), "channel": None}]


@pytest.mark.parametrize(
    "source",
    [
        "read_text('{file}')",
        "read_blob('{file}')",
        "read_csv('{file}')",
        "read_json('{file}')",
        "read_parquet('{file}')",
        "sniff_csv('{file}')",
        "glob('{file}')",
        "query('FROM read_text(''{file}'')')",
        "duckdb_secrets()",
        "'{file}'",
        "'https://example.com/a.parquet'",
        "'s3://bucket/a.parquet'",
        "read_parquet('https://example.com/a.parquet')",
    ],
)
def test_query_reads_the_tables_alone__each_way_out(lake: DeployedStack, source: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("secret\nhidden\n")

    result = lake.assay("query", f"SELECT * FROM {source.format(file=secret)}")

    assert result.exit_code == 2
    assert "hidden" not in result.output
    assert "no file, no address and no extension" in result.stderr or "list the tables" in result.stderr


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (SELECT 1) TO '{file}'",
        "ATTACH '{file}'",
        "EXPORT DATABASE '{file}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA enable_external_access",
        "CREATE SECRET (TYPE s3)",
        "SELECT 1; COPY (SELECT 1) TO '{file}'",
    ],
)
def test_query_changes_nothing_outside__statements_that_are_no_select(
    lake: DeployedStack, statement: str, tmp_path: Path
) -> None:
    file = tmp_path / "out"

    result = lake.assay("query", statement.format(file=file))

    assert (result.exit_code, file.exists()) == (2, False)


class Forgetful:
    """A connection that forgets the first interruptions, as DuckDB does with those before it has begun."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, forgets: int) -> None:
        self._connection, self._forgets = connection, forgets
        self.asked = Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def sql(self, statement: str) -> duckdb.DuckDBPyRelation:
        self.asked.set()
        return self._connection.sql(statement)

    def interrupt(self) -> None:
        self._forgets -= 1
        if self._forgets < 0:
            self._connection.interrupt()
        else:
            os.kill(os.getpid(), signal.SIGINT)  # nothing has happened, so somebody presses it again


@pytest.fixture
def _ctrl_c_interrupts() -> Iterator[None]:
    """A shell lets what it starts in the background ignore Ctrl-C, and the tests with it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("forgets", [0, 2])
@pytest.mark.usefixtures("_ctrl_c_interrupts")
def test_query_ends_at_ctrl_c__statement_computes_for_hours(forgets: int) -> None:
    session = boto3.Session(region_name="us-east-1")
    target = SimpleNamespace(session=session, is_local=False, endpoint=None, glue=session.client("glue"))
    endless = "SELECT count(*) FROM range(10_000_000) a, range(10_000_000) b WHERE a.range % 7 < b.range % 5"

    with query_module.lake(target, {"gold": "gold"}) as opened, ThreadPoolExecutor(1) as pool:
        connection = Forgetful(opened._connection, forgets)
        opened._connection = connection  # type: ignore[assignment]
        pool.submit(_press_ctrl_c, connection.asked)
        with pytest.raises(KeyboardInterrupt):
            opened.ask(endless).read_all()


def _press_ctrl_c(asked: Event) -> None:
    if asked.wait(60):
        os.kill(os.getpid(), signal.SIGINT)


def test_query_shows_whole_numbers_whole__keys_with_the_check_digit_of_a_card(lake: DeployedStack) -> None:
    assert "-4111111111111111" in query(lake, "SELECT -4111111111111111 AS key, '4111111111111111' AS said", "table")
    assert "************1111" in query(lake, "SELECT '4111111111111111' AS said", "table")


def test_query_says_that_a_table_waits_for_a_run__contract_got_it_since(
    lake: DeployedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_module, "snapshots_of", lambda cut: {"gold": {}})

    result = lake.assay("query", "FROM gold.transactions_flat")

    assert (result.exit_code, "Traceback" in result.output) == (2, False)
    assert "there is no gold.dim_date yet: the next run that publishes makes it" in result.stderr


def test_query_says_that_a_view_waits_for_a_run__contract_got_a_column_since(monkeypatch: pytest.MonkeyPatch) -> None:
    session = boto3.Session(region_name="us-east-1")
    target = SimpleNamespace(session=session, is_local=False, endpoint=None, glue=session.client("glue"))

    with query_module.lake(target, {"gold": "gold"}) as opened:
        older = "CREATE OR REPLACE TABLE {}.{} AS SELECT 1 AS dms_id"
        monkeypatch.setattr(opened, "open", lambda *name: opened.rows(older.format(*name)))
        with pytest.raises(UserError, match="transactions_flat cannot be read yet"):
            opened.ask("FROM gold.transactions_flat")


@pytest.mark.parametrize("statement", ["LOAD httpfs", "INSTALL httpfs", "SET enable_external_access = true"])
def test_lake_is_closed_itself__whatever_reaches_it(statement: str) -> None:
    target = SimpleNamespace(session=boto3.Session(region_name="us-east-1"), is_local=False, endpoint=None, glue=None)

    with query_module.lake(target, {"gold": "gold"}) as opened, pytest.raises(duckdb.Error):
        opened.rows(statement)


def test_query_shows_what_would_act_on_a_terminal__cells(lake: DeployedStack) -> None:
    answer = query(lake, "SELECT 'a' || chr(27) || '[31m[red]' || chr(10) || 'b' AS cell", "table")

    assert "a<U+001B>[31m[red]<U+000A>b" in answer


def test_query_makes_no_formula_of_text__excel_safe(lake: DeployedStack) -> None:
    statement = "SELECT unnest(['=1+1', '+1', '-1', '@x', chr(9) || 'x', 'a=1']) AS \"=text\", -1.50 AS number"

    plain = list(csv.reader(io.StringIO(query(lake, statement, "csv"))))
    safe = list(csv.reader(io.StringIO(lake.assay("query", statement, "--format", "csv", "--excel-safe").stdout)))

    assert plain[0] == ["=text", "number"]
    assert safe[0] == ["'=text", "number"]
    assert [cell for cell, _ in safe[1:]] == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "a=1"]
    assert {number for _, number in safe[1:]} == {"-1.50"}


def test_query_refuses_excel_safe__not_csv(lake: DeployedStack) -> None:
    result = lake.assay("query", "SELECT 1", "--excel-safe")

    assert (result.exit_code, "--format csv" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("SELECT * FROM gold.nothing", "there is no table gold.nothing"),
        ("SELECT * FROM daily_total", "did you mean gold.daily_totals?"),
        (
            "SELECT totl_amount FROM gold.daily_totals",
            "did you mean total_amount or row_count? gold.daily_totals has transacted_on, ",
        ),
        ("DELETE FROM gold.daily_totals", "only one SELECT"),
        ("SELECT CASE WHEN i < 5000 THEN '1' ELSE 'x' END::INT FROM range(10000) r(i)", "Could not convert"),
        ("SELECT * FROM silver.transactions WHERE amount = 'x'", "check the values"),
    ],
)
def test_query_ends_without_traceback__cannot_be_asked(lake: DeployedStack, statement: str, words: str) -> None:
    result = lake.assay("query", statement)

    assert (result.exit_code, words in result.stderr) == (2, True)
    assert "Traceback" not in result.output
