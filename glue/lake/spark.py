"""What the layers ask of Spark itself."""

from __future__ import annotations

from typing import Any

from pyspark.sql import SparkSession


def jvm(spark: SparkSession) -> Any:
    """Return the JVM behind a session."""
    return spark._jvm
