"""What a query reads of a table: the files, row groups and columns that it needs, and no row that is deleted."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deployed_stack import TABLES, DeployedStack, identifier_of
from pyiceberg.io.pyarrow import PyArrowFile
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
from pyiceberg.table import Table
from pyiceberg.typedef import Record
from pyiceberg.types import DecimalType, LongType, StringType

FIRST = date(2020, 1, 1)
DAYS = 4
ROWS_A_DAY = 60_000
FOOTER = 65_536  # what Arrow reads of the end of a file, to begin with
FACTS = pa.schema(TABLES["gold.fact_transactions"])
FACTS_ID = identifier_of("gold.fact_transactions")
DELETED = ((0, 7), (2, 0), (2, 59_999), (3, 1_234))  # day and position in its file
DELETES = pa.schema(
    [
        pa.field("file_path", pa.string(), nullable=False, metadata={"PARQUET:field_id": "2147483546"}),
        pa.field("pos", pa.int64(), nullable=False, metadata={"PARQUET:field_id": "2147483545"}),
    ]
)


def facts(day: int) -> pa.Table:
    """Make a day of facts; they have a negative amount and a channel that is null here and there."""
    ids = range(day * ROWS_A_DAY, (day + 1) * ROWS_A_DAY)
    columns = {
        "dms_id": list(ids),
        "amount": [Decimal((id_ * 7919) % 100_000 - 500).scaleb(-2) for id_ in ids],
        "channel_key": [None if id_ % 11 == 0 else id_ % 4 for id_ in ids],
        "transacted_on": [FIRST + timedelta(days=day)] * ROWS_A_DAY,
    }
    return pa.table(columns, schema=FACTS)


def delete(table: Table, positions: dict[str, list[int]], *, declared_required: bool) -> None:
    """Commit one file with the deletes in all data files, as the jobs do: some by Spark, some by the driver."""
    path = f"{table.location()}/data/{len(table.snapshots())}-deletes.parquet"
    pairs = sorted((file, position) for file, found in positions.items() for position in found)
    with table.io.new_output(path).create() as stream:
        schema = pa.schema([each.with_nullable(not declared_required) for each in DELETES])
        pq.write_table(pa.Table.from_pylist([{"file_path": f, "pos": p} for f, p in pairs], schema), stream)
    deletes = DataFile.from_args(
        content=DataFileContent.POSITION_DELETES,
        file_path=path,
        file_format=FileFormat.PARQUET,
        partition=Record(),
        record_count=len(pairs),
        file_size_in_bytes=len(table.io.new_input(path)),
    )
    deletes.spec_id = table.spec().spec_id
    with table.transaction() as transaction, transaction.update_snapshot().fast_append() as commit:
        commit.append_data_file(deletes)


@pytest.fixture(scope="module")
def lake(shared_stack: DeployedStack) -> DeployedStack:
    """A table with a file a day, in row groups of 10,000, and a small one."""
    table = shared_stack.catalog.create_table(FACTS_ID, FACTS, properties={"write.parquet.row-group-limit": "10000"})
    paths = []
    for day in range(DAYS):
        table.append(facts(day))
        paths.append(
            next(task.file.file_path for task in table.scan().plan_files() if task.file.file_path not in paths)
        )
    for half, required in ((DELETED[::2], True), (DELETED[1::2], False)):
        places = {paths[day]: [position for other, position in half if other == day] for day, _ in half}
        delete(table, places, declared_required=required)
    shared_stack.write("gold.dim_channel", (0, "swipe"), (1, "chip"), (2, "online"))
    return shared_stack


@pytest.fixture(scope="module")
def oracle() -> Iterator[duckdb.DuckDBPyConnection]:
    """The same rows in DuckDB itself."""
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA gold")
        dead = {day * ROWS_A_DAY + position for day, position in DELETED}
        every = pa.concat_tables(facts(day) for day in range(DAYS))
        incoming = every.filter(pa.array(id_.as_py() not in dead for id_ in every["dms_id"]))
        connection.register("incoming", incoming)
        connection.execute("CREATE TABLE gold.fact_transactions AS FROM incoming")
        connection.execute("CREATE TABLE gold.dim_channel (channel_key BIGINT, channel VARCHAR)")
        connection.execute("INSERT INTO gold.dim_channel VALUES (0, 'swipe'), (1, 'chip'), (2, 'online')")
        yield connection


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the bytes that are read of each data file."""
    counted: Counter[str] = Counter()
    open_file = PyArrowFile.open

    class Counting:
        def __init__(self, name: str, source: Any) -> None:
            self._name, self._source = name, source

        def read(self, size: int = -1) -> bytes:
            found = self._source.read(size)
            counted[self._name] += len(found)
            return bytes(found)

        def __getattr__(self, name: str) -> Any:
            if name == "read_buffer":  # Arrow would rather call it than `read`
                raise AttributeError(name)
            return getattr(self._source, name)

    def opened(self: PyArrowFile, seekable: bool = True) -> Any:
        source = open_file(self, seekable)
        name = PurePosixPath(self.location).name
        return pa.PythonFile(Counting(name, source)) if "/data/" in self.location else source

    monkeypatch.setattr(PyArrowFile, "open", opened)
    return counted


