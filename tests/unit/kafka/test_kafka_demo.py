"""The messages of the demo: exact amounts, each key in one partition, and of each key the last one counts."""

import json
from decimal import Decimal

from devcloud.demo.topic import PARTITIONS, Messages


def test_messages_hold_every_row_exactly_and_the_last_of_a_key_counts() -> None:
    messages = Messages.generate()
    told = [json.loads(messages.json(row), parse_float=Decimal) for row in messages.rows]
    assert len(told) == 20_000
    assert [int(each["amount"] * 100) for each in told] == [row.cents for row in messages.rows]
    assert all(set(each) <= {*messages.columns, "amount"} - {"amount_cents"} for each in told)

    last = {int(each["id"]): each["amount"] for each in told}
    model = messages.model()
    assert model.total().rows == len(last) < len(told)
    assert model.total().amount == sum(last.values())
    assert {row.dms_id % PARTITIONS for row in messages.rows} == set(range(PARTITIONS))
    in_order = [row.dms_id for row in messages.rows]
    assert in_order != sorted(in_order)
