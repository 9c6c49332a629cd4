"""Tries a stack from end to end: a generated file to Gold and back out again, held to its figures on the way."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from assay import audit, passport, query, upload, watch
from assay.control import control_metadata
from assay.errors import UserError
from assay.ledger import Ledger

if TYPE_CHECKING:
    from assay.target import Target

ROWS = 1_000
FIRST_KEY = 9_220_000_000_000_000_000  # near the end of the range of keys, where no others are
FOLDER = "transactions/assay-smoke/"
FIELDS = ("dms_id", "amount", "date", "use_chip", "merchant_id")
CHANNELS = ("Swipe Transaction", "Chip Transaction", "Online Transaction")
DOLLARS_A_DPU_HOUR = Decimal("0.44")  # us-east-1; a G.1X worker is one DPU
COUNT = f"""
    SELECT count(*) AS row_count, coalesce(sum(amount), 0)::DECIMAL(38, 2) AS total_amount
    FROM gold.fact_transactions WHERE dms_id BETWEEN {FIRST_KEY} AND {FIRST_KEY + ROWS - 1}"""  # noqa: S608


@dataclass(frozen=True)
class Smoke:
    """What a trial found, and what its job runs cost; `code` is that of a file that was not published, else 0."""

    checks: Sequence[passport.Check]
    code: int
    dpu_hours: Decimal = Decimal(0)

    @property
    def dollars(self) -> Decimal:
        return (self.dpu_hours * DOLLARS_A_DPU_HOUR).quantize(Decimal("0.01"))


def rows() -> list[dict[str, str]]:
    """Return transactions over one month; every tenth is a refund."""
    return [
        {
            "dms_id": str(FIRST_KEY + n),
            "amount": str(Decimal((n * 1_317 + 11) % 50_000 * (-1 if n % 10 == 9 else 1)).scaleb(-2)),
            "date": (date(2020, 1, 1) + timedelta(days=n % 31)).isoformat(),
            "use_chip": CHANNELS[n % 3],
            "merchant_id": str(n % 50),
        }
        for n in range(ROWS)
    ]


def smoke(target: Target, ledger: Ledger, *, timeout_s: float) -> Smoke:
    """Take a file of its own to Gold, then take its rows away with a file of deletes.

    Raises `UserError` where rows under its keys are in Gold before.
    """
    started, money = datetime.now(UTC), sum((Decimal(row["amount"]) for row in rows()), Decimal(0))
    nothing = audit.Totals(0, Decimal("0.00"))
    if _in_gold(target, ledger) != nothing:
        raise UserError("Gold has rows of an earlier trial", f"delete the keys {FIRST_KEY} and following, then retry")
    checks: list[passport.Check] = []
    for name, op, expected in (("rows", "", audit.Totals(ROWS, money)), ("deletes", "D", nothing)):
        with _file(f"{started:%Y%m%dT%H%M%SZ}-{name}.csv", op) as path:
            source = upload.Source(path, FOLDER + path.name)
            metadata = control_metadata(f"{ROWS}:{money}")
            followed = [watch.FileProgress(sent) for sent in upload.upload(upload.bronze(target), [source], metadata)]
        if code := watch.follow(target, ledger, followed, timeout_s=timeout_s):
            return Smoke(checks, code)
        checks += [
            passport.Check(f"{name}: {each.what}", each.expected, each.found)
            for progress in followed
            for each in passport.checks(progress.item or {})
        ]
        found = _in_gold(target, ledger)
        checks += [
            passport.Check(f"{name}: rows in Gold under the file's keys", expected.rows, found.rows),
            passport.Check(f"{name}: their amount", expected.amount, found.amount),
            *audit.audit(ledger),
        ]
    return Smoke(checks, 0, _dpu_hours(target, started))


@contextmanager
def _file(name: str, op: str) -> Iterator[Path]:
    """Write the file of a trial; with an operation in front of each row, if there is one."""
    with tempfile.TemporaryDirectory(prefix="assay-") as folder:
        path = Path(folder) / name
        with path.open("w", newline="") as sink:
            writer = csv.DictWriter(sink, [*(("op",) if op else ()), *FIELDS], lineterminator="\n")
            writer.writeheader()
            writer.writerows({"op": op, **row} if op else row for row in rows())
        yield path


def _in_gold(target: Target, ledger: Ledger) -> audit.Totals:
    """Return rows and money in Gold under the keys of a trial."""
    if "published" not in (ledger.layer("gold") or {}):
        return audit.Totals(0, Decimal("0.00"))
    with query.lake(target) as lake:
        return audit.Totals.of(lake.one(COUNT))


def _dpu_hours(target: Target, since: datetime) -> Decimal:
    """Return what the runs of both jobs used since an instant; Glue counts a minute at least."""
    seconds = 0
    for job in (target.stack.silver_job, target.stack.gold_job):
        for run in target.glue.get_job_runs(JobName=job, MaxResults=20)["JobRuns"]:
            if run["StartedOn"].astimezone(UTC) >= since:
                seconds += max(60, run.get("ExecutionTime", 0)) * run.get("NumberOfWorkers", 2)
    return Decimal(seconds) / 3600


def render(tried: Smoke) -> Table:
    """Draw the comparisons of a trial."""
    return audit.render(list(tried.checks), title="Smoke test")


def as_json(tried: Smoke) -> dict[str, object]:
    """Return a trial for programs; money and hours as text."""
    return {
        "agrees": not tried.code and not audit.differences(list(tried.checks)),
        "comparisons": [check.as_json() for check in tried.checks],
        "dpu_hours": tried.dpu_hours,
        "dollars": tried.dollars,
    }
