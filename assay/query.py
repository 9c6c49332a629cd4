"""SQL over the published tables, at one cut: DuckDB, which reads of them only what a statement needs."""

import json
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from functools import partial
from threading import Thread
from typing import Any, TypeVar

import duckdb
import pyarrow as pa  # type: ignore[import-untyped]
from contract.runs import Cut
from contract.tables import TABLES
from contract.views import FACTS, VIEWS
from contract.vocabulary import CURRENT_CUT, KEPT_CUTS
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.table import DataScan, Table

from assay import query_names
from assay.errors import NothingPublishedError, UserError, first_line
from assay.scan import SnapshotScan
from assay.target import Target

SCHEMAS = ("silver", "gold")
CHECK = 'check the values in the statement; the types of columns: assay query "DESCRIBE gold.daily_totals"'
HINT = "list the tables there are: assay query"
NEXT_RUN = "the next Gold run adds what the contract has got since the last one: upload a file"
ONE_THAT_STAYS = "name the last run of an hour: its snapshots stay for seven days"
TABLES_ONLY = "a query reads the published tables alone: no file, no address and no extension"
CLOSED = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
"""Statements may come from anywhere: what they could read or load beside the tables is closed."""


Snapshots = Mapping[str, Mapping[str, int]]
"""Schema to table to the id of a snapshot."""
Result = TypeVar("Result")


@contextmanager
def lake(
    target: Target, databases: Mapping[str, str] | None = None, named: Snapshots | None = None
) -> Iterator["Lake"]:
    """Open the tables of a stack for questions; what DuckDB cannot hold in memory it puts on disk until the end.

    The databases (schema in statements to name in the catalog) are the two layers, if no others are given: these are
    read at the snapshots that belong together now. A schema whose snapshots are `named` is read at these alone.
    """
    cut = None if databases else current_cut(target)
    databases = databases or dict(zip(SCHEMAS, _databases(target), strict=True))
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        connection = duckdb.connect(config={**CLOSED, "temp_directory": folder})
        try:
            connection.execute("SET TimeZone = 'UTC'")
            # DuckDB draws it on stdout, where JSON or CSV is to go, as soon as a statement takes two seconds.
            connection.execute("SET enable_progress_bar = false")
            for schema in databases:
                connection.execute(f"CREATE SCHEMA {schema}")
            connection.execute(f"SET search_path = '{','.join(databases)}'")
            connection.execute("SET lock_configuration = true")
            yield Lake(connection, _catalog(target), databases, snapshots_of(cut), named or {})
        finally:
            connection.close()


