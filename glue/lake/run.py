"""The commit protocol of the layers: begin, write, prove, commit, publish; and recover, rebuild, maintain.

A layer is one value, a `Layer`: it says which tables it has, what it takes, and how it writes, proves and advances.
Everything is written to branches, audited there, and committed by one intent item in the ledger; before that point a
killed run is done again with the same files, after it only rolled forward (`docs/adr/0001-one-commit.md`).
"""

from __future__ import annotations

import argparse
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic, TypeVar, cast

import boto3
from contract.evidence import passport_of, sha256
from contract.items import FileItem, LayerName
from contract.limits import WORKER_ROWS
from contract.runs import Cut, GoldReport, LayerItem, LayerTotals, PublishedRun, RunInProgress, RunIntent, SilverReport
from contract.tables import LakeTable
from contract.views import FlatView
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from glue.lake.branches import Branches
from glue.lake.compaction import compact, compact_all, remove_orphans
from glue.lake.cuts import put_cut, snapshots_named
from glue.lake.evidence import UNSIGNED, chained, head_of, report_hash
from glue.lake.failures import FencedOut, Unfinished, Withdrawn, require, require_no_card_number, root_cause
from glue.lake.ledger import Ledger, now_text
from glue.lake.spark import session
from glue.lake.tables import cents, create_tables, total
from glue.lake.views import put_view

Written = TypeVar("Written")
Report = TypeVar("Report", SilverReport, GoldReport)
LEAST_WORKERS = 2
COMMON_ARGUMENTS = ("lake_bucket", "ledger_table", "silver_database")


@dataclass(frozen=True)
class Layer(Generic[Written, Report]):
    """What tells one layer from the other.

    `state_table` holds its current rows. `take` starts a run over what waits, `repeat` one that was killed before its
    commit point; both by `process`. `write` puts a run's rows into its branches, `prove` holds them to what was decided
    and returns the run's report, `advance` moves the files of a published report. Of a rebuild, `expected_totals` says
    what the tables must hold (and refuses one that comes too late), `report_of_rebuild` what is noted of it.
    `options` are the layer's own arguments with their defaults, `numbers` those that are whole numbers.
    """

    name: LayerName
    tables: Mapping[str, LakeTable]
    state_table: str
    take: Callable[[Job], None]
    repeat: Callable[[Job, RunInProgress], None]
    write: Callable[[Run], Written]
    prove: Callable[[Run, Written], Report]
    advance: Callable[[Job, RunIntent, Report], None]
    expected_totals: Callable[[Job], Mapping[str, object]]
    report_of_rebuild: Callable[[Job, LayerItem, LayerTotals], Report]
    required: tuple[str, ...] = COMMON_ARGUMENTS
    options: Mapping[str, str | None] = field(default_factory=dict)
    numbers: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    views: Mapping[str, FlatView] = field(default_factory=dict)
    row_group_bytes: int = 128 << 20


@dataclass(frozen=True)
class Job:
    """A layer's job: its session, its ledger, and what it was asked to do."""

    layer: Layer[Any, Any]
    spark: SparkSession
    ledger: Ledger
    arguments: argparse.Namespace

    @property
    def database(self) -> str:
        """Return the database of the layer's tables."""
        return str(getattr(self.arguments, f"{self.layer.name}_database"))

    @property
    def run_rows(self) -> int:
        """Return how many rows a run takes at the most, unless one file has more: given, or what the workers hold.

        One of the workers is the driver.
        """
        given = self.arguments
        return int(given.run_rows or WORKER_ROWS * ((given.workers or LEAST_WORKERS) - 1))

    def branches(self, name: str) -> Branches:
        return Branches(self.spark, self.database, name)

    def step(self, name: str, **found: object) -> None:
        """Log one step as a line of JSON; never row contents, card or client ids."""
        line = {"layer": self.layer.name, "step": name, "at": now_text(), **found}
        print(json.dumps(line, default=str), flush=True)


