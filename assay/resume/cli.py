"""`assay resume`: let files that failed, or whose executions have ended, go on in their own place."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from assay.errors import UserError
from assay.options import (
    CHECK_FAILED,
    AsJson,
    DryRun,
    Profile,
    Region,
    StackName,
    Yes,
    agree,
    open_ledger,
    open_target,
    refuse_to_ask,
)


def resume(
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY", help="Files: keys, unambiguous parts of keys, or file ids."),
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All files that failed.")] = False,
    layer: Annotated[
        Literal["silver", "gold"] | None,
        typer.Option(help="Close the layer's breaker, and resume all files that wait there without an execution."),
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Let failed or waiting files go on. Each keeps its own order, and nothing is uploaded."""
    from assay import console
    from assay.resume import files, resuming

    if sum((bool(keys), failed, layer is not None)) != 1:
        raise UserError("say which files to resume", "give keys, or --failed, or --layer silver (or gold)")
    refuse_to_ask(as_json=as_json, yes=yes or dry_run)
    target = open_target(stack, region, profile)
    ledger, workflows = open_ledger(target), target.stepfunctions
    closes = None
    if layer:
        closes = layer if {"starts", "prober"} & ledger.breakers().get(layer, {}).keys() else None
        found = files.waiting_for(layer, ledger, workflows)
    else:
        found = files.of_keys(keys, ledger, workflows, parts=not yes) if keys else files.failed(ledger, workflows)
        files.refuse_open_breaker(found, ledger.open_breakers())
    if not as_json:
        console.out().print(files.render(found, closes) if found or closes else "nothing to resume")
    is_done = not dry_run and bool(found or closes)
    if is_done:
        agree("Resume?", yes=yes)
    lost = resuming.resume_all(target, found, closes) if is_done else []
    if as_json:
        gone_on = {each.item["file_id"] for each in found if each not in lost} if is_done else set()
        console.print_json(files.as_json(found, closes, gone_on))
    if not is_done:
        return
    for each in lost:
        key = console.shown(each.item["key"])
        console.note(f"not resumed: {key}: somebody else has resumed it, or it has moved on", style="red")
    console.note(f"{len(found) - len(lost):,} of {len(found):,} files go on. Follow them: assay status")
    if lost:
        raise typer.Exit(CHECK_FAILED)
