"""The command `assay kafka`: takes a topic to Bronze until it is stopped."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from assay.errors import UserError
from assay.options import Profile, Region, StackName, open_target


def kafka(
    bootstrap: Annotated[str, typer.Option(metavar="HOST:PORT", help="Brokers, separated by commas.")],
    topic: Annotated[str, typer.Option(help="The topic, whose values are JSON.")],
    group: Annotated[str, typer.Option(help="The consumer group: its bridges share the partitions.")] = "assay",
    prefix: Annotated[str, typer.Option(help="The folder in Bronze, below transactions/ or another subject.")] = (
        "transactions/"
    ),
    records: Annotated[int, typer.Option(min=1, help="The most records in one object.")] = 100_000,
    span: Annotated[
        int,
        typer.Option(
            min=1, metavar="SECONDS", help="The longest time from the first to the last record of one object."
        ),
    ] = 600,
    size: Annotated[int, typer.Option(min=1, max=32, metavar="MB", help="The largest size of one object.")] = 16,
    quiet: Annotated[
        float,
        typer.Option(min=0.1, metavar="SECONDS", help="Write out a partition once no record has come for this long."),
    ] = 60,
    config: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="A setting of the client librdkafka, such as security.protocol=SSL."),
    ] = None,
    config_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Client settings in a file, one per line, such as passwords.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print an object per line for each object put, for programs.")
    ] = False,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Take a Kafka topic to Bronze, each offset once. Runs until Ctrl-C; the next start continues there."""
    if find_spec("confluent_kafka") is None:
        how = "install it: pip install '.[kafka]' in a checkout of the project, or make setup"
        raise UserError("assay kafka needs confluent-kafka, which is not installed", how)
    from assay import upload
    from assay.kafka.consumer import KafkaTopic, client_settings
    from assay.kafka.cutting import Limits
    from assay.kafka.objects import Place
    from assay.kafka.running import run

    if not f"{prefix.strip('/')}/".startswith(upload.FOLDERS):
        raise UserError(f"--prefix {prefix} starts nothing", f"begin it with {', '.join(upload.FOLDERS)}")
    settings = client_settings(config or [], config_file)
    place = Place(upload.bronze(open_target(stack, region, profile)), prefix, topic)
    limits = Limits(records=records, span_ms=span * 1000, size=size << 20)
    source = KafkaTopic(bootstrap, topic, group, settings)
    raise typer.Exit(run(source, place, limits, quiet, as_json=as_json))
