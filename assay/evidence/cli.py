"""`assay verify` and `assay evidence`: prove that nobody has changed anything, to oneself or to an auditor."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.errors import UserError
from assay.options import CHECK_FAILED, AsJson, Profile, Region, StackName, open_ledger, open_target

if TYPE_CHECKING:
    from assay.evidence.chain import Chain, Evidence, Fault
    from assay.ledger import Ledger
    from assay.target import Target

MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def verify(as_json: AsJson = False, stack: StackName = None, region: Region = None, profile: Profile = None) -> None:
    """Prove that nothing was changed since. Exits 1, and names it, if anything was.

    Walks the chain of all runs from the head in the ledger to the first one, and holds the ledger, the passports,
    Bronze's checksums and the totals of the tables to it. Reads everything, and writes nothing.
    """
    target = open_target(stack, region, profile)
    evidence, chains, faults = _checked(target, open_ledger(target))
    _tell(evidence, chains, faults, as_json=as_json)
    if faults:
        raise typer.Exit(CHECK_FAILED)


def evidence(
    month: Annotated[str, typer.Argument(help="Whose files to pack, by their arrival in UTC: 2026-06.")],
    folder: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="An empty or a new folder.")],
    as_json: AsJson = False,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Pack a month for an auditor. Exits 1 if anything was changed since.

    A script in the pack, verify.py, checks it offline. The pack is also written where something was changed: it shows
    what that is.
    """
    from assay import console
    from assay.evidence import pack

    if not MONTH.fullmatch(month):
        raise UserError(f"{month} is not a month", "for instance: assay evidence 2026-06 -o june")
    target = open_target(stack, region, profile)
    ledger = open_ledger(target)
    found, chains, faults = _checked(target, ledger)
    packed = pack.of_month(found, month)
    pack.write(packed, folder, target.stack_name, partial(_draw, target, ledger, month))
    _tell(packed, chains, faults, as_json=as_json)
    console.note(f"Check it anywhere: python3 {folder / 'verify.py'}")
    if faults:
        raise typer.Exit(CHECK_FAILED)


def _draw(target: Target, ledger: Ledger, month: str, file: Path) -> None:
    """Draw the report of the month; what was changed may be such that it cannot be drawn."""
    from assay import console
    from assay.report import cli as report

    try:
        report.write(target, ledger, report.period(month, None), file)
    except (UserError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        console.note(f"The pack has no report.html, which could not be drawn: {error}", style="yellow")


def _checked(target: Target, ledger: Ledger) -> tuple[Evidence, list[Chain], list[Fault]]:
    """Collect and check; what differs is looked at once more, for runs may publish meanwhile."""
    from assay import console
    from assay.evidence.checks import check
    from assay.evidence.collection import collect

    with console.working("reading"):
        found = collect(target, ledger)
    chains, faults = check(found)
    if faults:
        with console.working("reading once more what differs"):
            found = collect(target, ledger)
        before = set(faults)
        chains, faults = check(found)
        faults = [fault for fault in faults if fault in before]
    return found, chains, faults


def _tell(evidence: Evidence, chains: list[Chain], faults: list[Fault], *, as_json: bool) -> None:
    from assay import console

    if as_json:
        heads = {chain.layer: chain.as_json() for chain in chains}
        told = [{"what": fault.what, "why": fault.why} for fault in faults]
        console.print_json({"unchanged": not faults, "chains": heads, "faults": told, "counts": evidence.counts()})
        return
    for chain in chains:
        console.out().print(str(chain))
    console.out().print(", ".join(f"{number:,} {name}" for name, number in evidence.counts().items()))
    for fault in faults:
        console.note(f"changed: {console.shown(fault.what)}: {fault.why}", style="bold red")
    console.out().print("Something was changed." if faults else "Nothing was changed.")
