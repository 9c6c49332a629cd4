"""Undo of a file of 10,000 rows, with recent and with scattered keys, against histories of several sizes."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assay.undo import actions
from benchmarks import results
from benchmarks.cloud import BenchmarkError, deployed
from benchmarks.layers import KEYS, Bed, told
from benchmarks.profiles import Profile
from benchmarks.samples import Samples
from benchmarks.snapshots import Snapshots


def undo(bed: Bed, path: Path) -> dict[str, Any]:
    """Send an increment and undo it; return what the undo has cost each layer."""
    bench = bed.bench
    (uploaded,) = bench.send([path]).uploads
    known = {layer: len(bench.job_runs(bench.job_name(layer))) for layer in ("silver", "gold")}
    file = bench.ledger.get([uploaded.file_id])[uploaded.file_id]
    action = actions.item_of(file, who="benchmark", reason="", at=datetime.now(UTC))
    action = actions.place(bench.target, bench.ledger, action, file)
    bench.await_end([action["file_id"]])
    item = bench.ledger.get([action["file_id"]])[action["file_id"]]
    if sum(item["silver"]["settled"].values()) != file["kpis"]["distinct_keys"]:
        raise BenchmarkError(f"the undo of {path.name} settled {item['silver']['settled']}")
    runs = {layer: bench.job_runs(bench.job_name(layer), known=known[layer]) for layer in known}
    return {layer: told(found[-1]) for layer, found in runs.items()}


def measure(folder: Path, profile: Profile, *, seed: int) -> None:
    """Undo increments in turns, in clouds that stand side by side; samples are saved after each round."""
    sizes = (profile.sizes[0], profile.sizes[-1])
    with ExitStack() as stack:
        beds: dict[int, Bed] = {}
        for size in sizes:
            bench = stack.enter_context(deployed(folder / f"undo-{size}"))
            bed = Bed(bench, Samples.of(folder / f"undo-samples-{size}", size, seed=seed), Snapshots(bench.target))
            bench.send([bed.samples.history()])
            beds[size] = bed
        for number in range(-profile.warm_up, profile.rounds):
            for keys in KEYS:
                for bed in beds.values():
                    found = undo(bed, bed.next_increment(keys))
                    if number >= 0:
                        bed.figures.setdefault(keys, []).append(found)
            kept = {str(size): bed.figures for size, bed in beds.items()}
            results.save("undo", {"seed": seed, "sizes": sizes, "beds": kept}, profile=profile.name)
    results.finish("undo", profile=profile.name)
