"""SQL over the published tables: DuckDB reads what pyiceberg gives it, deletes applied, only the columns needed."""

import json
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.io.pyarrow import ArrowScan, schema_to_pyarrow
from pyiceberg.table import DataScan, Table

from assay.errors import NothingPublishedError, UserError, first_line
from assay.target import Target

SCHEMAS = ("silver", "gold")
HINT = "list the tables there are: assay query"
TABLES_ONLY = "a query reads the published tables alone: no file, no address and no extension"
CLOSED = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
"""Statements may come from anywhere: what they could read or load beside the tables is closed."""
_OF_EVERY_COLUMN = {"STAR", "SHOW_REF", "POSITIONAL_REFERENCE", "PIVOT"}
"""Parts of a statement that may mean columns which they do not name: `#2` is the second one of the table."""


@dataclass(frozen=True)
class Reading:
    """What a statement reads: tables (schema, name), and every word of it that may name a column."""

    tables: frozenset[tuple[str, str]]
    words: frozenset[str] | None  # None: all columns


@contextmanager
def lake(target: Target, databases: Mapping[str, str] | None = None) -> Iterator["Lake"]:
    """Open the tables of a stack for questions; what is read of them is kept on disk until the end.

    The databases (schema in statements to name in the catalog) are the two layers, if no others are named.
    """
    databases = databases or dict(zip(SCHEMAS, _databases(target), strict=True))
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        connection = duckdb.connect(str(Path(folder) / "lake.duckdb"), config={**CLOSED})
        try:
            connection.execute("SET TimeZone = 'UTC'")
            # DuckDB draws it on stdout, where JSON or CSV is to go, as soon as a statement takes two seconds.
            connection.execute("SET enable_progress_bar = false")
            connection.execute("SET lock_configuration = true")
            for schema in databases:
                connection.execute(f"CREATE SCHEMA {schema}")
            yield Lake(connection, _catalog(target), databases)
        finally:
            connection.close()


class Lake:
    """A DuckDB connection in which the stack's tables appear as statements name them."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, catalog: GlueCatalog, databases: Mapping[str, str]
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self._databases = databases

    def ask(self, statement: str) -> pa.RecordBatchReader:
        """Run one SELECT, and give its result as a stream."""
        reading = read_of(self._connection, statement, self._databases)
        for schema, name in sorted(reading.tables):
            self.load(schema, name, reading.words)
        try:
            return self._connection.sql(statement).to_arrow_reader()
        except duckdb.PermissionException as error:
            raise UserError(first_line(error), TABLES_ONLY) from None
        except duckdb.Error as error:
            raise UserError(first_line(error), HINT) from None

    def one(self, statement: str) -> dict[str, Any]:
        """Run a SELECT that gives one row."""
        row: dict[str, Any] = self.ask(statement).read_all().to_pylist()[0]
        return row

    def tables(self) -> list[str]:
        """Name all tables there are."""
        try:
            return sorted(
                f"{schema}.{identifier[-1]}"
                for schema, database in self._databases.items()
                for identifier in self._catalog.list_tables(database)
            )
        except NoSuchNamespaceError as error:
            raise UserError(first_line(error), "is the stack complete? deploy it again: assay deploy") from None

    def summary(self, schema: str, name: str) -> dict[str, str]:
        """Return what Iceberg says of a table's published snapshot, in the words of its specification."""
        snapshot = self._table(schema, name).current_snapshot()
        return dict(snapshot.summary.additional_properties) if snapshot and snapshot.summary else {}

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Run a statement on what has been loaded before; `?` in it stand for the values."""
        relation = self._connection.sql(statement, params=list(values))
        # A statement that asks nothing gives no relation.
        found: list[dict[str, Any]] = relation.to_arrow_table().to_pylist() if relation is not None else []
        return found

    def load(
        self, schema: str, name: str, words: frozenset[str] | None = None, snapshot_id: int | None = None
    ) -> list[str]:
        """Read a table, or only its columns among `words`, as it is or was at a snapshot; give the columns read."""
        table = self._table(schema, name)
        kept = table.snapshot_by_id(snapshot_id) if snapshot_id is not None else None
        known = table.schemas()[kept.schema_id] if kept and kept.schema_id is not None else table.schema()
        columns = needed_columns([field.name for field in known.fields], words)
        scan = table.scan(selected_fields=tuple(columns), snapshot_id=kept.snapshot_id if kept else None)
        reader = stream(scan)
        self._connection.register("incoming", reader)
        quoted = name.replace('"', '""')
        self._connection.execute(f'CREATE OR REPLACE TABLE {schema}."{quoted}" AS SELECT * FROM incoming')  # noqa: S608
        self._connection.unregister("incoming")
        return columns

    def _table(self, schema: str, name: str) -> Table:
        try:
            return self._catalog.load_table((self._databases[schema], name))
        except NoSuchTableError:
            known = self.tables()
        if not any(table.startswith(schema) for table in known):
            raise NothingPublishedError(f"nothing published yet: there is no {schema}.{name}")
        raise UserError(f"there is no table {schema}.{name}", f"there are {', '.join(known)}")


def read_of(connection: duckdb.DuckDBPyConnection, statement: str, schemas: Collection[str] = SCHEMAS) -> Reading:
    """Find by DuckDB's own parser what a statement reads."""
    ((serialized,),) = connection.execute("SELECT json_serialize_sql(?)", [statement]).fetchall()
    parsed = json.loads(serialized)
    if parsed.get("error_type") == "parser":
        raise UserError(f"the SQL cannot be read: {parsed['error_message']}", "check the statement")
    if parsed.get("error") or len(parsed["statements"]) != 1:
        raise UserError("only one SELECT can be asked", 'for instance: assay query "SELECT * FROM gold.daily_totals"')
    nodes = list(_nodes(parsed["statements"][0]))
    tables = frozenset(
        (node["schema_name"].lower(), node["table_name"].lower())
        for node in nodes
        if node.get("type") == "BASE_TABLE" and node["schema_name"].lower() in schemas
    )
    called = {node["alias"].lower() for node in nodes if node.get("type") == "BASE_TABLE"} | {
        name for _, name in tables
    }
    whole = any(_needs_every_column(node, called) for node in nodes)
    words = frozenset(word.lower() for node in nodes for word in _words(node))
    return Reading(tables, None if whole else words)


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _nodes(inner)


