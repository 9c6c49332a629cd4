"""Two databases, compared row by row; the tables are made in DuckDB itself."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from assay import console
from assay.query import Lake
from assay.replay.comparison import SHOWN, TableComparison, compare, compare_totals
from assay.replay.report import Report, render

ORDER = "struct_pack(position := TIMESTAMPTZ '2020-01-01 00:00:00Z', \"row\" := {row})"
TRANSACTION = "SELECT {key} AS dms_id, {amount}::DECIMAL(18,2) AS amount, ['x'] AS errors, {order} AS row_order"


class MadeLake(Lake):
    """A lake whose tables are made in its DuckDB."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        for schema in ("silver", "gold", "replay_silver", "replay_gold"):
            connection.execute(f"CREATE SCHEMA {schema}")

    def make(self, table: str, *rows: str) -> None:
        self._connection.execute(f"CREATE OR REPLACE TABLE {table} AS {' UNION ALL '.join(rows)}")

    def tables(self) -> list[str]:
        found = self.rows("SELECT schema_name || '.' || table_name AS name FROM duckdb_tables() WHERE NOT temporary")
        return [row["name"] for row in found]

    def open(self, schema: str, name: str, snapshot_id: int | None = None) -> list[str]:
        return [row["column_name"] for row in self.rows(f"DESCRIBE {schema}.{name}")]


@pytest.fixture
def lake() -> Iterator[MadeLake]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield MadeLake(connection)


def transaction(key: int, amount: str = "1.00", *, row: int = 1) -> str:
    return TRANSACTION.format(key=key, amount=amount, order=ORDER.format(row=row))


def only(lake: MadeLake) -> TableComparison:
    [found] = compare(lake)
    return found


def columns(found: TableComparison) -> list[tuple[dict[str, Any], dict[str, tuple[Any, Any]]]]:
    return [(difference.key, difference.columns) for difference in found.first]


def test_compare_finds_equal__same_rows_in_another_order(lake: MadeLake) -> None:
    lake.make("silver.transactions", transaction(1), transaction(2, "-5.10"))
    lake.make("replay_silver.transactions", transaction(2, "-5.10"), transaction(1))

    assert only(lake) == TableComparison("silver.transactions", 2, 2, 0)


def test_compare_tells_the_columns_with_both_values__one_row_differs(lake: MadeLake) -> None:
    lake.make("silver.transactions", transaction(1), transaction(2, row=7))
    lake.make("replay_silver.transactions", transaction(1), transaction(2, "1.01", row=8))

    found = only(lake)

    [(key, differing)] = columns(found)
    assert (found.equal, found.differing_keys, key) == (False, 1, {"dms_id": 2})
    assert differing["amount"] == (Decimal("1.00"), Decimal("1.01"))
    assert [order["row"] for order in differing["row_order"]] == [7, 8]
    assert set(differing) == {"amount", "row_order"}


def test_compare_tells_how_often_a_key_is_there__missing_and_twice(lake: MadeLake) -> None:
    lake.make("silver.transactions", transaction(1), transaction(2))
    lake.make("replay_silver.transactions", transaction(2), transaction(2), transaction(3))

    found = only(lake)

    assert (found.production_rows, found.replay_rows) == (2, 3)
    assert columns(found) == [
        ({"dms_id": 1}, {"rows": (1, 0)}),
        ({"dms_id": 2}, {"rows": (1, 2)}),
        ({"dms_id": 3}, {"rows": (0, 1)}),
    ]


@pytest.mark.parametrize(
    ("table", "ignored"),
    [
        ("silver.transaction_history", ("outcome", "effect_amount", "run_seq")),
        ("silver.cards", ("outcome", "run_seq")),
        ("silver.users", ("outcome", "run_seq")),
        ("silver.mcc_codes", ("outcome", "run_seq")),
        ("silver.quarantine", ("run_seq",)),
        ("gold.dim_channel", ("run_seq",)),
    ],
)
def test_compare_passes_over_what_tells_of_a_run__and_over_nothing_else(
    lake: MadeLake, table: str, ignored: tuple[str, ...]
) -> None:
    names = ("outcome", "effect_amount", "run_seq", "line")
    row = "SELECT 'f' AS file_id, 1 AS row, 1 AS channel_key, " + ", ".join(f"{{{name}}} AS {name}" for name in names)
    same = dict.fromkeys(names, 1)
    for name in names:
        lake.make(table, row.format(**same))
        lake.make(f"replay_{table}", row.format(**(same | {name: 2})))

        assert only(lake).equal is (name in ignored), name


def test_compare_takes_a_missing_table_for_an_empty_one__either_side(lake: MadeLake) -> None:
    lake.make("silver.transactions", transaction(1))
    lake.make("replay_gold.dim_channel", "SELECT 5 AS channel_key, 'chip' AS channel LIMIT 0")

    found = compare(lake)

    assert [(each.table, each.production_rows, each.replay_rows, each.equal) for each in found] == [
        ("silver.transactions", 1, 0, False),
        ("gold.dim_channel", 0, 0, True),
    ]
    assert columns(found[0]) == [({"dms_id": 1}, {"rows": (1, 0)})]


