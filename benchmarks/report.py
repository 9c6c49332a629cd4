"""Renders what was measured into `docs/benchmarks.md`; the pictures are drawn in the benchmarks' own environment."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks import results, targets
from benchmarks.cloud import ROOT
from benchmarks.kpi import result_name
from benchmarks.layers import KEYS
from benchmarks.profiles import PROFILES
from benchmarks.results import load, spread
from benchmarks.targets import Figure

PAGE = ROOT / "docs" / "benchmarks.md"
PICTURES = ROOT / "docs" / "benchmarks"
PLOTS = Path(__file__).with_name("plots.py")
CONSECUTIVE = ("stages", "burst", "in-a-row")
NOTHING = "_Not measured yet._"
OBSTACLES = """## Which targets are missed, and why

- **First load against a plain copy.** The copy writes one table as it reads the lines. Silver writes each row three
  times, as state, as history and as effect, which later runs, audits and rebuilds need: of its steps (below) `written`
  alone takes about as long as the target allows for everything. As much goes into reading by the contract's rules,
  where a profile by method shows no single hot spot: the largest shares are copies of rows between steps of the plan
  (a sixth), and comparisons and searches of text (a sixth). The rest is outcomes, and reading back what was written.
- **Scattered keys against delta-rs.** 2,000 changed keys lie in every row group of every file, and Parquet readers
  skip pages by ranges only. So the images and orders of all stored rows are decoded to compare the new rows with them:
  some two and a half seconds of `classified` in the first such runs of a JVM, down to two once it has compiled that
  loop. Silver's other steps take no longer than with recent keys; they are what delta-rs does not do.
- **Scattered keys against a smaller history.** The same scan of all stored rows, and Gold's scan of all facts of the
  touched months, which here are all months: its sums are recomputed from the facts.
"""
REQUESTS = {
    "commits": "catalog commits",
    "catalog": "requests to the Glue catalog, commits included",
    "s3_writes": "S3: writes, copies, lists",
    "s3_reads": "S3: reads",
    "dynamodb_writes": "DynamoDB: writes",
    "dynamodb_reads": "DynamoDB: reads",
    "transitions": "Step Functions: transitions",
    "job_runs": "job runs",
}
"""What is counted for files, by its name in the results."""
LEAST_STEP = 0.3  # seconds; shorter ones are left out
HEAD = """# Benchmarks

`make bench` measures a short profile in a few minutes, `make bench-full` the full profile, with 13 million rows. Both
run the real application in a local cloud of their own: real deployment, real uploads, figures from the ledger, from
the jobs' logs and from Iceberg's own snapshot summaries. Every ratio compares samples taken in turns in one run,
because the machine's speed changes from hour to hour. Figures are medians; the range of the samples is in parentheses.

The others do less than what they are compared with: pandas and awswrangler hold the whole file in memory; delta-rs and
DuckDB merge on the local disk, without storage behind HTTP, ledger, history, effects or proofs; the full overwrite has
neither history nor proofs, and runs in JVMs as warm as those of the jobs. Histories of all sizes have the same rows a
day and end on one day, so that an increment means the same days to each of them. The targets are set for the sizes of
the full profile: 13 million rows of history over 1 million, files of 1 GB over 100 MB. Smaller sizes have no result.
"""


def write(profile: str) -> None:
    """Write the page from the kept results of a profile, draw the pictures, and print the figures."""
    seeds = [found for seed in range(1, 100) if (found := load(f"layers-seed{seed}", profile))]
    kpi = [found for rows in PROFILES[profile].kpi_rows if (found := load(result_name(rows), profile))]
    cdc, undo, large = (load(name, profile) for name in ("cdc", "undo", "large"))
    requests = load("requests", "short")
    stages, burst, row = (load(name, profile) for name in CONSECUTIVE)
    sections = [
        ("The KPI function", list(targets.of_kpi(kpi))),
        ("Silver and Gold", list(targets.of_layers(seeds)) if seeds else []),
        ("Undo", list(targets.of_undo(undo))),
        ("Files in a warm cloud", list(targets.of_consecutive(stages, burst, row))),
        ("A large run", list(targets.of_large(large))),
    ]
    text = [
        HEAD,
        f"This page shows the {profile} profile.\n",
        _about([each for each in (*kpi, *seeds, stages, burst, row, cdc, undo, large) if each]),
    ]
    for title, figures in sections:
        text += [f"## {title}\n", _table(figures) if figures else NOTHING, ""]
        print(f"\n{title}", *[_line(each) for each in figures], sep="\n")
    text += [OBSTACLES] if profile == "full" else []
    if seeds:
        text += ["## What an increment of 10,000 rows writes\n", _touched(_last_increments(seeds[-1])), ""]
        text += ["## Where the time goes\n", _profile(seeds[-1]), ""]
    text += ["## What a hundred changed rows touch\n", _changes(cdc["sizes"]) if cdc else NOTHING, ""]
    text += ["## What a file takes in requests\n", _requests(requests) if requests else NOTHING, ""]
    if not row:
        text += ["## Increments in a row\n", NOTHING, ""]
    text += _pictures(profile)
    PAGE.write_text("\n".join(text))


def _line(figure: Figure) -> str:
    return f"  {figure.what}: {spread(figure.samples)} {figure.unit} {figure.target} {figure.result}".rstrip()


def _about(found: list[dict[str, Any]]) -> str:
    if not found:
        return NOTHING
    newest = max(found, key=lambda each: each["at"])
    versions = ", ".join(f"{name} {version}" for name, version in newest["versions"].items())
    lines = [f"- Machine: {newest['machine']}", f"- Versions: {versions}"]
    lines += [f"- {each['measurement']}: `{each['command']}`, kept at {each['at']}" for each in found]
    return "\n".join([*lines, ""])


def _table(figures: Iterable[Figure]) -> str:
    rows = [
        f"| {each.what} | {spread(each.samples)} {each.unit} | {len(each.samples)} | {each.target} | {each.result} |"
        for each in figures
    ]
    return "\n".join(["| figure | median (range) | samples | target | result |", "|---|---|---|---|---|", *rows])


def _last_increments(found: dict[str, Any]) -> dict[str, Any]:
    """Return the last increment with scattered keys of each size."""
    beds = {size: bed.get("increments", {}).get("scattered", []) for size, bed in found["beds"].items()}
    return {size: runs[-1] for size, runs in beds.items() if runs}


def _touched(sizes: dict[str, Any]) -> str:
    """Return what was written, by Iceberg's snapshot summaries."""
    head = ["| history | table | rows written | position deletes written | data files | delete files | bytes |"]
    rows = [
        f"| {int(size):,} | {table} | {seen['added-records']:,} | {seen['added-position-deletes']:,} | "
        f"{seen['added-data-files']:,} | {seen['added-delete-files']:,} | {seen['added-files-size']:,} |"
        for size, found in sizes.items()
        for table, seen in found["written"].items()
    ]
    return "\n".join([*head, "|---|---|---|---|---|---|---|", *rows])


