"""Says in one line whether a period is in order; names what is not, each with the command that goes on from there."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from assay.passport import Check
from assay.report.summary import FAILED, PUBLISHED, REJECTED, WAITING, File, Summary

WRONG, OPEN, GREEN = "wrong", "open", "green"
MARKS = {WRONG: "✗", OPEN: "!", GREEN: "✓"}


@dataclass(frozen=True)
class Problem:
    """What is not in order, the part of the page that shows it, and the command to go on with."""

    level: str
    text: str
    anchor: str
    command: str


@dataclass(frozen=True)
class Verdict:
    """The worst of the problems, and the line that says so."""

    level: str
    line: str
    problems: Sequence[Problem]

    @property
    def mark(self) -> str:
        return MARKS[self.level]


def judge(summary: Summary) -> Verdict:
    """Return the verdict on a period."""
    found = [*_sums(summary), *_layers(summary), *_files(summary), *_rows(summary), *_calendar(summary)]
    problems = sorted(found, key=lambda problem: problem.level != WRONG)
    wrong = [problem for problem in problems if problem.level == WRONG]
    if wrong:
        return Verdict(WRONG, f"Not in order: {_several(wrong)}.", problems)
    if not summary.files and not summary.actions:
        return Verdict(OPEN, f"No file arrived {summary.period.told}.", problems)
    if problems:
        return Verdict(OPEN, f"Every figure adds up to the cent; still open: {_several(problems)}.", problems)
    return Verdict(GREEN, "All in order: every file is published, and every figure adds up to the cent.", problems)


def checks(summary: Summary) -> list[Check]:
    """Compare what came in with what became of it, over all files of the period; files that differ have their own."""
    taken, outcomes = summary.taken, summary.outcomes
    rows, amount = sum(file.rows for file in taken), sum(file.amount for file in taken)
    found = [
        Check("rows: files in Silver = the seven outcomes", rows, sum(rows for rows, _ in outcomes.values())),
        Check("amount: files in Silver = the seven outcomes", amount, sum(amount for _, amount in outcomes.values())),
        Check("files in Silver = files whose own figures add up", len(taken), sum(_adds_up(file) for file in taken)),
    ]
    if summary.lake is not None:
        held = sum(summary.lake.quarantined.get(file.file_id, (0, 0))[0] for file in taken)
        found.append(Check("rows: outcome quarantined = silver.quarantine", outcomes["quarantined"][0], held))
    return [*found, *summary.totals_checks]


def named(file: File) -> str:
    """Return how a command names a file: by its key, or by its id where the key cannot be copied from a page."""
    return shlex.quote(file.key) if file.key.isascii() and file.key.isprintable() else file.file_id


def _adds_up(file: File) -> bool:
    return all(check.good for check in file.checks)


def _sums(summary: Summary) -> Iterator[Problem]:
    wrong = [check for check in checks(summary) if not check.good]
    if wrong:
        text = f"{_counted(len(wrong), 'comparison')} of the audit {_is(len(wrong))} different"
        yield Problem(WRONG, text, "audit", "assay audit --full")


def _layers(summary: Summary) -> Iterator[Problem]:
    for layer, since in sorted(summary.breakers.items()):
        text = f"the breaker of {layer} is open since {since[:16].replace('T', ' ')} UTC"
        yield Problem(WRONG, text, "files", f"assay resume --layer {layer}")


def _files(summary: Summary) -> Iterator[Problem]:
    failed, rejected, waiting = (summary.of(state) for state in (FAILED, REJECTED, WAITING))
    if failed:
        command = f"assay resume {named(failed[0])}" if len(failed) == 1 else "assay resume --failed"
        yield Problem(WRONG, f"{_counted(len(failed), 'file')} failed", "files", command)
    if rejected:
        text = f"{_counted(len(rejected), 'file')} {_was(len(rejected))} rejected"
        yield Problem(OPEN, text, "files", f"assay passport {named(rejected[-1])}")
    if waiting:
        text = f"{_counted(len(waiting), 'file')} {_is(len(waiting))} not in Gold yet"
        yield Problem(OPEN, text, "files", "assay status")
    if warned := [file for file in summary.of(PUBLISHED) if file.warnings]:
        text = f"{_counted(len(warned), 'published file')} {_has(len(warned))} warnings"
        yield Problem(OPEN, text, "files", f"assay passport {named(warned[-1])}")


def _rows(summary: Summary) -> Iterator[Problem]:
    still_open, _, _ = summary.quarantine
    if still_open:
        text = f"{_counted(still_open, 'row')} {_is(still_open)} in quarantine"
        yield Problem(OPEN, text, "quarantine", "assay quarantine")


def _calendar(summary: Summary) -> Iterator[Problem]:
    late = [each for each in summary.expected or () if each.state == "late"]
    if late:
        text = f"{_counted(len(late), 'expected file')} {_has(len(late))} not come"
        yield Problem(OPEN, text, "calendar", "assay status --expected")


def _several(problems: Sequence[Problem]) -> str:
    return "; ".join(problem.text for problem in problems)


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def _has(number: int) -> str:
    return "has" if number == 1 else "have"
