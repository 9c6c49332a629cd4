"""Each way past Iceberg's public SQL does what its twin in plain SQL does: finds, deletes and keeps the same rows."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random

import pytest
from glue_pipeline import Pipeline
from pyspark.sql import functions as F

from glue.lake import compaction, positions
from glue.lake.branches import Branches
from glue.lake.positions import delete_files, iceberg_table, merge_deletes

Row = tuple[int, Decimal, tuple[str, ...] | None]
FILES = 4
KEYS = range(1, 101)


def name_of(pipeline: Pipeline, table: str) -> str:
    return f"glue_catalog.{pipeline.database('silver')}.{table}"


def rows_of(pipeline: Pipeline, table: str, branch: str = "") -> list[Row]:
    """Return the rows of a table, or of a branch of it, as readers see them."""
    found = pipeline.spark.table(f"{name_of(pipeline, table)}{branch}").collect()
    return sorted((row.dms_id, row.amount, row.names and tuple(row.names)) for row in found)


@pytest.fixture
def made(pipeline: Pipeline) -> Callable[[str], Branches]:
    """Make tables of several files, in which rows of some are dead by deletes in plain SQL, all the same."""

    def make(table: str) -> Branches:
        spark, name = pipeline.spark, name_of(pipeline, table)
        properties = "'format-version'='2', 'write.delete.mode'='merge-on-read', 'write.merge.mode'='merge-on-read'"
        columns = "dms_id bigint, amount decimal(18,2), names array<string>"
        spark.sql(f"CREATE TABLE {name} ({columns}) USING iceberg TBLPROPERTIES ({properties})")
        keys = spark.range(KEYS.start, KEYS.stop).select(
            F.col("id").alias("dms_id"),
            (F.col("id") / 4).cast("decimal(18,2)").alias("amount"),
            F.when(F.col("id") % 3 == 0, F.array(F.lit("a"), F.lit("b"))).alias("names"),
        )
        for part in range(FILES):
            keys.where(F.col("dms_id") % FILES == part).coalesce(1).writeTo(name).append()
        for part in (2, 5):
            spark.sql(f"DELETE FROM {name} WHERE dms_id % 10 = {part}")
        return Branches(spark, pipeline.database("silver"), "run_00000007")

    return make


def test_rows_of_keys_are_those_of_a_join__random_keys_and_ranges(
    pipeline: Pipeline, made: Callable[[str], Branches]
) -> None:
    branches, rng = made("one"), Random(7)
    for _ in range(4):
        low, high = sorted(rng.sample(range(110), 2))
        keys = [key for key in rng.sample(range(110), 40) if low <= key <= high]
        wanted = pipeline.spark.createDataFrame([(key,) for key in keys], "dms_id bigint")
        found = branches.published_rows_of("one", wanted, ["dms_id", "amount"], between=(low, high), most=40)
        wanted.createOrReplaceTempView("wanted")
        columns = "dms_id, amount, struct(_file, _pos) AS place"
        living = f"SELECT {columns} FROM {name_of(pipeline, 'one')}"
        twin = pipeline.spark.sql(f"{living} WHERE dms_id IN (SELECT dms_id FROM wanted)")
        assert sorted(map(tuple, found.collect())) == sorted(map(tuple, twin.collect()))


@pytest.mark.parametrize("by_driver", [1_000, 0], ids=["few rows", "many rows"])
def test_deleted_rows_are_those_of_a_merge__and_what_a_run_added_is_the_difference(
    pipeline: Pipeline, made: Callable[[str], Branches], by_driver: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "DELETES_BY_DRIVER", by_driver)
    branches, twin = made("one"), made("twin")
    fresh = pipeline.spark.sql("SELECT 500L + id AS dms_id, 1.50BD AS amount, array('new') AS names FROM range(3)")
    gone = branches.published_rows("one").where("dms_id % 7 = 0")
    count = gone.count()
    branches.remove("one", gone.select("place.*"), count)
    branches.append("one", fresh)
    gone_keys = pipeline.spark.range(200).where("id % 7 = 0").selectExpr("id AS dms_id", "true AS gone")
    source = gone_keys.unionByName(fresh.withColumn("gone", F.lit(False)), allowMissingColumns=True)
    clauses = "WHEN MATCHED AND s.gone THEN DELETE WHEN NOT MATCHED AND NOT s.gone THEN INSERT (dms_id, amount, names)"
    twin.merge("twin", source, on="t.dms_id = s.dms_id", clauses=f"{clauses} VALUES (s.dms_id, s.amount, s.names)")
    assert branches.added("one", "amount") == (3, Decimal("4.50")), "not to be seen before the commit"
    branches.commit("one")
    branch = f".branch_{branches.name}"
    assert rows_of(pipeline, "one", branch) == rows_of(pipeline, "twin", branch)
    assert rows_of(pipeline, "one") == rows_of(pipeline, "twin"), "readers see a run that is not published"
    before, after = set(rows_of(pipeline, "one")), set(rows_of(pipeline, "one", branch))
    added = {(row.dms_id, row.amount, tuple(row.names)) for row in branches.new_rows("one").collect()}
    assert added == after - before
    assert branches.added("one", "amount") == (3, Decimal("4.50"))
    assert branches.rows_moved("one") == len(after) - len(before) == 3 - count


def test_rows_of_a_run_are_found_and_removed_in_its_own_branch__added_before_by_itself(
    pipeline: Pipeline, made: Callable[[str], Branches]
) -> None:
    branches, before = made("one"), rows_of(pipeline, "one")
    assert branches.current_rows("one").count() == len(before)
    branches.append("one", pipeline.spark.sql("SELECT 500L + id AS dms_id, 1BD AS amount, null AS names FROM range(3)"))
    found = branches.current_rows("one")
    assert found.count() == len(before) + 3
    gone = found.where("dms_id IN (1, 501)")
    branches.remove("one", gone.select("place.*"), 2)
    branches.commit("one")
    left = [row for row in before if row[0] != 1] + [(key, Decimal("1.00"), None) for key in (500, 502)]
    assert rows_of(pipeline, "one", f".branch_{branches.name}") == left
    assert rows_of(pipeline, "one") == before, "readers see a run that is not published"


def test_places_are_refused__table_is_partitioned(pipeline: Pipeline) -> None:
    branches = Branches(pipeline.spark, pipeline.database("silver"), "run_00000001")
    places = branches.published_rows("quarantine").select("place.*")
    with pytest.raises(RuntimeError, match="quarantine is partitioned"):
        branches.remove("quarantine", places, 1)


def test_merged_deletes_leave_the_same_rows__in_one_file(pipeline: Pipeline, made: Callable[[str], Branches]) -> None:
    made("one")
    before, spark = rows_of(pipeline, "one"), pipeline.spark
    assert len(before) == len([key for key in KEYS if key % 10 not in (2, 5)])
    assert len(delete_files(spark, iceberg_table(spark, name_of(pipeline, "one")))) > 1
    merge_deletes(spark, iceberg_table(spark, name_of(pipeline, "one")))
    assert len(delete_files(spark, iceberg_table(spark, name_of(pipeline, "one")))) == 1
    assert rows_of(pipeline, "one") == before


def test_old_snapshots_expire__but_those_that_are_named(
    pipeline: Pipeline, made: Callable[[str], Branches], monkeypatch: pytest.MonkeyPatch
) -> None:
    made("one")
    iceberg = iceberg_table(pipeline.spark, name_of(pipeline, "one"))
    *old, last = [snapshot.snapshotId() for snapshot in iceberg.snapshots()]
    before, named = rows_of(pipeline, "one"), old[1]
    monkeypatch.setattr(compaction, "KEPT_SNAPSHOTS", 1)
    compaction.expire(iceberg, lambda: {named})
    iceberg.refresh()
    assert len(old) > 2
    assert {snapshot.snapshotId() for snapshot in iceberg.snapshots()} == {named, last}
    assert rows_of(pipeline, "one") == before
