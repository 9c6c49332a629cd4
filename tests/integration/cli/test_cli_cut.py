"""Queries join tables at the snapshots that belong together, whatever a publication has shown by then."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

from deployed_stack import NAMES, DeployedStack, identifier_of


def asked(stack: DeployedStack, statement: str) -> Any:
    result = stack.assay("query", statement, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_query_reads_at_one_cut__a_publication_is_under_way(stack: DeployedStack) -> None:
    """The run after the cut has shown its totals and not yet its facts."""
    day = date(2010, 1, 1)
    for table, row in {
        "fact_transactions": (1, Decimal("1.00")),
        "daily_totals": (day, "chip", 1, Decimal("1.00")),
    }.items():
        stack.write(f"gold.{table}", row)
    tables = {
        name: stack.catalog.load_table(identifier_of(f"gold.{name}")) for name in ("fact_transactions", "daily_totals")
    }
    snapshots = {name: table.current_snapshot().snapshot_id for name, table in tables.items()}
    stack.write("gold.daily_totals", (day, "swipe", 1, Decimal("2.00")))
    facts = "(SELECT sum(amount) FROM gold.fact_transactions) AS facts"
    statement = f"SELECT {facts}, sum(total_amount) AS totals FROM gold.daily_totals"

    unpinned = asked(stack, statement)
    body = json.dumps({"run_seq": 1, "snapshots": {"silver": {}, "gold": snapshots}})
    stack.client("s3").put_object(Bucket=NAMES["LakeBucket"], Key="current.json", Body=body)

    assert unpinned == [{"facts": "1.00", "totals": "3.00"}]
    assert asked(stack, statement) == [{"facts": "1.00", "totals": "1.00"}]
