"""`assay report`: writes the page, and says its verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.errors import UserError
from assay.options import CHECK_FAILED, AsJson, Profile, Region, StackName, open_ledger, open_target

if TYPE_CHECKING:
    from assay.ledger import Ledger
    from assay.report.period import Period
    from assay.report.verdict import Verdict
    from assay.target import Target


def report(
    month: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM", help="The month in which files arrived; by default the current one."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="Instead of a month: since when files arrived.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")] = Path(
        "report.html"
    ),
    as_json: AsJson = False,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Write a month on one page of HTML. Exits 1 if a file failed or a figure does not add up.

    It shows what came in, what became of it and what is open, and needs nothing but a browser.
    """
    from assay import console

    if month and since:
        raise UserError("--month and --since exclude each other", "give one of them")
    target = open_target(stack, region, profile)
    with console.working("reading ledger and tables"):
        verdict = write(target, open_ledger(target), period(month, since), output)
    address = output.absolute().as_uri()
    if as_json:
        problems = [{"level": each.level, "what": each.text, "do": each.command} for each in verdict.problems]
        told = {"level": verdict.level, "verdict": verdict.line, "problems": problems, "page": address}
        console.print_json(told)
    else:
        console.say(f"{verdict.mark} {verdict.line}")
        console.say(address)
    if verdict.level == "wrong":
        raise typer.Exit(CHECK_FAILED)


def period(month: str | None, since: str | None) -> Period:
    """Return the period that is asked for; without one it is the current month."""
    from datetime import UTC, datetime

    from assay.report.period import Period, of_month
    from assay.upload import instant_text, read_instant

    if since:
        at = instant_text(read_instant("--since", since))
        return Period(f"since {at[:16].replace('T', ' ')} UTC", at)
    return of_month(month or f"{datetime.now(UTC):%Y-%m}")


def write(target: Target, ledger: Ledger, period: Period, output: Path) -> Verdict:
    """Write the report of a period to a file, whose folder is made if need be; return its verdict."""
    from datetime import UTC, datetime

    from assay.report.gathering import summarise
    from assay.report.page import write as page_of
    from assay.report.verdict import judge
    from assay.upload import instant_text

    summary = summarise(target, ledger, period, now=instant_text(datetime.now(UTC)))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(page_of(summary), encoding="utf-8")
    return judge(summary)