def ask(lake: DeployedStack, statement: str) -> Any:
    result = lake.assay("query", statement, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def data_bytes(read: Counter[str]) -> dict[str, int]:
    return {name: size for name, size in read.items() if not name.endswith("-deletes.parquet")}


def test_query_reads_the_files_and_columns_that_it_needs__one_day(lake: DeployedStack, read: Counter[str]) -> None:
    files = [task.file for task in lake.catalog.load_table(FACTS_ID).scan().plan_files()]

    ask(lake, "SELECT sum(channel_key) AS total FROM gold.fact_transactions WHERE transacted_on = '2020-01-03'")

    [(name, size)] = data_bytes(read).items()
    [file] = [file for file in files if file.file_path.endswith(name)]
    assert file.column_sizes is not None
    assert size <= file.column_sizes[3] + file.column_sizes[4] + FOOTER
    assert size < sum(file.file_size_in_bytes for file in files) / 10


def test_query_reads_the_row_groups_that_it_needs__few_rows_of_a_file(lake: DeployedStack, read: Counter[str]) -> None:
    ask(lake, "SELECT * FROM gold.fact_transactions WHERE dms_id BETWEEN 120001 AND 120003")

    [(name, size)] = data_bytes(read).items()
    [whole] = [
        task.file.file_size_in_bytes
        for task in lake.catalog.load_table(FACTS_ID).scan().plan_files()
        if task.file.file_path.endswith(name)
    ]
    assert size - FOOTER < whole / 4


def test_query_opens_no_more_files__limit_reached(lake: DeployedStack, read: Counter[str]) -> None:
    assert len(ask(lake, "SELECT dms_id FROM gold.fact_transactions LIMIT 3")) == 3
    assert len(data_bytes(read)) < DAYS


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT count(*) AS n FROM gold.fact_transactions",
        "SELECT count(*) AS n, sum(amount) AS total FROM gold.fact_transactions WHERE transacted_on = '2020-01-03'",
        "FROM gold.fact_transactions WHERE dms_id IN (7, 8, 119999, 120000, 181234, 99999999)",
        "FROM gold.fact_transactions WHERE dms_id IN (6, 7, 8, NULL)",
        "SELECT count(*) AS n FROM gold.fact_transactions WHERE dms_id NOT IN (6, 7, 8)",
        "SELECT count(*) AS n FROM gold.fact_transactions WHERE channel_key <> 2",
        "SELECT count(*) AS n FROM gold.fact_transactions WHERE channel_key IS NULL OR amount < -4",
        "SELECT count(*) AS n FROM gold.fact_transactions WHERE NOT (channel_key = 1 AND amount > 100.5)",
        "SELECT count(*) AS n FROM gold.fact_transactions WHERE channel_key IS DISTINCT FROM 3",
        "SELECT count(*) AS n FROM gold.fact_transactions WHERE amount BETWEEN -0.005 AND 0.105",
        "SELECT count(*) AS n FROM gold.fact_transactions WHERE amount > 1e20 OR dms_id > 239998",
        "SELECT transacted_on, count(*) AS n FROM gold.fact_transactions WHERE month(transacted_on) = 1 GROUP BY ALL",
        "SELECT count(*) AS n FROM gold.fact_transactions WHERE transacted_on > DATE '2020-01-04' + 0 * dms_id::INT",
        (
            "SELECT channel, count(*) AS n, sum(amount) AS total FROM gold.fact_transactions f "
            "LEFT JOIN gold.dim_channel c ON c.channel_key = f.channel_key AND c.channel = 'chip' "
            "WHERE f.transacted_on >= '2020-01-04' GROUP BY ALL"
        ),
        (
            "SELECT channel, n FROM gold.dim_channel LEFT JOIN (SELECT channel_key, count(*) AS n "
            "FROM gold.fact_transactions WHERE dms_id < 100 GROUP BY ALL) USING (channel_key)"
        ),
        (
            "SELECT a.dms_id FROM gold.fact_transactions a "
            "JOIN gold.fact_transactions b ON b.dms_id = a.dms_id + 60000 "
            "WHERE a.transacted_on = '2020-01-02' AND b.amount > 999"
        ),
        (
            "WITH day AS (SELECT max(transacted_on) AS newest FROM gold.fact_transactions), "
            "facts AS (SELECT * FROM gold.fact_transactions WHERE amount > 900) "
            "SELECT x.newest, count(*) AS n FROM facts AS f, day AS x WHERE f.transacted_on = x.newest GROUP BY ALL"
        ),
        (
            "SELECT dms_id FROM gold.fact_transactions o WHERE amount = (SELECT max(i.amount) FROM "
            "gold.fact_transactions i WHERE i.transacted_on = o.transacted_on)"
        ),
        (
            "SELECT c.channel FROM gold.dim_channel c WHERE NOT EXISTS (FROM gold.fact_transactions f "
            "WHERE f.channel_key = c.channel_key AND f.dms_id < 3)"
        ),
        "SELECT dms_id, row_number() OVER (ORDER BY amount, dms_id) AS r FROM gold.fact_transactions QUALIFY r <= 3",
        (
            "SELECT 1 AS part, count(*) AS n FROM gold.fact_transactions WHERE dms_id < 10 "
            "UNION ALL SELECT 2, count(*) FROM gold.fact_transactions WHERE dms_id >= 239990"
        ),
        "SELECT b FROM gold.dim_channel AS x(a, b) WHERE a = 1",
        "SELECT f FROM gold.dim_channel f WHERE channel LIKE '%ip%'",
        "SELECT #2 AS amount FROM gold.fact_transactions WHERE dms_id = 60001",
    ],
)
def test_query_gives_what_duckdb_gives__files_ruled_out_and_rows_deleted(
    lake: DeployedStack, oracle: duckdb.DuckDBPyConnection, statement: str
) -> None:
    expected = oracle.sql(statement).fetchall()

    answer = ask(lake, statement)

    texts = sorted(json.dumps(list(row.values())) for row in answer)
    assert texts == sorted(json.dumps(list(row), default=str) for row in expected)


