"""No binary floating point touches money: not in the code, not in a table's schema."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from contract.sql_types import MONEY, TOTAL
from contract.tables import TABLES
from float_walk import IN_SQL, floats_in

ROOT = Path(__file__).parents[3]
FOLDERS = ("assay", "devcloud", "functions/kpi", "glue/lake", "glue/reading", "glue/scripts")
WAITING = "seconds of waiting"
INTEGRAL = "pandas writes integers with nulls as floating point; ids only, and only where the value is whole"
ALLOWED = {
    ("assay/sending.py", "upload_files"): WAITING,
    ("assay/cli.py", "try_stack"): WAITING,
    ("assay/cli.py", "VALUES"): "the names of kinds of values, which help texts replace",
    ("assay/smoke.py", "smoke"): WAITING,
    ("devcloud/demo/play.py", "POLL_S"): WAITING,
    ("assay/watch.py", "follow"): WAITING,
    ("devcloud/local/awslambda.py", "RETRY_SECONDS"): WAITING,
    ("devcloud/local/job_run.py", "Order"): WAITING,
    ("devcloud/local/jvm.py", "_POLL_SECONDS"): WAITING,
    ("devcloud/local/lifecycle.py", "_END_SECONDS"): WAITING,
    ("devcloud/local/lifecycle.py", "_POLL_SECONDS"): WAITING,
    ("devcloud/local/lifecycle.py", "_await_end"): WAITING,
    ("devcloud/local/server.py", "_LOCK_PAUSE_SECONDS"): WAITING,
    ("devcloud/local/server.py", "_PARENT_POLL_SECONDS"): WAITING,
    ("devcloud/local/session_process.py", "SessionOrder"): WAITING,
    ("devcloud/local/session_process.py", "await_change"): WAITING,
    ("devcloud/local/stepfunctions.py", "_POLL_SECONDS"): WAITING,
    ("assay/watch.py", "line"): "seconds that have passed",
    ("assay/watch.py", "seconds"): "seconds that have passed",
    ("assay/watch.py", "wait"): WAITING,
    ("assay/kafka/bridge.py", "Bridge"): WAITING,
    ("assay/kafka/cli.py", "kafka"): WAITING,
    ("assay/kafka/consumer.py", "ANSWER_S"): WAITING,
    ("assay/kafka/consumer.py", "PATIENCE_S"): WAITING,
    ("assay/kafka/consumer.py", "_patiently"): WAITING,
    ("assay/kafka/consumer.py", "feed"): WAITING,
    ("assay/kafka/running.py", "POLL_S"): WAITING,
    ("assay/kafka/running.py", "run"): WAITING,
    ("assay/kafka/view.py", "View"): "records a second",
    ("assay/kafka/view.py", "WINDOW_S"): "records a second",
    ("assay/kafka/view.py", "rate"): "records a second",
    ("devcloud/demo/topic.py", "TIMEOUT_S"): WAITING,
    ("devcloud/demo/topic.py", "_tell_rate"): WAITING,
    ("devcloud/demo/topic.py", "_POLL_S"): WAITING,
    ("devcloud/kafka/broker.py", "LIMIT_S"): WAITING,
    ("devcloud/kafka/broker.py", "_POLL_S"): WAITING,
    ("functions/kpi/reading/parquet.py", "_integral_text"): INTEGRAL,
    ("glue/reading/parquet.py", "parquet_text"): INTEGRAL,
    ("glue/scripts/silver.py", "parquet_text"): INTEGRAL,
}
SOURCES = sorted(str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


@cache
def floats_of(path: str) -> list[tuple[str, int, str]]:
    return list(floats_in((ROOT / path).read_text()))


@pytest.mark.parametrize("path", SOURCES)
def test_source_has_no_float__outside_the_allowed_places(path: str) -> None:
    found = floats_of(path)
    assert [(name, line, what) for name, line, what in found if (path, name) not in ALLOWED] == []


def test_allowed_places_all_exist__none_is_left_over() -> None:
    used = {(path, name) for path in SOURCES for name, _, _ in floats_of(path)}
    assert set(ALLOWED) - used == set()


@pytest.mark.parametrize(
    "source",
    [
        "total = 0.0",
        "def add(amount):\n    return float(amount)",
        "def add(amount: float) -> None: ...",
        "x = pl.col('amount').cast(pl.Float64)",
        "x = F.col('amount').cast('double')",
        "x = F.col('amount').cast(T.DoubleType())",
        "x = spark.sql('SELECT cast(amount AS FLOAT) FROM t')",
        "x = f'{total_cents / 100:.2f}'",
        "x = table.amount.astype('float')",
        "x = np.float64(3)",
        "x = {'amount': 'double'}",
    ],
)
def test_walk_finds_a_float__put_into_a_source(source: str) -> None:
    assert list(floats_in(source))


@pytest.mark.parametrize(
    "source", ['"""A float is never used."""', "x = Decimal('0.10')", "x = cents // 100", "x = folder / name", "x = 1"]
)
def test_walk_finds_nothing__in_exact_sources(source: str) -> None:
    assert list(floats_in(source)) == []


@pytest.mark.parametrize("name", TABLES)
def test_tables_hold_money_as_decimal__every_column_of_money(name: str) -> None:
    columns = TABLES[name].column_list
    assert not IN_SQL.search(columns)
    for column, kind in re.findall(r"(\w*amount):? (\w+(?:\([0-9,]+\))?)", columns):
        wide = {"total_amount": "decimal(38,2)", "effect_amount": "decimal(19,2)"}
        assert kind == wide.get(column, "decimal(18,2)")


def test_money_types_are_decimals__of_cents() -> None:
    assert (MONEY, TOTAL) == ("decimal(18,2)", "decimal(38,2)")