def _profile(found: dict[str, Any]) -> str:
    """Return the steps of the runs at the largest history, in seconds of the jobs' own logs."""
    size = str(found["sizes"][-1])
    bed = found["beds"].get(size, {})
    runs = {f"first load of {int(size):,} rows": bed.get("first_load")}
    for keys in KEYS:
        runs[f"increment, {keys}"] = next(iter(bed.get("increments", {}).get(keys, [])), None)
    rows = []
    for what, run in runs.items():
        for layer in ("silver", "gold"):
            if run:
                steps = {name: seconds for name, seconds in run[layer]["steps"].items() if seconds >= LEAST_STEP}
                told = ", ".join(f"{name} {seconds:.1f}" for name, seconds in steps.items())
                rows.append(f"| {what} | {layer} | {run[layer]['whole']:.1f} | {told} |")
    head = [
        "The steps of one run each, in seconds. Gold's writes run in parallel: a step there is the time since the",
        "one before it, whichever write that was. The plain copy of the first load, Spark reading the CSV and",
        f"writing one Parquet table without rules, took {_seconds(bed.get('plain_parquet', []))} s in the same run.",
        "",
        "| run | layer | whole | steps |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *rows])


def _seconds(runs: list[dict[str, float]]) -> str:
    return " and ".join(f"{run['whole']:.1f}" for run in runs) or "no"


def _changes(sizes: dict[str, Any]) -> str:
    """Return what a small file reads of the facts (by the files' own statistics) and writes to Gold (by summaries)."""
    head = [
        "A file of a hundred changes. A touched group is summed again from its facts, so all facts of the months that",
        "the file touches are read, in the row groups that a reader cannot skip; the same scan finds the facts that",
        "are replaced. The cost follows the months in the file, not those before them: but for the edges of row",
        "groups, recent changes read the same from any history. Changes that lie in all months of a longer history",
        "touch more months, at most as many as there are changes.",
        "",
        "| keys | history | facts | months | facts read | a month | Gold: rows written | deletes | files rewritten |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    rows = []
    for keys in KEYS:
        for size, found in sizes.items():
            read = found[keys]["facts_read"]
            gold = [seen for table, seen in found[keys]["written"].items() if table.startswith("gold.")]
            added, dead, gone = (
                sum(seen[name] for seen in gold)
                for name in ("added-records", "added-position-deletes", "deleted-data-files")
            )
            rows.append(
                f"| {keys} | {int(size):,} | {read['of_rows']:,} | {read['months']} | {read['rows']:,} | "
                f"{read['rows'] // read['months']:,} | {added:,} | {dead:,} | {gone} |"
            )
    return "\n".join([*head, *rows])


def _requests(found: dict[str, Any]) -> str:
    """Return what files take of what AWS bills, in all and for each file."""
    counts = {way: found[way] for way in ("one file", "many at once")}
    head = [
        f"Counted, not timed (`{found['command']}`, kept at {found['at']}): each call to the local cloud is recorded.",
        "A file of 10,000 rows, and small ones at once, on a history of 100,000 rows. What waits polls every three",
        "seconds here and every 45 on AWS, so many at once take fewer transitions there. [What it costs](cost.md) has",
        "the prices.",
        "",
        "| | " + " | ".join(f"{way} ({each['files']}), per file" for way, each in counts.items()) + " |",
        "|---|" + "---|" * len(counts),
    ]
    rows = [
        f"| {what} | " + " | ".join(f"{each[name] / each['files']:,.1f}" for each in counts.values()) + " |"
        for name, what in REQUESTS.items()
    ]
    return "\n".join([*head, *rows])


def _pictures(profile: str) -> list[str]:
    PICTURES.mkdir(parents=True, exist_ok=True)
    command = [str(results.BENCH_PYTHON), str(PLOTS), str(results.FOLDER), profile, str(PICTURES)]
    drawn = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [
        line for name in drawn for line in (f"![{name.replace('-', ' ').removesuffix('.svg')}](benchmarks/{name})", "")
    ]
