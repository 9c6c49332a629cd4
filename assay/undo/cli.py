"""`assay undo` and `assay redo`: take a file back, and take it up again; each shows first what it would do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from assay.options import (
    WHICH,
    AsJson,
    DryRun,
    Profile,
    Region,
    StackName,
    Timeout,
    Yes,
    agree_on,
    open_ledger,
    open_target,
    refuse_to_ask,
)

if TYPE_CHECKING:
    from assay.ledger import Item, Ledger
    from assay.target import Target
    from assay.undo.preview import Preview
    from assay.watch import FileProgress

Key = Annotated[str, typer.Argument(help=f"{WHICH} With --yes: the key, with or without folders, or the file id.")]
Version = Annotated[str | None, typer.Option(help="The object version, where there are several.")]
Reason = Annotated[str, typer.Option(help="Why; the ledger, the passport and the mail keep it.")]

UNDO = "Take a file back. Silver and Gold are then as if it had never come; redo takes it up again."
REDO = "Take an undone file up again. It has its own place in the order: newer values stay."


def command(*, in_effect: bool) -> Callable[..., None]:
    """Return `undo`, or `redo`: they differ in what they decide."""

    def decide(
        key: Key,
        version: Version = None,
        reason: Reason = "",
        dry_run: DryRun = False,
        yes: Yes = False,
        as_json: AsJson = False,
        timeout: Timeout = 30,
        stack: StackName = None,
        region: Region = None,
        profile: Profile = None,
    ) -> None:
        from assay import console
        from assay.undo import actions

        refuse_to_ask(as_json=as_json, yes=yes or dry_run)
        target = open_target(stack, region, profile)
        ledger = open_ledger(target)
        file = actions.choose(_versions(ledger, key, parts=not yes), version, in_effect=in_effect)
        show = partial(_shown, target, ledger, file, in_effect=in_effect, quiet=as_json)
        question = f"{'Redo' if in_effect else 'Undo'} it?"
        found = show() if dry_run else agree_on(show, question, run=ledger.gold_run, yes=yes)
        progress = None if dry_run else _placed(target, ledger, found.file, reason)
        code = _followed(target, ledger, progress, timeout_s=timeout * 60, as_json=as_json) if progress else 0
        if as_json:
            console.print_json({"preview": found.as_json(), "result": progress.as_json() if progress else None})
        raise typer.Exit(code)

    return decide


def _placed(target: Target, ledger: Ledger, file: Item, reason: str) -> FileProgress:
    """Put the action into the ledger and start its execution; return how far it is."""
    from assay import watch
    from assay.undo import actions
    from assay.upload import Uploaded

    now = datetime.now(UTC)
    pages = target.stack.report_pages
    action = actions.item_of(file, who=target.operator(), reason=reason, at=now, pages=pages)
    action = actions.place(target, ledger, action, file)
    return watch.FileProgress(Uploaded(file["key"], file["version_id"], action["file_id"], file["size"], now))


def _followed(target: Target, ledger: Ledger, progress: FileProgress, *, timeout_s: int, as_json: bool) -> int:
    from assay import watch

    show = watch.silent if as_json else None
    return watch.follow(target, ledger, [progress], timeout_s=timeout_s, show=show)


def _versions(ledger: Ledger, key: str, *, parts: bool) -> list[Item]:
    """Return the versions of a file; an action, as mails name it, stands for its file."""
    found = ledger.versions(key, parts=parts)
    decided = [item["decides"]["file_id"] for item in found if "decides" in item]
    return list(ledger.get(decided).values()) if decided else found


def _shown(target: Target, ledger: Ledger, file: Item, *, in_effect: bool, quiet: bool) -> Preview:
    """Compute what would happen at the published cut, from the file as it is now; print it unless it is to be quiet."""
    from assay import console
    from assay.query import lake
    from assay.undo import actions, preview

    silver, run = preview.published(ledger)
    file = ledger.get([file["file_id"]])[file["file_id"]]
    actions.refuse(file, in_effect=in_effect)
    with console.working("computing what would happen"), lake(target) as tables:
        found = preview.preview(tables, ledger, silver, run, file)
    if not quiet:
        console.out().print(preview.render(found))
    return found
