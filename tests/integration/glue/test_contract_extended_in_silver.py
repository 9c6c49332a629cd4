"""A line of the contract more, and the real jobs obey it: on a lake that older jobs have filled, and in a replay."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from changed_contract import KPI, add_column, add_fact_column, add_rule, copied
from glue_pipeline import Pipeline, csv

NEW = csv(
    "1,1.00,2023-01-01,chip,5,",  # as before: nothing in the new column
    "2,2.00,2023-01-02,chip,5,17",
    "4,4.00,2023-01-04,chip,6,18",
    "5,5.00,2023-01-05,chip,6,x",
    "6,10000.01,2023-01-06,chip,6,19",
    header="dms_id,amount,date,use_chip,merchant_id,terminal_id",
)
SECOND = ("transactions/2.csv", NEW, "2024-02-01T00:00:00Z")
RUN = """
import json, sys
from itertools import count
from random import Random
import glue_pipeline
from glue_pipeline import SILVER, Pipeline
from replaying import comparable, replayed
from devcloud.local.job_main import keep_context
from glue.lake.spark import session

number, empty_number, is_replayed, *runs = json.load(sys.stdin)
glue_pipeline.NUMBERS = count(1000 + number)  # the server has pipelines of the process that started this one
keep_context()  # of the JVM of the process that started this one
spark = session("silver", SILVER.LAYER.settings)
pipeline = Pipeline(spark, number)
for key, body, as_of in runs:
    pipeline.upload(key, body.encode(), as_of=as_of)
    pipeline.silver()
    pipeline.gold()
if is_replayed:
    twin = replayed(pipeline, Pipeline(spark, empty_number), Random(1))
    assert comparable(twin) == comparable(pipeline)
    assert any("terminal_id" in row for row in comparable(twin)["gold.fact_transactions"])
"""


Extended = tuple[dict[str, list[dict[str, Any]]], Pipeline, str]


def run_with_one_more_line(
    project: Path, pipeline: Pipeline, empty: Pipeline, *runs: tuple[str, bytes, str], is_replayed: bool = False
) -> None:
    """Take files through both layers with the code of a copy, in a process of its own; a replay of all may follow.

    The process uses the JVM of this one, as a run of a job uses a warm one in the local cloud.
    """
    folders = (KPI, ".", "tests/model", "tests/integration/glue")
    path = os.pathsep.join(str(project / folder) for folder in folders)
    given = [pipeline.number, empty.number, is_replayed, *((key, body.decode(), as_of) for key, body, as_of in runs)]
    java = pipeline.spark.sparkContext._gateway.java_parameters
    gateway = {"PYSPARK_GATEWAY_PORT": str(java.port), "PYSPARK_GATEWAY_SECRET": java.auth_token}
    environment = {**os.environ, "PYTHONPATH": path, **gateway}
    command = [sys.executable, "-c", RUN]
    done = subprocess.run(command, input=json.dumps(given).encode(), env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-4000:]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with a column and a rule more."""
    project = copied(tmp_path_factory.mktemp("project"), KPI, "glue", "tests/model", "tests/integration/glue")
    add_column(project)
    add_fact_column(project)
    add_rule(project)
    return project


@pytest.fixture(scope="module")
def published(after_each_file: list[Pipeline], at_the_server_for_module: None) -> Pipeline:
    """One file is published by the jobs of today."""
    return after_each_file[0]


@pytest.fixture(scope="module")
def extended(published: Pipeline, empty: Pipeline, project: Path) -> Extended:
    """A second file is published by the jobs of the copy."""
    pipeline, before = published.fork(), published.tables()
    run_with_one_more_line(project, pipeline, empty, SECOND)
    for table in before:
        layer, name = table.split(".")
        pipeline.spark.sql(f"REFRESH TABLE glue_catalog.{pipeline.database(layer)}.{name}")
    (second,) = (item["file_id"] for item in pipeline.items() if item.get("key") == "transactions/2.csv")
    return before, pipeline, second


def without(row: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def test_column_is_one_line__image_history_effects_and_quarantine_have_it(
    extended: Extended,
) -> None:
    _, pipeline, second = extended
    state = {row["dms_id"]: row["terminal_id"] for row in pipeline.rows("silver.transactions")}
    assert state == {1: None, 2: 17, 3: None, 4: 18}
    history = [row for row in pipeline.rows("silver.transaction_history") if row["file_id"] == second]
    found = sorted((row["dms_id"], row["terminal_id"], row["outcome"]) for row in history)
    assert found == [(1, None, "unchanged"), (2, 17, "updated"), (4, 18, "inserted")]
    effects = [row for row in pipeline.rows("silver.transaction_effects") if row["file_id"] == second]
    moved = {row["dms_id"]: [side and side["terminal_id"] for side in (row["before"], row["after"])] for row in effects}
    assert moved == {2: [None, 17], 4: [None, 18]}
    broken = {row["raw"]: row["rules"] for row in pipeline.rows("silver.quarantine")}
    assert broken["5,5.00,2023-01-05,chip,6,x"] == ["terminal_id_unreadable"]


def test_rule_is_one_line__both_engines_find_the_same_row(
    extended: Extended,
) -> None:
    _, pipeline, second = extended
    item = pipeline.item(second)
    assert (item["status"], item["kpis"]["bad_rows"], item["silver"]["outcomes"]["quarantined"]) == ("published", 2, 2)
    broken = {row["raw"]: row["rules"] for row in pipeline.rows("silver.quarantine")}
    assert broken["6,10000.01,2023-01-06,chip,6,19"] == ["amount_above_limit"]


def test_existing_lake_takes_the_column__old_rows_are_null_and_their_hash_is_what_it_was(
    extended: Extended,
) -> None:
    before, pipeline, _ = extended
    # The second file has key 1 as it was: its order and writer move on in the state, and nothing else.
    moved_on = {"silver.transactions": {"row_order", "file_id", "row"}, "silver.transaction_history": set[str]()}
    for table, left_out in moved_on.items():
        old = [without(row, left_out) for row in before[table] if row["dms_id"] in (1, 3)]
        now = [without(row, left_out) for row in pipeline.rows(table) if row["dms_id"] in (1, 3)]
        kept = [row for row in now if without(row, {"terminal_id"}) in old]
        assert len(kept) == len(old) == 2
        assert {row["terminal_id"] for row in kept} == {None}


def test_column_is_in_the_facts__by_a_second_line(
    extended: Extended,
) -> None:
    _, pipeline, _ = extended
    assert {row["dms_id"]: row["terminal_id"] for row in pipeline.rows("gold.fact_transactions")} == {
        1: None, 2: 17, 3: None, 4: 18,
    }  # fmt: skip


@pytest.mark.slow
def test_replay_agrees__files_from_before_and_after_the_column(
    published: Pipeline, empty: Pipeline, project: Path
) -> None:
    run_with_one_more_line(project, published.fork(), empty, SECOND, is_replayed=True)
