"""Waits for uploaded files: ends with an exit code, and with what to look at if not all is well."""

from collections.abc import Sequence

from assay import console, watch
from assay.ledger import Ledger
from assay.options import INTERRUPTED
from assay.target import Target


def tell_trouble(way: watch.Way) -> None:
    if way.end in ("rejected", "failed"):
        console.note(f"{way.end}: {way.file.key}: {way.result()}", style="red")
    elif way.end is None:
        console.note(f"not ended: {way.file.key} is {way.status}", style="red")


def follow(target: Target, ledger: Ledger, ways: Sequence[watch.Way], *, timeout_s: float) -> int:
    """Show the files' ways to their ends; give the exit code."""
    poll_s = 0.5 if target.is_local else 2.0
    try:
        with watch.showing() as show:
            in_time = watch.wait(ways, ledger, target.stepfunctions, show, timeout_s=timeout_s, poll_s=poll_s)
    except KeyboardInterrupt:
        console.note("No longer waiting; the files go on by themselves: assay status", style="yellow")
        return INTERRUPTED
    for way in ways:
        tell_trouble(way)
    if not in_time:
        console.note(
            f"After {timeout_s / 60:g} minutes not all files have ended; they go on: assay status", style="red"
        )
    if all(way.end == "published" for way in ways):
        return 0
    for place in target.logs():
        console.note(f"logs: {place}")
    return 1
