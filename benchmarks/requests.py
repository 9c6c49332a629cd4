"""Counts what files cost in requests: commits, S3, DynamoDB, the catalog, transitions of the workflow, job runs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.cloud import BenchCloud, Sent, deployed
from benchmarks.consecutive import BURST_ROWS
from benchmarks.layers import Bed, first_load
from benchmarks.profiles import Profile
from benchmarks.samples import Samples
from benchmarks.snapshots import Snapshots
from devcloud.local.calls import Call, recorded
from devcloud.local.state_folder import StateFolder

ROLES = ("KpiFunctionRole", "WorkflowRole", "SilverRole", "GoldRole")
DYNAMODB_WRITES = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem")
S3_READS = ("GetObject", "HeadObject")
S3_FREE = ("DeleteObject", "DeleteObjects", "AbortMultipartUpload")


def kind_of(call: Call) -> str:
    """Return as what AWS bills a call; what it does not bill has no name."""
    service, operation = call["service"], call["operation"]
    if service == "s3":
        return "" if operation in S3_FREE else "s3_reads" if operation in S3_READS else "s3_writes"
    if service == "dynamodb":
        return "dynamodb_writes" if operation in DYNAMODB_WRITES else "dynamodb_reads"
    return "catalog" if service == "glue" and "Table" in operation else ""


def counted(bench: BenchCloud, sent: Sent, *, known: int) -> dict[str, Any]:
    """Return what the files took since the first `known` calls, in all."""
    made = [call for call in _calls(bench)[known:] if any(role in call["role"] for role in ROLES)]
    found = Counter(kind for call in made if (kind := kind_of(call)))
    found["commits"] = sum(call["operation"] == "UpdateTable" for call in made)
    found["transitions"] = sum(_transitions(bench, item["execution_arn"]) for item in sent.items)
    return {"files": len(sent.items), "job_runs": len(sent.runs), **dict(found)}


def _calls(bench: BenchCloud) -> list[Call]:
    return list(recorded(StateFolder(bench.cloud.state_folder).calls))


def _transitions(bench: BenchCloud, execution_arn: str) -> int:
    pages = bench.target.stepfunctions.get_paginator("get_execution_history").paginate(executionArn=execution_arn)
    return sum(event["type"].endswith("StateEntered") for page in pages for event in page["events"])


def measure(folder: Path, profile: Profile, *, seed: int) -> None:
    """Count for one file of 10,000 rows, and for many small ones at once."""
    with deployed(folder / "requests", record_calls=True) as bench:
        samples = Samples.of(folder / "requests-samples", profile.sizes[0], seed=seed)
        bed = Bed(bench, samples, Snapshots(bench.target))
        first_load(bed)
        bench.send([bed.next_increment("recent")])
        found = {}
        for name in ("one file", "many at once"):
            known, paths = len(_calls(bench)), [bed.next_increment("recent")]
            if name == "many at once":
                paths = [
                    samples.increment(1_000 + number, "recent", rows=BURST_ROWS, changed_percent=0)
                    for number in range(profile.burst_files)
                ]
            found[name] = counted(bench, bench.send(paths), known=known)
            results.save("requests", found, profile=profile.name)
    results.finish("requests", profile=profile.name)
