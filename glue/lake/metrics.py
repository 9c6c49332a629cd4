"""Metrics of what Gold has published, for CloudWatch: lines of the job's log in its embedded format, without a call."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from contract.items import FileItem
from contract.subjects import SUBJECTS

NAMESPACE = "Assay"


def published_lines(files: Iterable[FileItem], stage: str, now: datetime) -> Iterator[str]:
    """Yield a line for each subject: the rows of its published files, and their cents if it has money."""
    rows, cents = Counter[str](), Counter[str]()
    for file in files:
        if file["subject"] in SUBJECTS:  # a marker has no rows
            rows[file["subject"]] += file["kpis"]["row_count"]
            cents[file["subject"]] += int(Decimal(file["kpis"]["total_amount"]) * 100)
    for subject, count in rows.items():
        figures = {"RowsPublished": count}
        if SUBJECTS[subject].has_money:
            figures["CentsPublished"] = cents[subject]
        yield metric_line(figures, {"service": "gold", "stage": stage, "subject": subject}, now)


def tell_published(files: Iterable[FileItem], given: argparse.Namespace) -> None:
    """Log the metrics of files that a job has published, by its `stage`; what a replay builds is not published."""
    if not given.prefix:
        for line in published_lines(files, given.stage, datetime.now(UTC)):
            print(line, flush=True)


def metric_line(figures: dict[str, int], dimensions: dict[str, str], now: datetime) -> str:
    """Return a line of the log from which CloudWatch takes metrics."""
    metrics = [{"Name": name, "Unit": "Count"} for name in figures]
    directive = {"Namespace": NAMESPACE, "Dimensions": [list(dimensions)], "Metrics": metrics}
    at = (now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    line: dict[str, Any] = {"_aws": {"Timestamp": at, "CloudWatchMetrics": [directive]}}
    return json.dumps({**line, **dimensions, **figures})
