"""What became of the rows of a run, counted by file and outcome: what passports tell and proofs hold tables to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from functools import reduce
from typing import TypedDict, cast

from contract.items import SilverOfFile
from contract.runs import FileReport, RunIntent, SilverReport
from contract.sql_types import EFFECT, MONEY, TOTAL
from contract.subjects import REFERENCES
from contract.vocabulary import OUTCOMES
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from glue.lake.branches import Branches
from glue.lake.evidence import report_hash
from glue.lake.failures import require
from glue.lake.repairs import Mover
from glue.lake.run import Job
from glue.lake.tables import cents, columns_or_null, conform, total


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


COUNTED = {
    "file_id": "string", "outcome": "string", "amount": MONEY, "effect_amount": EFFECT, "change": "string",
    "had": "boolean", "had_tombstone": "boolean", "is_newest": "boolean", "op": "string",
}  # fmt: skip


def decisions(classified: DataFrame, mover: Mover | None) -> DataFrame:
    """Return what a run decided over its rows, in the form that is counted."""
    is_input, owner = F.col("is_input"), F.lit(mover.owner_id if mover else None)
    whose = F.when(is_input, F.col("file_id")).otherwise(owner)
    known = {"file_id": whose, "outcome": F.when(is_input, F.col("outcome")), "had_tombstone": ~F.col("stored.living")}
    return conform(classified.withColumns(known), COUNTED)


def reference_decisions(classified: DataFrame) -> DataFrame:
    """Return the outcomes of rows without money."""
    return columns_or_null(classified.select("file_id", "outcome"), COUNTED)


def quarantined(rows: DataFrame) -> DataFrame:
    """Return quarantine rows in the form that is counted."""
    found = columns_or_null(rows, {"file_id": "string", "amount": MONEY})
    return columns_or_null(found.withColumn("outcome", F.lit("quarantined")), COUNTED)


def by_outcome(rows: DataFrame) -> list[OutcomeCount]:
    """Count what was decided, by file and outcome."""
    living, deleted = F.col("is_newest") & (F.col("op") != "D"), F.col("is_newest") & (F.col("op") == "D")

    def number(condition: Column) -> Column:
        return F.count(F.when(condition, 1))

    counted = rows.groupBy("file_id", "outcome").agg(
        F.count(F.lit(1)).alias("row_count"),
        F.sum(F.col("amount").cast(TOTAL)).alias("amount"),
        total("effect_amount").alias("effect"),
        number(F.col("change").isNotNull()).alias("changes"),
        number(living).alias("state_rows"),
        F.coalesce(F.sum(F.when(living, F.col("amount")).cast(TOTAL)), F.lit(Decimal(0))).alias("state_amount"),
        number(living & F.col("had")).alias("state_known"),
        number(F.col("change") == "deleted").alias("deletions"),
        number(deleted).alias("tombstones"),
        number(deleted & F.col("had_tombstone")).alias("tombstones_known"),
        number(living & F.col("had_tombstone")).alias("revived"),
    )
    return [cast(OutcomeCount, row.asDict()) for row in counted.collect()]


def read_back(branches: Branches, written: Sequence[str]) -> dict[str, FileReport]:
    """Count rows, amounts and effects of the run in its branches."""
    forms: dict[str, Callable[[DataFrame], DataFrame]] = {
        "transaction_history": lambda rows: columns_or_null(rows, COUNTED),
        "quarantine": quarantined,
        **dict.fromkeys(REFERENCES, reference_decisions),
    }
    parts = [forms[table](branches.new_rows(table)) for table in written if table in forms]
    return of_files(by_outcome(reduce(DataFrame.unionByName, parts))) if parts else {}


@dataclass(frozen=True)
class EffectsFound:
    """What the written effects say: keys that came and went, money, and the sum by file where there is one."""

    had: int = 0
    have: int = 0
    effect: Decimal = Decimal(0)
    files: Mapping[str, str] = field(default_factory=dict)


def prove_effects(branches: Branches, owner_id: str | None) -> EffectsFound:
    """Prove that the written effects add up; return what they say."""
    written = branches.new_rows("transaction_effects")
    whose = F.when(F.col("cause") == "file", F.col("file_id")).otherwise(F.lit(owner_id))
    money = {"before": total("before.amount"), "after": total("after.amount"), "effect": total("effect_amount")}
    counts = [F.count("before").alias("had"), F.count("after").alias("have")]
    found = written.groupBy(whose.alias("file_id")).agg(*counts, *[value.alias(name) for name, value in money.items()])
    rows = found.collect()
    sums = {name: sum((row[name] for row in rows), Decimal(0)) for name in money}
    require("sum of effects", found=sums["effect"], expected=sums["after"] - sums["before"])
    had, have = (sum(row[name] for row in rows) for name in ("had", "have"))
    return EffectsFound(had, have, sums["effect"], {row.file_id: cents(row.effect) for row in rows if row.effect})


def advance(job: Job, intent: RunIntent, report: SilverReport) -> None:
    """Mark the files of a run as in Silver, each with what became of its rows."""

    def advance_one(file: tuple[str, FileReport]) -> None:
        file_id, of_file = file
        if "decides" in of_file:
            job.ledger.decide(file_id, of_file["decides"], run_seq=intent["run_seq"])
        for original_id, repaired in of_file.get("repairs", {}).items():
            job.ledger.note_repairs(original_id, repaired)
        counted = {name: value for name, value in of_file.items() if name not in ("effect", "decides", "repairs")}
        of_run = {"run_seq": intent["run_seq"], "snapshots": intent["snapshots"], **report_hash(intent)}
        found = cast(SilverOfFile, {**of_run, "effect_amount": of_file["effect"], **counted})
        job.ledger.advance(file_id, status="in_silver", waiting_for="gold", found=found)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(advance_one, report["files"].items()))


def expected_totals(job: Job) -> dict[str, object]:
    """Return what rebuilt transactions must hold, as far as it was given."""
    given = {"row_count": job.arguments.expected_row_count, "total_amount": job.arguments.expected_total_amount}
    return {name: value for name, value in given.items() if value is not None}
