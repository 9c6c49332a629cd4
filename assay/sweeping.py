"""The commands `sweep` and `expect`, and the calendar of `status --expected`: all ask the sweep's function."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assay.errors import UserError
from assay.options import AsJson, DryRun, Profile, Region, StackName, Yes, agree, open_target, refuse_to_ask

if TYPE_CHECKING:
    from rich.console import RenderableType

    from assay.target import Target

STYLES = {"came": "green", "late": "bold red", "due": ""}


def sweep(
    older_than: Annotated[
        int, typer.Option(min=0, metavar="HOURS", help="How old a file must be: the event of a younger one may come.")
    ] = 6,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Find what was left behind in the pipeline, and have it go on. The stack does so by itself every six hours."""
    from assay import console

    target = open_target(stack, region, profile)
    given = {"older_than_s": older_than * 3600}
    if dry_run or not yes:
        seen = ask(target, {**given, "dry_run": True})
        if not as_json or not dry_run:
            console.out().print(render(seen))
        if dry_run or not (seen["found"] or seen["notices"]):
            if as_json:
                console.print_json(seen)
            return
        agree("Have these go on?", yes=yes)
    done = ask(target, {**given, "whole": True})
    while not done["complete"]:
        more = ask(target, given)
        done = {name: done[name] + more[name] for name in ("found", "notices")} | {"complete": more["complete"]}
    if as_json:
        console.print_json(done)
    else:
        console.out().print(render(done))
        console.note("They go on from here, each with its own mail. Follow them: assay status")


def ask(target: Target, event: dict[str, Any]) -> dict[str, Any]:
    """Call the sweep's function; raise UserError if it fails, or another sweep is at work."""
    answer = target.functions.invoke(FunctionName=target.stack.sweep_function, Payload=json.dumps(event).encode())
    told: dict[str, Any] = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        raise UserError(f"the sweep failed: {told.get('errorMessage', 'without a word')}", f"see {target.logs()[0]}")
    if told.get("busy"):
        raise UserError("another sweep is at work", "wait until it has ended; its mail says what it found")
    return told


def render(told: dict[str, Any]) -> RenderableType:
    """Draw what was found, and what is said of expected files."""
    from rich.console import Group
    from rich.text import Text

    from assay import console

    parts: list[RenderableType] = [Text(console.shown(notice["text"])) for notice in told["notices"]]
    if told["found"]:
        grid = console.table(
            f"Left behind: {len(told['found']):,}",
            ("file", "version", "why"),
            keys=("file", "version"),
            spare=("version",),
        )
        for found in told["found"]:
            grid.add_row(console.shown(found["key"]), found["version_id"], found["what"])
        parts.append(grid)
    return Group(*parts) if parts else Text("Nothing was left behind, and nothing is late.")


def expect(
    folder: Annotated[str, typer.Argument(help="The folder in Bronze, such as transactions/london/.")],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME...", help="Names of files, with {date} or {yyyymmdd} for the day and * for any text."
        ),
    ] = None,
    by: Annotated[str, typer.Option(metavar="HH:MM", help="Until when they are expected.")] = "12:00",
    zone: Annotated[str, typer.Option(help="The time zone of that time and of the days.")] = "UTC",
    days: Annotated[str, typer.Option(help="The days: mon-fri, or mon,wed.")] = "mon-sun",
    file: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="A calendar in JSON, instead of names and times.")
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Say which files a folder expects, and until when. It replaces the folder's calendar; late files are mailed."""
    from contract.companions import CALENDAR_NAME, is_calendar

    from assay import console, upload

    key = f"{folder.strip('/')}/{CALENDAR_NAME}"
    if not (key.startswith(upload.FOLDERS) and is_calendar(key)):
        raise UserError(f"{folder} cannot have a calendar", "begin it with transactions/, users/ or mcc_codes/")
    refuse_to_ask(as_json=as_json, yes=yes or dry_run)
    if (file is None) is not bool(names):
        raise UserError("names and --from exclude each other", "give one of them")
    content = file.read_bytes() if file else calendar(names or [], by=by, zone=zone, days=days)
    due = due_in_a_week(key, content)
    if as_json:
        told = [{"key": name, "by": at} for at, name in due]
        console.print_json({"calendar": key, "due_in_a_week": told, "written": not dry_run})
    else:
        console.out().print(render_calendar(due))
    if dry_run:
        return
    agree(f"Write {key}?", yes=yes)
    target = open_target(stack, region, profile)
    upload.send_bytes(upload.bronze(target), key, content, {}, size=len(content))
    ask(target, {"calendars": [key]})
    console.note("From now on a file that does not come is mailed. See them all: assay status --expected")


def calendar(names: list[str], *, by: str, zone: str, days: str) -> bytes:
    """Return the calendar of some files with the same times."""
    entries = [{"name": name, "days": weekdays(days), "by": by, "zone": zone} for name in names]
    return json.dumps({"expected": entries}, indent=2).encode()


def weekdays(text: str) -> list[str]:
    """Read days such as `mon-fri` or `mon,wed`; what is none is left for the calendar to refuse."""
    from reading.calendar import WEEKDAYS

    found: list[str] = []
    for part in text.lower().split(","):
        first, dash, last = part.strip().partition("-")
        if dash and first in WEEKDAYS and last in WEEKDAYS:
            start = WEEKDAYS.index(first)
            span = (WEEKDAYS.index(last) - start) % len(WEEKDAYS) + 1
            found += [WEEKDAYS[(start + number) % len(WEEKDAYS)] for number in range(span)]
        else:
            found.append(part.strip())
    return found


def due_in_a_week(key: str, content: bytes) -> list[tuple[datetime, str]]:
    """Return until when a calendar expects which keys in the next week; raise UserError if it is none."""
    from datetime import UTC, timedelta

    from reading.calendar import CalendarError, calendar_of, folder_of

    now = datetime.now(UTC)
    try:
        expected = calendar_of(content)
    except CalendarError as error:
        raise UserError(f"this is no calendar: {error}", "see docs/data-contract.md, Expected files") from error
    week = now, now + timedelta(days=7)
    return sorted((due, folder_of(key) + each.name_on(day)) for each in expected for day, due in each.dues(*week))


def render_calendar(due: Sequence[tuple[datetime, str]]) -> RenderableType:
    """Draw what is expected until when."""
    from assay import console

    grid = console.table("Expected in the next week", ("file", "by (UTC)"), keys=("file",), lines=("by (UTC)",))
    for at, name in due:
        grid.add_row(console.shown(name), f"{at:%Y-%m-%d %H:%M}")
    return grid


def show_expected(target: Target, *, as_json: bool) -> None:
    """Print the calendar of the last two weeks and the next one."""
    from rich.text import Text

    from assay import console

    expected = ask(target, {"show": "calendar"})["expected"]
    if as_json:
        console.print_json(expected)
    elif not expected:
        console.out().print("Nothing is expected. Say what is: assay expect")
    else:
        grid = console.table(
            "Expected files",
            ("file", "by (UTC)", "state", "came (UTC)"),
            keys=("file",),
            lines=("by (UTC)", "state", "came (UTC)"),
            spare=("came (UTC)",),
        )
        for each in expected:
            state = Text(each["state"], style=STYLES[each["state"]])
            name = console.shown(each["folder"] + each["name"])
            grid.add_row(name, _minutes(each["due_at"]), state, _minutes(each.get("came_at", "")))
        console.out().print(grid)


def _minutes(instant: str) -> str:
    return instant[:16].replace("T", " ")