def _needs_every_column(node: dict[str, Any], called: set[str]) -> bool:
    """Tell whether a part of a statement may read columns that it does not name."""
    if node.get("type") in _OF_EVERY_COLUMN or node.get("ref_type") == "NATURAL":
        return True
    # A name may be a table's or its alias, also behind its schema: then it means the whole row.
    aliased = node.get("type") == "BASE_TABLE" and bool(node.get("column_name_alias"))
    names = [name.lower() for name in node.get("column_names", [])] if node.get("type") == "COLUMN_REF" else []
    return aliased or (bool(names) and names[-1] in called)


def _words(node: dict[str, Any]) -> Iterator[str]:
    for value in node.values():
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from (inner for inner in value if isinstance(inner, str))


def needed_columns(columns: list[str], words: frozenset[str] | None) -> list[str]:
    """Keep the columns that occur in the statement; one at least, so that rows can be counted."""
    if words is None:
        return columns
    return [column for column in columns if column.lower() in words] or columns[:1]


def stream(scan: DataScan) -> pa.RecordBatchReader:
    """Read a scan file by file; pyiceberg's own reader begins all files at once and holds what waits in memory."""
    projection = scan.projection()
    arrow_schema = schema_to_pyarrow(projection)
    reader = ArrowScan(scan.table_metadata, scan.io, projection, scan.row_filter)
    batches = (batch for task in scan.plan_files() for batch in reader.to_record_batches([task]))
    return pa.RecordBatchReader.from_batches(arrow_schema, (batch.cast(arrow_schema) for batch in batches))


def _databases(target: Target) -> tuple[str, str]:
    return target.stack.silver_database, target.stack.gold_database


def _catalog(target: Target) -> GlueCatalog:
    credentials = target.session.get_credentials()
    frozen = credentials.get_frozen_credentials() if credentials else None
    properties = {
        "s3.region": target.session.region_name,
        "s3.access-key-id": frozen.access_key if frozen else None,
        "s3.secret-access-key": frozen.secret_key if frozen else None,
        "s3.session-token": frozen.token if frozen else None,
        "s3.endpoint": target.endpoint,
    }
    if target.is_local:
        properties["s3.force-virtual-addressing"] = "false"
    known = {name: value for name, value in properties.items() if value}
    return GlueCatalog("assay", client=target.glue, **known)
