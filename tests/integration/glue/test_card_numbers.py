"""Spark masks card numbers in texts as the KPI function does, and as staging does line by line."""

from __future__ import annotations

import random

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from reading.card_numbers import masked as masked_by_kpi

from glue.reading.card_numbers import masked, masked_text

SIGNS = "0123456789" * 4 + " -.,aé\u00a0\n"
TEXTS = (
    *(
        "VISA 4111 1111 1111 1111 12/27",
        "x4111111111111111x",
        "12.340000000000001",
        "1.4111111111111111 4111-1111-1111-1111",
    ),
    *("2024-03-05 10153012", "20240305101530", "2024 4111 1111 1111 1111", "4" * 300, "4 " * 300, "", "1,2,3"),
    *(f"{'1,' * 5_000}4111111111111111", "4111 1111 1111 1111" * 9, "41  11 --- 11 - 11 1111 1111 11 11"),
)


def drawn(count: int) -> list[str]:
    """Return texts of digits and what may stand between them, the same each time."""
    rng = random.Random(20261)
    return ["".join(rng.choice(SIGNS) for _ in range(rng.randint(8, 60))) for _ in range(count)]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return [*TEXTS, *drawn(5_000)]


def test_spark_masks_as_the_kpi_function_does__drawn_texts(spark: SparkSession, texts: list[str]) -> None:
    rows = spark.createDataFrame(list(enumerate(texts)), "place int, text string").repartition(2)
    found = {row.place: row.shown for row in rows.select("place", masked(F.col("text")).alias("shown")).collect()}
    expected = {place: masked_by_kpi(text) for place, text in enumerate(texts)}
    assert [texts[place] for place in expected if found[place] != expected[place]] == []
    assert sum(expected[place] != text for place, text in enumerate(texts)) > 200


def test_staging_masks_as_the_kpi_function_does__drawn_texts(texts: list[str]) -> None:
    assert [text for text in texts if masked_text(text) != masked_by_kpi(text)] == []
