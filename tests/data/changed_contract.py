"""A copy of the project whose contract has one more line: what a reader of the documents would write."""

import shutil
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
KPI = "functions/kpi"
NEW_COLUMN = '    SourceColumn("terminal_id", INTEGER, "The terminal."),\n'
AFTER_COLUMN = '    SourceColumn("errors", NAMES, '
NEW_RULE = '("amount_above_limit", "amount", Fault.ABOVE_LIMIT, "more than 10,000", limit="10000.00")'
RULES_LINE = '    "transactions": (),'


def copied(to: Path, *folders: str) -> Path:
    """Copy folders of the project."""
    for folder in folders:
        shutil.copytree(ROOT / folder, to / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return to


def add_column(project: Path, line: str = NEW_COLUMN) -> None:
    """Add a line behind the last column of transactions."""
    _change(project / KPI / "contract" / "columns.py", AFTER_COLUMN, lambda last: last + line)


def add_fact_column(project: Path, name: str = "terminal_id") -> None:
    """Take the new column of transactions into the facts."""
    line = f'LATER_FACT_IMAGE: tuple[str, ...] = ("{name}",)\n'
    _change(project / KPI / "contract" / "tables.py", "LATER_FACT_IMAGE: tuple", lambda _: line)


def add_rule(project: Path, rule: str = NEW_RULE) -> None:
    """Write a comparison into the line of the rules of transactions."""
    line = f'    "transactions": (Rule{rule},),\n'
    _change(project / KPI / "contract" / "rules.py", RULES_LINE, lambda _: line)


def _change(path: Path, beginning: str, changed: Callable[[str], str]) -> None:
    lines = path.read_text().splitlines(keepends=True)
    (at,) = [place for place, line in enumerate(lines) if line.startswith(beginning)]
    lines[at] = changed(lines[at])
    path.write_text("".join(lines))
