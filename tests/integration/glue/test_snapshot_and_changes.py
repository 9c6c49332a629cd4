"""A snapshot and the changes after it, in whatever order their files arrive, end as the source database stands."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from change_stream import COLUMNS, REAL, Change, Record, Source, bodies, changes, snapshot
from glue_pipeline import Pipeline

TEXTS = pa.schema([(name, pa.string()) for name in ("file", "row", "op", "committed_at", *COLUMNS)])
# The snapshot counts as one file before all changes; of a key the last commit counts, then the file, then the row.
NEWEST = """
    SELECT id::BIGINT, date::TIMESTAMP, replace(amount, '$', '')::DECIMAL(18, 2), lower(split_part(use_chip, ' ', 1)),
           client_id::BIGINT, card_id::BIGINT, merchant_id::BIGINT, merchant_city, nullif(merchant_state, ''),
           lpad(nullif(split_part(zip, '.', 1), ''), 5, '0'), lpad(mcc, 4, '0'), nullif(errors, '')
    FROM told
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY committed_at DESC, file DESC, "row"::INT DESC) = 1 AND op <> 'D'
"""
IMAGE = (
    "dms_id", "transacted_at", "amount", "channel", "client_id", "card_id", "merchant_id", "merchant_city",
    "merchant_state", "zip", "mcc", "errors",
)  # fmt: skip
Rows = dict[int, tuple[Any, ...]]


def by_duckdb(records: list[Record], made: list[Change]) -> Rows:
    """Compute the newest row of each key from the same texts, in SQL that is not the job's."""
    told = [("", "0", "I", "", *record) for record in records]
    told += [(change.file, str(change.row), change.op, change.committed_at, *change.record) for change in made]
    table = pa.Table.from_arrays([pa.array(column, pa.string()) for column in zip(*told, strict=True)], schema=TEXTS)
    with duckdb.connect() as connection:
        connection.register("told", table)
        return {row[0]: row for row in connection.execute(NEWEST).fetchall()}


def in_silver(pipeline: Pipeline) -> Rows:
    rows = pipeline.frame("silver.transactions").select(*IMAGE).collect()
    found = {row.dms_id: (*row[:-1], ",".join(row.errors) if row.errors else None) for row in rows}
    assert len(found) == len(rows), "a key lives twice"
    return found


def money(found: Rows) -> Decimal:
    return sum((row[2] for row in found.values()), Decimal(0))


def replicate(pipeline: Pipeline, objects: dict[str, bytes], *, batches: int, seed: int) -> list[str]:
    """Let the objects arrive in a random order, in so many batches; return their ids."""
    keys = Random(seed).sample(sorted(objects), len(objects))
    share = -(-len(keys) // batches)
    file_ids = []
    for start in range(0, len(keys), share):
        file_ids += [pipeline.upload(key, objects[key]) for key in keys[start : start + share]]
        pipeline.silver()
    return file_ids


BESIDE = pytest.mark.skipif(not REAL.exists(), reason="the source's rows are not beside the project")


@pytest.mark.parametrize(
    ("rows", "count", "files"),
    [(2_000, 400, 10), pytest.param(70_000, 5_000, 50, marks=[pytest.mark.slow, BESIDE])],
)
def test_layers_stand_as_the_source__files_arrive_shuffled(
    pipeline: Pipeline, rows: int, count: int, files: int
) -> None:
    records = snapshot(rows)
    source = Source(records, seed=7)
    made = changes(source, count=count, files=files, seed=8)
    expected = by_duckdb(records, made)
    assert {str(key) for key in expected} == source.table.keys(), "SQL disagrees with the source itself"
    file_ids = replicate(pipeline, bodies(records, made), batches=3, seed=9)
    found = in_silver(pipeline)
    differing = {key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)}
    assert {key: (found.get(key), expected.get(key)) for key in sorted(differing)[:5]} == {}
    facts = [pipeline.item(file_id)["silver"] for file_id in file_ids]
    assert sum(sum(fact["outcomes"].values()) for fact in facts) == rows + count
    assert sum(fact["outcomes"]["inserted"] - fact["outcomes"]["deleted"] for fact in facts) == len(expected)
    assert sum(Decimal(fact["effect_amount"]) for fact in facts) == money(expected)
    pipeline.gold()
    facts_in_gold = pipeline.frame("gold.fact_transactions").selectExpr("count(*)", "sum(amount)").first()
    assert tuple(facts_in_gold) == (len(expected), money(expected))
