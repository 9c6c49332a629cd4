"""The `assay` command line.

Exit codes: 0 success, 1 a check failed or you said no, 2 usage or environment, 130 interrupted.

Each command imports what it needs when it runs, so that help and usage errors answer at once.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from assay import closing, notebooks, sending, sweeping, watching, workshop
from assay.errors import UserError
from assay.evidence import cli as evidence
from assay.examples import epilog
from assay.explain import cli as explanation
from assay.kafka import cli as kafka
from assay.load import cli as load
from assay.options import CHECK_FAILED, UNUSABLE, WHICH, AsJson, Profile, Region, StackName, open_ledger, open_target
from assay.quarantine import cli as quarantine
from assay.replay import cli as replay
from assay.report import cli as reporting
from assay.resume import cli as resume
from assay.undo import cli as undo

if TYPE_CHECKING:
    from assay.ledger import Ledger

VALUES = {"str": "TEXT", "path": "FILE", "datetime": "YYYY-MM-DD"} | dict.fromkeys(
    ("int", "int range", "float", "float range"), "NUMBER"
)


class Group(TyperGroup):
    """Reports expected errors in two lines, without a traceback; imports `sample` when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), workshop.SAMPLE]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        is_sample = cmd_name == workshop.SAMPLE
        return documented(workshop.sample_command() if is_sample else super().get_command(ctx, cmd_name), cmd_name)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            known = expected(error)
            if known is None:
                raise
            complain(known)
        raise typer.Exit(UNUSABLE)


def documented(command: Any, name: str) -> Any:
    """End the help of a command, and of those below it, with its examples, and name the kinds of its values."""
    if command is not None:
        command.epilog = epilog(name)
        for parameter in command.params:
            parameter.metavar = metavar(parameter)
        for inner, below in getattr(command, "commands", {}).items():
            documented(below, f"{name} {inner}")
    return command


app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Upload files of transactions, follow them to Gold, and account for every row and every cent.",
    epilog=epilog(
        "", "Exit codes: 0 success, 1 a check failed or you said no, 2 usage or environment, 130 interrupted."
    ),
)

app.add_typer(load.app, name="load")
app.add_typer(notebooks.app, name="notebooks")
app.add_typer(quarantine.app, name="quarantine")


def metavar(parameter: Any) -> str | None:
    """Return what stands for a parameter's value in help; None where typer tells it (choices) or there is none."""
    if parameter.param_type_name == "option":
        return parameter.metavar or VALUES.get(parameter.type.name)
    told = parameter.metavar or parameter.name.upper()
    return f"{told}..." if parameter.nargs == -1 and not told.endswith("...") else told


def tell_version(asked: bool) -> None:
    """Print the version of the installed package, and end."""
    if asked:
        from importlib.metadata import version

        print(f"assay {version('assay')}")
        raise typer.Exit


