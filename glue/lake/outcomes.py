"""What became of the rows of a run, counted by file and outcome: what passports tell and proofs hold tables to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TypedDict, cast

from contract.items import SilverOfFile
from contract.runs import FileReport, RunIntent, SilverReport
from contract.vocabulary import OUTCOMES

from glue.lake.evidence import report_hash
from glue.lake.run import Job
from glue.lake.tables import cents


class Sums(TypedDict):
    """What the tables of state must show after a run."""

    changes: int
    state_rows: int
    state_amount: Decimal
    state_known: int
    deletions: int
    tombstones: int
    tombstones_known: int
    revived: int


class OutcomeCount(Sums):
    """What a run decided of one outcome of one file; the outcome of rows that are moved is null."""

    file_id: str
    outcome: str | None
    row_count: int
    amount: Decimal | None
    effect: Decimal


def summed(counted: Sequence[OutcomeCount]) -> Sums:
    """Return the sums over all files and outcomes."""
    whole = {name: sum(cast(Mapping[str, int], row)[name] for row in counted) for name in Sums.__annotations__}
    return cast(Sums, {**whole, "state_amount": sum((row["state_amount"] for row in counted), Decimal(0))})


def no_rows() -> FileReport:
    return {"outcomes": dict.fromkeys(OUTCOMES, 0), "amounts": {}, "effect": cents(None)}


def of_files(counted: Iterable[OutcomeCount]) -> dict[str, FileReport]:
    """Return per file the count and the amounts of each outcome, and the sum of the effects."""
    report: dict[str, FileReport] = {}
    for row in counted:
        found = report.setdefault(row["file_id"], no_rows())
        found["effect"] = cents(Decimal(found["effect"]) + row["effect"])
        if row["outcome"] is not None:
            found["outcomes"][row["outcome"]] = row["row_count"]
            found["amounts"][row["outcome"]] = cents(row["amount"])
    return report


def advance(job: Job, intent: RunIntent, report: SilverReport) -> None:
    """Mark the files of a run as in Silver, each with what became of its rows."""

    def advance_one(file: tuple[str, FileReport]) -> None:
        file_id, of_file = file
        if "decides" in of_file:
            job.ledger.decide(file_id, of_file["decides"], run_seq=intent["run_seq"])
        counted = {name: value for name, value in of_file.items() if name not in ("effect", "decides")}
        of_run = {"run_seq": intent["run_seq"], "snapshots": intent["snapshots"], **report_hash(intent)}
        found = cast(SilverOfFile, {**of_run, "effect_amount": of_file["effect"], **counted})
        job.ledger.advance(file_id, status="in_silver", waiting_for="gold", found=found)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(advance_one, report["files"].items()))


def expected_totals(job: Job) -> dict[str, object]:
    """Return what rebuilt transactions must hold, as far as it was given."""
    given = {"row_count": job.arguments.expected_row_count, "total_amount": job.arguments.expected_total_amount}
    return {name: value for name, value in given.items() if value is not None}
