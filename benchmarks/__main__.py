"""Measures the pipeline: `python -m benchmarks {short,full} [PART …]`; without parts, all of them, then the report."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from benchmarks import course, kpi, layers, report, results


@dataclass(frozen=True)
class Form:
    """How much is measured."""

    kpi_rows: list[int]
    kpi_runs: int
    sizes: list[int]
    cdc_sizes: list[int]
    seeds: int
    rounds: int
    compared: int
    overwrites: int
    way_runs: int
    files: int
    increments: int


FORMS = {
    "short": Form([200_000, 1_000_000], 2, [100_000, 400_000], [], 1, 1, 1, 1, 2, 40, 0),
    "full": Form(
        [1_000_000, 11_000_000], 5, [1_000_000, 4_000_000, 13_000_000], [100_000, 1_000_000, 4_000_000],
        3, 4, 3, 2, 5, 200, 100,
    ),
}  # fmt: skip


def parts(form: Form, name: str, folder: Path, seed: int) -> dict[str, Callable[[], None]]:
    """Return what can be measured, by name."""

    def measure_layers() -> None:
        for each in range(seed, seed + form.seeds):
            layers.measure(
                folder / f"layers-{each}", form.sizes, seed=each, rounds=form.rounds,
                compared=form.compared, overwrites=form.overwrites, form=name,
            )  # fmt: skip

    return {
        "kpi": lambda: kpi.measure(folder, rows=form.kpi_rows, runs=form.kpi_runs, seed=seed, form=name),
        "layers": measure_layers,
        "course": lambda: course.measure(
            folder, history=form.sizes[0], runs=form.way_runs, files=form.files,
            increments=form.increments, seed=seed, form=name,
        ),
        "cdc": lambda: course.changes(
            folder, form.cdc_sizes, seed=seed, keep=lambda what, figures: _keep(what, figures, name)
        ),
        "report": lambda: report.write(name),
    }  # fmt: skip


def _keep(what: str, figures: dict[str, object], form: str) -> None:
    results.save(what, figures, form=form)


def main() -> None:
    """Measure the named parts, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("form", choices=list(FORMS))
    parser.add_argument("parts", nargs="*", metavar="PART", help="kpi, layers, course, cdc, report")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    for name, value in results.surroundings().items():
        print(f"{name}: {value}")
    with tempfile.TemporaryDirectory(prefix="assay-benchmark-") as folder:
        known = parts(FORMS[given.form], given.form, Path(folder), given.seed)
        unknown = sorted(set(given.parts) - set(known))
        if unknown:
            parser.error(f"no such part: {', '.join(unknown)}")
        for part in given.parts or known:
            begin = perf_counter()
            known[part]()
            print(f"{part}: measured in {perf_counter() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
