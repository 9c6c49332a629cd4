"""`assay load`: declare reloads of AWS DMS."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from assay.options import AsJson, Profile, Region, StackName, open_ledger, open_target

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Declare full loads of AWS DMS. They delete the older rows that they lack.",
)


@app.callback()
def load() -> None:
    """Keep `declare` a sub-command although it is the only one."""


@app.command()
def declare(
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="The load's folder below transactions/.")],
    start: Annotated[str, typer.Option(metavar="INSTANT", help="When the load began (ISO 8601).")],
    name: Annotated[str | None, typer.Option(help="The name of the load; folder and start by default.")] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="A file of the load (repeatable); by default all LOAD files of the folder."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Show the marker's progress; exit 0 only if it is published.")
    ] = False,
    timeout: Annotated[int, typer.Option(min=1, help="The longest time to wait, in minutes.")] = 30,
    as_json: AsJson = False,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Declare that a folder's files are one full load. Older rows that they lack are deleted."""
    from assay import console, watch
    from assay.load import declare as declaring
    from assay.upload import bronze, instant_text, read_instant

    start_at = read_instant("--start", start)
    declaring.refuse_future(start_at, datetime.now(UTC))
    target = open_target(stack, region, profile)
    bucket, folder, ledger = target.stack.bronze_bucket, declaring.folder_of(prefix), open_ledger(target)
    files = declaring.find_files(target.s3, bucket, folder, file or [])
    declared = declaring.Declaration(name or f"{folder}{instant_text(start_at)}", start_at, files)
    known = declaring.known_to(ledger, bucket, files)
    if not as_json:
        console.out().print(declaring.render(declared, known))
    sent = declaring.put_marker(bronze(target), folder, declared)
    if not as_json:
        console.out().print(f"{console.shown(sent.key)}  version {sent.version_id}", soft_wrap=True)
    marker, code = watch.FileProgress(sent), 0
    if wait:
        show = watch.silent if as_json else None
        code = watch.follow(target, ledger, [marker], timeout_s=timeout * 60, show=show)
    else:
        console.note(f"The load takes effect once all its files are in Silver: assay passport {sent.file_id}")
    if as_json:
        console.print_json({**declaring.as_json(declared), "marker": marker.as_json()})
    raise typer.Exit(code)
