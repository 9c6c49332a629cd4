"""Compares two databases table by table, row by row: each row's key and a hash of all that must be the same."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contract.tables import TABLES

from assay import console
from assay.ledger import Item
from assay.query import Lake

SHOWN = 10
LAYERS = ("silver", "gold")
SIDES = ("production", "replay")
OF_A_RUN = frozenset({"run_seq"})


@dataclass(frozen=True)
class Difference:
    """A key whose rows are not the same: its differing columns, each with both values, or how often it is there."""

    key: dict[str, Any]
    columns: dict[str, tuple[Any, Any]]

    def as_json(self) -> dict[str, Any]:
        columns = {name: dict(zip(SIDES, values, strict=True)) for name, values in self.columns.items()}
        return {"key": self.key, "columns": columns}


@dataclass(frozen=True)
class TableComparison:
    """How two tables of one name compare; of the differing keys only the first are told."""

    table: str
    production_rows: int
    replay_rows: int
    differing_keys: int
    first: Sequence[Difference] = ()

    @property
    def equal(self) -> bool:
        return self.differing_keys == 0

    def as_json(self) -> dict[str, Any]:
        return {
            "table": self.table,
            "production": self.production_rows,
            "replay": self.replay_rows,
            "equal": self.equal,
            "differing_keys": self.differing_keys,
            "differences": [difference.as_json() for difference in self.first],
        }


def compare(lake: Lake) -> list[TableComparison]:
    """Compare the schemas `silver` and `gold` with those of the replay; a table not there is empty."""
    there = set(lake.tables())
    names = {table.removeprefix("replay_") for table in there}
    known = [name for name, table in TABLES.items() if name in names and table.is_compared]
    others = sorted(name for name in names if name.startswith("gold.") and name not in TABLES)
    return [_Pair(lake, there, name).compare() for name in (*known, *others)]


class _Pair:
    """A table of production and its twin; whole rows are compared of one that the contract does not know."""

    def __init__(self, lake: Lake, there: set[str], name: str) -> None:
        self._lake = lake
        self._table = name
        self._sources = [name, f"replay_{name}"]
        self._read = {source: self._load(source) if source in there else [] for source in self._sources}
        every = dict.fromkeys(column for columns in self._read.values() for column in columns)
        table = TABLES.get(name)
        without = OF_A_RUN | (table.of_the_run if table else frozenset())
        self._columns = [column for column in every if column not in without]
        self._key = list(table.key if table else ()) or self._columns

    def _load(self, source: str) -> list[str]:
        schema, _, name = source.partition(".")
        return self._lake.open(schema, name)

    def compare(self) -> TableComparison:
        for side, source in zip(SIDES, self._sources, strict=True):
            self._lake.rows(f"CREATE OR REPLACE TEMP TABLE {side} AS {self._hashed(source)}")
        counts = self._lake.rows(
            "SELECT (SELECT coalesce(sum(n), 0) FROM production)::BIGINT AS production, "
            "(SELECT coalesce(sum(n), 0) FROM replay)::BIGINT AS replay"
        )[0]
        keys = ", ".join(f'"{name}"' for name in self._key)
        differing = (
            f"SELECT DISTINCT {keys} FROM ((FROM production EXCEPT FROM replay) "  # noqa: S608
            "UNION ALL (FROM replay EXCEPT FROM production))"
        )
        number = self._lake.rows(f"SELECT count(*) AS n FROM ({differing})")[0]["n"]  # noqa: S608
        first = self._lake.rows(f"{differing} ORDER BY ALL LIMIT {SHOWN}") if number else []
        return TableComparison(
            self._table,
            counts["production"],
            counts["replay"],
            number,
            tuple(self._difference(key) for key in first),
        )

    def _hashed(self, source: str) -> str:
        """Give the statement for each key and content of a table, and how often the content is there."""
        if not self._read[source]:
            twin = next(other for other in self._sources if other != source)
            return f"{self._hashed(twin)} LIMIT 0"
        keys = ", ".join(f'"{name}"' for name in self._key)
        content = ", ".join(f'"{name}" := {self._column(source, name)}' for name in self._columns)
        return (
            f"SELECT {keys}, md5_number(to_json(struct_pack({content}))::VARCHAR) AS content, count(*) AS n "  # noqa: S608
            f"FROM {source} GROUP BY ALL"
        )

    def _column(self, source: str, name: str) -> str:
        return f'"{name}"' if name in self._read[source] else "NULL"

    def _difference(self, key: dict[str, Any]) -> Difference:
        production, replay = (self._rows_of(source, key) for source in self._sources)
        if len(production) != 1 or len(replay) != 1:
            return Difference(key, {"rows": (len(production), len(replay))})
        pairs = {name: (production[0].get(name), replay[0].get(name)) for name in self._columns}
        return Difference(key, {name: pair for name, pair in pairs.items() if _text(pair[0]) != _text(pair[1])})

    def _rows_of(self, source: str, key: dict[str, Any]) -> list[dict[str, Any]]:
        if not self._read[source]:
            return []
        where = " AND ".join(f'"{name}" IS NOT DISTINCT FROM ?' for name in key)
        return self._lake.rows(f"SELECT * FROM {source} WHERE {where}", list(key.values()))  # noqa: S608


@dataclass(frozen=True)
class TotalComparison:
    """A figure that a layer's item in the ledger keeps, in production and in the replay."""

    what: str
    production: object
    replay: object

    @property
    def equal(self) -> bool:
        return self.production == self.replay

    def as_json(self) -> dict[str, Any]:
        return {"what": self.what, "production": self.production, "replay": self.replay, "equal": self.equal}


def compare_totals(production: Mapping[str, Item], replay: Mapping[str, Item]) -> list[TotalComparison]:
    """Compare the running totals of the layers, and the floor that reloads have set."""
    figures = {
        "silver": ("row_count", "total_amount", "floor", "loads", "incomplete_loads"),
        "gold": ("row_count", "total_amount"),
    }
    return [
        TotalComparison(
            f"{layer}: {figure}",
            production[layer].get("published", {}).get(figure),
            replay[layer].get("published", {}).get(figure),
        )
        for layer in LAYERS
        for figure in figures[layer]
    ]


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=console.as_text)