def test_compare_tells_a_column_that_one_side_lacks__holding_values(lake: MadeLake) -> None:
    lake.make("gold.dim_channel", "SELECT 1 AS channel_key, 'chip' AS channel")
    lake.make("replay_gold.dim_channel", "SELECT 1 AS channel_key, 'chip' AS channel, 'new' AS colour")

    assert columns(only(lake)) == [({"channel_key": 1}, {"colour": (None, "new")})]


def test_compare_tells_nulls_from_values__key_and_column(lake: MadeLake) -> None:
    row = "SELECT {}::BIGINT AS month, 1 AS client_key, {}::BIGINT AS row_count"
    lake.make("gold.monthly_client_totals", row.format("NULL", 1))
    lake.make("replay_gold.monthly_client_totals", row.format("NULL", "NULL"))

    assert columns(only(lake)) == [({"month": None, "client_key": 1}, {"row_count": (1, None)})]


def test_compare_compares_whole_rows__table_of_gold_that_is_not_known(lake: MadeLake) -> None:
    lake.make("gold.new_table", "SELECT 1 AS a, 2 AS b", "SELECT 1 AS a, 3 AS b")
    lake.make("replay_gold.new_table", "SELECT 1 AS a, 3 AS b", "SELECT 1 AS a, 2 AS b")
    assert only(lake).equal

    lake.make("replay_gold.new_table", "SELECT 1 AS a, 3 AS b", "SELECT 1 AS a, 4 AS b")
    assert only(lake).differing_keys == 2


def test_compare_leaves_out__effects(lake: MadeLake) -> None:
    lake.make("silver.transaction_effects", "SELECT 1 AS run_seq")

    assert compare(lake) == []


def test_compare_shows_the_first_keys_and_counts_all__many_differ(lake: MadeLake) -> None:
    lake.make("silver.transactions", *(transaction(key) for key in range(25)))
    lake.make("replay_silver.transactions", *(transaction(key, "2.00") for key in range(25)))

    found = only(lake)

    assert (found.differing_keys, [each.key["dms_id"] for each in found.first]) == (25, list(range(SHOWN)))


def layers(**silver: Any) -> dict[str, Any]:
    published = {"row_count": 2, "total_amount": "10.00", "run_seq": 1}
    return {"silver": {"published": published | silver}, "gold": {"published": published}}


def test_compare_totals_ignores_numbers_of_runs__equal() -> None:
    assert all(total.equal for total in compare_totals(layers(), layers(run_seq=9)))


@pytest.mark.parametrize("figure", ["row_count", "total_amount", "floor", "loads"])
def test_compare_totals_tells_the_figure__differs(figure: str) -> None:
    found = compare_totals(layers(), layers(**{figure: "other"}))

    assert [total.what for total in found if not total.equal] == [f"silver: {figure}"]


def report(lake: MadeLake, **more: Any) -> Report:
    parts = {
        "silver_run": 4,
        "gold_run": 3,
        "seed": 7,
        "files": 3,
        "totals": compare_totals(layers(), layers()),
        "lost": [],
    }
    return Report(**{**parts, "tables": compare(lake), **more})


def test_report_agrees_only__tables_totals_and_files_do(lake: MadeLake) -> None:
    lake.make("silver.transactions", transaction(1))
    lake.make("replay_silver.transactions", transaction(1))
    lost = {"key": "a.csv", "status": "accepted"}

    assert report(lake).agrees
    assert not report(lake, lost=[lost]).agrees
    assert not report(lake, totals=compare_totals(layers(), layers(row_count=3))).agrees
    lake.make("replay_silver.transactions", transaction(1, "2.00"))
    assert not report(lake).agrees


def test_report_counts_the_loads__unless_they_differ(lake: MadeLake, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = layers(loads={"the marker": "2026"}), layers(loads={"the marker": "2027"})

    console.out().print(render(report(lake, totals=compare_totals(one, one))))
    equal = capsys.readouterr().out
    console.out().print(render(report(lake, totals=compare_totals(one, other))))
    differing = capsys.readouterr().out

    assert ("1 in all" in equal, "the marker" in equal) == (True, False)
    assert '{"the marker": "2027"}' in differing


def test_report_shows_keys_columns_and_lost_files__as_text_and_json(
    lake: MadeLake, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.make("silver.transactions", transaction(1))
    lake.make("replay_silver.transactions", transaction(1, "2.00"))
    failed = {"stage": "silver", "reason": "page is damaged", "attempts": 1, "at": "x"}
    found = report(lake, lost=[{"key": "a.csv", "status": "accepted", "failed": failed}])

    console.out().print(render(found))
    shown = capsys.readouterr().out
    console.print_json(found.as_json())
    told = json.loads(capsys.readouterr().out)

    assert "silver.transactions dms_id 1: amount 1.00 ≠ 2.00" in shown
    assert "not replayed: a.csv: in silver: page is damaged" in shown
    [table] = told["tables"]
    assert table["differences"] == [
        {"key": {"dms_id": 1}, "columns": {"amount": {"production": "1.00", "replay": "2.00"}}}
    ]
    assert (told["agrees"], told["seed"], told["not_replayed"][0]["key"]) == (False, 7, "a.csv")
    assert (told["silver_run"], told["gold_run"]) == (4, 3)
