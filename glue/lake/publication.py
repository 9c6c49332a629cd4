"""What Gold publishes: files and actions with their passports, and which run of Silver its totals show."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import cast

from contract.items import FileItem, GoldOfFile
from contract.runs import GoldReport, LayerItem, LayerTotals, PublishedRun, RunIntent

from glue.lake.changes import MOST_CLOSED, notice_of
from glue.lake.closings import moved_months
from glue.lake.evidence import report_hash
from glue.lake.failures import FencedOut
from glue.lake.metrics import tell_published
from glue.lake.run import Job, put_passport


def rows_of(file: FileItem) -> int:
    """Return how many rows a file has, or how many keys an action has settled."""
    return file["kpis"]["row_count"] if "kpis" in file else sum(file["silver"]["settled"].values())


def of_run(job: Job, intent: RunIntent, report: GoldReport) -> GoldOfFile:
    """Return what the items of the files that a run published say of it."""
    of_run = {"run_seq": intent["run_seq"], "snapshots": intent["snapshots"], **report_hash(intent)}
    found = cast(GoldOfFile, of_run)
    if "changes" in report:  # a rebuild's does not say
        closed = moved_months(job, intent, report)
        found |= {"changes": report["changes"], "notice": notice_of(report["changes"], closed)}
        found |= {"closed": closed[:MOST_CLOSED]} if closed else {}
    return found


def mark_published(job: Job, file_ids: list[str], run: GoldOfFile) -> None:
    """Mark files and actions as published; leave their passports in the lake, and those of files that they change.

    Files that were not published before are counted.
    """

    def mark(file_id: str) -> bool:
        return job.ledger.advance(file_id, status="published", waiting_for=None, found=run)

    with ThreadPoolExecutor(16) as pool:
        moved = dict(zip(file_ids, pool.map(mark, file_ids), strict=True))
        # One of them may change another one: passports are made when all are marked.
        items = job.ledger.files(file_ids)
        decided = job.ledger.files(item["decides"]["file_id"] for item in items if "decides" in item)
        repaired = job.ledger.files(each["repairs"] for each in (*items, *decided) if "repairs" in each)
        ended = {each["file_id"]: each for each in (*items, *decided, *repaired)}
        list(pool.map(partial(put_passport, job), ended.values()))
    tell_published([item for item in items if moved[item["file_id"]] and "decides" not in item], job.arguments)


def published_by(gold: PublishedRun) -> GoldOfFile:
    """Return what the item of a file says whose rows an earlier run has published without knowing of the file."""
    found = GoldOfFile(run_seq=gold["run_seq"], snapshots={})
    if "report_sha256" in gold:
        found["report_sha256"] = gold["report_sha256"]
    return found


def showing(silver: PublishedRun, totals: LayerTotals) -> LayerTotals:
    """Add to Gold's totals which Silver run it shows."""
    shown: LayerTotals = {**totals, "silver_run_seq": silver["run_seq"], "silver_snapshots": silver["snapshots"]}
    if "report_sha256" in silver:
        shown["silver_report_sha256"] = silver["report_sha256"]
    return shown


def expected_totals(job: Job) -> dict[str, object]:
    """Return what rebuilt facts must hold; Silver was put in place before."""
    silver, contained = job.ledger.state("silver")["published"], job.arguments.expected_silver_run
    if contained not in (None, silver["run_seq"]):
        raise FencedOut(f"Silver is at run {silver['run_seq']}, not at {contained}: rebuild it again")
    return {"row_count": silver["row_count"], "total_amount": silver["total_amount"]}


def report_of_rebuild(job: Job, before: LayerItem, totals: LayerTotals) -> GoldReport:
    return {"files": [], "totals": showing(job.ledger.state("silver")["published"], totals)}
