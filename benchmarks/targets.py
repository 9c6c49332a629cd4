"""Turns raw samples into figures, each with its target: what is measured, the samples, the most or least allowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from statistics import median
from typing import Any

from benchmarks.results import ratio

Results = dict[str, Any]
MILLION = 1_000_000
# The targets are set for these sizes; smaller ones show a figure without a result.
WHOLE_HISTORY = 13 * MILLION
LARGE_FILE = 10 * MILLION


@dataclass(frozen=True)
class Figure:
    """A figure and its target; bigger is better where `least` is given."""

    what: str
    samples: list[float]
    most: float | None = None
    least: float | None = None
    unit: str = ""

    @property
    def target(self) -> str:
        if self.most is None and self.least is None:
            return ""
        return f"<= {self.most:g}" if self.most is not None else f">= {self.least:g}"

    @property
    def result(self) -> str:
        """Compare the median with the target."""
        if not self.target or not self.samples:
            return ""
        found = median(self.samples)
        good = found <= self.most if self.most is not None else found >= (self.least or 0)
        return "met" if good else "missed"


def of_kpi(sizes: list[Results]) -> Iterator[Figure]:
    """Return the figures of the KPI function from its files, the smallest first: that one others have read, too."""
    if not sizes:
        return
    small, large = sizes[0]["rows"], sizes[-1]["rows"]
    for kind, file in sizes[0]["files"].items():
        readers = file["readers"]
        walls = {name: [run["wall"] for run in runs] for name, runs in readers.items()}
        if "pandas float" not in walls:
            # Only a larger file was measured so far.
            continue
        most = 0.45 if kind in ("csv", "parquet") and small >= MILLION else None
        ours = walls["function"]
        if "pandas" in walls:
            yield Figure(f"KPI function over pandas, {kind}, {small:,} rows", ratio(ours, walls["pandas"]), most=most)
        for other in ("pandas float", "polars float", "awswrangler", "bytes"):
            if other in walls:
                yield Figure(f"KPI function over {other}, {kind}", ratio(ours, walls[other]))
        if large == small:
            continue
        larger = sizes[-1]["files"][kind]
        runs = larger["readers"]["function"]
        peaks = [run["peak_mb"] for run in runs]
        base = median([run["peak_mb"] for run in readers["function"]])
        # Below that the function has not yet filled the buffers that it keeps.
        most = 1.1 if large >= LARGE_FILE else None
        yield Figure(f"Peak memory, {kind}, {large:,} over {small:,} rows", [peak / base for peak in peaks], most=most)
        most = 300 if large >= LARGE_FILE else None
        yield Figure(f"Peak memory, {kind}, {large:,} rows", peaks, most=most, unit="MB")
        speed = [larger["bytes"] / 1e6 / run["wall"] for run in runs]
        yield Figure(f"Throughput, {kind}, {large:,} rows", speed, unit="MB/s")


def of_layers(all_seeds: list[Results]) -> Iterator[Figure]:
    """Return the figures of the increments over all seeds, with their targets where the history is the whole one."""
    whole = all_seeds[0]["sizes"][-1] >= WHOLE_HISTORY
    for figure in _of_layers(all_seeds):
        yield figure if whole else replace(figure, most=None, least=None)


def _of_layers(all_seeds: list[Results]) -> Iterator[Figure]:
    sizes = all_seeds[0]["sizes"]
    small, large = str(sizes[0]), str(sizes[-1])
    for keys, most in (("recent", 1.2), ("scattered", 1.5)):
        for size in sizes:
            yield Figure(f"Silver + Gold, {keys}, {size:,} rows of history", _both(all_seeds, size, keys), unit="s")
        growth = ratio(_both(all_seeds, large, keys), _both(all_seeds, small, keys))
        yield Figure(f"Increment, {keys}, {sizes[-1]:,} over {sizes[0]:,} rows of history", growth, most=most)
    yield from _overwrite(all_seeds, large)
    for keys, most in (("recent", 1.5), ("scattered", 1.0)):
        for engine in ("delta", "duckdb"):
            rounds = [each for found in all_seeds for each in _compared(found, large).get(keys, [])]
            ours = [each["ours"]["silver"]["work"] for each in rounds]
            samples = ratio(ours, [each[engine]["work"] for each in rounds])
            limit = most if engine == "delta" else None
            yield Figure(f"Silver's work over the merge of {engine}, {keys}, {sizes[-1]:,} rows", samples, most=limit)
    firsts = [found["beds"][large] for found in all_seeds if large in found["beds"]]
    samples = [bed["first_load"]["silver"]["whole"] / bed["plain_parquet"][0]["whole"] for bed in firsts if _plain(bed)]
    yield Figure(f"First load of {sizes[-1]:,} rows, Silver over plain Parquet", samples, most=2.5)


def _plain(bed: Results) -> bool:
    return "plain_parquet" in bed and "first_load" in bed


def _both(all_seeds: list[Results], size: int | str, keys: str) -> list[float]:
    found = (each["beds"].get(str(size), {}).get("increments", {}).get(keys, []) for each in all_seeds)
    return [run["silver"]["whole"] + run["gold"]["whole"] for run in chain.from_iterable(found)]


def _compared(found: Results, size: str) -> Results:
    return dict(found["beds"].get(size, {}).get("compared", {}))


def _overwrite(all_seeds: list[Results], size: str) -> Iterator[Figure]:
    for time, least, words in (("whole", 3.0, "whole processes"), ("work", 8.0, "without process start")):
        samples: list[float] = []
        for found in all_seeds:
            compared = _compared(found, size)
            over = [jobs["silver"][time] + jobs["gold"][time] for jobs in compared.get("overwrite", [])]
            ours = [each["ours"]["silver"][time] + each["ours"]["gold"][time] for each in compared.get("recent", [])]
            samples += ratio(over, ours)
        yield Figure(f"Full overwrite over an increment, {int(size):,} rows, {words}", samples, least=least)


def of_undo(found: Results | None) -> Iterator[Figure]:
    """Return what the undo of a file of 10,000 rows costs; the cost follows its keys, not the history."""
    if not found:
        return
    small, large = found["sizes"]
    for keys, most in (("recent", 1.5), ("scattered", 2.0)):
        runs = {size: found["beds"][str(size)].get(keys, []) for size in (small, large)}
        both = {size: [run["silver"]["whole"] + run["gold"]["whole"] for run in each] for size, each in runs.items()}
        for size, samples in both.items():
            yield Figure(f"Undo of 10,000 rows, {keys}, {size:,} rows of history", samples, unit="s")
        for layer in ("silver", "gold"):
            work = [[run[layer]["work"] for run in runs[size]] for size in (large, small)]
            name = f"Undo, {keys}, {layer.capitalize()}'s work, {large:,} over {small:,} rows of history"
            yield Figure(name, ratio(*work))
        name = f"Undo of 10,000 rows, {keys}, {large:,} over {small:,} rows of history"
        yield Figure(name, ratio(both[large], both[small]), most=most if large >= WHOLE_HISTORY else None)


def of_consecutive(stages: Results | None, burst: Results | None, row: Results | None) -> Iterator[Figure]:
    """Return the figures of files in a warm cloud."""
    if stages:
        samples = [each["published_after"] for each in stages["files"]]
        yield Figure("A file of 10,000 rows, from upload to published", samples, most=15, unit="s")
    if burst:
        for layer in ("silver", "gold"):
            runs = [float(burst[f"{layer}_runs"])]
            yield Figure(f"Burst of {burst['files']} files: runs of {layer.capitalize()}", runs, most=4)
        yield Figure(f"Burst of {burst['files']} files: until all are published", [burst["seconds"]], unit="s")
        dearer = burst["dpu_seconds_one_by_one"] / burst["dpu_seconds"]
        yield Figure("Billed DPU seconds on AWS, one run per file over the burst's runs (model)", [dearer])
    if row:
        count = len(row["increments"])
        yield Figure(f"{count} increments in a row, last over first tenth", [row["last"] / row["first"]], most=1.2)


def of_large(found: Results | None) -> Iterator[Figure]:
    """Return what one large file takes of each job, as `docs/limits.md` needs it."""
    if not found:
        return
    rows = found["rows"]
    for what in ("first load", "all rows changed"):
        for layer in ("silver", "gold"):
            run = found[what][layer]
            name = f"One gzip file of {rows:,} rows, {what}: {layer.capitalize()}"
            yield Figure(name, [run["whole"]], unit="s")
            yield Figure(f"{name}, on disk", [run["disk"] / rows], unit="bytes a row")
            yield Figure(f"{name}, in memory", [run["memory"] / 1e9], unit="GB")
