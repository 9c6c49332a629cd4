"""Compares readers for the KPI function: whole processes over one file, by wall time, processor time and peak memory.

`python benchmarks/kpi_readers.py [--rows 1000000] [--parquet] [--runs 3] [--only function,pandas]`
The function gives more than the others: it also applies every rule of the data contract and keeps memory flat.
"""

import argparse
import importlib.metadata
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

FUNCTION = Path(__file__).parents[1] / "functions" / "kpi"
PACKAGES = {
    "function": ["polars", "polars-runtime-32"],
    "polars lazy": ["polars", "polars-runtime-32"],
    "pyarrow": ["pyarrow"],
    "duckdb": ["duckdb"],
    "pandas": ["pandas", "numpy"],
    "csv module": [],
}
IMPORTS = {"function": "polars", "polars lazy": "polars", "pyarrow": "pyarrow.csv", "csv module": "csv"}


@dataclass(frozen=True)
class Run:
    """What one process cost."""

    wall: float
    processor: float
    peak_mb: float
    figures: str


def run_function(path: str) -> str:
    """Give the figures as the function does."""
    sys.path.insert(0, str(FUNCTION))
    from datetime import UTC, datetime
    from decimal import Decimal

    from inspection import inspect_file
    from reconcile import Policy

    with open(path, "rb") as stream:
        kpis = inspect_file(
            path,
            stream,
            last_modified_at=datetime(2030, 1, 1, tzinfo=UTC),
            metadata={},
            read_side_car=lambda: None,
            learned=lambda: None,
            policy=Policy(maximum_bad_share=Decimal(1), minimum_rows=1),
        ).kpis
    assert kpis is not None
    return f"{kpis.row_count} {kpis.total_cents} {kpis.distinct_keys} {kpis.negative_amounts} {kpis.channels['swipe']}"


def run_polars_lazy(path: str) -> str:
    """Let polars stream the whole query."""
    import polars as pl

    scan = pl.scan_parquet(path) if path.endswith(".parquet") else pl.scan_csv(path, infer_schema=False)
    cents = pl.col("amount").cast(pl.String).str.strip_prefix("$").str.replace(".", "", literal=True).cast(pl.Int64)
    date = pl.col("date").cast(pl.String).str.head(19).str.to_datetime("%Y-%m-%d %H:%M:%S")
    query = scan.select(
        pl.len().alias("rows"),
        cents.sum().alias("total"),
        pl.col("dms_id").cast(pl.Int64).n_unique().alias("keys"),
        (cents < 0).sum().alias("negative"),
        (pl.col("use_chip") == "Swipe Transaction").sum().alias("swipe"),
        (cents == 0).sum().alias("zero"),
        date.min().alias("first"),
        date.max().alias("last"),
    )
    row = query.collect(engine="streaming").row(0)
    return " ".join(str(value) for value in row[:5])


