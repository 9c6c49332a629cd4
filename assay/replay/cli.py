"""`assay replay`: the layers once more from Bronze, to compare them or to put them in place."""

import random
from typing import Annotated

import typer

from assay import console
from assay.errors import UserError
from assay.ledger import Ledger
from assay.options import (
    INTERRUPTED,
    NOT_AS_IT_MUST_BE,
    AsJson,
    Profile,
    Region,
    StackName,
    open_ledger,
    open_target,
)
from assay.replay.report import Report, render
from assay.target import Target

LARGEST_SEED = 2**31 - 1


def replay(
    check: Annotated[bool, typer.Option("--check", help="Rebuild beside the layers, and compare.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Rebuild, and put the result in the layers' place.")] = False,
    seed: Annotated[
        int | None, typer.Option(min=0, max=LARGEST_SEED, help="The order of the files and their batches.")
    ] = None,
    as_json: AsJson = False,
    stack: StackName = "assay",
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Rebuild Silver and Gold from Bronze in another order; ends 1 if they differ from what is published."""
    if check == apply:
        raise UserError("say what the replay is for", "either --check or --apply")
    target = open_target(stack, region, profile)
    chosen = random.randint(0, LARGEST_SEED) if seed is None else seed  # noqa: S311 - an order to try, nothing secret
    try:
        report = _replay(target, open_ledger(target), chosen, apply=apply, as_json=as_json)
    except KeyboardInterrupt:
        console.note("Stopped. Readers see no change; the next replay begins afresh.", style="yellow")
        raise typer.Exit(INTERRUPTED) from None
    _tell(report, as_json=as_json)
    if not report.agrees:
        raise typer.Exit(NOT_AS_IT_MUST_BE)


def _replay(target: Target, ledger: Ledger, seed: int, *, apply: bool, as_json: bool) -> Report:
    """Check, and apply if so wished; give the last comparison."""
    from assay.replay import rebuild  # brings DuckDB and pyiceberg

    rebuilt = rebuild.Rebuild(target, ledger, seed).rebuild()
    report = rebuild.compare(target, ledger, rebuilt, seed)
    rebuild.require_unchanged(ledger, rebuilt.layers)
    if not apply:
        return report
    if report.lost:
        raise UserError(
            f"{len(report.lost):,} files did not come through the replay; nothing is put in place",
            "see why: assay replay --check",
        )
    if not as_json:
        _tell(report, as_json=False)
    rebuild.put_in_place(target, ledger, rebuilt)
    return rebuild.compare(target, ledger, rebuilt, seed)


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        console.print_json(report.as_json())
    else:
        console.out().print(render(report))
