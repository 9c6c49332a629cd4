"""Files that are not in effect: the table `decisions` says it, and the rows of such a file count for nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import or_

from contract.items import Decision, FileItem
from contract.tables import DECISIONS
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from glue.lake.branches import Branches
from glue.lake.spark import broadcast_if_small, checkpointed, laid_out, local_rows
from glue.lake.tables import conform

SEARCHED_ROWS = 1_000_000  # that are looked at before all others
SEARCHED_DAYS = 30  # whose facts name most members of the dimensions
FEW_MEMBERS = 100
CALENDAR_TABLE = "dim_date"


@dataclass(frozen=True)
class Source:
    """Rows that name members: the key of each dimension in them, and the column that says when."""

    rows: DataFrame
    keys: Mapping[str, Column]
    at: str

    def near(self, asked: Sequence[Row]) -> DataFrame:
        """Return the rows that name one of few members; where these are days, Iceberg passes over files of others."""
        rows = self.rows.where(reduce(or_, [self.keys[row.dimension].isin(row["keys"]) for row in asked]))
        if [row.dimension for row in asked] != [CALENDAR_TABLE]:
            return rows
        (first, last) = asked[0][-2:]
        return rows.where((F.col(self.at) >= first) & (F.col(self.at) < last + timedelta(days=1)))


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


def member_id(name: str, key: Column) -> Column:
    """Return one number for a member of any dimension: looked up and grouped by for each row that is searched."""
    return F.xxhash64(F.lit(name), key.cast("bigint")).alias("id")


def members_named(members: Mapping[str, DataFrame], *sources: Source) -> dict[str, DataFrame]:
    """Return those members of dimensions, each with its key as first column, that rows of one of the sources name.

    A source is searched for what all sources before it lack.
    """
    with_ids = {name: rows.withColumn("id", member_id(name, F.col(rows.columns[0]))) for name, rows in members.items()}
    days = {name: F.col("date") if name == CALENDAR_TABLE else F.lit(None).cast("date") for name in members}
    wanted = [
        rows.select(F.lit(name).alias("dimension"), "id", F.col(rows.columns[0]).alias("key"), days[name].alias("date"))
        for name, rows in with_ids.items()
    ]
    left = checkpointed(reduce(DataFrame.unionByName, wanted))
    found = [left.select("id").limit(0)]  # a file without rows names no member
    few = F.slice(F.collect_list("key"), 1, FEW_MEMBERS).alias("keys")
    for source in sources:
        asked = (
            left.groupBy("dimension").agg(F.count("key").alias("count"), few, F.min("date"), F.max("date")).collect()
        )
        if not asked:
            break
        sought = broadcast_if_small(left.select("id"), count := sum(row["count"] for row in asked))
        rows = source.near(asked) if count <= FEW_MEMBERS else source.rows
        ids = F.explode(F.array(*[member_id(row.dimension, source.keys[row.dimension]) for row in asked])).alias("id")
        found.append(checkpointed(rows.select(ids).join(sought, on="id", how="left_semi").distinct()))
        left = checkpointed(left.join(found[-1], on="id", how="left_anti"))
    named = reduce(DataFrame.unionByName, found)
    return {name: rows.join(named, on="id", how="left_semi").drop("id") for name, rows in with_ids.items()}


def may_be_newest(rows: DataFrame, some: DataFrame, keys: DataFrame, most: int) -> DataFrame:
    """Return of the rows under at most so many keys those that may be a key's newest by `row_order`, few of each.

    `some` of the rows, best the newest ones, tell of most keys what is too old. Of rows of a file that are else equal
    only the last counts: a maximum of structs would sort all rows, one of numbers takes a single look at each.
    """
    (key,), position = keys.columns, F.col("row_order.position")
    last = F.max("row_order.row").alias("row")
    of_files = some.join(keys, on=key, how="left_semi").groupBy(key, position.alias("position"), "file_id").agg(last)
    floors = of_files.groupBy(key).agg(F.max(F.struct("position", "file_id", "row")).alias("floor"))
    sought = broadcast_if_small(checkpointed(keys.join(floors, on=key, how="left")), most)
    is_older = (F.col("file_id") == F.col("floor.file_id")) & (F.col("row_order.row") < F.col("floor.row"))
    beside = (position == F.col("floor.position")) & ~is_older
    found = rows.join(sought, on=key).where(F.col("floor").isNull() | (position > F.col("floor.position")) | beside)
    of_file = F.col("row_order").withField("row", F.lit(None).cast("bigint")).alias("row_order")
    names = [name for name in rows.columns if name != "row_order"]
    newest = found.groupBy(*names, of_file).agg(last)
    return newest.select(*names, F.col("row_order").withField("row", F.col("row")).alias("row_order"))


DIFFERS = "NOT (held <=> fresh)"
IS_NEWER = "held IS NULL OR held.row_order IS NULL OR fresh.row_order > held.row_order"


def settle_members(
    branches: Branches, table: str, schema: Mapping[str, str], fresh: DataFrame, keys: DataFrame | None = None
) -> None:
    """Put fresh members of a dimension in the place of those under some keys; others under them go.

    Where no keys are given none goes, and of a member's two descriptions the one of the newer row stays. Members that
    stay as they are are not written again: a MERGE would write all of them.
    """
    own, *others = schema
    held = branches.current_rows(table)
    held = held if keys is None else held.join(keys, on=keys.columns, how="left_semi")
    held = held.select(own, F.struct(*others).alias("held"), "place")
    fresh = fresh.select(own, F.struct(*others).alias("fresh"))
    found = held.join(fresh, on=own, how="right" if keys is None else "full")
    moved = checkpointed(found.where(IS_NEWER if keys is None else DIFFERS))
    ((replaced, written),) = moved.agg(F.count("held"), F.count("fresh")).collect()
    if replaced:
        branches.remove(table, moved.where(F.col("held").isNotNull()).select("place.*"), replaced)
    if written:
        rows = moved.where(F.col("fresh").isNotNull()).select(own, "fresh.*")
        branches.append(table, laid_out(rows, written))
