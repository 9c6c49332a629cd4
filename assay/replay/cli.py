"""`assay replay`: rebuild the layers from Bronze, to compare them or to replace them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from assay.errors import UserError
from assay.options import (
    CHECK_FAILED,
    INTERRUPTED,
    AsJson,
    Profile,
    Region,
    StackName,
    open_ledger,
    open_target,
)

if TYPE_CHECKING:
    from assay.ledger import Ledger
    from assay.replay.report import Report
    from assay.target import Target

LARGEST_SEED = 2**31 - 1
UNCHANGED = "Readers see no change; the next replay starts over."


def replay(
    check: Annotated[bool, typer.Option("--check", help="Rebuild beside the published layers and compare.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Rebuild and replace the published layers.")] = False,
    silver_run: Annotated[
        int | None,
        typer.Option(min=1, help="With --check: the last run of Silver to compare; by default the one that Gold has."),
    ] = None,
    gold_run: Annotated[
        int | None, typer.Option(min=1, help="With --check: the last run of Gold to compare; by default the newest.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=LARGEST_SEED, help="Fixes the order and the batches of the files.")
    ] = None,
    as_json: AsJson = False,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Rebuild Silver and Gold from Bronze in another order. Exits 1 if they differ from what is published."""
    if check == apply:
        raise UserError("replay needs one of --check and --apply", "choose one of them")
    if apply and (silver_run or gold_run):
        raise UserError("--apply replaces what is published now", "name runs with --check only")
    target = open_target(stack, region, profile)
    chosen = random.randint(0, LARGEST_SEED) if seed is None else seed  # noqa: S311 - an order to try, nothing secret
    ledger = open_ledger(target)
    if check:
        report = _check(target, ledger, (silver_run, gold_run), chosen)
    else:
        report = _apply(target, ledger, chosen, as_json=as_json)
    _tell(report, as_json=as_json)
    if not report.agrees:
        raise typer.Exit(CHECK_FAILED)


def _check(target: Target, ledger: Ledger, runs: tuple[int | None, int | None], seed: int) -> Report:
    """Rebuild up to named runs of Silver and Gold, and compare."""
    from assay.replay import rebuild
    from assay.replay.cuts import kept_cut

    with _when_interrupted(UNCHANGED):
        return rebuild.check(target, ledger, kept_cut(target, *runs), seed)


def _apply(target: Target, ledger: Ledger, seed: int, *, as_json: bool) -> Report:
    """Rebuild, compare, and replace the layers; return the last comparison."""
    from assay.audit import read_layers
    from assay.replay import rebuild

    with _when_interrupted(UNCHANGED):
        # What is to be repaired may be at rest in any state: a failed run, or Gold behind a Silver already in place.
        layers = read_layers(ledger)
        rebuilt = rebuild.rebuild_all(target, ledger, seed)
        report = rebuild.compare(target, ledger, rebuilt)
        rebuild.require_unchanged(ledger, layers)
    if report.lost:
        raise UserError(
            f"{len(report.lost):,} files were lost in the replay; nothing is replaced",
            "see why: assay replay --check",
        )
    if not as_json:
        _tell(report, as_json=False)
    with _when_interrupted("Silver may be replaced and Gold not: run assay replay --apply again."):
        rebuild.put_in_place(target, ledger, rebuilt, layers)
        return rebuild.compare_in_place(target, ledger, rebuilt, layers)


@contextmanager
def _when_interrupted(consequence: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        from assay import console

        console.note(f"Stopped. {consequence}", style="yellow")
        raise typer.Exit(INTERRUPTED) from None


def _tell(report: Report, *, as_json: bool) -> None:
    from assay import console
    from assay.replay.report import render

    if as_json:
        console.print_json(report.as_json())
    else:
        console.out().print(render(report))
