"""Compares Gold's facts, value by value, with the transactions of Silver that they were made from."""

from collections.abc import Mapping

from contract.dimensions import DIMENSIONS
from contract.tables import FACT, VALUES

from assay.passport import Check
from assay.query import Lake

MADE_FROM = {
    "transacted_on": "silver.transacted_at::DATE",
    "date_key": "strftime(silver.transacted_at, '%Y%m%d')::INT",
    "has_error": "silver.errors IS NOT NULL",
}
"""The columns of a fact that are no value of Silver's, but follow from one."""
SOURCES = {"transacted_on": "transacted_at", "date_key": "transacted_at", "has_error": "errors"}
EVERY = "facts that are not as silver.transactions has them"


def content_checks(lake: Lake, snapshot_id: int | None) -> list[Check]:
    """Compare every fact with its transaction; where they differ, count the differing facts column by column.

    Silver is read at the snapshot that Gold shows, or as it is now where that one has expired. A value that a dimension
    holds is looked up by the key of the fact.
    """
    held = set(lake.open("silver", "transactions", snapshot_id))
    shown = set(lake.open("gold", "fact_transactions"))
    there = set(lake.tables())
    looked_up = [name for name, each in DIMENSIONS.items() if each.key in shown and f"gold.{name}" in there]
    for name in looked_up:
        lake.open("gold", name)
    pairs = {
        **{name: (f"silver.{name}", f"fact.{name}") for name in VALUES if name in FACT and name in held & shown},
        **{name: (made, f"fact.{name}") for name, made in MADE_FROM.items() if name in shown and SOURCES[name] in held},
        **{
            natural: (f"silver.{natural}", f"{name}.{natural}")
            for name in looked_up
            for natural in DIMENSIONS[name].natural
            if natural in held
        },
    }
    found = lake.rows(_statement(pairs, looked_up))[0]
    every = found.pop(EVERY)
    return [Check(EVERY, 0, every), *(Check(f"{EVERY}: {name}", 0, count) for name, count in found.items() if count)]


def _statement(pairs: Mapping[str, tuple[str, str]], looked_up: list[str]) -> str:
    """Return the statement that counts differing facts, in all and by column; one side may lack a transaction."""
    differs = {name: f"{silver} IS DISTINCT FROM {gold}" for name, (silver, gold) in pairs.items()}
    both = "silver.dms_id IS NOT NULL AND fact.dms_id IS NOT NULL"
    any_differs = " OR ".join(["silver.dms_id IS DISTINCT FROM fact.dms_id", *differs.values()])
    counts = [
        f'count(*) FILTER (WHERE {any_differs}) AS "{EVERY}"',
        'count(*) FILTER (WHERE fact.dms_id IS NULL) AS "no fact"',
        'count(*) FILTER (WHERE silver.dms_id IS NULL) AS "no transaction"',
        *(f'count(*) FILTER (WHERE {both} AND ({each})) AS "{name}"' for name, each in differs.items()),
    ]
    members = "".join(
        f" LEFT JOIN gold.{name} AS {name} ON {name}.{DIMENSIONS[name].key} = fact.{DIMENSIONS[name].key}"
        for name in looked_up
    )
    return (
        f"SELECT {', '.join(counts)} FROM silver.transactions AS silver "  # noqa: S608
        f"FULL JOIN gold.fact_transactions AS fact ON silver.dms_id = fact.dms_id{members}"
    )
