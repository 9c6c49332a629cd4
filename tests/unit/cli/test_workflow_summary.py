"""The workflow's run: the verdict in its summary is one line, then what differs; it opens the report in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from write_summary import read, summary

WORKFLOW = Path(__file__).parents[3] / ".github" / "workflows" / "checks.yml"
SAME = {"what": "rows", "expected": 1, "found": 1, "equal": True}
OFF = {"what": "amount", "expected": "1.00", "found": "1.01", "equal": False}
REPORT = {
    "verdict": "Every figure adds up; still open: 1 file was rejected.",
    "problems": [{"level": "open", "what": "1 file was rejected", "do": "assay passport a.csv"}],
}
TABLE = {"table": "gold.daily_totals", "equal": False, "differing_keys": 3}


def audit(*checks: dict[str, Any]) -> dict[str, Any]:
    return {"agrees": all(check["equal"] for check in checks), "comparisons": list(checks)}


def replay(*tables: dict[str, Any], lost: tuple[dict[str, str], ...] = ()) -> dict[str, Any]:
    return {"agrees": not tables and not lost, "tables": list(tables), "seed": 5, "not_replayed": list(lost)}


def test_summary_is_one_line__everything_agrees() -> None:
    assert summary(audit(SAME, SAME), replay(), REPORT).splitlines() == [
        "### ✓ Every row and every cent agrees: 2 comparisons, 0 tables rebuilt (seed 5)",
        "",
        "",
        "The report: Every figure adds up; still open: 1 file was rejected.",
        "- 1 file was rejected: `assay passport a.csv`",
    ]


def test_summary_names_what_differs__audit_and_replay() -> None:
    text = summary(audit(SAME, OFF), replay(TABLE, lost=({"key": "a.csv", "why": "no rows"},)), None)
    assert text.splitlines()[0].startswith("### ✗ Not everything agrees: ")
    assert text.splitlines()[2:] == [
        "- amount: 1.00 against 1.01",
        "- gold.daily_totals: 3 keys differ after the replay",
        "- a.csv did not come through the replay: no rows",
        "",
        "The report: was not written.",
    ]


@pytest.mark.parametrize(("found", "word"), [((None, replay()), "audit"), ((audit(SAME), None), "replay")])
def test_summary_says_what_was_not_made(found: tuple[Any, Any], word: str) -> None:
    assert summary(*found, REPORT) == f"### ✗ The demo came to no {word}\n"


@pytest.mark.parametrize("text", ["", "{", None])
def test_answer_is_nothing__cut_short_or_not_there(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "a.json").write_text(text)
    assert read(tmp_path / "a.json") is None


def test_workflow_opens_the_report_in_a_browser__and_fails_where_there_is_none() -> None:
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["demo"]["steps"]
    (step,) = [step["run"] for step in steps if "tests/integration/report" in step.get("run", "")]
    assert step.startswith("google-chrome --version && ")
