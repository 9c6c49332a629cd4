"""The types of the tables' columns that more than one table has."""

from collections.abc import Mapping

MONEY = "decimal(18,2)"
EFFECT = "decimal(19,2)"
"""New minus before may need a digit more than either."""
TOTAL = "decimal(38,2)"
ORDER_FIELDS: Mapping[str, str] = {
    "position": "timestamp",
    "phase": "int",
    "instant": "timestamp",
    "object_key": "string",
    "sequencer": "string",
    "version_id": "string",
    "row": "bigint",
}


def struct_of(fields: Mapping[str, str]) -> str:
    """Return the type of a struct with these fields."""
    return "struct<" + ", ".join(f"{name}: {sql_type}" for name, sql_type in fields.items()) + ">"


ROW_ORDER = struct_of(ORDER_FIELDS)
"""The order of a row (section 4 of the data contract), compared field by field from the left."""
