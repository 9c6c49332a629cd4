"""What several commands share: their common options, the target that they work on, and the exit codes.

Exit codes: 0 success, 1 a check failed or you said no, 2 usage or environment, 130 interrupted. Nothing here imports an
AWS client or a printer before a command runs, so that help and usage errors answer at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from assay.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from assay.ledger import Ledger
    from assay.target import Target

Shown = TypeVar("Shown")
CHECK_FAILED = 1
DECLINED = 1
UNUSABLE = 2
INTERRUPTED = 130

StackName = Annotated[
    str | None,
    typer.Option(
        "--stack",
        envvar="ASSAY_STACK",
        help="The name of the stack. Without it: assay-local in a local cloud, assay-dev in AWS.",
    ),
]
Region = Annotated[str | None, typer.Option(help="The AWS region; a local cloud has its own.")]
Profile = Annotated[str | None, typer.Option(help="The AWS profile. Naming one, here or in AWS_PROFILE, selects AWS.")]
WHICH = "The key of a file, its end or any part of it that no other key has, or its file id."
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask: for scripts.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")]
Timeout = Annotated[int, typer.Option(min=1, help="The longest time to wait for the end, in minutes.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs, with money as text.")]


def project() -> Path:
    """Return the nearest folder, from the current one upwards, that holds template.yaml; else the current one."""
    from assay.target import find_project

    return find_project(Path.cwd())


def open_target(stack: str | None, region: str | None, profile: str | None) -> Target:
    """Return the stack that a command works on; name it on stderr when it is in AWS."""
    from assay import console
    from assay.target import describe, find_target

    target = find_target(stack=stack, region=region, profile=profile, project=project())
    if not target.is_local:
        console.note(f"target: {describe(target)}")
    return target


def open_ledger(target: Target) -> Ledger:
    from assay.ledger import Ledger

    return Ledger(target.dynamodb, target.stack.ledger_table)


def refuse_to_ask(*, as_json: bool, yes: bool) -> None:
    """Raise UserError where JSON is wanted and a question would come between."""
    if as_json and not yes:
        raise UserError("--json asks nobody", "look first with --dry-run, then add --yes")


def agree(question: str, *, yes: bool) -> None:
    """Ask before something is changed, unless `--yes` was given; end the command where the answer is no.

    Raise UserError where nobody can answer.
    """
    from assay import console

    if yes:
        return
    if not sys.stdin.isatty():
        raise UserError("nobody can be asked here", "look first with --dry-run, then add --yes")
    if not typer.confirm(question, err=True):
        console.note("Nothing was changed.")
        raise typer.Exit(DECLINED)


def agree_on(show: Callable[[], Shown], question: str, *, run: Callable[[], int], yes: bool) -> Shown:
    """Show what would happen, and ask, until no run has come between; return what was shown last."""
    from assay import console

    while True:
        before = run()
        found = show()
        agree(question, yes=yes)
        if yes or run() == before:
            return found
        console.note("Another run has been published meanwhile:", style="yellow")
