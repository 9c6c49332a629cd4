"""Each pattern of the contract means the same to Java, by which Spark matches, as it does to Python and polars."""

from __future__ import annotations

from contract import patterns
from pattern_examples import ACCEPTED, examples
from pyspark.sql import SparkSession


def test_patterns_accept_and_refuse_in_java__what_they_do_in_the_other_engines(spark: SparkSession) -> None:
    java = spark._jvm.java.util.regex.Pattern
    compiled = {name: java.compile(f"^(?:{getattr(patterns, name)})\\z") for name in ACCEPTED}
    found = [(name, text, compiled[name].matcher(text).find()) for name, text, _ in examples()]
    assert found == examples()
