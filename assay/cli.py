"""The `assay` command line; exit codes: 0 as wished, 1 not as it must be, 2 cannot be done so, 130 interrupted."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from botocore.exceptions import BotoCoreError, ClientError
from typer.core import TyperGroup

from assay import console, follow, passport, status, upload, watch
from assay.errors import UserError, explain
from assay.ledger import Item
from assay.load import cli as load
from assay.options import (
    CANNOT,
    NOT_AS_IT_MUST_BE,
    AsJson,
    Profile,
    Region,
    StackName,
    open_ledger,
    open_target,
    project,
)
from assay.replay import cli as replay
from devcloud.local import deploy as local_deploy
from devcloud.local import lifecycle

SAMPLE = "sample"


class Group(TyperGroup):
    """Tells expected errors in two lines, without a traceback; loads what only one command needs when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), SAMPLE]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name != SAMPLE:
            return super().get_command(ctx, cmd_name)
        from devcloud.sample import cli as sample  # brings numpy and polars

        return typer.main.get_command(sample.app)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            complain(error)
        except (lifecycle.CloudStartError, local_deploy.DeployError) as error:
            complain(UserError(str(error), "the lines above say why; then try again"))
        except (BotoCoreError, ClientError) as error:
            known = explain(error)
            if known is None:
                raise
            complain(known)
        except OSError as error:
            if error.filename is None:
                raise
            complain(UserError(f"{error.filename}: {error.strerror}", "check the name, and your rights there"))
        raise typer.Exit(CANNOT)


app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Uploads files of transactions, follows them to Gold, and accounts for every row and every cent.",
)

app.add_typer(load.app, name="load")


def complain(error: UserError) -> None:
    console.note(f"error: {error.what}", style="bold red")
    console.note(f"  do: {error.do}", style="")


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="The port to listen on; a free one if not named.")] = None,
) -> None:
    """Start the local cloud of this project."""
    cloud = lifecycle.start(project(), port=port)
    if port not in (None, 0, cloud.port):
        raise UserError(f"this project's local cloud runs already, at {cloud.endpoint}", "stop it first: assay down")
    console.out().print(f"The local cloud runs at {cloud.endpoint}. Next: assay deploy")


@app.command()
def down() -> None:
    """Stop the local cloud of this project; what it holds is gone with it."""
    stopped = lifecycle.stop(project())
    console.out().print("The local cloud has stopped." if stopped else "No local cloud is running here.")


@app.command()
def deploy() -> None:
    """Build the stack and deploy it to the local cloud (to AWS: sam build && sam deploy --guided)."""
    cloud = lifecycle.running(project())
    if cloud is None:
        raise UserError("no local cloud is running here", "start it: assay up (for AWS: sam deploy --guided)")
    local_deploy.deploy(project(), cloud, on_line=lambda line: console.out().print(line, soft_wrap=True))
    console.out().print("Deployed. Next: assay upload FILE --wait")


@app.command("upload")
def upload_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files; a folder stands for its files.")],
    prefix: Annotated[
        str, typer.Option(help="The folder in Bronze, below transactions/, cards/, users/ or mcc_codes/.")
    ] = "transactions/",
    wait: Annotated[
        bool, typer.Option("--wait", help="Show each file's way, and end 0 only if all are published.")
    ] = False,
    control: Annotated[str | None, typer.Option(metavar="ROWS:AMOUNT", help="Control totals of the file.")] = None,
    as_of: Annotated[str | None, typer.Option(metavar="INSTANT", help="When the extract was taken (ISO 8601).")] = None,
    timeout: Annotated[float, typer.Option(help="Minutes to wait at most.")] = 30,
    stack: StackName = "assay",
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Put files into Bronze; they go to Gold by themselves."""
    sources = upload.find_sources(files, prefix)
    if control and sum(1 for source in sources if not source.is_companion) != 1:
        raise UserError(
            "--control is for one file", "upload the files one by one, or put FILE.control.json beside each"
        )
    metadata = upload.control_metadata(control) | upload.as_of_metadata(as_of)
    target = open_target(stack, region, profile)
    sent = upload.upload(target.s3, target.stack.bronze_bucket, sources, metadata)
    if not wait:
        for file in sent:
            console.out().print(f"{file.key}  version {file.version_id}", soft_wrap=True)
        console.note("They go on by themselves: assay status")
        return
    ways = [watch.Way(file) for file in sent if not upload.is_companion(file.key)]
    raise typer.Exit(follow.follow(target, open_ledger(target), ways, timeout_s=timeout * 60))


@app.command("status")
def show_status(
    key: Annotated[str | None, typer.Argument(help="One file: its versions and their ways.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many files to list.")] = 20,
    as_json: AsJson = False,
    stack: StackName = "assay",
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Show the files and how far they are; reads the whole ledger."""
    target = open_target(stack, region, profile)
    ledger = open_ledger(target)
    items = ledger.versions(key) if key else ledger.files()
    if as_json:
        console.print_json(items[:limit])
    elif key:
        console.out().print(status.render_versions(items[:limit], target.logs()))
    elif items:
        console.out().print(status.render_list(items[:limit], len(items)))
    else:
        console.out().print("The ledger is empty. Next: assay upload FILE --wait")


