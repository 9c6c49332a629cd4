"""`assay quarantine`: list the rows that break rules, bring them back corrected, or close them."""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from assay.errors import UserError
from assay.options import (
    CHECK_FAILED,
    WHICH,
    AsJson,
    DryRun,
    Profile,
    Region,
    StackName,
    Timeout,
    Yes,
    agree,
    agree_on,
    open_ledger,
    open_target,
    refuse_to_ask,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.ledger import Item, Ledger
    from assay.quarantine.fixing import Corrected
    from assay.target import Target
    from assay.upload import Uploaded

Key = Annotated[str, typer.Argument(help=WHICH)]
OfFile = Annotated[str | None, typer.Option("--file", metavar="KEY", help="One file, by key or file id.")]

app = typer.Typer(
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="List quarantined rows; take them back corrected.",
)


@app.callback(invoke_without_command=True)
def quarantine(
    context: typer.Context,
    file: OfFile = None,
    as_json: AsJson = False,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """List the quarantined rows by file and rule: how many there are, how many are open, and the first of them."""
    if context.invoked_subcommand is not None:
        return
    from assay import console
    from assay.quarantine import rows
    from assay.query import lake

    target = open_target(stack, region, profile)
    ledger = open_ledger(target)
    chosen = ledger.versions(file) if file else None
    with lake(target) as tables:
        found = rows.broken(tables, ledger, chosen)
    if as_json:
        console.print_json([each.as_json() for each in found])
    elif found:
        console.out().print(rows.render(found))
        console.note("Next: assay quarantine export --output FILE, correct it, assay quarantine fix FILE")
    else:
        console.out().print("No row is in quarantine.")


@app.command()
def export(
    file: OfFile = None,
    rule: Annotated[str | None, typer.Option(help="Only rows that break this rule.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write; by default on stdout.")] = None,
    as_json: AsJson = False,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Write the open rows of transactions as CSV. Their reasons stand beside them; `fix` takes the file back."""
    import csv

    from assay import console
    from assay.quarantine import rows
    from assay.query import lake

    target = open_target(stack, region, profile)
    ledger = open_ledger(target)
    chosen = [item["file_id"] for item in ledger.versions(file)] if file else []
    with lake(target) as tables:
        found, columns = rows.open_rows(tables, ledger, chosen, rule)
    if as_json:
        console.print_json(found)
        return
    with output.open("w", encoding="utf-8", newline="") if output else nullcontext(sys.stdout) as written:
        writer = csv.DictWriter(written, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
    console.note(f"{len(found):,} open rows. Correct them, leave out those you cannot: assay quarantine fix FILE")


@app.command()
def fix(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The corrected rows, as exported.")],
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
    timeout: Timeout = 30,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Take corrected rows back. Each takes the place of the row that it repairs, so newer values stay."""
    from assay import console
    from assay.sending import require_polars
    from assay.upload import bronze, send_bytes

    require_polars("assay quarantine fix")
    refuse_to_ask(as_json=as_json, yes=yes or dry_run)
    from assay.quarantine import fixing, objects

    rows = fixing.read_corrected(file)
    target = open_target(stack, region, profile)
    ledger = open_ledger(target)
    repairs, known = fixing.corrected(rows, ledger), ledger.repairs()
    sent = {repair.key: item for repair in repairs if (item := objects.sent_before(repair.key, known))}
    left = [repair for repair in repairs if repair.key not in sent]
    for key in sent:
        console.note(f"sent before: {console.shown(key)}")
    _refuse_broken(left)
    for repair in left:
        objects.refuse_under_way(repair.original, known)
    followed = [_uploaded(item) for item in sent.values()]
    show = partial(_show, target, ledger, left)
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        if left and dry_run:
            show()
        elif left:
            agree_on(show, "Repair them?", run=ledger.gold_run, yes=yes)
    if left and not dry_run:
        to = bronze(target)
        followed += [send_bytes(to, each.key, each.body, each.control, size=len(each.body)) for each in left]
    told = [
        {"file_id": each.original["file_id"], "key": each.original["key"], "rows": each.numbers} for each in repairs
    ]
    _end(target, ledger, [] if dry_run else followed, timeout, told if as_json else None)


@app.command()
def waive(
    key: Key,
    rule: Annotated[str, typer.Option(help="The rule whose rows need no repair.")],
    reason: Annotated[str, typer.Option(help="Why; the ledger and the passport keep it.")],
    version: Annotated[str | None, typer.Option(help="The object version; the newest one by default.")] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
    timeout: Timeout = 30,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Close open rows of a file without a repair. Undo opens them again."""
    from contract.limits import REASON_CHARACTERS
    from reading.card_numbers import masked

    from assay import console
    from assay.ledger import choose_version
    from assay.quarantine import objects, rows
    from assay.query import lake
    from assay.upload import bronze, send_bytes

    if not reason.strip() or len(reason) > REASON_CHARACTERS:
        raise UserError(f"--reason has {len(reason):,} characters", f"say why in 1 to {REASON_CHARACTERS} characters")
    if masked(reason) != reason:
        raise UserError("--reason holds what may be the number of a card", "say it without the number")
    refuse_to_ask(as_json=as_json, yes=yes or dry_run)
    target = open_target(stack, region, profile)
    ledger = open_ledger(target)
    original = choose_version(ledger.versions(key, parts=not yes), version)
    with lake(target) as tables:
        found = [each for each in rows.broken(tables, ledger, [original]) if each.rule == rule]
    if not found or not found[0].open:
        raise UserError(f"no open row of {original['key']} breaks {rule!r}", "see which do: assay quarantine")
    name, body = objects.waiver_of(original, rule=rule, who=masked(target.operator()), reason=reason)
    told, known = [each.as_json() for each in found] if as_json else None, ledger.repairs()
    if not dry_run and (item := objects.sent_before(name, known)):
        console.note(f"sent before: {console.shown(name)}")
        _end(target, ledger, [_uploaded(item)], timeout, told)
    objects.refuse_under_way(original, known)
    if not as_json:
        console.out().print(rows.render(found))
    if dry_run:
        _end(target, ledger, [], timeout, told)
    agree(f"Close {found[0].open:,} rows without a repair?", yes=yes)
    _end(target, ledger, [send_bytes(bronze(target), name, body, {}, size=len(body))], timeout, told)


def _refuse_broken(repairs: Sequence[Corrected]) -> None:
    """Show the corrected rows that still break rules, and end; nothing is sent if there is one."""
    from assay import console

    wrong = [repair for repair in repairs if repair.inspection.reasons]
    for repair in wrong:
        broken = repair.broken()
        if not broken:
            raise UserError(repair.inspection.reasons[0].text, "correct the file, and give it again")
        grid = console.table(f"Still broken: {console.shown(repair.original['key'])}", ("row", "rules", "corrected to"))
        for row in broken:
            number = repair.numbers[row.row - 1]
            grid.add_row(str(number), ", ".join(row.rules), console.shown(row.raw))
        console.out().print(grid)
    if wrong:
        console.note("Nothing was sent: correct these rows, or leave them out, and give the file again.", style="red")
        raise typer.Exit(CHECK_FAILED)


def _show(target: Target, ledger: Ledger, repairs: Sequence[Corrected]) -> None:
    from assay import console
    from assay.quarantine import fixing, preview, rows
    from assay.query import lake
    from assay.undo.preview import published

    silver, run = published(ledger)
    with console.working("computing what would happen"), lake(target) as tables:
        if not rows.has_quarantine(tables):
            raise UserError("no row is in quarantine", "see what is: assay quarantine")
        closed = rows.closed_by(tables, [repair.original["file_id"] for repair in repairs])
        for repair in repairs:
            fixing.refuse_closed(repair, closed)
        found = preview.preview(tables, ledger, silver, run, repairs)
    console.out().print(preview.render(found))


def _uploaded(item: Item) -> Uploaded:
    from assay.upload import Uploaded

    return Uploaded(item["key"], item["version_id"], item["file_id"], item["size"], datetime.now(UTC))


def _end(
    target: Target, ledger: Ledger, sent: Sequence[Uploaded], timeout: int, told: list[dict[str, object]] | None
) -> NoReturn:
    """Show the progress of repairs until they have ended; exit non-zero if one is not published.

    With `told`, what is repaired, the end is printed for programs.
    """
    from assay import console, watch

    files = [watch.FileProgress(each) for each in sent]
    quietly = {} if told is None else {"show": watch.silent}
    code = watch.follow(target, ledger, files, timeout_s=timeout * 60, **quietly) if files else 0
    if told is not None:
        console.print_json({"repaired": told, "results": [progress.as_json() for progress in files]})
    raise typer.Exit(code)
