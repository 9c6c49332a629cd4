"""The view for analysts: each fact with names in place of keys, as one statement for Athena and for DuckDB alike."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from contract.descriptions import column_description
from contract.dimensions import ALL_DIMENSIONS, CALENDAR, DIMENSIONS, VERSIONED_DIMENSIONS
from contract.tables import FACT

FACTS, DATES = "fact_transactions", "dim_date"
OF_THE_VERSION = ("valid_from", "valid_to", "is_current")
PERSONAL = "dim_client"
"""What stays in a table of its own: a view for everybody tells of a client the id alone."""
JOINED = {name: dimension for name, dimension in ALL_DIMENSIONS.items() if name != PERSONAL}


@dataclass(frozen=True)
class ViewColumn:
    """A column of the view: the table and the column that it comes from."""

    name: str
    table: str
    column: str
    sql_type: str

    @property
    def expression(self) -> str:
        """The column as a SELECT names it; a view of Athena has no instants with a zone, so these are UTC without.

        Athena's have milliseconds, and would be rounded: to the next day, too.
        """
        source = f'{self.table}."{self.column}"'
        return f"CAST(date_trunc('millisecond', {source}) AS timestamp)" if self.sql_type == "timestamp" else source

    @property
    def description(self) -> str:
        return column_description(self.column)


def _columns() -> Iterator[ViewColumn]:
    """Yield what a fact says itself, the names behind its keys, then what else is known of these."""
    keys = {"date_key", *(dimension.key for dimension in ALL_DIMENSIONS.values())}
    yield from (ViewColumn(name, FACTS, name, kind) for name, kind in FACT.items() if name not in keys)
    for table, dimension in DIMENSIONS.items():
        yield from (ViewColumn(name, table, name, kind) for name, kind in dimension.natural_types.items())
    yield from (
        ViewColumn(name, DATES, name, kind) for name, kind in CALENDAR.items() if name not in ("date_key", "date")
    )
    for table, dimension in DIMENSIONS.items():
        yield from (
            ViewColumn(_named(name, table), table, name, kind) for name, kind in dimension.attribute_types.items()
        )
    for table, versions in VERSIONED_DIMENSIONS.items():
        own = {name: kind for name, kind in versions.schema.items() if name not in (versions.key, *OF_THE_VERSION)}
        yield from (ViewColumn(_named(name, table), table, name, kind) for name, kind in own.items())


def _named(attribute: str, table: str) -> str:
    """Say of what a description is."""
    return f"{table.removeprefix('dim_')}_{attribute}" if attribute == "description" else attribute


def _first_of_each() -> Mapping[str, ViewColumn]:
    """Return the columns by name; what was said before, of the fact or of the place, is not said again of another."""
    found: dict[str, ViewColumn] = {}
    for column in _columns():
        if column.table != PERSONAL:
            found.setdefault(column.name, column)
    return found


@dataclass(frozen=True)
class FlatView:
    """A view over the facts and the dimensions, that of clients left out."""

    name: str
    description: str
    columns: Mapping[str, ViewColumn]

    @property
    def tables(self) -> tuple[str, ...]:
        return (FACTS, DATES, *JOINED)

    def sql(self, database: str) -> str:
        """Return the view's statement over the tables of a database."""
        shown = ", ".join(f'{column.expression} AS "{name}"' for name, column in self.columns.items())
        keys = {DATES: "date_key", **{name: dimension.key for name, dimension in JOINED.items()}}
        joins = [
            f'LEFT JOIN "{database}"."{table}" AS {table} ON {table}."{key}" = {FACTS}."{key}"'
            for table, key in keys.items()
        ]
        return " ".join(["SELECT", shown, "FROM", f'"{database}"."{FACTS}" AS {FACTS}', *joins])


TRANSACTIONS_FLAT = FlatView(
    "transactions_flat",
    "One row per living `dms_id` with names in place of keys; instants are UTC.",
    _first_of_each(),
)
VIEWS: Mapping[str, FlatView] = {view.name: view for view in (TRANSACTIONS_FLAT,)}
