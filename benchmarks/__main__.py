"""Measures the pipeline: `python -m benchmarks {short,full} [PART …]`; without parts, all of them, then the report.

`--seeds`, `--sizes`, `--files`, `--rounds` and `--increments` measure part of a profile: less time, fewer samples.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from benchmarks import consecutive, kpi, large, layers, report, requests, results, undo
from benchmarks.profiles import PROFILES, Profile


def parts(profile: Profile, folder: Path, seed: int) -> dict[str, Callable[[], None]]:
    """Return what can be measured, by name, in the order of the whole."""

    def measure_layers() -> None:
        for each in range(seed, seed + profile.seeds):
            layers.measure(folder / f"layers-{each}", profile, seed=each)

    return {
        "kpi": lambda: kpi.measure(folder, profile, seed=seed),
        "layers": measure_layers,
        "consecutive": lambda: consecutive.measure(folder, profile, seed=seed),
        "cdc": lambda: consecutive.changes(folder, profile, seed=seed),
        "undo": lambda: undo.measure(folder, profile, seed=seed),
        "large": lambda: large.measure(folder, profile, seed=seed),
        "requests": lambda: requests.measure(folder, profile, seed=seed),
        "report": lambda: report.write(profile.name),
    }


def reduced(profile: Profile, given: argparse.Namespace) -> Profile:
    """Return the profile with what the command line says of it."""
    if given.rounds is not None:
        fewer = {name: min(getattr(profile, name), given.rounds) for name in ("warm_up", "compared", "overwrites")}
        profile = replace(profile, rounds=given.rounds, files=given.rounds, **fewer)
    if given.sizes:
        profile = replace(profile, sizes=tuple(given.sizes), cdc_sizes=tuple(given.sizes))
    if given.files:
        profile = replace(profile, kpi_rows=tuple(given.files), large_rows=max(given.files))
    return replace(
        profile,
        seeds=profile.seeds if given.seeds is None else given.seeds,
        increments=profile.increments if given.increments is None else given.increments,
    )


def main() -> None:
    """Measure the named parts, one after the other."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("profile", choices=list(PROFILES))
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help="kpi, layers, consecutive, cdc, undo, large, requests, report"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the histories; the first of several")
    parser.add_argument("--seeds", type=int, help="how many histories of each size")
    parser.add_argument("--sizes", type=int, nargs="+", metavar="ROWS", help="rows of the histories")
    parser.add_argument(
        "--files", type=int, nargs="+", metavar="ROWS", help="rows of the KPI function's files, and of the large run's"
    )
    parser.add_argument("--rounds", type=int, help="samples of each kind of increment")
    parser.add_argument("--increments", type=int, help="increments in a row")
    given = parser.parse_args()
    if not results.BENCH_PYTHON.exists():
        parser.error("what it compares with is not installed yet: make .venv/bench/.setup")
    profile = reduced(PROFILES[given.profile], given)
    for name, value in results.surroundings().items():
        print(f"{name}: {value}")
    with tempfile.TemporaryDirectory(prefix="assay-benchmark-") as folder:
        known = parts(profile, Path(folder), given.seed)
        unknown = sorted(set(given.parts) - set(known))
        if unknown:
            parser.error(f"no such part: {', '.join(unknown)}")
        for part in given.parts or known:
            begin = perf_counter()
            known[part]()
            print(f"{part}: measured in {perf_counter() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
