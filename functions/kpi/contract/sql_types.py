"""The types of the tables' columns that more than one table has."""

from collections.abc import Mapping

MONEY = "decimal(18,2)"
EFFECT = "decimal(19,2)"
"""New minus before may need a digit more than either."""
TOTAL = "decimal(38,2)"
REPAIR_FIELDS: Mapping[str, str] = {
    "file_id": "string",
    "instant": "timestamp",
    "object_key": "string",
    "sequencer": "string",
    "version_id": "string",
    "row": "bigint",
}
"""The order of a repair's own object and row; before it the file that it repairs, which is the same for all rivals."""


def struct_of(fields: Mapping[str, str]) -> str:
    """Return the type of a struct with these fields."""
    return "struct<" + ", ".join(f"{name}: {sql_type}" for name, sql_type in fields.items()) + ">"


ORDER_FIELDS: Mapping[str, str] = {
    "position": "timestamp",
    "phase": "int",
    "instant": "timestamp",
    "object_key": "string",
    "sequencer": "string",
    "version_id": "string",
    "row": "bigint",
    "repair": struct_of(REPAIR_FIELDS),
}
ROW_ORDER = struct_of(ORDER_FIELDS)
"""The order of a row (section 4 of the data contract), compared field by field from the left."""
