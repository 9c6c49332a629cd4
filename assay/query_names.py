"""What a statement names, found by DuckDB's own parser, and what comes nearest to a name that is not there."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from assay.errors import UserError

if TYPE_CHECKING:
    import duckdb

ONE_SELECT = ("only one SELECT can be asked", 'for instance: assay query "SELECT * FROM gold.daily_totals"')
LIST = "list the tables there are: assay query"
UNKNOWN_COLUMN = re.compile(r'Referenced column "(?P<one>[^"]+)"|a column named "(?P<two>[^"]+)"')
UNKNOWN_TABLE = re.compile(r"Table with name (?P<name>\S+) does not exist")
NEAREST = 3

Name = tuple[str, str]
"""The schema and the name of a table, in lower case."""


@dataclass(frozen=True)
class Asked:
    """What one statement asks for: tables by schema and name, tables by name alone, a list of tables, a description."""

    tables: frozenset[Name]
    bare: frozenset[str] = frozenset()
    lists_tables: bool = False
    schema: str = ""  # the one whose tables are listed
    describes: bool = False


def read(connection: duckdb.DuckDBPyConnection, statement: str, schemas: Collection[str]) -> Asked:
    """Parse a statement; raise UserError unless it is one SELECT, SHOW or DESCRIBE."""
    ((serialized,),) = connection.execute("SELECT json_serialize_sql(?)", [statement]).fetchall()
    parsed = json.loads(serialized)
    if parsed.get("error_type") == "parser":
        raise UserError(f"the SQL cannot be read: {parsed['error_message']}", "check the statement")
    if parsed.get("error") or len(parsed["statements"]) != 1:
        raise UserError(*ONE_SELECT)
    node = parsed["statements"][0]["node"]
    top = node.get("from_table") or {}
    if top.get("type") == "SHOW_REF" and not top.get("query"):
        return _listing(top, schemas)
    named = [each for each in _nodes(node) if each.get("type") == "BASE_TABLE"]
    return Asked(
        tables=frozenset(_name(each) for each in named if each["schema_name"].lower() in schemas),
        bare=frozenset(each["table_name"].lower() for each in named if not each["schema_name"]) - _with_names(node),
        describes=top.get("show_type") in ("DESCRIBE", "SHOW") and _is_all_of_a_table(top["query"]),
    )


def _is_all_of_a_table(node: Mapping[str, Any]) -> bool:
    """Tell whether a description is of a table itself: DuckDB reads it as one of SELECT * FROM the table."""
    columns = node.get("select_list", [])
    is_star = len(columns) == 1 and columns[0]["type"] == "STAR"
    return is_star and (node.get("from_table") or {}).get("type") == "BASE_TABLE"


def _listing(shown: Mapping[str, Any], schemas: Collection[str]) -> Asked:
    """Read SHOW TABLES, SHOW TABLES FROM a schema, and SHOW with the name of a table, which describes it."""
    if shown["show_type"] in ("SHOW_SPECIAL", "SHOW_FROM"):
        return Asked(frozenset(), lists_tables=True, schema=shown["schema_name"].lower())
    name = _name(shown)
    is_whole = name[0] in schemas
    return Asked(frozenset([name] if is_whole else []), frozenset([] if is_whole else [name[1]]), describes=True)


def _name(node: Mapping[str, Any]) -> Name:
    return node["schema_name"].lower(), node["table_name"].lower().strip('"')


def _with_names(node: Any) -> set[str]:
    """Return the names that the statement gives to its own parts."""
    maps = [each["cte_map"]["map"] for each in _nodes(node) if "cte_map" in each]
    return {entry["key"].lower() for entries in maps for entry in entries}


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _nodes(inner)


def unknown_table(name: str, known: Sequence[str]) -> UserError:
    """Return an error that names the tables nearest to one that is not there, then all."""
    ends = {each.rpartition(".")[2]: each for each in known}
    near = get_close_matches(name, known, NEAREST) or [
        ends[each] for each in get_close_matches(name.rpartition(".")[2], list(ends), NEAREST)
    ]
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    return UserError(f"there is no table {name}", f"{meant}there are {', '.join(known)}")


def explained(message: str, columns: Mapping[str, Sequence[str]]) -> UserError | None:
    """Return what to do about DuckDB's complaint of a column; `columns` are those of the tables that were asked."""
    if not (found := UNKNOWN_COLUMN.search(message)):
        return None
    name = found["one"] or found["two"]
    every = [column for names in columns.values() for column in names]
    near = get_close_matches(name, list(dict.fromkeys(every)), NEAREST)
    meant = f"did you mean {' or '.join(near)}? " if near else ""
    listed = "; ".join(f"{table} has {', '.join(names)}" for table, names in columns.items())
    return UserError(f"there is no column {name}", meant + (listed or "no table was asked"))
