"""Files in a warm local cloud: the stages of one file, a burst of small ones, increments in a row, changes by CDC."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any

from benchmarks import results
from benchmarks.cloud import BenchmarkError, Sent, deployed
from benchmarks.job_runs import JobRun
from benchmarks.layers import KEYS, Bed, first_load, told_file
from benchmarks.profiles import Profile
from benchmarks.samples import Samples
from benchmarks.snapshots import Snapshots
from benchmarks.stages import published_after, spans

DPU_HOUR_DOLLARS = "0.44"
DPUS = 2
LEAST_SECONDS = 60
CDC_ROWS = 100
BURST_ROWS = 100

Keep = Callable[[str, dict[str, Any]], None]


def one_file(bed: Bed, *, warm_up: int, runs: int, keep: Keep) -> None:
    """Follow files of 10,000 rows, one after the other, through a warm cloud."""
    found: list[dict[str, Any]] = []
    for number in range(-warm_up, runs):
        sent = bed.bench.send([bed.next_increment("recent")])
        if number >= 0:
            found.append({"published_after": published_after(sent), "spans": spans(bed.bench, sent)})
            keep("stages", {"history": bed.samples.extent.rows, "files": found})


def burst(bed: Bed, *, files: int, keep: Keep) -> None:
    """Upload many small files at once; count the runs, and hold rows and mails to what was sent."""
    paths = []
    for _ in range(files):
        bed.parts += 1
        paths.append(bed.samples.increment(bed.parts, "recent", rows=BURST_ROWS, changed_percent=0))
    begin = perf_counter()
    sent = bed.bench.send(paths, prefix="transactions/burst/")
    seconds = perf_counter() - begin
    rows = sum(item["silver"]["outcomes"]["inserted"] for item in sent.items)
    mails = [bed.bench.mails_about(item["file_id"]) for item in sent.items]
    if rows != files * BURST_ROWS or set(mails) != {1}:
        raise BenchmarkError(f"{rows} rows of {files * BURST_ROWS} arrived; mails per file: {sorted(set(mails))}")
    counts = {"silver_runs": len(sent.silver), "gold_runs": len(sent.gold), "seconds": seconds, "rows": rows}
    keep("burst", {"files": files, **counts, **cost(sent)})


def cost(sent: Sent) -> dict[str, Any]:
    """Model what the runs would be billed on AWS, against one run of each job per file that takes the least time."""
    billed = sum(_billed(run) for run in sent.runs)
    one_by_one = 2 * len(sent.items) * LEAST_SECONDS * DPUS
    return {"dpu_seconds": billed, "dpu_seconds_one_by_one": one_by_one, "dollars_per_dpu_hour": DPU_HOUR_DOLLARS}


def _billed(run: JobRun) -> int:
    return DPUS * max(LEAST_SECONDS, round(run.whole_seconds))


def in_a_row(bed: Bed, *, increments: int, keep: Keep) -> None:
    """Send increments one after the other; a cost that grows with their number shows here."""
    found = []
    for number in range(increments):
        found.append(told_file(bed.bench.send([bed.next_increment("recent")])))
        if number % 5 == 4 or number == increments - 1:
            keep("in-a-row", {"history": bed.samples.extent.rows, "increments": found, **growth(found)})


def growth(found: list[dict[str, Any]]) -> dict[str, float]:
    """Return the mean seconds, compactions included, of the first and the last tenth, Silver and Gold together."""
    tenth = max(1, len(found) // 10)
    whole = [each["silver"]["whole"] + each["gold"]["whole"] for each in found]
    return {"first": fmean(whole[:tenth]), "last": fmean(whole[-tenth:])}


def changes(folder: Path, profile: Profile, *, seed: int) -> None:
    """Send changes of a hundred rows to histories of several sizes; Iceberg tells what they read and write."""
    found: dict[str, Any] = {}
    for size in profile.cdc_sizes:
        with deployed(folder / f"cdc-{size}") as bench:
            bed = Bed(bench, Samples.of(folder / f"cdc-samples-{size}", size, seed=seed), Snapshots(bench.target))
            first_load(bed)
            for part, keys in enumerate(KEYS, start=1):
                path = bed.samples.increment(part, keys, rows=CDC_ROWS, changed_percent=80)
                read = bed.snapshots.facts_of(months_of(path))
                sent = bench.send([path])
                written = bed.snapshots.news()
                found.setdefault(str(size), {})[keys] = {**told_file(sent), "facts_read": read, "written": written}
                results.save("cdc", {"rows": CDC_ROWS, "sizes": found}, profile=profile.name)
    results.finish("cdc", profile=profile.name)


def months_of(path: Path) -> list[str]:
    """Return the months (`2019-05`) in which the transactions of a file lie."""
    with path.open(newline="") as rows:
        return sorted({row["date"][:7] for row in csv.DictReader(rows)})


def measure(folder: Path, profile: Profile, *, seed: int) -> None:
    """Measure the stages of one file, the burst and the increments in a row in one cloud."""

    def keep(name: str, figures: dict[str, Any]) -> None:
        results.save(name, figures, profile=profile.name)

    with deployed(folder / "consecutive") as bench:
        bed = Bed(
            bench, Samples.of(folder / "consecutive-samples", profile.sizes[0], seed=seed), Snapshots(bench.target)
        )
        first_load(bed)
        one_file(bed, warm_up=profile.warm_up, runs=profile.files, keep=keep)
        results.finish("stages", profile=profile.name)
        burst(bed, files=profile.burst_files, keep=keep)
        results.finish("burst", profile=profile.name)
        if profile.increments:
            in_a_row(bed, increments=profile.increments, keep=keep)
            results.finish("in-a-row", profile=profile.name)
