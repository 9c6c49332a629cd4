"""Which columns a table lacks that the contract has by now."""

from __future__ import annotations

import pytest
from pyspark.sql import types as T

from glue.lake.tables import missing_columns

MONEY = T.DecimalType(18, 2)
IMAGE = T.StructType([T.StructField("amount", MONEY), T.StructField("errors", T.ArrayType(T.StringType()))])
HELD = T.StructType([T.StructField("dms_id", T.LongType()), T.StructField("before", IMAGE)])


def with_columns(held: T.StructType, **added: T.DataType) -> T.StructType:
    return T.StructType([*held.fields, *(T.StructField(name, kind) for name, kind in added.items())])


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (HELD, []),
        (T.StructType(HELD.fields[::-1]), []),
        (with_columns(HELD, limit=MONEY, names=T.ArrayType(T.StringType())),
         [("limit", "decimal(18,2)"), ("names", "array<string>")]),
        (T.StructType([HELD["dms_id"], T.StructField("before", with_columns(IMAGE, terminal_id=T.LongType()))]),
         [("before.terminal_id", "bigint")]),
        (T.StructType(HELD.fields[:1]), []),
    ],
    ids=["none", "another order", "two at the end", "within a struct", "the table has more"],
)  # fmt: skip
def test_columns_that_a_table_lacks(wanted: T.StructType, expected: list[tuple[str, str]]) -> None:
    assert list(missing_columns(HELD, wanted)) == expected
