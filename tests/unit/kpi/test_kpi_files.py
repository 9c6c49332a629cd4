"""Whole files from the contract's grammar and its neighbourhood: the function tells of each what the reference does."""

import os
from collections import Counter

import kpi_reference_files as reference
import kpi_reference_json
import pytest
from admission import Inspection
from build import LAST_MODIFIED_AT
from file_grammar import files, json_files
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy
from judging.kpis import instant_text, money_text
from kpi_rows import inspected_file

WANTED = os.environ.get("ASSAY_FILES")
QUICK, PARTS = 40, 4
"""So many files are drawn in each run of the tests, all four parts by `make test-slow` and `make fuzz`."""
COUNT = int(WANTED or "2000") // PARTS
OF_WRITING = {"day_first_dates", "decimal_commas", "ambiguous_dialect"}
"""Why a file is refused whose values say that it is written in another way than the usual one."""
AGREED = ("read", "refused for its values")


def inspected(content: bytes) -> Inspection:
    return inspected_file(content, last_modified_at=LAST_MODIFIED_AT)


def agrees(found: Inspection, expected: reference.Table) -> bool:
    """Hold the figures of a file that was read to its rows; a refused one must give cause."""
    codes = {reason.code for reason in found.reasons}
    if codes:
        is_nameless = codes == {"values_without_name"} and expected.has_values_without_a_name
        return is_nameless or (codes <= OF_WRITING and expected.may_be_written_otherwise)
    assert found.kpis is not None
    rows, item = expected.rows, found.kpis.as_item()
    instants = sorted(row.us for row in rows if row.us is not None)
    figures = {
        "row_count": len(rows),
        "distinct_keys": len({row.key for row in rows} - {None}),
        "unreadable_keys": sum(row.key is None for row in rows),
        "unreadable_amounts": sum(row.cents is None for row in rows),
        "unreadable_dates": sum(row.us is None for row in rows),
        "bad_rows": sum(bool(row.rules) for row in rows),
        "broken_rules": dict(Counter(rule for row in rows for rule in row.rules)),
        "total_amount": money_text(sum(row.cents or 0 for row in rows)),
        "positive_total": money_text(sum(max(row.cents or 0, 0) for row in rows)),
        "key_sum": sum(row.key or 0 for row in rows) % 10**16,
        "hash_total": sum((row.key or 0) * (row.cents or 0) for row in rows) % 10**16,
        "first_at": instant_text(instants[0]) if instants else None,
        "last_at": instant_text(instants[-1]) if instants else None,
    }
    return {name: item.get(name) for name in figures} == figures


def end_of(content: bytes) -> str:
    """Return how a file ends if the function agrees with the reference, else what it says."""
    found = inspected(content)
    codes = sorted({reason.code for reason in found.reasons})
    try:
        kind = kpi_reference_json if kpi_reference_json.is_lines(content) else reference
        expected = kind.read(content, LAST_MODIFIED_AT)
    except reference.UnreadableError as reason:
        return f"refused: {reason}" if codes else f"read, but {reason}"
    if agrees(found, expected):
        return "refused for its values" if codes else "read"
    return f"differs: {codes or found.kpis}, expected {expected}"


OF_PARTS = pytest.mark.parametrize(
    ("part", "count"),
    [
        *([] if WANTED else [(0, QUICK)]),
        *(pytest.param(part, COUNT, marks=() if WANTED else pytest.mark.slow) for part in range(PARTS)),
    ],
)


def hold(drawn: SearchStrategy[bytes], count: int) -> None:
    """Hold the function to the reference on so many drawn files, others in each run."""

    @settings(
        max_examples=count, deadline=None, database=None, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow],
    )  # fmt: skip
    @given(content=drawn)
    def agree(content: bytes) -> None:
        end = end_of(content)
        assert end in AGREED or end.startswith("refused: "), end

    agree()


@OF_PARTS
def test_function_agrees_with_the_reference_and_raises_nothing__any_file(part: int, count: int) -> None:
    hold(files(), count)


@OF_PARTS
def test_function_agrees_with_the_reference_and_raises_nothing__any_json_lines(part: int, count: int) -> None:
    hold(json_files(), count)
