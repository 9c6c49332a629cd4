"""`assay sample`: write realistic files from a seed; the same command writes the same bytes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.errors import UserError
from assay.workshop import SAMPLE, require_packages
from devcloud.sample.extent import ACTIVE_CLIENTS, DAYS, FIRST_ON, AmountType, Extent, Keys

if TYPE_CHECKING:
    import polars as pl

    from devcloud.sample.writers import Totals

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Write realistic sample files from a seed.",
)


@app.callback()
def sample() -> None:
    """Write realistic sample files from a seed."""
    require_packages(SAMPLE)


Out = Annotated[
    Path, typer.Argument(metavar="FILE", help="Where to write: .csv, .jsonl, both with or without .gz, or .parquet.")
]
Seed = Annotated[int, typer.Option(help="Another seed makes other rows.")]
Rows = Annotated[int, typer.Option(min=1, max=20_000_000, help="How many rows.")]
FirstOn = Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The history's first day.")]
DayCount = Annotated[int, typer.Option("--days", min=1, max=36_500, help="How many days the history spans.")]
Clients = Annotated[
    int,
    typer.Option(min=0, max=ACTIVE_CLIENTS, help="How many clients; 0: three rows a day each, but at least 50."),
]
Amounts = Annotated[AmountType, typer.Option(help="How Parquet and JSON hold amounts.")]
Control = Annotated[bool, typer.Option("--control", help="Write FILE.control.json with the control totals.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs, with money as text.")]
BaseRows = Annotated[int, typer.Option(min=1, help="The number of rows of the history that it follows.")]
BaseSeed = Annotated[int, typer.Option(help="The seed of the history that it follows.")]
Part = Annotated[int, typer.Option(min=1, help="Increments with other parts have other new keys.")]

_FIRST = datetime(FIRST_ON.year, FIRST_ON.month, FIRST_ON.day)


def _extent(rows: int, seed: int, first_on: date, days: int, clients: int) -> Extent:
    return Extent(rows=rows, seed=seed, first_on=first_on, days=days, clients=clients)


def _write_showing(frames: Iterable[pl.DataFrame], path: Path, rows: int, amounts: AmountType) -> Totals:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from assay import console
    from devcloud.sample.writers import write

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    screen = console.err()
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task(path.name, total=rows)
        return write(frames, path, amounts=amounts, on_rows=lambda done: progress.advance(task, done))


def _tell(path: Path, totals: Totals, *, control: bool, as_json: bool) -> None:
    from assay import console
    from devcloud.sample.writers import write_control

    if control:
        write_control(path, totals)
    if as_json:
        told = {"file": str(path), "row_count": totals.rows, "total_amount": totals.total_amount}
        console.print_json(told)
    else:
        console.out().print(f"{path}: {totals.rows} rows, total {totals.total_amount}", soft_wrap=True)


@app.command()
def history(
    out: Out,
    rows: Rows = 100_000,
    seed: Seed = 1,
    first_on: FirstOn = _FIRST,
    days: DayCount = DAYS,
    clients: Clients = 0,
    amounts: Amounts = "decimal",
    control: Control = False,
    as_json: AsJson = False,
) -> None:
    """Write a history: ten years of some clients. Fewer rows mean fewer clients."""
    from devcloud.sample.history import History

    extent = _extent(rows, seed, first_on.date(), days, clients)
    totals = _write_showing(History(extent), out, rows, amounts)
    _tell(out, totals, control=control, as_json=as_json)


@app.command()
def increment(
    out: Out,
    rows: Rows = 10_000,
    seed: Seed = 1,
    changed: Annotated[int, typer.Option(min=0, max=100, help="Percent of rows that change a known key.")] = 30,
    repeated: Annotated[int, typer.Option(min=0, max=100, help="Percent of rows that repeat a known row.")] = 20,
    keys: Annotated[
        Keys, typer.Option(help="Which known keys: the most recent ones, or keys from the whole history.")
    ] = "recent",
    part: Part = 1,
    base_rows: BaseRows = 100_000,
    base_seed: BaseSeed = 1,
    first_on: FirstOn = _FIRST,
    days: DayCount = DAYS,
    clients: Clients = 0,
    amounts: Amounts = "decimal",
    control: Control = False,
    as_json: AsJson = False,
) -> None:
    """Write an increment to a history. It has changed and repeated rows of its keys, and new rows after its end."""
    from devcloud.sample.increment import Mix
    from devcloud.sample.increment import increment as increment_of

    base = _extent(base_rows, base_seed, first_on.date(), days, clients)
    mix = Mix.of(rows, changed_percent=changed, repeated_percent=repeated)
    frames = increment_of(base, mix, seed=seed, keys=keys, part=part)
    totals = _write_showing(frames, out, rows, amounts)
    _tell(out, totals, control=control, as_json=as_json)


def _bad_rows(rules: list[str], each: int, rows: int) -> dict[str, int]:
    from devcloud.sample.broken import RULES

    unknown = sorted(set(rules) - set(RULES))
    if unknown:
        raise UserError(f"no such rule: {', '.join(unknown)}", f"choose from {', '.join(RULES)}")
    bad = dict.fromkeys(rules or RULES, each)
    if sum(bad.values()) > rows:
        raise UserError(f"{sum(bad.values())} broken rows do not fit into {rows}", "raise --rows or lower --each")
    return bad


@app.command()
def broken(
    out: Out,
    rows: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many rows, broken ones included.")] = 1_000,
    seed: Seed = 1,
    each: Annotated[int, typer.Option(min=0, help="How many rows break each rule.")] = 1,
    rule: Annotated[list[str] | None, typer.Option(help="Break only this rule (repeatable).")] = None,
    wild: Annotated[
        bool, typer.Option("--wild", help="Write good values in many of the formats that are read.")
    ] = False,
    bom: Annotated[bool, typer.Option("--bom", help="Begin with a byte order mark.")] = False,
    crlf: Annotated[bool, typer.Option("--crlf", help="End lines with CRLF.")] = False,
    part: Part = 1,
    base_rows: BaseRows = 100_000,
    base_seed: BaseSeed = 1,
    first_on: FirstOn = _FIRST,
    days: DayCount = DAYS,
    clients: Clients = 0,
    control: Control = False,
    as_json: AsJson = False,
) -> None:
    """Write rows that break the data contract, among good ones. CSV only."""
    import polars as pl

    from devcloud.sample.broken import write_broken
    from devcloud.sample.increment import Mix
    from devcloud.sample.increment import increment as increment_of

    bad = _bad_rows(rule or [], each, rows)
    base = _extent(base_rows, base_seed, first_on.date(), days, clients)
    frame = pl.concat(list(increment_of(base, Mix(new=rows, changed=0, repeated=0), seed=seed, part=part)))
    totals = write_broken(frame, out, bad=bad, seed=seed, wild=wild, bom=bom, crlf=crlf)
    _tell(out, totals, control=control, as_json=as_json)
