"""Other engines merge the same rows into the same history; run in the benchmarks' own environment.

`python benchmarks/other_engines.py {delta,duckdb} {load,merge} TABLE FILE` works on the local disk, without S3, ledger,
history, effects or proofs. Prints the seconds of the work, without the process's start, as JSON.
"""

import argparse
import json
import time
from pathlib import Path

import duckdb

COLUMNS = """
    id::bigint AS dms_id, date::timestamp AS transacted_at,
    replace(amount, '$', '')::decimal(18,2) AS amount, split_part(lower(use_chip), ' ', 1) AS channel,
    client_id::bigint AS client_id, card_id::bigint AS card_id, merchant_id::bigint AS merchant_id,
    merchant_city, merchant_state, lpad(replace(zip, '.0', ''), 5, '0') AS zip, lpad(mcc, 4, '0') AS mcc,
    string_split(errors, ',') AS errors
"""

# DuckDB guesses the dialect from the first rows otherwise, and those may hold no quotes.
DIALECT = "all_varchar=true, header=true, delim=',', quote='\"', escape='\"'"


def rows_of(path: Path) -> str:
    """Return the query for the typed rows of a CSV file."""
    return f"SELECT {COLUMNS} FROM read_csv('{path}', {DIALECT})"


def load_delta(table: Path, path: Path) -> None:
    from deltalake import write_deltalake

    with duckdb.connect(config={"preserve_insertion_order": True}) as connection:
        reader = connection.sql(rows_of(path)).to_arrow_reader(100_000)
        write_deltalake(table, reader, target_file_size=128 << 20)


def merge_delta(table: Path, path: Path) -> None:
    from deltalake import DeltaTable

    with duckdb.connect() as connection:
        rows = connection.sql(rows_of(path)).to_arrow_table()
    merging = DeltaTable(table).merge(
        rows, predicate="t.dms_id = s.dms_id", source_alias="s", target_alias="t", streamed_exec=False
    )
    merging.when_matched_update_all().when_not_matched_insert_all().execute()


def load_duckdb(table: Path, path: Path) -> None:
    with duckdb.connect(str(table)) as connection:
        connection.execute(f"CREATE TABLE transactions AS {rows_of(path)}")


def merge_duckdb(table: Path, path: Path) -> None:
    with duckdb.connect(str(table)) as connection:
        connection.execute(
            f"MERGE INTO transactions t USING ({rows_of(path)}) s ON t.dms_id = s.dms_id "
            "WHEN MATCHED THEN UPDATE WHEN NOT MATCHED THEN INSERT"
        )


ACTIONS = {
    ("delta", "load"): load_delta,
    ("delta", "merge"): merge_delta,
    ("duckdb", "load"): load_duckdb,
    ("duckdb", "merge"): merge_duckdb,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("engine", choices=["delta", "duckdb"])
    parser.add_argument("action", choices=["load", "merge"])
    parser.add_argument("table", type=Path)
    parser.add_argument("file", type=Path)
    given = parser.parse_args()
    if given.engine == "delta":
        import deltalake  # noqa: F401  # its loading is the process's start, not the work
    begin = time.perf_counter()
    ACTIONS[given.engine, given.action](given.table, given.file)
    print(json.dumps({"seconds": time.perf_counter() - begin}))


if __name__ == "__main__":
    main()
