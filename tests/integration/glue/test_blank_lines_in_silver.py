"""What is no record costs nothing: blank lines reach neither a join nor a window."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from contract.writing import COMMA
from pyspark.sql import SparkSession

from glue.reading.records import join_spans

BLANK_LINES = 20_000
SPAN = ['7,"first', "", "  ", 'last"']


def shuffled_records(spark: SparkSession) -> int:
    """Return how many records all stages so far have written for others to read."""
    context = spark.sparkContext
    gateway, jvm = context._gateway, context._jvm
    none, anything = gateway.new_array(jvm.double, 0), jvm.java.util.ArrayList()
    stages = context._jsc.sc().statusStore().stageList(anything, False, False, none, anything)
    return sum(stages.apply(place).shuffleWriteRecords() for place in range(stages.size()))


@pytest.fixture
def unhelped(spark: SparkSession) -> Iterator[SparkSession]:
    """Let no join be saved by one of its sides being small."""
    spark.conf.set("spark.sql.autoBroadcastJoinThreshold", "-1")
    yield spark
    spark.conf.unset("spark.sql.autoBroadcastJoinThreshold")


def test_records_are_joined_and_numbered_alone__twenty_thousand_blank_lines(unhelped: SparkSession) -> None:
    texts = ["1,a", *[""] * BLANK_LINES, "2,b", *SPAN, *["" for _ in range(BLANK_LINES)], "\t", "3,c"]
    rows = [("f", number, text, 2) for number, text in enumerate(texts, 2)]
    lines = unhelped.createDataFrame(rows, "file_id string, line bigint, text string, field_count int")
    before = shuffled_records(unhelped)

    found = [tuple(row) for row in join_spans(lines, COMMA).select("row", "line", "text").orderBy("row").collect()]

    assert found == [
        (1, 2, "1,a"),
        (2, BLANK_LINES + 3, "2,b"),
        (3, BLANK_LINES + 4, "\n".join(SPAN)),
        (4, len(texts) + 1, "3,c"),
    ]
    assert shuffled_records(unhelped) - before < 100
