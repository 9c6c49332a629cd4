"""Views in the Glue catalog as Athena keeps them: one that it would have made itself by CREATE VIEW."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import boto3
from contract.views import FlatView

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import TableInputTypeDef

PRESTO_TYPES = {"int": "integer", "string": "varchar"}
LONGEST_COMMENT = 255


def put_view(database: str, view: FlatView) -> None:
    """Make a view, or make it anew where its statement is another than the catalog has."""
    glue, wanted = boto3.client("glue"), view_input(database, view)
    try:
        held: Any = glue.get_table(DatabaseName=database, Name=view.name)["Table"]
    except glue.exceptions.EntityNotFoundException:
        glue.create_table(DatabaseName=database, TableInput=wanted)
        return
    if _told(held) != _told(wanted):
        glue.update_table(DatabaseName=database, TableInput=wanted)


def _told(view: Any) -> list[Any]:
    """Return what is compared of a view: Glue adds attributes of its own."""
    comments = [column.get("Comment") for column in view.get("StorageDescriptor", {}).get("Columns", [])]
    return [view.get("ViewOriginalText"), view.get("Description"), comments]


def view_input(database: str, view: FlatView) -> TableInputTypeDef:
    """Return a view as the catalog holds those of Athena: its statement as JSON in base64, in a comment."""
    types = {name: PRESTO_TYPES.get(column.sql_type, column.sql_type) for name, column in view.columns.items()}
    statement = {
        "originalSql": view.sql(database),
        "catalog": "awsdatacatalog",
        "schema": database,
        "columns": [{"name": name, "type": kind} for name, kind in types.items()],
    }
    text = base64.b64encode(json.dumps(statement).encode()).decode()
    columns = {name: (column.sql_type, column.description[:LONGEST_COMMENT]) for name, column in view.columns.items()}
    return {
        "Name": view.name,
        "Description": view.description,
        "TableType": "VIRTUAL_VIEW",
        "ViewOriginalText": f"/* Presto View: {text} */",
        "ViewExpandedText": "/* Presto View */",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "PartitionKeys": [],
        "StorageDescriptor": {
            "Columns": [{"Name": name, "Type": kind, "Comment": told} for name, (kind, told) in columns.items()],
            "Location": "",
            "SerdeInfo": {},
        },
    }