def test_query_reads_old_files_as_the_table_is_now__columns_changed_since(lake: DeployedStack) -> None:
    nested = pa.struct([("a", pa.int32())])
    columns = pa.schema([("n", pa.int32()), ("x", pa.string()), ("y", pa.list_(pa.string())), ("s", nested)])
    table = lake.catalog.create_table(identifier_of("gold.changed"), columns)
    table.append(pa.table({"n": [1, 2], "x": ["one", None], "y": [["a"], None], "s": [{"a": 1}, None]}, columns))
    with table.update_schema() as update:
        update.update_column("n", LongType())
        update.add_column("z", DecimalType(18, 2))
        update.add_column(("s", "b"), StringType())
    statement = "SELECT n, x, y, s.a, s.b, z FROM gold.changed WHERE n < 2 OR s.b IS NULL AND z IS NULL ORDER BY n"
    before = ask(lake, statement)
    with table.update_schema(allow_incompatible_changes=True) as update:
        update.rename_column("x", "was_x")
        update.delete_column("y")
    with table.update_schema() as update:
        update.add_column("y", StringType())
    after = ask(lake, "SELECT n, was_x, y FROM gold.changed WHERE was_x IS NULL OR was_x = 'one' ORDER BY n")

    assert before == [
        {"n": 1, "x": "one", "y": ["a"], "a": 1, "b": None, "z": None},
        {"n": 2, "x": None, "y": None, "a": None, "b": None, "z": None},
    ]
    assert after == [{"n": 1, "was_x": "one", "y": None}, {"n": 2, "was_x": None, "y": None}]
