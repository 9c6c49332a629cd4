"""Silver and Gold: increments against histories of several sizes, side by side; and other engines on the same rows."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks import results
from benchmarks.cloud import BenchCloud, BenchmarkError, Sent, deployed
from benchmarks.extra_jobs import run_job
from benchmarks.job_runs import JobRun
from benchmarks.profiles import Profile
from benchmarks.samples import Samples
from benchmarks.snapshots import Snapshots
from devcloud.sample.extent import Keys

KEYS: tuple[Keys, ...] = ("recent", "scattered")
ENGINES = ("delta", "duckdb")
LOOPBACK = Path("/sys/class/net/lo/statistics/rx_bytes")


@dataclass
class Bed:
    """A cloud that holds a history, and what was measured in it."""

    bench: BenchCloud
    samples: Samples
    snapshots: Snapshots
    parts: int = 0
    figures: dict[str, Any] = field(default_factory=dict)

    def next_increment(self, keys: Keys) -> Path:
        self.parts += 1
        return self.samples.increment(self.parts, keys)


def told(run: JobRun) -> dict[str, Any]:
    """Return a job run as the results hold it."""
    steps = {name: round(seconds, 3) for name, seconds in run.step_seconds().items()}
    return {"whole": run.whole_seconds, "work": run.work_seconds, "steps": steps}


def told_file(sent: Sent) -> dict[str, Any]:
    """Return what one file has cost each layer, and how long it took in all."""
    published = sent.items[0]["changes"][-1]["at"]
    runs = {"silver": told(sent.silver[-1]), "gold": told(sent.gold[-1])}
    return {**runs, "runs": len(sent.runs), "published_at": published}


def increment(bed: Bed, path: Path) -> dict[str, Any]:
    """Send an increment; return its cost, what it wrote, and the bytes that went over the local network meanwhile."""
    bed.snapshots.news()
    before = int(LOOPBACK.read_text()) if LOOPBACK.exists() else 0
    sent = bed.bench.send([path])
    moved = int(LOOPBACK.read_text()) - before if LOOPBACK.exists() else 0
    return {**told_file(sent), "loopback_bytes": moved, "written": bed.snapshots.news()}


def first_load(bed: Bed) -> None:
    """Load the history; before it, the plain copy by Spark that it is compared with, of the same rows."""
    path = bed.samples.history()
    bed.figures["first_load"] = told_file(bed.bench.send([path]))
    bed.figures["history_bytes"] = path.stat().st_size
    bed.figures["written_first"] = bed.snapshots.news()


def other_engine(engine: str, action: str, table: Path, file: Path) -> dict[str, float]:
    """Let another engine load or merge a file, in a process of its own."""
    script = Path(__file__).with_name("other_engines.py")
    begin = perf_counter()
    command = [str(results.BENCH_PYTHON), str(script), engine, action, str(table), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{engine} could not {action} {file.name}: {done.stderr.strip()[-2000:]}")
    return {"whole": perf_counter() - begin, "work": float(json.loads(done.stdout)["seconds"])}


def compare(bed: Bed, *, rounds: int, overwrites: int, on_round: Any) -> None:
    """Let Silver, the other engines and the full overwrite take the same increments, in turns."""
    folder = bed.samples.folder
    found: dict[str, Any] = bed.figures.setdefault("compared", {key: [] for key in (*KEYS, "overwrite")})
    found["load"] = {engine: other_engine(engine, "load", folder / engine, bed.samples.history()) for engine in ENGINES}
    for number in range(rounds):
        for keys in KEYS:
            path = bed.next_increment(keys)
            ours = increment(bed, path)
            others = {engine: other_engine(engine, "merge", folder / engine, path) for engine in ENGINES}
            found[keys].append({"ours": ours, **others})
            on_round()
        if number < overwrites:
            jobs = {layer: told(run_job(bed.bench, f"overwrite_{layer}")) for layer in ("silver", "gold")}
            found["overwrite"].append(jobs)
            on_round()


def measure(folder: Path, profile: Profile, *, seed: int) -> None:
    """Measure everything about increments; samples are saved after each round."""
    name = f"layers-seed{seed}"
    with ExitStack() as stack:
        beds: dict[int, Bed] = {}

        def keep() -> None:
            kept = {str(size): bed.figures for size, bed in beds.items()}
            results.save(name, {"seed": seed, "sizes": profile.sizes, "beds": kept}, profile=profile.name)

        for size in profile.sizes:
            bench = stack.enter_context(deployed(folder / f"project-{size}"))
            bed = Bed(bench, Samples.of(folder / f"samples-{size}", size, seed=seed), Snapshots(bench.target))
            beds[size] = bed
            first_load(bed)
            keep()
        largest = beds[profile.sizes[-1]]
        largest.figures["plain_parquet"] = [told(run_job(largest.bench, "plain_parquet")) for _ in range(2)]
        keep()
        for number in range(-profile.warm_up, profile.rounds):
            for keys in KEYS:
                for bed in beds.values():
                    found = increment(bed, bed.next_increment(keys))
                    if number >= 0:
                        bed.figures.setdefault("increments", {}).setdefault(keys, []).append(found)
            keep()
        compare(largest, rounds=profile.compared, overwrites=profile.overwrites, on_round=keep)
    results.finish(name, profile=profile.name)
