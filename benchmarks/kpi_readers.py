"""Readers for the figures of the KPI function, each meant to run in a process of its own.

`python benchmarks/kpi_readers.py READER FILE` prints the figures; `python -m benchmarks short kpi` compares them.
The function gives more than the others: it also applies every rule of the data contract and keeps memory flat.
"""

import gzip
import sys
from pathlib import Path

FUNCTION = Path(__file__).parents[1] / "functions" / "kpi"


def run_function(path: str) -> str:
    """Give the figures as the function does."""
    sys.path.insert(0, str(FUNCTION))
    from datetime import UTC, datetime
    from decimal import Decimal

    from admission import inspect_file
    from judging.reconcile import Policy

    with open(path, "rb") as stream:
        kpis = inspect_file(
            f"transactions/{Path(path).name}",
            stream,
            last_modified_at=datetime(2030, 1, 1, tzinfo=UTC),
            metadata={},
            read_side_car=lambda: None,
            learned=lambda: None,
            policy=Policy(maximum_bad_share=Decimal(1), minimum_rows=1),
        ).kpis
    assert kpis is not None
    return f"{kpis.row_count} {kpis.total_cents} {kpis.distinct_keys} {kpis.negative_amounts} {kpis.channels['swipe']}"


def run_bytes(path: str) -> str:
    """Read the bytes alone, unzipped; the floor under every reader."""
    size = 0
    with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as stream:
        while piece := stream.read(1 << 20):
            size += len(piece)
    return f"{size} bytes"


def run_import(path: str) -> str:
    """Load the function's code, as a cold start does; the file is not read."""
    sys.path.insert(0, str(FUNCTION))
    import admission  # noqa: F401

    return "0"


def run_polars_lazy(path: str) -> str:
    """Let polars stream the whole query."""
    import polars as pl

    scan = pl.scan_parquet(path) if path.endswith(".parquet") else pl.scan_csv(path, infer_schema=False)
    cents = pl.col("amount").cast(pl.String).str.strip_prefix("$").str.replace(".", "", literal=True).cast(pl.Int64)
    date = pl.col("date").cast(pl.String).str.head(19).str.to_datetime("%Y-%m-%d %H:%M:%S")
    query = scan.select(
        pl.len().alias("rows"),
        cents.sum().alias("total"),
        pl.col("id").cast(pl.Int64).n_unique().alias("keys"),
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
    types = {**texts, "id": pa.int64()}
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
        keys.append(batch["id"])
    return f"{rows} {total} {pc.count_distinct(pa.chunked_array(keys)).as_py()} {negative} {swipe}"


def run_duckdb(path: str) -> str:
    """Ask one query."""
    import duckdb

    csv = f"read_csv('{path}', all_varchar=true, quote='\"')"
    source = f"read_parquet('{path}')" if path.endswith(".parquet") else csv
    amount = "replace(amount::varchar, '$', '')::decimal(18,2)"
    query = f"""select count(*), (sum({amount}) * 100)::bigint, count(distinct id::bigint),
        count(*) filter ({amount} < 0), count(*) filter (use_chip = 'Swipe Transaction'),
        count(*) filter ({amount} = 0), min(date::timestamp), max(date::timestamp) from {source}"""
    return " ".join(str(value) for value in duckdb.sql(query).fetchall()[0][:5])


def checked(frame: "pandas.DataFrame") -> str:  # noqa: F821
    """Apply the checks that the function makes: amounts, dates, keys, ids, channels, zips and codes."""
    from decimal import Decimal

    import pandas as pd

    amount = frame["amount"]
    if pd.api.types.is_string_dtype(amount):
        amount = amount.str.replace("[$,]", "", regex=True).map(Decimal)
    date = pd.to_datetime(frame["date"], errors="coerce")
    keys = pd.to_numeric(frame["id"], errors="coerce")
    ids = [pd.to_numeric(frame[name], errors="coerce") for name in ("client_id", "card_id", "merchant_id")]
    zips = frame["zip"].astype(str).str.fullmatch(r"\d{1,5}(\.0)?")
    codes = frame["mcc"].astype(str).str.fullmatch(r"\d{1,4}")
    bad = amount.isna() | date.isna() | keys.isna() | ~codes | (~zips & frame["zip"].notna())
    for column in ids:
        bad |= column.isna()
    channels = frame["use_chip"].value_counts()
    assert not bad.any()
    assert date.min() <= date.max()
    cents = round(amount.sum() * 100)
    return f"{len(frame)} {cents} {keys.nunique()} {(amount < 0).sum()} {channels['Swipe Transaction']}"


def run_pandas(path: str) -> str:
    """Read the whole file; money is exact."""
    import pandas as pd

    frame = pd.read_parquet(path) if path.endswith(".parquet") else pd.read_csv(path, dtype=str)
    return checked(frame)


def run_pandas_float(path: str) -> str:
    """Read the whole file; money is floating point, as such scripts have it."""
    import pandas as pd

    if path.endswith(".parquet"):
        frame = pd.read_parquet(path)
    elif path.endswith(".jsonl"):
        frame = pd.read_json(path, lines=True, dtype=False)
    else:
        frame = pd.read_csv(path, dtype={"errors": str})
    texts = frame["amount"].astype(str).str.replace("$", "", regex=False)
    frame["amount"] = pd.to_numeric(texts, errors="coerce")
    return checked(frame)


def run_polars_float(path: str) -> str:
    """Read the whole file of JSON lines; money is floating point."""
    import polars as pl

    frame = pl.read_ndjson(path)
    cents = (frame["amount"] * 100).round().cast(pl.Int64)
    dates = frame["date"].str.to_datetime("%Y-%m-%d %H:%M:%S")
    assert dates.min() <= dates.max()
    swipe = (frame["use_chip"] == "Swipe Transaction").sum()
    return f"{frame.height} {cents.sum()} {frame['id'].n_unique()} {(cents < 0).sum()} {swipe}"


def run_awswrangler(path: str) -> str:
    """Read the whole file from S3, the only place that it reads from; money is exact."""
    import awswrangler as wr

    address = f"s3://benchmark/{Path(path).name}"
    if path.endswith(".parquet"):
        return checked(wr.s3.read_parquet(address))
    return checked(wr.s3.read_csv(address, dtype=str))


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
            keys.add(int(row["id"]))
    return f"{rows} {int(total * 100)} {len(keys)} {negative} {swipe}"


READERS = {
    "function": run_function,
    "bytes": run_bytes,
    "import": run_import,
    "polars lazy": run_polars_lazy,
    "pyarrow": run_pyarrow,
    "duckdb": run_duckdb,
    "pandas": run_pandas,
    "pandas float": run_pandas_float,
    "polars float": run_polars_float,
    "awswrangler": run_awswrangler,
    "csv module": run_csv_module,
}

if __name__ == "__main__":
    print(READERS[sys.argv[1]](sys.argv[2]))
