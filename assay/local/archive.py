"""JVM options that make a local Spark start fast."""

from __future__ import annotations


def java_options() -> list[str]:
    """Return the options; on two cores and short jobs the quick compiler and the simple collector win (ADR 3)."""
    return ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