@dataclass(frozen=True)
class Run:
    """A run that has begun: what the ledger recorded of it, the layer's item before it, its files, its branches."""

    job: Job
    record: RunInProgress
    before: LayerItem
    files: Sequence[FileItem]
    branches: Branches

    @property
    def run_seq(self) -> int:
        return self.record["run_seq"]

    @property
    def spark(self) -> SparkSession:
        return self.job.spark

    @property
    def totals_before(self) -> LayerTotals:
        """Return the totals of the layer before the run."""
        if "published" in self.before:
            return cast(LayerTotals, self.before["published"])
        return {"row_count": 0, "total_amount": "0.00"}

    def never_written(self, tables: Iterable[str]) -> list[str]:
        """Return the tables that the contract got after the layer's first run: no run has published rows of them."""
        published = self.before.get("published")
        return [] if published is None else [name for name in tables if name not in published["snapshots"]]

    def gained_columns(self, table: str) -> bool:
        """Tell whether a table got columns after its published rows were written: they are null in all of these."""
        published = self.before.get("published")
        snapshot_id = published["snapshots"].get(table) if published else None
        return snapshot_id is not None and bool(self.branches.columns_since(table, snapshot_id))


def begin(job: Job, files: Sequence[FileItem], before: LayerItem, **note: object) -> Run:
    """Record the run that follows the last committed one; `note` is what its layer needs to do it again.

    A file that was given up before the run was recorded is none of its files: nobody would see that the run holds it.
    """
    run_seq, token = before["run_seq"] + 1, uuid.uuid4().hex
    file_ids = [file["file_id"] for file in files]
    begun = {"run_seq": run_seq, "token": token, "files": file_ids, "started_at": now_text(), **note}
    begun |= {"start": job.arguments.start} if job.arguments.start else {}
    record = cast(RunInProgress, begun)
    job.ledger.begin(record, after=before["run_seq"])
    job.step("begun", run_seq=run_seq, files=len(files))
    waiting = {file["file_id"] for file in job.ledger.files(file_ids) if file.get("waiting_for") == job.layer.name}
    if withdrawn := set(file_ids) - waiting:
        raise Withdrawn(withdrawn)
    return Run(job, record, before, files, job.branches(Branches.name_of_run(run_seq, token)))


def process(job: Job, files: Sequence[FileItem], **note: object) -> None:
    """Do one run; leave the readers' tables alone on any error."""
    run = begin(job, files, job.ledger.state(), **note)
    report = job.layer.prove(run, job.layer.write(run))
    job.step("proved", **totals_of(report))
    commit(run, report)


def process_waiting(job: Job, files: Sequence[FileItem], **note: object) -> None:
    """Do one run over those of the files that still wait once it has begun."""
    try:
        process(job, files, **note)
    except Withdrawn as gone:
        process_waiting(job, [file for file in files if file["file_id"] not in gone.file_ids], **note)


def commit(run: Run, report: SilverReport | GoldReport) -> None:
    """Put the intent, the commit point, and carry it out."""
    job, snapshots = run.job, run.branches.snapshots()
    body = chained(job.layer.name, run.run_seq, run.before, run.files, report)
    intent: RunIntent = {
        "run_seq": run.run_seq,
        "branch": run.branches.name,
        "snapshots": snapshots,
        "report": put_report(run, body),
        "head": head_of(job.layer.name, run.run_seq, body, signing_key=job.arguments.signing_key),
    }
    job.step("before_intent")
    job.ledger.commit(intent, token=run.record["token"])
    try:
        job.step("after_intent")
        published = publish(job, intent)
    except Exception as error:
        raise Unfinished(f"run {run.run_seq} is committed, the next one finishes it: {root_cause(error)}") from error
    compact_published(job, published)


