"""Measures the pipeline: `python -m benchmarks {short,full} [PART …]`; without parts, all of them, then the report.

`--seeds`, `--sizes`, `--files`, `--rounds` and `--increments` measure a form in part, with less time and fewer samples.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
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


def reduced(form: Form, given: argparse.Namespace) -> Form:
    """Return the form with what the command line says of it."""
    if given.rounds is not None:
        fewer = {name: min(getattr(form, name), given.rounds) for name in ("warm_up", "compared", "overwrites")}
        form = replace(form, rounds=given.rounds, files=given.rounds, **fewer)
    if given.sizes:
        form = replace(form, sizes=tuple(given.sizes), cdc_sizes=tuple(given.sizes))
    if given.files:
        form = replace(form, kpi_rows=tuple(given.files))
    return replace(
        form,
        seeds=form.seeds if given.seeds is None else given.seeds,
        increments=form.increments if given.increments is None else given.increments,
    )


def main() -> None:
    """Measure the named parts, one after the other."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("form", choices=list(FORMS))
    parser.add_argument("parts", nargs="*", metavar="PART", help="kpi, layers, course, cdc, report")
    parser.add_argument("--seed", type=int, default=1, help="of the histories; the first of several")
    parser.add_argument("--seeds", type=int, help="how many histories of each size")
    parser.add_argument("--sizes", type=int, nargs="+", metavar="ROWS", help="rows of the histories")
    parser.add_argument("--files", type=int, nargs="+", metavar="ROWS", help="rows of the KPI function's files")
    parser.add_argument("--rounds", type=int, help="samples of each kind of increment")
    parser.add_argument("--increments", type=int, help="increments in a row")
    given = parser.parse_args()
    form = reduced(FORMS[given.form], given)
    for name, value in results.surroundings().items():
        print(f"{name}: {value}")
    with tempfile.TemporaryDirectory(prefix="assay-benchmark-") as folder:
        known = parts(form, Path(folder), given.seed)
        unknown = sorted(set(given.parts) - set(known))
        if unknown:
            parser.error(f"no such part: {', '.join(unknown)}")
        for part in given.parts or known:
            begin = perf_counter()
            known[part]()
            print(f"{part}: measured in {perf_counter() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main()