def run_pyarrow(path: str) -> str:
    """Stream record batches and hold the keys."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv
    import pyarrow.parquet

    texts = dict.fromkeys(("amount", "date", "use_chip"), pa.string())
    types = {**texts, "dms_id": pa.int64()}
    if path.endswith(".parquet"):
        batches = pyarrow.parquet.ParquetFile(path).iter_batches(columns=list(types))
    else:
        options = pyarrow.csv.ConvertOptions(column_types=types, include_columns=list(types))
        batches = pyarrow.csv.open_csv(path, convert_options=options)
    rows = total = negative = swipe = 0
    keys, instants = [], []
    for batch in batches:
        amount = batch["amount"]
        if pa.types.is_string(amount.type):
            amount = pc.cast(pc.replace_substring(amount, "$", ""), pa.decimal128(18, 2))
            instants.append(pc.min_max(pc.strptime(batch["date"], "%Y-%m-%d %H:%M:%S", "us")))
        rows += len(batch)
        total += int(pc.sum(amount).as_py() * 100)
        negative += pc.sum(pc.less(amount, pa.scalar(0))).as_py()
        swipe += pc.sum(pc.equal(batch["use_chip"], "Swipe Transaction")).as_py()
        keys.append(batch["dms_id"])
    return f"{rows} {total} {pc.count_distinct(pa.chunked_array(keys)).as_py()} {negative} {swipe}"


def run_duckdb(path: str) -> str:
    """Ask one query."""
    import duckdb

    csv = f"read_csv('{path}', all_varchar=true, quote='\"')"
    source = f"read_parquet('{path}')" if path.endswith(".parquet") else csv
    amount = "replace(amount::varchar, '$', '')::decimal(18,2)"
    query = f"""select count(*), (sum({amount}) * 100)::bigint, count(distinct dms_id::bigint),
        count(*) filter ({amount} < 0), count(*) filter (use_chip = 'Swipe Transaction'),
        count(*) filter ({amount} = 0), min(date::timestamp), max(date::timestamp) from {source}"""
    return " ".join(str(value) for value in duckdb.sql(query).fetchall()[0][:5])


def run_pandas(path: str) -> str:
    """Read the whole file; money is floating point, as such scripts have it."""
    import pandas as pd

    if path.endswith(".parquet"):
        frame = pd.read_parquet(path)
        amount = pd.to_numeric(frame["amount"].astype("float64"))
    else:
        frame = pd.read_csv(path, dtype={"errors": str})
        amount = pd.to_numeric(frame["amount"].str.replace("$", "", regex=False), errors="coerce")
    date = pd.to_datetime(frame["date"], errors="coerce")
    keys = pd.to_numeric(frame["dms_id"], errors="coerce")
    seen = (amount.isna().sum(), date.isna().sum(), date.min(), date.max(), keys.isna().sum(), (amount == 0).sum())
    assert seen[0] == 0
    swipe = frame["use_chip"].value_counts()["Swipe Transaction"]
    return f"{len(frame)} {round(amount.sum() * 100)} {keys.nunique()} {(amount < 0).sum()} {swipe}"


def run_csv_module(path: str) -> str:
    """Walk over the rows in Python."""
    import csv
    from decimal import Decimal

    rows = negative = swipe = 0
    total, keys = Decimal(0), set()
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            amount = Decimal(row["amount"].replace("$", ""))
            rows, total, negative = rows + 1, total + amount, negative + (amount < 0)
            swipe += row["use_chip"] == "Swipe Transaction"
            keys.add(int(row["dms_id"]))
    return f"{rows} {int(total * 100)} {len(keys)} {negative} {swipe}"


READERS = {
    "function": run_function,
    "polars lazy": run_polars_lazy,
    "pyarrow": run_pyarrow,
    "duckdb": run_duckdb,
    "pandas": run_pandas,
    "csv module": run_csv_module,
}


def write_file(path: Path, rows: int) -> None:
    """Write a file like the real one: about 95 bytes a row, keys nearly in order."""
    import polars as pl

    n = pl.int_range(0, rows, dtype=pl.Int64, eager=False)
    noise = n.hash(seed=7)
    cents = (noise % 30_000).cast(pl.Int64) - 1_500
    size = pl.format("{}.{}", cents.abs() // 100, (cents.abs() % 100).cast(pl.String).str.zfill(2))
    at = pl.datetime(2010, 1, 1) + pl.duration(minutes=n // 3)
    frame = pl.select(
        dms_id=7_475_327 + n + n // 5 + (noise % 2).cast(pl.Int64),
        date=at.dt.to_string("%Y-%m-%d %H:%M:%S"),
        client_id=noise % 1219,
        card_id=noise % 4071,
        amount=pl.format("${}{}", pl.when(cents < 0).then(pl.lit("-")).otherwise(pl.lit("")), size),
        use_chip=pl.when(noise % 10 < 8).then(pl.lit("Swipe Transaction")).otherwise(pl.lit("Online Transaction")),
        merchant_id=noise % 74_831,
        merchant_city=pl.lit("Beulah"),
        merchant_state=pl.lit("ND"),
        zip=pl.format("{}.0", 1_000 + noise % 90_000),
        mcc=3_000 + noise % 6_000,
        errors=pl.when(noise % 13_000 == 0).then(pl.lit("Bad PIN,Insufficient Balance")),
    )
    if path.suffix == ".csv":
        frame.write_csv(path)
        return
    money = pl.col("amount").str.strip_prefix("$").cast(pl.Decimal(18, 2))
    frame.with_columns(money, pl.col("date").str.to_datetime(time_unit="us")).write_parquet(
        path, row_group_size=250_000
    )


def measure(reader: str, path: Path) -> Run:
    """Run one reader in a process of its own."""
    begin = time.perf_counter()
    command = [sys.executable, __file__, "--reader", reader, "--file", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    figures = process.stdout.read().strip()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{reader} failed")
    return Run(time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, figures)


def package_mb(names: list[str]) -> float:
    """Return the unzipped size of the packages."""
    files = [file for name in names for file in importlib.metadata.files(name) or []]
    return sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).exists()) / 1e6


def import_seconds(module: str) -> float:
    """Return the best of three imports in fresh processes, the interpreter's own start taken off."""
    times = {"pass": 9.0, f"import {module}": 9.0}
    for _ in range(3):
        for statement in times:
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True)
            times[statement] = min(times[statement], time.perf_counter() - begin)
    return times[f"import {module}"] - times["pass"]


def main() -> None:
    """Print one line per reader."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--parquet", action="store_true")
    parser.add_argument("--only", default=",".join(READERS), help="readers, separated by commas")
    parser.add_argument("--reader", help=argparse.SUPPRESS)
    parser.add_argument("--file", help="an existing file instead of a generated one")
    parser.add_argument("--write", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write_file(Path(options.write), options.rows)
        return
    if options.reader:
        print(READERS[options.reader](options.file))
        return
    readers = [name for name in options.only.split(",") if not (options.parquet and name == "csv module")]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(options.file or f"{folder}/transactions.{'parquet' if options.parquet else 'csv'}")
        if not options.file:
            # In a process of its own: a child's peak memory counts what its parent held when it was started.
            command = [sys.executable, __file__, "--write", str(path), "--rows", str(options.rows)]
            subprocess.run(command, check=True)
        print(f"{path.stat().st_size / 1e6:.0f} MB; seconds are the median of {options.runs} runs, taken in turns")
        # In turns, so that another load on the machine falls on all alike.
        runs: dict[str, list[Run]] = {name: [] for name in readers}
        for _ in range(options.runs):
            for name in readers:
                runs[name].append(measure(name, path))
    print(f"{'reader':12} {'wall s':>7} {'cpu s':>7} {'peak MB':>8} {'package MB':>11} {'import s':>9}  figures")
    for name, found in runs.items():
        wall = statistics.median(run.wall for run in found)
        processor = statistics.median(run.processor for run in found)
        peak = max(run.peak_mb for run in found)
        size, start = package_mb(PACKAGES[name]), import_seconds(IMPORTS.get(name, name))
        print(f"{name:12} {wall:7.2f} {processor:7.2f} {peak:8.0f} {size:11.0f} {start:9.2f}  {found[0].figures}")


if __name__ == "__main__":
    main()