@app.callback()
def assay(
    version: Annotated[
        bool, typer.Option("--version", callback=tell_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Hold the options of the command line itself."""


def expected(error: Exception) -> UserError | None:
    """Return what a person can do about an error; None for a fault of the program."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, OSError) and error.filename is not None:
        return UserError(f"{error.filename}: {error.strerror}", "check the name and your permissions")
    if "botocore" not in sys.modules:
        return None
    from assay.aws_errors import explain

    return explain(error)


def complain(error: UserError) -> None:
    """Print what is wrong and what to do about it, on stderr."""
    from assay import console

    console.note(f"error: {console.shown(error.what)}", style="bold red")
    console.note(f"  do: {console.shown(error.do)}", style="")


app.command("up")(workshop.up)
app.command("down")(workshop.down)
app.command("deploy")(workshop.deploy)
app.command("upload")(sending.upload_files)
app.command("check")(sending.check_files)
app.command("watch")(watching.watch)
app.command("kafka")(kafka.kafka)
app.command("sweep")(sweeping.sweep)
app.command("expect")(sweeping.expect)


@app.command("status")
def show_status(
    key: Annotated[str | None, typer.Argument(help=f"{WHICH} List its versions.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many files to list.")] = 20,
    expected: Annotated[bool, typer.Option("--expected", help="List the expected files instead.")] = False,
    closed: Annotated[bool, typer.Option("--closed", help="List the closed months, then and now, instead.")] = False,
    of_kafka: Annotated[
        bool, typer.Option("--offsets", help="Show which offsets of Kafka topics came, and which are missing.")
    ] = False,
    as_json: AsJson = False,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """List the files and their status. Scans the ledger."""
    from assay import console, status

    target = open_target(stack, region, profile)
    if expected:
        sweeping.show_expected(target, as_json=as_json)
        return
    ledger = open_ledger(target)
    if closed:
        closing.show_closed(target, ledger, as_json=as_json)
        return
    if of_kafka:
        show_offsets(ledger, as_json=as_json)
        return
    items = ledger.versions(key) if key else ledger.files()
    if as_json:
        console.print_json(items[:limit])
    elif key:
        console.out().print(status.render_versions(items[:limit], target.logs()))
    elif items:
        console.out().print(status.render_list(items[:limit], len(items)))
        if actions := ledger.open_actions():
            console.out().print(status.render_actions(actions))
        for layer, since in ledger.open_breakers().items():
            console.note(status.breaker_line(layer, since), style="bold red")
    else:
        console.out().print("The ledger is empty. Next: assay upload FILE --wait")


def show_offsets(ledger: Ledger, *, as_json: bool) -> None:
    """Print the coverage of all partitions."""
    from assay import console, offsets

    found = offsets.partitions(ledger.files())
    if as_json:
        console.print_json([each.as_json() for each in found])
    else:
        console.out().print(offsets.render(found) if found else "No file names offsets of Kafka: docs/kafka.md")


@app.command("passport")
def show_passport(
    key: Annotated[str, typer.Argument(help=WHICH)],
    version: Annotated[str | None, typer.Option(help="The object version; the newest one by default.")] = None,
    as_json: AsJson = False,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Show what became of a file's rows and cents. Exits 1 if they do not add up."""
    from assay import console, passport
    from assay.ledger import choose_version

    item = choose_version(open_ledger(open_target(stack, region, profile)).versions(key), version)
    if as_json:
        console.print_json(passport.as_json(item))
    else:
        console.out().print(passport.render(item))
    if not all(check.good for check in passport.checks(item)):
        raise typer.Exit(CHECK_FAILED)


@app.command("query")
def ask(
    statement: Annotated[
        str | None,
        typer.Argument(metavar="SQL", help="One SELECT, SHOW TABLES or DESCRIBE; without it, list the tables."),
    ] = None,
    form: Annotated[Literal["table", "csv", "json"], typer.Option("--format", help="How to print the rows.")] = "table",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    vertical: Annotated[
        bool,
        typer.Option("--vertical", "-x", help="Print a line for each value, as of a row that is too wide."),
    ] = False,
    excel_safe: Annotated[
        bool, typer.Option("--excel-safe", help="With csv: put an apostrophe before text that looks like a formula.")
    ] = False,
    engine: Annotated[
        Literal["duckdb", "athena"],
        typer.Option(help="DuckDB here, or Athena in AWS, which has its own SQL and charges for what it scans."),
    ] = "duckdb",
    work_group: Annotated[str, typer.Option(metavar="NAME", help="With athena: the work group.")] = "primary",
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Run SQL over the published tables. They are silver.* and gold.*; instants are UTC."""
    from assay import athena, console, query, query_output

    form = "json" if as_json else form
    if excel_safe and form != "csv":
        raise UserError("--excel-safe is for CSV", "add --format csv")
    target = open_target(stack, region, profile)
    if engine == "athena" and statement is not None:
        query_output.print_answer(
            athena.ask(target, statement, work_group), form, excel_safe=excel_safe, vertical=vertical
        )
        return
    with query.lake(target) as lake:
        if statement is None and form == "table":
            console.out().print("\n".join(lake.listed()) or "nothing published yet")
        else:
            query_output.print_answer(
                lake.ask(statement or "SHOW TABLES"), form, excel_safe=excel_safe, vertical=vertical
            )


@app.command("audit")
def run_audit(
    full: Annotated[bool, typer.Option("--full", help="Read every row instead of the running totals.")] = False,
    as_json: AsJson = False,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Compare Gold, Silver and the sum of all effects. Exits 1 on any difference, even of a cent."""
    from assay import audit, console, query

    target = open_target(stack, region, profile)
    ledger = open_ledger(target)
    if full:
        with query.lake(target) as lake:
            found = audit.audit(ledger, lake)
    else:
        found = audit.audit(ledger)
    wrong = audit.differences(found)
    if as_json:
        console.print_json({"agrees": not wrong, "full": full, "comparisons": [check.as_json() for check in found]})
    else:
        console.out().print(audit.render(found))
    audit.report_differences(wrong)
    if wrong:
        raise typer.Exit(CHECK_FAILED)


app.command("verify")(evidence.verify)
app.command("evidence")(evidence.evidence)
app.command("explain")(explanation.explain)
app.command("undo", help=undo.UNDO)(undo.command(in_effect=False))
app.command("redo", help=undo.REDO)(undo.command(in_effect=True))
app.command("close")(closing.close)
app.command("replay")(replay.replay)
app.command("report")(reporting.report)
app.command("resume")(resume.resume)


@app.command("maintain")
def maintain_tables(
    orphans: Annotated[
        bool, typer.Option("--orphans", help="Also remove files that killed runs left, older than three days.")
    ] = False,
    as_json: AsJson = False,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Compact the small files and deletes of all tables. The jobs also do so once enough have accumulated."""
    from assay import console, maintain

    before, after = maintain.maintain(open_target(stack, region, profile), orphans=orphans)
    if as_json:
        console.print_json(maintain.as_json(before, after))
    else:
        console.out().print(maintain.render(before, after) if after else "nothing published yet")


@app.command("smoke")
def try_stack(
    timeout: Annotated[float, typer.Option(min=0, help="The longest time to wait for each file, in minutes.")] = 30,
    as_json: AsJson = False,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Take 1,000 rows to Gold and out again. Exits 1 if anything on the way does not add up.

    It uploads two files of its own, and leaves their versions in Bronze and their rows in the history. On AWS it costs
    four short job runs.
    """
    from assay import audit, console, smoke

    target = open_target(stack, region, profile)
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        tried = smoke.smoke(target, open_ledger(target), timeout_s=timeout * 60)
    if as_json:
        console.print_json(smoke.as_json(tried))
    if tried.code:
        raise typer.Exit(tried.code)
    if not as_json:
        console.out().print(smoke.render(tried))
    local = " in AWS; here they are free" if target.is_local else ""
    console.note(f"The job runs took {tried.dpu_hours:.2f} DPU hours, about ${tried.dollars}{local}.")
    wrong = audit.differences(list(tried.checks))
    audit.report_differences(wrong)
    if wrong:
        raise typer.Exit(CHECK_FAILED)


app.command("demo")(workshop.demo)


def main() -> None:
    app()