@app.command("passport")
def show_passport(
    key: Annotated[str, typer.Argument(help="The key of the file, or the end of it.")],
    version: Annotated[str | None, typer.Option(help="The object version; the newest if not named.")] = None,
    as_json: AsJson = False,
    stack: StackName = "assay",
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Show what became of a file's rows and cents; ends 1 if they do not add up."""
    item = choose_version(open_ledger(open_target(stack, region, profile)).versions(key), version)
    if as_json:
        console.print_json(passport.as_json(item))
    else:
        console.out().print(passport.render(item))
    if not all(check.good for check in passport.checks(item)):
        raise typer.Exit(NOT_AS_IT_MUST_BE)


def choose_version(items: list[Item], version: str | None) -> Item:
    if version is None:
        return items[0]
    found = [item for item in items if item["version_id"] == version]
    if not found:
        known = ", ".join(item["version_id"] for item in items)
        raise UserError(f"{items[0]['key']} has no version {version}", f"its versions, newest first: {known}")
    return found[0]


@app.command("query")
def ask(
    statement: Annotated[
        str | None, typer.Argument(metavar="SQL", help="One SELECT; without it: which tables there are.")
    ] = None,
    form: Annotated[Literal["table", "csv", "json"], typer.Option("--format", help="How to print the rows.")] = "table",
    stack: StackName = "assay",
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Ask SQL of silver.* and gold.*, as they are published; instants are UTC."""
    from assay import answers, query  # these libraries take a second to load

    with query.lake(open_target(stack, region, profile)) as lake:
        if statement is None:
            console.out().print("\n".join(lake.tables()) or "nothing published yet")
            return
        printers = {"table": answers.print_table, "csv": answers.print_csv, "json": answers.print_json}
        printers[form](lake.ask(statement))


@app.command("audit")
def run_audit(
    full: Annotated[bool, typer.Option("--full", help="Read every row instead of the running totals.")] = False,
    as_json: AsJson = False,
    stack: StackName = "assay",
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Compare Gold, Silver and the sum of all effects, to the cent; ends 1 on any difference."""
    from assay import audit, query

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
    for check in wrong:
        console.note(f"difference: {check.what}: {check.expected:,} against {check.found:,}", style="bold red")
    if wrong and wrong[0].what == audit.GOLD_HAS_TAKEN:
        console.note(
            "Gold has not taken Silver's last run yet; if files are under way (assay status), audit again later."
        )
    if wrong:
        raise typer.Exit(NOT_AS_IT_MUST_BE)


app.command("replay")(replay.replay)


@app.command("maintain")
def maintain_tables(
    as_json: AsJson = False,
    stack: StackName = "assay",
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Compact small files and deletes of all tables now; the jobs do so by themselves once enough have gathered."""
    from assay import maintain  # brings pyiceberg

    before, after = maintain.maintain(open_target(stack, region, profile))
    if as_json:
        console.print_json(maintain.as_json(before, after))
    else:
        console.out().print(maintain.render(before, after) if after else "nothing published yet")


@app.command()
def demo() -> None:
    """Show it all in a local cloud: five generated files, their passports, Gold's totals and the audit."""
    from devcloud.demo.play import play

    raise typer.Exit(play(project()))


def main() -> None:
    app()
