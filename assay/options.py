"""What several commands take and open in the same way: the target of a command, and how it prints."""

from pathlib import Path
from typing import Annotated

import typer

from assay import console
from assay.ledger import Ledger
from assay.target import Target, describe, find_project, find_target

NOT_AS_IT_MUST_BE = 1
CANNOT = 2
INTERRUPTED = 130

StackName = Annotated[str, typer.Option("--stack", envvar="ASSAY_STACK", help="The name of the stack.")]
Region = Annotated[str | None, typer.Option(help="The region in AWS; a local cloud has its own.")]
Profile = Annotated[str | None, typer.Option(help="An AWS profile; naming one, here or in AWS_PROFILE, chooses AWS.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs; money as text.")]


def project() -> Path:
    return find_project(Path.cwd())


def open_target(stack: str, region: str | None, profile: str | None) -> Target:
    target = find_target(stack=stack, region=region, profile=profile, project=project())
    if not target.is_local:
        console.note(f"target: {describe(target)}")
    return target


def open_ledger(target: Target) -> Ledger:
    return Ledger(target.dynamodb, target.stack.ledger_table)
