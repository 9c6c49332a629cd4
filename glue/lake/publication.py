"""What Gold publishes: files and actions with their passports, and which run of Silver its totals show."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from contract.items import FileItem, GoldOfFile
from contract.runs import GoldReport, LayerItem, LayerTotals, PublishedRun

from glue.lake.failures import FencedOut
from glue.lake.metrics import tell_published
from glue.lake.run import Job, put_passport


def rows_of(file: FileItem) -> int:
    """Return how many rows a file has, or how many keys an action has settled."""
    return file["kpis"]["row_count"] if "kpis" in file else sum(file["silver"]["settled"].values())


def mark_published(job: Job, file_ids: list[str], run: GoldOfFile) -> None:
    """Mark files and actions as published; leave their passports in the lake, and those of files that they change.

    Files that were not published before are counted.
    """

    def mark(published_id: str) -> list[FileItem]:
        is_moved = job.ledger.advance(published_id, status="published", waiting_for=None, found=run)
        (item,) = job.ledger.files([published_id])
        decided = job.ledger.files([item["decides"]["file_id"]] if "decides" in item else [])
        repaired = job.ledger.files(each["repairs"] for each in (item, *decided) if "repairs" in each)
        for each in (item, *decided, *repaired):
            put_passport(job, each)
        return [item] if is_moved and not decided else []

    with ThreadPoolExecutor(16) as pool:
        moved = [file for files in pool.map(mark, file_ids) for file in files]
    tell_published(moved, job.arguments)


def showing(silver: PublishedRun, totals: LayerTotals) -> LayerTotals:
    """Add to Gold's totals which Silver run it shows."""
    return {**totals, "silver_run_seq": silver["run_seq"], "silver_snapshots": silver["snapshots"]}


def expected_totals(job: Job) -> dict[str, object]:
    """Return what rebuilt facts must hold; Silver was put in place before."""
    silver, contained = job.ledger.state("silver")["published"], job.arguments.expected_silver_run
    if contained not in (None, silver["run_seq"]):
        raise FencedOut(f"Silver is at run {silver['run_seq']}, not at {contained}: rebuild it again")
    return {"row_count": silver["row_count"], "total_amount": silver["total_amount"]}


def report_of_rebuild(job: Job, before: LayerItem, totals: LayerTotals) -> GoldReport:
    return {"files": [], "totals": showing(job.ledger.state("silver")["published"], totals)}
