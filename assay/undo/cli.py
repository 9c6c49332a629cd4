"""`assay undo` and `assay redo`: take a file back, and take it up again; each shows first what it would do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from assay.errors import UserError
from assay.options import DryRun, Profile, Region, StackName, Yes, agree, open_ledger, open_target

if TYPE_CHECKING:
    from assay.ledger import Item, Ledger
    from assay.target import Target

Key = Annotated[str, typer.Argument(help="The key of the file, the end of it, or its file id.")]
Version = Annotated[str | None, typer.Option(help="The object version, where there are several.")]
Reason = Annotated[str, typer.Option(help="Why; the ledger, the passport and the mail keep it.")]
Timeout = Annotated[int, typer.Option(min=1, help="The longest time to wait for the end, in minutes.")]

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
        timeout: Timeout = 30,
        stack: StackName = None,
        region: Region = None,
        profile: Profile = None,
    ) -> None:
        target = open_target(stack, region, profile)
        _decide(target, key, version, reason, in_effect=in_effect, dry_run=dry_run, yes=yes, timeout_s=timeout * 60)

    return decide


def _decide(
    target: Target,
    key: str,
    version: str | None,
    reason: str,
    *,
    in_effect: bool,
    dry_run: bool,
    yes: bool,
    timeout_s: int,
) -> None:
    from assay import watch
    from assay.undo import actions
    from assay.upload import Uploaded

    ledger = open_ledger(target)
    file = actions.choose(_versions(ledger, key), version, in_effect=in_effect)
    file = _shown(target, ledger, file, in_effect=in_effect)
    if dry_run:
        return
    if not yes:
        file = _confirmed(target, ledger, file, in_effect=in_effect)
    now = datetime.now(UTC)
    action = actions.item_of(file, who=target.operator(), reason=reason, at=now)
    action = actions.place(target, ledger, action, file)
    sent = Uploaded(file["key"], file["version_id"], action["file_id"], file["size"], now)
    raise typer.Exit(watch.follow(target, ledger, [watch.FileProgress(sent)], timeout_s=timeout_s))


def _versions(ledger: Ledger, key: str) -> list[Item]:
    """Return the versions of a file; an action, as mails name it, stands for its file."""
    found = ledger.versions(key)
    decided = [item["decides"]["file_id"] for item in found if "decides" in item]
    return list(ledger.get(decided).values()) if decided else found


def _shown(target: Target, ledger: Ledger, file: Item, *, in_effect: bool) -> Item:
    """Show what would happen at the published cut; return the file as it was read for it."""
    from assay import console
    from assay.query import lake
    from assay.undo import actions, preview

    published = (ledger.layer("gold") or {}).get("published")
    if published is None:
        raise UserError("nothing is published yet", "wait for Gold's first run: assay status")
    file = ledger.get([file["file_id"]])[file["file_id"]]
    actions.refuse(file, in_effect=in_effect)
    silver = (ledger.layer("silver") or {})["published"]
    with console.working("computing what would happen"), lake(target) as tables:
        found = preview.preview(tables, ledger, silver, published["silver_run_seq"], file)
    console.out().print(preview.render(found))
    return file


def _confirmed(target: Target, ledger: Ledger, file: Item, *, in_effect: bool) -> Item:
    """Ask until nothing has come between the question and the answer; end where the answer is no."""
    from assay import console

    while True:
        before = _run(ledger)
        agree(f"{'Redo' if in_effect else 'Undo'} it?", yes=False)
        if _run(ledger) == before:
            return file
        console.note("Another run has been published meanwhile:", style="yellow")
        file = _shown(target, ledger, file, in_effect=in_effect)


def _run(ledger: Ledger) -> int:
    return int((ledger.layer("gold") or {})["published"]["run_seq"])
