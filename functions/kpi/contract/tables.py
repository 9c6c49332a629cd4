"""The tables of Silver and Gold: their columns, layout and keys, in the order in which a run publishes them."""

from collections.abc import Mapping
from dataclasses import dataclass

from contract.aggregates import AGGREGATES
from contract.dimensions import ALL_DIMENSIONS, CALENDAR
from contract.sql_types import EFFECT, MONEY, ROW_ORDER, struct_of
from contract.subjects import REFERENCES, TRANSACTIONS


@dataclass(frozen=True)
class LakeTable:
    """A table: its columns with their types, and how its files are laid out.

    `key` tells its rows apart. A replay compares all columns but `of_the_run`, which tell of the run that wrote a row
    and not of the row; a table that is only what runs changed is not compared at all. Of a table that keeps each
    accepted or rejected row of a file, `amount_of_file` gives the money that counts for the file, `0` for none.
    """

    name: str
    layer: str
    schema: Mapping[str, str]
    description: str
    key: tuple[str, ...]
    partitioning: str = ""
    sort_order: str = ""
    of_the_run: frozenset[str] = frozenset()
    is_compared: bool = True
    amount_of_file: str | None = None

    @property
    def column_list(self) -> str:
        """The columns as a CREATE TABLE lists them."""
        return ", ".join(f"{name} {sql_type}" for name, sql_type in self.schema.items())


IMAGE = TRANSACTIONS.image
VALUES = TRANSACTIONS.values
WRITER = {"file_id": "string", "row": "bigint"}
STATE = {**IMAGE, "content_hash": "bigint", "row_order": ROW_ORDER, **WRITER}
HISTORY = {
    **STATE,
    "op": "string",
    "line": "bigint",
    "outcome": "string",
    "effect_amount": EFFECT,
    "run_seq": "bigint",
    "repairs": "string",
}
BEFORE_AFTER = struct_of(VALUES)
EFFECTS = {
    "run_seq": "bigint",
    "cause": "string",
    "dms_id": "bigint",
    "before": BEFORE_AFTER,
    "after": BEFORE_AFTER,
    "effect_amount": EFFECT,
    **WRITER,
}
QUARANTINE = {
    **WRITER,
    "line": "bigint",
    "raw": "string",
    "rules": "array<string>",
    "amount": MONEY,
    "row_order": ROW_ORDER,
    "run_seq": "bigint",
    "repaired_by": "string",
}
DECISIONS = {
    "run_seq": "bigint",
    "file_id": "string",
    "in_effect": "boolean",
    "who": "string",
    "at": "timestamp",
    "reason": "string",
}
TOMBSTONES = {"dms_id": "bigint", "row_order": ROW_ORDER, **WRITER}
OF_A_REFERENCE_ROW = {
    "op": "string",
    "content_hash": "bigint",
    "row_order": ROW_ORDER,
    **WRITER,
    "line": "bigint",
    "outcome": "string",
    "run_seq": "bigint",
}
"""What a row of a reference table has beside its image."""
BY_RUN = "PARTITIONED BY (truncate(1000, run_seq))"
OF_ITS_TAKING = frozenset({"outcome", "effect_amount", "run_seq"})
PLACE_IN_FILE = ("file_id", "row")

SILVER_TABLES: Mapping[str, LakeTable] = {
    table.name: table
    for table in (
        LakeTable(
            *("transaction_history", "silver", HISTORY),
            "One row per accepted input row, append-only: the image after it, its order and its outcome.",
            key=PLACE_IN_FILE,
            partitioning=BY_RUN,
            of_the_run=OF_ITS_TAKING,
            amount_of_file="amount",
        ),
        LakeTable(
            *("quarantine", "silver", QUARANTINE),
            "One row per rejected input row: its place, its raw text, and the names of all broken rules.",
            key=PLACE_IN_FILE,
            partitioning=BY_RUN,
            of_the_run=frozenset({"run_seq"}),
            amount_of_file="amount",
        ),
        LakeTable(
            *("decisions", "silver", DECISIONS),
            "One row per undo or redo, append-only: the newest of a file says whether it is in effect.",
            key=("file_id", "at"),
            of_the_run=frozenset({"run_seq"}),
        ),
        LakeTable(
            *("transaction_effects", "silver", EFFECTS),
            "One row per key that a run changed, append-only: its image before and after.",
            key=("run_seq", "dms_id"),
            partitioning=BY_RUN,
            is_compared=False,
        ),
        *(
            LakeTable(
                *(name, "silver", {**reference.image, **OF_A_REFERENCE_ROW}),
                "One row per accepted input row, append-only: the newest one of files in effect is its key's state.",
                key=PLACE_IN_FILE,
                of_the_run=frozenset({"outcome", "run_seq"}),
                amount_of_file="0",
            )
            for name, reference in REFERENCES.items()
        ),
        LakeTable(
            *("tombstones", "silver", TOMBSTONES), "One row per deleted key: the order of its delete.", key=("dms_id",)
        ),
        LakeTable(
            *("transactions", "silver", STATE),
            "One row per living `dms_id`: its values, its order and its last writer.",
            key=("dms_id",),
            sort_order="dms_id",
        ),
    )
}
"""History goes first when a run is published: a reader never sees a state whose cause is missing."""

FACT_IMAGE: tuple[str, ...] = ("card_id", "client_id", "amount")
"""The columns of Silver's image that a fact has as they are."""
LATER_FACT_IMAGE: tuple[str, ...] = ()
"""The same, of those that came after the first version."""
FACT = {
    "dms_id": "bigint",
    "transacted_at": "timestamp",
    "transacted_on": "date",
    "date_key": "int",
    **{dimension.key: "bigint" for dimension in ALL_DIMENSIONS.values()},
    **{name: IMAGE[name] for name in FACT_IMAGE},
    "has_error": "boolean",
    **{name: IMAGE[name] for name in LATER_FACT_IMAGE},
}

GOLD_TABLES: Mapping[str, LakeTable] = {
    table.name: table
    for table in (
        LakeTable("dim_date", "gold", CALENDAR, "The calendar.", key=("date_key",), sort_order="date_key"),
        *(
            LakeTable(
                name, "gold", dimension.schema, dimension.description, key=(dimension.key,), sort_order=dimension.key
            )
            for name, dimension in ALL_DIMENSIONS.items()
        ),
        LakeTable(
            *("fact_transactions", "gold", FACT),
            "One row per living `dms_id`: its measures and the keys of all dimensions.",
            key=("dms_id",),
            sort_order="transacted_on, dms_id",
        ),
        *(
            LakeTable(
                *(name, "gold", aggregate.schema, aggregate.description),
                key=aggregate.key,
                sort_order=", ".join(aggregate.key),
            )
            for name, aggregate in AGGREGATES.items()
        ),
    )
}
"""Dimensions go first when a run is published: a fact never points to a member that readers do not see yet."""
TABLES: Mapping[str, LakeTable] = {
    f"{table.layer}.{table.name}": table for table in (*SILVER_TABLES.values(), *GOLD_TABLES.values())
}
