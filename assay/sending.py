"""The commands `upload` and `check`: local files on their way to Bronze, or looked at before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from assay.errors import UserError
from assay.options import CHECK_FAILED, UNUSABLE, AsJson, Profile, Region, StackName, open_ledger, open_target

if TYPE_CHECKING:
    from assay.upload import Source

Control = Annotated[
    str | None,
    typer.Option(metavar="ROWS:AMOUNT[,NAME=FIGURE...]", help="Control totals of the file, as its sender knows them."),
]


def upload_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files; a folder stands for the files in it.")],
    prefix: Annotated[
        str, typer.Option(help="The folder in Bronze, below transactions/, cards/, users/ or mcc_codes/.")
    ] = "transactions/",
    wait: Annotated[
        bool, typer.Option("--wait", help="Show each file's progress; exit 0 only if all are published.")
    ] = False,
    control: Control = None,
    compute_control: Annotated[
        bool, typer.Option("--compute-control", help="Send each file with control totals computed from it, here.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Send also what Bronze already has under the same key: as newer rows.")
    ] = False,
    as_of: Annotated[str | None, typer.Option(metavar="INSTANT", help="When the extract was taken (ISO 8601).")] = None,
    accept_range: Annotated[
        bool, typer.Option("--accept-range", help="The figures are right though unlike those of earlier files.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=0, help="The longest time to wait, in minutes.")] = 30,
    as_json: AsJson = False,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Upload files to Bronze. The pipeline takes them from there to Gold."""
    from contract.companions import is_companion

    from assay import console, twins, upload, watch
    from assay.control import control_metadata

    sources = upload.find_sources(files, prefix)
    if control and sum(1 for source in sources if not source.is_companion) != 1:
        raise UserError(
            "--control is for one file", "upload the files one by one, or put FILE.control.json beside each"
        )
    if compute_control and control:
        raise UserError("--control and --compute-control exclude each other", "leave one of them out")
    metadata = control_metadata(control) | upload.as_of_metadata(as_of)
    metadata |= upload.accept_metadata(accept_range=accept_range)
    unfit = [each for source in sources if (each := upload.unfit(source))]
    if len(unfit) == len(sources):  # so no cloud is needed to say so
        raise UserError(*unfit[0].told)
    with computed_side_cars(sources if compute_control else []) as side_cars:
        target = open_target(stack, region, profile)
        known = [] if again else twins.find_twins(target, open_ledger(target), sources)
        stopped = {each.source for each in known}
        new = [source for source in sources if source not in stopped]
        new += [each for source, each in side_cars if source not in stopped]
        with console.transferring("uploading", upload.bytes_of(new)) as on_sent:
            sent, unsent = upload.send_all(replace(upload.bronze(target), on_sent=on_sent), new, metadata)
    unsent = [*known, *unsent]
    for each in unsent:
        console.note(f"not sent: {': '.join(map(console.shown, each.told))}", style="red")
    every = [watch.FileProgress(file) for file in sent]
    code = UNUSABLE if not sent else CHECK_FAILED if unsent else 0
    if sent and wait:
        followed = [progress for progress in every if not is_companion(progress.file.key)]
        show = watch.silent if as_json else None
        code = watch.follow(target, open_ledger(target), followed, timeout_s=timeout * 60, show=show) or code
    elif sent:
        if not as_json:
            for file in sent:
                console.out().print(f"{console.shown(file.key)}  version {file.version_id}", soft_wrap=True)
        if any(not is_companion(progress.file.key) for progress in every):
            console.note("The pipeline takes them from here. Follow them: assay watch")
    if as_json:
        told = [{"file": str(each.source.path), "what": each.what, "do": each.do} for each in unsent]
        console.print_json({"sent": [progress.as_json() for progress in every], "unsent": told})
    raise typer.Exit(code)


@contextmanager
def computed_side_cars(sources: Sequence[Source]) -> Iterator[list[tuple[Source, Source]]]:
    """Write a side-car for each file of data into a folder of its own, for as long as they are sent."""
    if not sources:
        yield []
        return
    require_polars("--compute-control")
    from assay import check

    with TemporaryDirectory(prefix="control-") as folder:
        yield check.write_side_cars(sources, Path(folder))


def require_polars(what: str) -> None:
    if find_spec("polars") is None:
        how = "install it: pip install '.[check]' in a checkout of the project, or make setup"
        raise UserError(f"{what} needs polars, which is not installed", how)


def check_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files; a folder stands for the files in it.")],
    prefix: Annotated[
        str, typer.Option(help="The folder in Bronze to which the files would go; it says what they are about.")
    ] = "transactions/",
    control: Control = None,
    rows: Annotated[int, typer.Option(min=0, help="How many broken rows of each file to show.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Read local files as an upload would, without a cloud. Exits 1 if one would be rejected."""
    require_polars("assay check")
    from assay import check, console, upload
    from assay.control import control_metadata

    sources = check.checkable(upload.find_sources(files, prefix))
    if control and len(sources) != 1:
        raise UserError("--control is for one file", "check the files one by one, or put FILE.control.json beside each")
    metadata = control_metadata(control)
    checked = [check.check(source, metadata, rows=rows) for source in sources]
    if as_json:
        console.print_json([each.as_json() for each in checked])
    else:
        for each in checked:
            console.out().print(check.render(each))
    if not all(each.is_good for each in checked):
        raise typer.Exit(CHECK_FAILED)