def put_report(run: Run, body: bytes) -> str:
    """Keep what a run did, for its publication and as a link of the chain, under the name of its branches."""
    job = run.job
    key = f"{job.arguments.prefix}reports/{job.layer.name}/{run.branches.name}.json"
    boto3.client("s3").put_object(Bucket=job.arguments.lake_bucket, Key=key, Body=body)
    return key


def read_report(job: Job, intent: RunIntent) -> SilverReport | GoldReport:
    """Read what a committed run did; refuse what is not what it wrote."""
    body = boto3.client("s3").get_object(Bucket=job.arguments.lake_bucket, Key=intent["report"])["Body"].read()
    if "head" in intent:
        require(f"SHA-256 of {intent['report']}", found=sha256(body), expected=intent["head"]["sha256"])
    return cast(SilverReport | GoldReport, json.loads(body))


def publish(job: Job, intent: RunIntent) -> list[str]:
    """Carry out a committed intent; return its tables. Each step may be done twice: the next run finishes a kill's."""
    branches, ledger = job.branches(intent["branch"]), job.ledger
    promised = {table: intent["snapshots"][table] for table in job.layer.tables if table in intent["snapshots"]}
    report, state = read_report(job, intent), ledger.state()
    snapshots = {**(state["published"]["snapshots"] if "published" in state else {}), **promised}
    totals: LayerTotals = report["totals"]
    if "silver_snapshots" in totals:
        name_cut(job, intent["run_seq"], snapshots, totals)
    for table, snapshot_id in promised.items():
        branches.fast_forward(table, snapshot_id)
        job.step("fast_forwarded", table=table)
    job.layer.advance(job, {**intent, "snapshots": promised}, report)
    job.step("files_advanced")
    of_run = {"run_seq": intent["run_seq"], "snapshots": snapshots, **report_hash(intent)}
    published = cast(PublishedRun, {**of_run, **totals})
    ledger.finish(published)
    ledger.count_success()
    job.step("published", run_seq=intent["run_seq"], **totals_of(report))
    return list(promised)


def name_cut(job: Job, run_seq: int, snapshots: dict[str, int], totals: LayerTotals) -> None:
    """Tell readers which snapshots of Gold and of the Silver that it shows belong together."""
    together: dict[LayerName, dict[str, int]] = {"silver": totals["silver_snapshots"], "gold": snapshots}
    silver_run_seq, at = totals["silver_run_seq"], now_text()
    cut: Cut = {"run_seq": run_seq, "silver_run_seq": silver_run_seq, "at": at, "snapshots": together}
    put_cut(job.arguments.lake_bucket, job.arguments.prefix, cut)
    job.step("cut_named")


def compact_published(job: Job, tables: Iterable[str]) -> None:
    """Compact the tables of a run whose rows readers see: if that fails, the run has ended all the same."""
    job.step("compacted", tables=compact(job.spark, job.database, tables, named=partial(named_by_cuts, job)))


def named_by_cuts(job: Job) -> set[int]:
    """Return the snapshots of the layer that must not expire."""
    return snapshots_named(job.arguments.lake_bucket, job.arguments.prefix, job.layer.name)


def totals_of(report: SilverReport | GoldReport) -> dict[str, object]:
    """Return rows and money of a layer after a run."""
    return {name: report["totals"][name] for name in ("row_count", "total_amount")}


def put_passport(job: Job, item: FileItem) -> None:
    """Leave the ledger item of a file at its end in the lake."""
    key = f"{job.arguments.prefix}passports/{item['file_id']}.json"
    boto3.client("s3").put_object(Bucket=job.arguments.lake_bucket, Key=key, Body=passport_of(item))


def recover(job: Job) -> None:
    """Finish what a killed run left: roll forward after its commit point, else leave it to the layer to repeat it."""
    state = job.ledger.state()
    if "intent" in state:
        job.step("rolling_forward", run_seq=state["intent"]["run_seq"])
        compact_published(job, publish(job, state["intent"]))
    elif job.arguments.rebuild_from:
        job.ledger.abandon()  # a rebuild mends what a failed run has left
    elif "in_progress" in state:
        job.step("running_again", run_seq=state["in_progress"]["run_seq"])
        job.layer.repeat(job, state["in_progress"])


