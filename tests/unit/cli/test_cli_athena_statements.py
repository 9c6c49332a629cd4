"""Statements in Athena: how tables are named, what ends a query, how its text becomes values, and what it costs."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from assay import athena
from assay.errors import UserError

DATABASES = {"silver": "dev_silver", "gold": "dev_gold"}
TABLES = {("silver", "transactions"), ("gold", "daily_totals")}
ID = "11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT 1 FROM gold.daily_totals", 'SELECT 1 FROM "dev_gold"."daily_totals"'),
        (
            'FROM "Gold" . "daily_totals",SILVER.Transactions t',
            'FROM "dev_gold"."daily_totals","dev_silver"."transactions" t',
        ),
        ("SELECT gold.daily_totals.channel", 'SELECT "dev_gold"."daily_totals".channel'),
        ("SELECT gold.channel FROM x AS gold", "SELECT gold.channel FROM x AS gold"),
        (
            "SELECT 'gold.daily_totals', 'it''s gold.daily_totals'",
            "SELECT 'gold.daily_totals', 'it''s gold.daily_totals'",
        ),
        ('SELECT 1 AS "in gold.daily_totals"', 'SELECT 1 AS "in gold.daily_totals"'),
        (
            "SELECT 1 -- gold.daily_totals\n/* gold.daily_totals */",
            "SELECT 1 -- gold.daily_totals\n/* gold.daily_totals */",
        ),
        ("SELECT x.gold.daily_totals, 1.5", "SELECT x.gold.daily_totals, 1.5"),
        ("SELECT gold.transactions", "SELECT gold.transactions"),
    ],
)
def test_with_databases_names_the_tables__nothing_else(statement: str, expected: str) -> None:
    assert athena.with_databases(statement, DATABASES, TABLES) == expected


@pytest.mark.parametrize(
    ("scanned", "dollars"),
    [(0, "0.00005"), (10_000_000, "0.00005"), (10_000_001, "0.000055"), (10**12, "5"), (2_500 * 10**9, "12.5")],
)
def test_cost_is_the_list_price__ten_megabytes_at_least(scanned: int, dollars: str) -> None:
    assert athena.cost(scanned) == Decimal(dollars)


class Stubbed:
    """A stack in AWS with two tables, whose Athena answers as the test says."""

    def __init__(self) -> None:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "eu-central-1"}
        clients = {name: boto3.client(name, **keys) for name in ("athena", "glue")}
        self.athena, self._glue = (Stubber(client) for client in clients.values())
        stack = SimpleNamespace(silver_database="dev_silver", gold_database="dev_gold", lake_bucket="dev-lake")
        self.target: Any = SimpleNamespace(is_local=False, stack=stack, **clients)
        for schema, name in sorted(TABLES, reverse=True):
            self._glue.add_response("get_tables", {"TableList": [{"Name": name}]}, {"DatabaseName": DATABASES[schema]})
        self._glue.activate()
        self.athena.activate()

    def starts(self, configuration: dict[str, Any] | None = None, location: str | None = None) -> None:
        group = {"WorkGroup": {"Name": "primary", "Configuration": configuration or {}}}
        self.athena.add_response("get_work_group", group, {"WorkGroup": "primary"})
        expected = {
            "QueryString": 'SELECT * FROM "dev_gold"."daily_totals"',
            "QueryExecutionContext": {"Catalog": "AwsDataCatalog", "Database": "dev_gold"},
            "WorkGroup": "primary",
        }
        if location:
            expected["ResultConfiguration"] = {"OutputLocation": location}
        self.athena.add_response("start_query_execution", {"QueryExecutionId": ID}, expected)

    def is_in(self, state: str, scanned: int = 0, **status: Any) -> None:
        execution = {"Status": {"State": state, **status}, "Statistics": {"DataScannedInBytes": scanned}}
        self.athena.add_response("get_query_execution", {"QueryExecution": execution}, {"QueryExecutionId": ID})

    def gives(self, columns: list[dict[str, Any]], *rows: tuple[str | None, ...], token: str | None = None) -> None:
        texts = [{"Data": [{"VarCharValue": text} if text is not None else {} for text in row]} for row in rows]
        found: dict[str, Any] = {"ResultSet": {"Rows": texts, "ResultSetMetadata": {"ColumnInfo": columns}}}
        self.athena.add_response("get_query_results", found | ({"NextToken": token} if token else {}))

    def ask(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (
            athena.ask(self.target, "SELECT * FROM gold.daily_totals", "primary").read_all().to_pylist()
        )
        return rows


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubbed]:
    monkeypatch.setattr(athena, "Event", lambda: SimpleNamespace(wait=lambda seconds: False))
    aws = Stubbed()
    yield aws
    aws.athena.assert_no_pending_responses()


N = [{"Name": "n", "Type": "bigint"}]
LAKE = "s3://dev-lake/staging/athena/"


def test_ask_gives_all_pages_and_the_cost__waited_for(aws: Stubbed, capsys: pytest.CaptureFixture[str]) -> None:
    aws.starts(location=LAKE)
    aws.is_in("QUEUED")
    aws.is_in("RUNNING")
    aws.is_in("SUCCEEDED", scanned=123_400_000)
    aws.gives(N, ("n",), ("1",), token="next")
    aws.gives(N, ("2",), (None,))

    assert aws.ask() == [{"n": 1}, {"n": 2}, {"n": None}]
    assert "Athena scanned 123.4 MB: about $0.00062" in capsys.readouterr().err


def test_ask_reads_texts_as_what_they_are__each_type(aws: Stubbed) -> None:
    columns = [
        {"Name": "amount", "Type": "decimal", "Precision": 38, "Scale": 2},
        {"Name": "at", "Type": "timestamp with time zone"},
        {"Name": "there", "Type": "timestamp with time zone"},
        {"Name": "offset", "Type": "timestamp with time zone"},
        {"Name": "local", "Type": "timestamp"},
        {"Name": "on", "Type": "date"},
        {"Name": "good", "Type": "boolean"},
        {"Name": "share", "Type": "double"},
        {"Name": "list", "Type": "array"},
    ]
    texts = (
        "9999999999999999.99",
        "2010-01-01 12:00:00.000000 UTC",
        "2010-01-01 12:00:00.000 Europe/Berlin",
        "2010-01-01 12:00:00.000 +01:30",
        "2010-01-01 12:00:00.123456",
        "2010-01-01",
        "true",
        "0.5",
        "[a, b]",
    )
    aws.starts(location=LAKE)
    aws.is_in("SUCCEEDED")
    aws.gives(columns, tuple(column["Name"] for column in columns), texts)

    [row] = aws.ask()

    assert list(row.values()) == [
        Decimal("9999999999999999.99"),
        datetime(2010, 1, 1, 12, tzinfo=UTC),
        datetime(2010, 1, 1, 11, tzinfo=UTC),
        datetime(2010, 1, 1, 10, 30, tzinfo=UTC),
        datetime(2010, 1, 1, 12, 0, 0, 123456),
        date(2010, 1, 1),
        True,
        "0.5",
        "[a, b]",
    ]


@pytest.mark.parametrize(
    "configuration",
    [
        {"ResultConfiguration": {"OutputLocation": "s3://results/"}},
        {"ManagedQueryResultsConfiguration": {"Enabled": True}},
    ],
)
def test_ask_leaves_the_place_to_the_work_group__it_has_one(aws: Stubbed, configuration: dict[str, Any]) -> None:
    aws.starts(configuration)
    aws.is_in("SUCCEEDED")
    aws.gives(N, ("n",))

    assert aws.ask() == []


@pytest.mark.parametrize(
    ("state", "status", "what", "do"),
    [
        (
            "FAILED",
            {"StateChangeReason": "COLUMN_NOT_FOUND: line 1:8: x"},
            "COLUMN_NOT_FOUND: line 1:8: x",
            "assay query",
        ),
        ("FAILED", {"AthenaError": {"ErrorMessage": "too busy", "Retryable": True}}, "too busy", "ask again"),
        ("FAILED", {}, "it gave no reason", "assay query"),
        ("CANCELLED", {"StateChangeReason": "by Anna"}, "stopped in Athena: by Anna", "ask again"),
    ],
)
def test_ask_says_what_athena_said__not_succeeded(
    aws: Stubbed, state: str, status: dict[str, Any], what: str, do: str
) -> None:
    aws.starts(location=LAKE)
    aws.is_in(state, **status)

    with pytest.raises(UserError) as raised:
        aws.ask()

    assert (what in raised.value.what, do in raised.value.do) == (True, True)


def test_ask_says_what_athena_said__refused(aws: Stubbed) -> None:
    aws.athena.add_client_error("get_work_group", "InvalidRequestException", "WorkGroup primary is not found.")

    with pytest.raises(UserError, match="WorkGroup primary is not found"):
        aws.ask()


def test_ask_stops_the_query__interrupted(aws: Stubbed, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(athena, "Event", lambda: SimpleNamespace(wait=interrupt))
    aws.starts(location=LAKE)
    aws.is_in("RUNNING")
    aws.athena.add_response("stop_query_execution", {}, {"QueryExecutionId": ID})

    with pytest.raises(KeyboardInterrupt):
        aws.ask()


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE gold.daily_totals",
        "INSERT INTO gold.daily_totals SELECT 1",
        "EXPLAIN ANALYZE DELETE FROM x",
        "",
        "SELECTED",
    ],
)
def test_ask_refuses__not_one_select(statement: str) -> None:
    with pytest.raises(UserError, match="only one SELECT"):
        athena.ask(Stubbed().target, statement, "primary")


@pytest.mark.parametrize(
    "statement", ["select 1", "-- why\n( WITH x AS (SELECT 1) SELECT * FROM x)", "/* a */SELECT 1"]
)
def test_a_select_is_known__however_written(statement: str) -> None:
    assert athena.A_SELECT.match(statement)


def test_ask_refuses__local_cloud() -> None:
    with pytest.raises(UserError, match="the local cloud has no Athena"):
        athena.ask(SimpleNamespace(is_local=True), "SELECT 1", "primary")  # type: ignore[arg-type]
