"""Files that are not in effect: the table `decisions` says it, and the rows of such a file count for nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contract.items import Decision, FileItem
from contract.tables import DECISIONS
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from glue.lake.branches import Branches
from glue.lake.spark import checkpointed, local_rows
from glue.lake.tables import conform, with_gone


def files_and_actions(waiting: Sequence[FileItem]) -> tuple[list[FileItem], list[FileItem]]:
    """Tell files from actions, repairs and waivers: each of these has a run of its own."""
    found: tuple[list[FileItem], list[FileItem]] = [], []
    for item in waiting:
        found[has_own_run(item)].append(item)
    return found


def has_own_run(item: FileItem) -> bool:
    return "decides" in item or "repairs" in item


def undone_files(decisions: DataFrame) -> DataFrame:
    """Return `file_id` of the files that are not in effect, by rows of `decisions`.

    A replay that was put in place may have several decisions on a file under one run.
    """
    newest = F.max_by("in_effect", F.struct("run_seq", "at")).alias("in_effect")
    return decisions.groupBy("file_id").agg(newest).where(~F.col("in_effect")).select("file_id")


def without(rows: DataFrame, undone: DataFrame) -> DataFrame:
    """Return the rows of files in effect."""
    return rows.join(F.broadcast(undone), on="file_id", how="left_anti")


def in_effect(rows: DataFrame, undone: DataFrame, repairs: DataFrame) -> DataFrame:
    """Return the rows that count: of files in effect, of repairs with their originals, and the newest one of each row.

    `repairs` are all rows of the history: which repair of a row is the newest, some of them alone do not tell. Hardly a
    file of the table has a row of a repair, and its statistics say so.
    """
    originals = undone.withColumnRenamed("file_id", "repairs")
    there = without(repairs.where("repairs IS NOT NULL"), undone)
    there = there.join(F.broadcast(originals), on="repairs", how="left_anti")
    newest = F.max_by(F.struct("file_id", "row"), "row_order.repair").alias("newest")
    named = there.groupBy("repairs", F.col("row_order.row").alias("of")).agg(newest).select("newest.*")
    kept = rows.where("repairs IS NOT NULL").join(named, on=["file_id", "row"], how="left_semi").select(*rows.columns)
    return without(rows.where("repairs IS NULL"), undone).select(*rows.columns).unionByName(kept)


def decision_row(spark: SparkSession, decision: Decision, run_seq: int) -> DataFrame:
    """Return the row of `decisions` that a run appends."""
    as_text = {name: "string" if sql_type == "timestamp" else sql_type for name, sql_type in DECISIONS.items()}
    columns = ", ".join(f"{name} {sql_type}" for name, sql_type in as_text.items())
    return conform(local_rows(spark, [{**decision, "run_seq": run_seq}], columns), DECISIONS)


def counted_changes(moved: DataFrame, keys: DataFrame, named: int) -> dict[str, int]:
    """Return how many keys an action inserts, updates and deletes, and of how many of its file's the value stays."""
    changes = moved.where(F.col("change").isNotNull()).join(
        keys.withColumn("is_named", F.lit(True)), on="dms_id", how="left"
    )
    found = changes.groupBy("change").agg(F.count(F.lit(1)).alias("keys"), F.count("is_named").alias("named")).collect()
    settled = dict.fromkeys(("inserted", "updated", "deleted"), 0) | {row.change: row["keys"] for row in found}
    return {**settled, "unchanged": named - sum(row.named for row in found)}


def settle_members(
    branches: Branches, table: str, schema: Mapping[str, str], fresh: DataFrame, keys: DataFrame
) -> None:
    """Put fresh members of a dimension in the place of those under some keys; others under them go."""
    own = next(iter(schema))
    held = fresh.sparkSession.table(branches.current(table)).select(own).join(keys, on=own, how="left_semi")
    fresh = checkpointed(fresh)
    gone = held.join(fresh.select(own), on=own, how="left_anti").withColumn("gone", F.lit(True))
    source = fresh.withColumn("gone", F.lit(False)).unionByName(gone, allowMissingColumns=True)
    branches.merge(table, source, on=f"t.{own} = s.{own}", clauses=with_gone(schema))
