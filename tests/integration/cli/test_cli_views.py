"""`assay query` reads the view for analysts over the tables at the cut, and lists it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from contract.tables import GOLD_TABLES
from contract.views import TRANSACTIONS_FLAT
from deployed_stack import DeployedStack, identifier_of

KINDS = {
    "bigint": pa.int64(),
    "int": pa.int32(),
    "string": pa.string(),
    "date": pa.date32(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "decimal(18,2)": pa.decimal128(18, 2),
}
ROWS: dict[str, list[dict[str, Any]]] = {
    "fact_transactions": [
        {"dms_id": 1, "amount": Decimal("1.50"), "channel_key": 7, "mcc_key": 9},
        {"dms_id": 2, "amount": Decimal("2.50"), "channel_key": 0, "mcc_key": 0},
    ],
    "dim_channel": [{"channel_key": 7, "channel": "chip"}, {"channel_key": 0}],
    "dim_mcc": [{"mcc_key": 9, "mcc": "5411", "description": "Grocery Stores"}, {"mcc_key": 0}],
}


@pytest.fixture(scope="module")
def gold(shared_stack: DeployedStack) -> DeployedStack:
    for name in TRANSACTIONS_FLAT.tables:
        kinds = {column: KINDS[kind] for column, kind in GOLD_TABLES[name].schema.items() if kind in KINDS}
        schema = pa.schema(list(kinds.items()))
        table = shared_stack.catalog.create_table(identifier_of(f"gold.{name}"), schema)
        table.append(pa.Table.from_pylist(ROWS.get(name, []), schema))
    return shared_stack


def test_query_answers_from_the_view(gold: DeployedStack) -> None:
    asked = "SELECT dms_id, amount, channel, mcc_description FROM gold.transactions_flat ORDER BY dms_id"
    result = gold.assay("query", asked, "--format", "json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == [
        {"dms_id": 1, "amount": "1.50", "channel": "chip", "mcc_description": "Grocery Stores"},
        {"dms_id": 2, "amount": "2.50", "channel": None, "mcc_description": None},
    ]


def test_query_lists_the_view__beside_the_tables(gold: DeployedStack) -> None:
    listed = gold.assay("query").stdout.splitlines()
    assert "gold.transactions_flat" in listed
    assert "gold.fact_transactions" in listed
