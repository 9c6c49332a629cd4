"""Reads from the tables, at the readers' cut, what the ledger does not hold of a period."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from assay import query
from assay.report.summary import Broken, Example, GoldCell, Lake, RowMoved

MOST_DAYS, MOST_MONTHS = 92, 60
EXAMPLES = 2  # of each rule
MOST_ROWS = 10
RAW_CHARACTERS = 300

TOTALS = """
    SELECT coalesce(sum(row_count), 0)::BIGINT AS rows, coalesce(sum(total_amount), 0)::DECIMAL(38, 2) AS amount,
        min(transacted_on) AS first_on, max(transacted_on) AS last_on FROM gold.daily_totals"""
CELLS = """
    SELECT strftime(date_trunc('{unit}', transacted_on), '{form}') AS interval, channel,
        sum(row_count)::BIGINT AS rows, sum(total_amount)::DECIMAL(38, 2) AS amount
    FROM gold.daily_totals WHERE transacted_on BETWEEN ? AND ? GROUP BY ALL ORDER BY ALL"""
OF_FILES = "file_id IN (SELECT unnest(?::VARCHAR[]))"
QUARANTINED = """
    SELECT file_id, count(*) AS rows, count({repaired}) AS repaired
    FROM silver.quarantine WHERE {of_files} GROUP BY file_id"""
BROKEN = """
    SELECT file_id, rule, count(*) AS rows, count(repaired) AS repaired
    FROM (SELECT file_id, unnest(rules) AS rule, {repaired} AS repaired FROM silver.quarantine WHERE {of_files})
    GROUP BY ALL ORDER BY ALL"""
FIRST_OF_RULE = """
    SELECT file_id, "row", line, rules, left(raw, {characters}) AS raw, {repaired} IS NOT NULL AS is_repaired
    FROM silver.quarantine WHERE {of_files}
    QUALIFY row_number() OVER (PARTITION BY rules[1] ORDER BY run_seq DESC, file_id, "row") <= {most}
    ORDER BY rules[1], run_seq DESC, file_id, "row" """
EFFECTS = """
    SELECT outcome, coalesce(sum(effect_amount), 0)::DECIMAL(38, 2) AS effect
    FROM silver.transaction_history WHERE run_seq BETWEEN {first} AND {last} AND {of_files} GROUP BY outcome"""
MOVED = """
    SELECT run_seq AS run, cause, file_id, "row", dms_id AS key, effect_amount AS effect
    FROM silver.transaction_effects
    WHERE run_seq BETWEEN {first} AND {last} AND (cause <> 'file' OR {of_files})
    ORDER BY abs(effect_amount) DESC, run_seq, dms_id LIMIT {most}"""


def read(lake: query.Lake, *, days: Sequence[str], runs: Sequence[int], file_ids: Sequence[str]) -> Lake:
    """Read Gold's totals, its days from the first to the last one given, and what Silver's runs left of the files."""
    there = set(lake.tables())
    if "gold.daily_totals" not in there:
        return Lake()
    lake.open("gold", "daily_totals")
    found: dict[str, Any] = lake.rows(TOTALS)[0]
    found["cells"] = _cells(lake, sorted(days))
    if runs and {"silver.transaction_history", "silver.transaction_effects"} <= there:
        found |= _moved(lake, runs, file_ids)
    if "silver.quarantine" in there:
        found |= _quarantine(lake, file_ids)
    return Lake(**found)


def _cells(lake: query.Lake, days: Sequence[str]) -> list[GoldCell]:
    if not days:
        return []
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    unit, form = _interval((last - first).days)
    return [GoldCell(**row) for row in lake.rows(CELLS.format(unit=unit, form=form), [first, last])]


def _interval(days: int) -> tuple[str, str]:
    """Return how finely so many days can be shown."""
    if days <= MOST_DAYS:
        return "day", "%Y-%m-%d"
    return ("month", "%Y-%m") if days <= 31 * MOST_MONTHS else ("year", "%Y")


def _moved(lake: query.Lake, runs: Sequence[int], file_ids: Sequence[str]) -> dict[str, Any]:
    """Read what some runs moved; the tables of a replay that was put in place have other runs, and tell less."""
    lake.open("silver", "transaction_history")
    lake.open("silver", "transaction_effects")
    filled = {"first": runs[0], "last": runs[-1], "most": MOST_ROWS, "of_files": OF_FILES}
    values = [list(file_ids)]
    return {
        "effects": {row["outcome"]: row["effect"] for row in lake.rows(EFFECTS.format(**filled), values)},
        "rows_moved": [RowMoved(**row) for row in lake.rows(MOVED.format(**filled), values)],
    }


def _quarantine(lake: query.Lake, file_ids: Sequence[str]) -> dict[str, Any]:
    columns = lake.open("silver", "quarantine")
    filled = {
        "of_files": OF_FILES,
        "repaired": "repaired_by" if "repaired_by" in columns else "NULL",
        "characters": RAW_CHARACTERS,
        "most": EXAMPLES,
    }
    values = [list(file_ids)]
    quarantined = lake.rows(QUARANTINED.format(**filled), values)
    return {
        "quarantined": {row["file_id"]: (row["rows"], row["repaired"]) for row in quarantined},
        "broken": [Broken(**row) for row in lake.rows(BROKEN.format(**filled), values)],
        "examples": [Example(**row) for row in lake.rows(FIRST_OF_RULE.format(**filled), values)],
    }