def rebuild(job: Job) -> None:
    """Publish the tables of another database as this layer's, in one commit.

    A replay has rebuilt them from Bronze. They are refused unless they hold all runs that are published.
    """
    layer, before, contained = job.layer, job.ledger.state(), job.arguments.expected_run_seq
    expected = layer.expected_totals(job)
    if before["run_seq"] != contained or "published" not in before:
        raise FencedOut(
            f"{job.arguments.rebuild_from} holds the runs up to {contained}, "
            f"but run {before['run_seq']} is published: rebuild it again"
        )
    run = begin(job, [], before, attempts=1)
    run.branches.take_over(layer.tables, job.arguments.rebuild_from, last_run=before["run_seq"])
    rows = job.spark.table(run.branches.current(layer.state_table))
    ((row_count, amount),) = rows.agg(F.count(F.lit(1)), total("amount")).collect()
    totals: LayerTotals = {"row_count": row_count, "total_amount": cents(amount)}
    require("rows and money taken over", found=totals, expected={**totals, **expected})
    job.step("proved", **totals)
    commit(run, layer.report_of_rebuild(job, before, totals))


def arguments(layer: Layer[Any, Any], argv: Sequence[str]) -> argparse.Namespace:
    """Read a job's arguments; Glue adds some of its own, which are passed over."""
    parser = argparse.ArgumentParser(prog=layer.name, allow_abbrev=False)
    common = {**dict.fromkeys(layer.required, ""), "prefix": "", "signing_key": UNSIGNED}
    options: dict[str, str | None] = {**common, **layer.options}
    for name, default in options.items():
        parser.add_argument(f"--{name}", default=default)
    for name in ("expected_run_seq", *layer.numbers):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--file_id", default="", help="the file whose execution started this run")
    parser.add_argument("--start", default="", help="which start of this job by the workflow this is")
    parser.add_argument("--rebuild_from", default="", help="a database whose tables take the place of this layer's")
    parser.add_argument("--maintain", choices=["true", "orphans"], help="compact all tables, and take no file")
    parsed, _ = parser.parse_known_args(argv)
    for name in layer.required:
        if not getattr(parsed, name):
            parser.error(f"--{name} is required")
    return parsed


def maintain(job: Job) -> None:
    """Compact all tables; if asked for, remove the files that killed runs have left."""
    tables, named = job.layer.tables, partial(named_by_cuts, job)
    job.step("compacted", tables=compact_all(job.spark, job.database, tables, named=named))
    if job.arguments.maintain == "orphans":
        removed = remove_orphans(job.spark, job.database, tables, now=datetime.now(UTC))
        job.step("orphans_removed", **removed)


def work(job: Job) -> None:
    """Finish what was left, then do what was asked: rebuild, compact, or take what waits."""
    recover(job)
    if job.arguments.rebuild_from:
        rebuild(job)
    elif job.arguments.maintain:
        maintain(job)
    else:
        job.layer.take(job)
        job.ledger.count_success()


def main(layer: Layer[Any, Any], given: argparse.Namespace) -> None:
    """Run a layer's job; leave the reason of a failure on the file whose execution started it."""
    ledger = Ledger(given.ledger_table, layer.name)
    if given.start:
        ledger.count_start(given.start)
    spark = session(layer.name, layer.settings)
    job = Job(layer, spark, ledger, given)
    try:
        create_tables(spark, job.database, layer.tables, row_group_bytes=layer.row_group_bytes)
        for view in layer.views.values():
            put_view(job.database, view)
        job.step("started")
        work(job)
    except Exception as error:
        if given.file_id:
            job.ledger.note_error(given.file_id, root_cause(error))
        require_no_card_number(error)
        raise
    job.step("done")
    spark.stop()