class Lake:
    """A DuckDB connection in which the stack's tables appear as statements name them."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        catalog: GlueCatalog,
        databases: Mapping[str, str],
        cut: Snapshots,
        named: Snapshots,
    ) -> None:
        self._connection = connection
        self._catalog = catalog
        self._databases = databases
        self._cut = cut
        self._named = named

    def ask(self, statement: str) -> pa.RecordBatchReader:
        """Run one SELECT, SHOW TABLES or DESCRIBE, and give its result as a stream."""
        asked = query_names.read(self._connection, statement, self._databases)
        if asked.lists_tables:
            return self._listed(asked.schema)
        tables = sorted({*asked.tables, *self._whole_names(asked.bare)})
        columns = {f"{schema}.{name}": self._open_named(schema, name) for schema, name in tables}
        if asked.describes and tables:
            return self._described(*tables[0])
        try:
            return self._streamed(statement)
        except duckdb.PermissionException as error:
            raise UserError(first_line(error), TABLES_ONLY) from None
        except duckdb.CatalogException as error:
            if unknown := query_names.UNKNOWN_TABLE.search(str(error)):
                raise query_names.unknown_table(unknown["name"], self.listed()) from None
            raise UserError(first_line(error), HINT) from None
        except duckdb.Error as error:
            hint = CHECK if isinstance(error, duckdb.DataError) else HINT
            raise query_names.explained(str(error), columns) or UserError(first_line(error), hint) from None

    def _streamed(self, statement: str) -> pa.RecordBatchReader:
        reader = self._interruptible(lambda: self._connection.sql(statement).to_arrow_reader())

        def batches() -> Iterator[pa.RecordBatch]:
            while (batch := self._interruptible(partial(next, reader, None))) is not None:
                yield batch

        return pa.RecordBatchReader.from_batches(reader.schema, batches())

    def _interruptible(self, task: Callable[[], Result]) -> Result:
        """Do a task of DuckDB's in a thread of its own: it lets no Ctrl-C through while it computes."""
        done: Future[Result] = Future()
        try:
            Thread(target=_fulfil, args=(done, task), daemon=True).start()
            while not done.done():
                wait([done], timeout=1)  # without an end, it would miss a Ctrl-C that comes just as it begins
            return done.result()
        except BaseException:
            while not (done.cancel() or done.done()):  # DuckDB forgets an interruption that comes before it has begun
                with suppress(KeyboardInterrupt):  # a second one cannot hasten it
                    self._connection.interrupt()
                    wait([done], timeout=1)
            raise

    def _whole_names(self, bare: Collection[str]) -> list[query_names.Name]:
        """Return the tables of names without a schema; raise UserError for one that both layers have."""
        found: list[query_names.Name] = []
        known = sorted({*self.listed(), *self._promised()}) if bare else []
        for name in sorted(bare):
            fitting = [each for each in known if each.partition(".")[2] == name]
            if len(fitting) > 1:
                raise UserError(f"{name} may be {' or '.join(fitting)}", "name the one you mean in full")
            found += [(each.partition(".")[0], name) for each in fitting]
        return found

    def _promised(self) -> list[str]:
        """Return the tables of the contract, which are there once a run has published."""
        return [name for name in TABLES if name.partition(".")[0] in self._databases]

    def _listed(self, schema: str) -> pa.RecordBatchReader:
        """Return the tables, those of one schema if it is named, as a result of their own."""
        names = [each.partition(".")[::2] for each in self.listed()]
        rows = [{"schema": of, "table": name} for of, name in names if schema in ("", of)]
        return pa.Table.from_pylist(rows, pa.schema([("schema", pa.string()), ("table", pa.string())])).to_reader()

    def _described(self, schema: str, name: str) -> pa.RecordBatchReader:
        """Return the columns of an opened table with their types and what the catalog says of them."""
        if _is_view(schema, name):
            told = {column.name: column.description for column in VIEWS[name].columns.values()}
        else:
            told = {field.name: field.doc or "" for field in self._table(schema, name).schema().fields}
        found = self._connection.execute(f'DESCRIBE {schema}."{name}"').fetchall()
        rows = [{"column": each[0], "type": each[1], "comment": told.get(each[0], "")} for each in found]
        columns = pa.schema([(each, pa.string()) for each in ("column", "type", "comment")])
        return pa.Table.from_pylist(rows, columns).to_reader()

    def one(self, statement: str) -> dict[str, Any]:
        """Run a SELECT that gives one row."""
        row: dict[str, Any] = self.ask(statement).read_all().to_pylist()[0]
        return row

    def tables(self) -> list[str]:
        """Name all tables there are; where snapshots are named, those that had one then."""
        try:
            found = {
                f"{schema}.{name}"
                for schema, database in self._databases.items()
                for _, name in self._catalog.list_tables(database)
                if name in self._named.get(schema, [name])
            }
        except NoSuchNamespaceError as error:
            raise UserError(first_line(error), "is the stack complete? deploy it again: assay deploy") from None
        return sorted(found)

    def listed(self) -> list[str]:
        """Name all tables there are, and the views over them."""
        tables = self.tables()
        return sorted([*tables, *(f"gold.{name}" for name in VIEWS if f"gold.{FACTS}" in tables)])

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

    def _open_named(self, schema: str, name: str) -> list[str]:
        """Let statements read a table, or a view as the catalog has it for Athena, at the cut; give its columns."""
        if not _is_view(schema, name):
            return self.open(schema, name)
        view = VIEWS[name]
        for table in view.tables:
            self.open("gold", table)
        try:
            self._connection.execute(f"CREATE OR REPLACE VIEW gold.{name} AS {view.sql('gold')}")
        except duckdb.BinderException as error:
            # The contract has a column that no run has written yet.
            raise UserError(f"gold.{name} cannot be read yet: {first_line(error)}", NEXT_RUN) from None
        return list(view.columns)

    def open(self, schema: str, name: str, snapshot_id: int | None = None) -> list[str]:
        """Let statements read a table, as it is or was at a snapshot; give its columns."""
        rows = SnapshotScan(self._published(schema, name, snapshot_id))
        view, quoted = f"{schema}.{name}".replace('"', '""'), name.replace('"', '""')
        self._connection.register(f"{schema}.{name}", rows)
        self._connection.execute(f'CREATE OR REPLACE VIEW {schema}."{quoted}" AS FROM "{view}"')
        return list(rows.schema.names)

    def _published(self, schema: str, name: str, snapshot_id: int | None) -> DataScan:
        """Choose the snapshot of a table: the one given, or that of the cut; the newest if it is not there any more."""
        table = self._table(schema, name)
        if (named := self._named.get(schema)) is not None and not table.snapshot_by_id(snapshot_id := named[name]):
            raise UserError(f"the snapshot {snapshot_id} of {schema}.{name} has expired", ONE_THAT_STAYS)
        snapshot_id = snapshot_id or self._cut.get(schema, {}).get(name)
        kept = table.snapshot_by_id(snapshot_id) if snapshot_id is not None else None
        return table.scan(snapshot_id=kept.snapshot_id if kept else None)

    def _table(self, schema: str, name: str) -> Table:
        try:
            return self._catalog.load_table((self._databases[schema], name))
        except NoSuchTableError:
            known = self.tables()
        is_promised = f"{schema}.{name}" in self._promised()
        if is_promised and self._cut:
            # The contract has got the table since.
            raise NothingPublishedError(f"there is no {schema}.{name} yet: the next run that publishes makes it")
        # While the first run publishes, some tables of the contract are there and others are not.
        if is_promised or not any(table.startswith(schema) for table in known):
            raise NothingPublishedError(f"nothing published yet: there is no {schema}.{name}")
        raise query_names.unknown_table(f"{schema}.{name}", known)


def _fulfil(done: Future[Result], task: Callable[[], Result]) -> None:
    if done.set_running_or_notify_cancel():
        try:
            done.set_result(task())
        except BaseException as error:
            done.set_exception(error)


def _is_view(schema: str, name: str) -> bool:
    return schema == "gold" and name in VIEWS


def current_cut(target: Target) -> Cut | None:
    """Return which snapshots belong together now; None before Gold's first run."""
    cut: Cut | None = _read_json(target, CURRENT_CUT)
    return cut


def snapshots_of(cut: Cut | None) -> Snapshots:
    """Return the snapshots of a cut by schema; none if there is no cut."""
    return dict(cut["snapshots"].items()) if cut else {}


def kept_cuts(target: Target) -> list[Cut]:
    """Return the cuts that readers may still ask for, the oldest first."""
    cuts: list[Cut] | None = _read_json(target, KEPT_CUTS)
    return cuts or []


def _read_json(target: Target, key: str) -> Any:
    try:
        body = target.s3.get_object(Bucket=target.stack.lake_bucket, Key=key)["Body"]
    except target.s3.exceptions.NoSuchKey:
        return None
    return json.loads(body.read())


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
