"""Writes a summary as one page of HTML that needs nothing else: no script, font or picture from anywhere.

Every text goes through `visible` and is escaped, whoever wrote it. The page refuses to load anything (its content
security policy), works without its script, and holds no more than `MOST_FILES` files one by one.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from contract.vocabulary import OUTCOMES
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from reading.visible import visible

from assay import console
from assay.passport import MEANINGS
from assay.report import charts, plots
from assay.report.summary import FAILED, NOTHING, PUBLISHED, REJECTED, UNDONE, WAITING, File, Summary, add_up
from assay.report.verdict import checks, judge, named

MOST_FILES = 1_000
MOST_MOVED = 10
MOST_EXPECTED = 100
MOST_CHARACTERS = 2_000
FOLDER = Path(__file__).parent
STATE_MARKS = {PUBLISHED: "✓", REJECTED: "✗", FAILED: "✗", UNDONE: "↶", WAITING: "…"}


@dataclass(frozen=True)
class Listed:
    """The files that the page lists one by one: first those that are not green, then the newest."""

    files: Sequence[File]
    not_green: int
    total: int


@dataclass(frozen=True)
class Moved:
    """A file or a decision by its effect on the money."""

    effect: Decimal
    what: str
    key: str
    anchor: str
    at: str
    run: int | None
    told: str


@dataclass(frozen=True)
class RuleLine:
    """A rule with the rows that break it: all, open, repaired, and of undone files."""

    rule: str
    rows: int
    still_open: int
    repaired: int
    undone: int


def write(summary: Summary) -> str:
    """Return the page."""
    script = (FOLDER / "page.js").read_text()
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            s=summary,
            verdict=judge(summary),
            checks=checks(summary),
            arrived=add_up(summary.files),
            taken=add_up(summary.taken),
            held_back=[(state, add_up(_not_taken(summary, state))) for state in (REJECTED, FAILED, WAITING)],
            subjects=_subjects(summary),
            later=summary.effects_after,
            over=(over := charts.intervals(summary.files)),
            by_outcome=charts.by_outcome(summary, over),
            by_rule=charts.by_rule(summary, summary.lake.broken if summary.lake else (), over),
            by_channel=charts.by_channel(summary.lake.cells if summary.lake else ()),
            rules=_rules(summary),
            listed=list_files(summary),
            anchors={file.file_id: file.anchor for file in list_files(summary).files},
            keys={file.file_id: file.key for file in summary.files},
            moved=_moved(summary),
            of_run=_by_run(summary),
            expected=sorted(summary.expected or (), key=lambda each: (each.state != "late", each.due_at))[
                :MOST_EXPECTED
            ],
            meanings=MEANINGS,
            outcomes=list(OUTCOMES),
            state_marks=STATE_MARKS,
            style=Markup((FOLDER / "page.css").read_text()),  # noqa: S704  a file of this folder
            script=Markup(script),  # noqa: S704  a file of this folder
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )
    )


def list_files(summary: Summary) -> Listed:
    """Choose the files to list; those that are not green have half of the room at the least."""
    newest = sorted(summary.files, key=lambda file: (file.arrived_at, file.file_id), reverse=True)
    not_green = [file for file in newest if not file.is_green]
    green = [file for file in newest if file.is_green]
    room = max(MOST_FILES - len(green), MOST_FILES // 2)
    first = not_green[:room]
    return Listed([*first, *green[: MOST_FILES - len(first)]], len(not_green), len(newest))


def _not_taken(summary: Summary, state: str) -> list[File]:
    return [file for file in summary.of(state) if file.silver_run is None]


def _subjects(summary: Summary) -> list[tuple[str, Any]]:
    names = sorted({file.subject for file in summary.files})
    return [(name, add_up([file for file in summary.files if file.subject == name])) for name in names]


def _rules(summary: Summary) -> list[RuleLine]:
    """Count the rows in quarantine by rule, the most frequent rule first."""
    undone_files = {file.file_id for file in summary.of(UNDONE)}
    rows, repaired, undone = Counter[str](), Counter[str](), Counter[str]()
    for each in summary.lake.broken if summary.lake else ():
        rows[each.rule] += each.rows
        repaired[each.rule] += each.repaired
        undone[each.rule] += each.rows - each.repaired if each.file_id in undone_files else 0
    return [
        RuleLine(rule, number, number - repaired[rule] - undone[rule], repaired[rule], undone[rule])
        for rule, number in rows.most_common()
    ]


def _moved(summary: Summary) -> list[Moved]:
    """Return the files and decisions that moved the most money."""
    files = [
        Moved(file.effect, "file", file.key, file.anchor, file.arrived_at, file.silver_run, _changed(file))
        for file in summary.taken
    ]
    actions = [
        Moved(
            action.effect, action.what, action.key, f"file-{action.file_id[:20]}", action.at, action.run, action.reason
        )
        for action in summary.actions
        if action.run is not None
    ]
    found = sorted((each for each in (*files, *actions) if each.effect), key=lambda each: (-abs(each.effect), each.at))
    return found[:MOST_MOVED]


def _by_run(summary: Summary) -> dict[int, list[File]]:
    """Return the files of the period by the run of Gold that published them."""
    found: dict[int, list[File]] = {}
    for file in summary.files:
        if file.gold_run is not None:
            found.setdefault(file.gold_run, []).append(file)
    return found


def _changed(file: File) -> str:
    counted = [(name, file.outcomes.get(name, 0)) for name in ("inserted", "updated", "deleted")]
    return ", ".join(f"{rows:,} {name}" for name, rows in counted if rows)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": console.count,
        "money": console.money,
        "signed": lambda amount: f"{amount:+,.2f}" if amount else "0.00",
        "figure": lambda value: f"{value:,}",
        "instant": lambda at: _unbroken(at[:19].replace("T", " ")),
        "minute": lambda at: _unbroken(at[:16].replace("T", " ")),
        "unbroken": _unbroken,
        "key": _key,
        "draw": plots.draw,
        "interval": charts.shown_interval,
        "named": named,
        "as_is": Markup.escape,
        "percent": lambda part, whole: f"{100 * part // whole if whole else 0}",
    }
    environment.globals |= {"nothing": NOTHING}
    return environment


def _unbroken(text: object) -> Markup:
    """Return a date or an instant that no line ends in."""
    return Markup('<span class="t">{}</span>').format(console.shown(str(text)))


def _key(text: str) -> Markup:
    """Return a key whose lines may end after a folder."""
    return Markup("/<wbr>").join(visible(text, most=MOST_CHARACTERS).split("/"))


def _shown(value: object) -> object:
    """Return text with all that acts or hides in it shown; what is markup already was made from such text."""
    return visible(value, most=MOST_CHARACTERS) if type(value) is str else value
