"""Measures the pipeline: `python -m benchmarks {short,full} [PART …]`; without parts, all of them, then the report."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from benchmarks import course, kpi, layers, report, results
from benchmarks.forms import FORMS, Form


def parts(form: Form, folder: Path, seed: int) -> dict[str, Callable[[], None]]:
    """Return what can be measured, by name, in the order of the whole."""

    def measure_layers() -> None:
        for each in range(seed, seed + form.seeds):
            layers.measure(folder / f"layers-{each}", form, seed=each)

    return {
        "kpi": lambda: kpi.measure(folder, form, seed=seed),
        "layers": measure_layers,
        "course": lambda: course.measure(folder, form, seed=seed),
        "cdc": lambda: course.changes(folder, form, seed=seed),
        "report": lambda: report.write(form.name),
    }


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
        known = parts(FORMS[given.form], Path(folder), given.seed)
        unknown = sorted(set(given.parts) - set(known))
        if unknown:
            parser.error(f"no such part: {', '.join(unknown)}")
        for part in given.parts or known:
            begin = perf_counter()
            known[part]()
            print(f"{part}: measured in {perf_counter() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
