"""The verdict: green only if nothing is open, and each problem with its command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest
from generated_month import month

from assay.passport import Check
from assay.report.summary import FAILED, Expected, Lake, Summary
from assay.report.verdict import GREEN, OPEN, WRONG, judge


@pytest.fixture
def green() -> Summary:
    """Two files of a month that are published, with nothing left to do."""
    made = month(2)
    return made.summary(expected=())


def failed(summary: Summary) -> Summary:
    return replace(summary, files=[replace(summary.files[0], state=FAILED), *summary.files[1:]])


CASES: dict[str, tuple[Callable[[Summary], Summary], str, str, str]] = {
    "failed": (failed, WRONG, "1 file failed", "assay resume transactions/london/"),
    "rejected": (
        lambda s: replace(s, files=[*s.files, replace(s.files[0], state="rejected", silver_run=None)]),
        OPEN,
        "1 file was rejected",
        "assay passport transactions/london/",
    ),
    "waiting": (
        lambda s: replace(s, files=[*s.files, replace(s.files[0], state="waiting", silver_run=None)]),
        OPEN,
        "1 file is not in Gold yet",
        "assay status",
    ),
    "warned": (
        lambda s: replace(s, files=[replace(s.files[0], warnings=["w"]), *s.files[1:]]),
        OPEN,
        "1 published file has warnings",
        "assay passport transactions/london/",
    ),
    "late": (
        lambda s: replace(s, expected=[Expected("a.csv", "2026-06-02T07:00:00Z", "late", "")] * 2),
        OPEN,
        "2 expected files have not come",
        "assay status --expected",
    ),
    "breaker": (
        lambda s: replace(s, breakers={"silver": "2026-06-02T07:00:00.000000Z"}),
        WRONG,
        "the breaker of silver is open since 2026-06-02 07:00 UTC",
        "assay resume --layer silver",
    ),
    "gold differs": (
        lambda s: replace(s, totals_checks=[Check("amount", Decimal("1.00"), Decimal("1.01"))]),
        WRONG,
        "1 comparison of the audit is different",
        "assay audit --full",
    ),
    "lost rows": (
        lambda s: replace(s, files=[replace(s.files[0], rows=s.files[0].rows + 1), *s.files[1:]]),
        WRONG,
        "1 comparison of the audit is different",
        "assay audit --full",
    ),
    "quarantine differs": (
        lambda s: replace(s, lake=replace(s.lake or Lake(), quarantined={s.files[0].file_id: (3, 3)})),
        WRONG,
        "1 comparison of the audit is different",
        "assay audit --full",
    ),
}


def test_verdict_is_green__all_is_published_and_adds_up(green: Summary) -> None:
    verdict = judge(green)
    assert (verdict.level, verdict.problems) == (GREEN, [])


@pytest.mark.parametrize("case", CASES)
def test_verdict_names_the_problem_and_its_command__each(green: Summary, case: str) -> None:
    change, level, text, command = CASES[case]
    verdict = judge(change(green))
    (problem,) = verdict.problems
    assert (verdict.level, problem.level, problem.text) == (level, level, text)
    assert problem.command.startswith(command)
    assert text in verdict.line


def test_verdict_names_the_list_of_open_rows() -> None:
    (problem,) = [each for each in judge(month(60).summary(expected=())).problems if each.anchor == "quarantine"]
    assert problem.command == "assay quarantine"


def test_verdict_counts_open_rows_alone__not_repaired_ones_nor_those_of_undone_files() -> None:
    summary = month(60).summary(expected=())
    assert summary.lake
    rows, repaired = (sum(each) for each in zip(*summary.lake.quarantined.values(), strict=True))
    assert summary.quarantine == (rows - repaired, repaired, 0)
    undone = [
        replace(file, state="undone") if file.file_id in summary.lake.quarantined else file for file in summary.files
    ]
    assert replace(summary, files=undone).quarantine == (0, repaired, rows - repaired)


def test_command_names_a_file_by_its_id__its_key_cannot_be_typed(green: Summary) -> None:
    file = replace(green.files[0], key="transactions/\u202ea.csv", state=FAILED)
    (problem,) = judge(replace(green, files=[file, green.files[1]])).problems
    assert problem.command == f"assay resume {file.file_id}"


def test_verdict_puts_first_what_is_wrong__before_what_is_open(green: Summary) -> None:
    late = CASES["late"][0](green)
    verdict = judge(CASES["gold differs"][0](late))
    assert [problem.level for problem in verdict.problems] == [WRONG, OPEN]
    assert "expected" not in verdict.line
