"""Repairs of quarantined rows, and waivers: what a run needs to know of one, and which rows are open after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from contract.items import FileItem, RepairsOfFile
from contract.runs import LayerTotals, PublishedRun
from contract.sql_types import REPAIR_FIELDS
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from glue.lake.branches import Branches
from glue.lake.failures import require
from glue.lake.ledger import Ledger
from glue.lake.loads import Action, Loads, Refused, Reload
from glue.lake.spark import checkpointed, local_rows

PLACE_OF_OBJECT = ("last_modified_at", "as_of_at", "key", "sequencer", "version_id")


@dataclass(frozen=True)
class Repair:
    """A repair or a waiver that a run takes: its item, the file that it repairs, and where loads stand."""

    item: FileItem
    original: FileItem
    loads: Loads
    starts: dict[str, str]
    cause = "repair"
    moves_loads = False

    @property
    def floor(self) -> str | None:
        return self.loads.floor

    @property
    def owner_id(self) -> str:
        """Return the item to whose account its effects go."""
        return self.item["file_id"]

    @property
    def file_id(self) -> str:
        return self.owner_id

    @property
    def load_starts(self) -> dict[str, str]:
        """Return where its rows begin: with the file that it repairs."""
        start = self.starts.get(self.item["repairs"])
        return {} if start is None else {self.file_id: start}

    @property
    def placed(self) -> FileItem:
        """Return its item with the original's place in the order: as which its rows are read."""
        place = {name: value for name, value in self.original.items() if name in PLACE_OF_OBJECT}
        kept = {name: value for name, value in self.item.items() if name not in PLACE_OF_OBJECT}
        return cast(FileItem, {**kept, **place})

    def order(self, row: Column) -> Column:
        """Return the last field of the order of its rows, of which `row` is the number in its own object."""
        item = self.item
        own = {
            "file_id": item["repairs"],
            "instant": own_instant(item),
            "object_key": item["key"],
            "sequencer": item["sequencer"].ljust(32, "0"),
            "version_id": item["version_id"],
        }
        values = {**{name: F.lit(value) for name, value in own.items()}, "row": row}
        return F.struct(*[values[name].cast(kind).alias(name) for name, kind in REPAIR_FIELDS.items()])


Mover = Reload | Action | Repair
"""What may change keys that no row of a run's files names."""


def own_instant(item: FileItem) -> str:
    """Return when a repair or a waiver was made, which tells the newest of several of a row."""
    return item.get("as_of_at", item["last_modified_at"])


def moved_up(spark: SparkSession, rows: DataFrame, mover: Mover) -> DataFrame:
    """Give the rows (`file_id`, `row_order`) of files of complete loads, and of their repairs, their position."""
    starts = [{"listed_id": file, "start": start} for file, start in mover.starts.items()]
    listed = F.broadcast(local_rows(spark, starts, "listed_id string, start timestamp"))
    rows = rows.withColumn("listed_id", F.coalesce("row_order.repair.file_id", "file_id"))
    # A file that is no full load keeps its own instants, wherever it is listed.
    is_full_load, own = F.col("row_order.phase") == 0, F.col("row_order.position")
    position = F.when(is_full_load, F.greatest(own, "start")).otherwise(own)
    moved = F.col("row_order").withField("position", position)
    return rows.join(listed, on="listed_id", how="left").withColumn("row_order", moved).drop("start", "listed_id")


def repair_of(ledger: Ledger, item: FileItem, loads: Loads) -> Repair:
    """Return what a run needs to know of a repair."""
    (original,) = ledger.files([item["repairs"]])
    return Repair(item, original, loads, loads.starts(ledger))


def has_repairs(totals: LayerTotals | PublishedRun) -> bool:
    """Tell whether rows of the history may repair others."""
    return "last_repair" in totals


def with_last_repair(totals: LayerTotals, before: LayerTotals, run_seq: int, files: Sequence[FileItem]) -> LayerTotals:
    """Add to the totals of a run which run has taken a repair last."""
    last = run_seq if any("repairs" in file for file in files) else before.get("last_repair")
    return totals if last is None else {**totals, "last_repair": last}


@dataclass(frozen=True)
class Marks:
    """The quarantined rows of a file, what closes each after a run, and what the ledger keeps of that."""

    file_id: str
    rows: DataFrame
    found: RepairsOfFile


def mark(
    spark: SparkSession, branches: Branches, ledger: Ledger, mover: Repair | Action, own: DataFrame | None = None
) -> Marks | None:
    """Return what closes the rows in quarantine after a run that takes a repair (`own` rows), or decides on one.

    Nothing for a decision on another file. The newest repair in effect that names a row closes it, else the newest
    waiver. Raises Refused for one that closes nothing, or names rows that are not there.
    """
    item = mover.item if isinstance(mover, Repair) else ledger.files([mover.file_id])[0]
    if "repairs" not in item:
        return None
    (original,) = ledger.files([item["repairs"]])
    by = [*original.get("repaired", {}).get("by", []), *([item["file_id"]] if isinstance(mover, Repair) else [])]
    decided = {} if isinstance(mover, Repair) else {mover.file_id: mover.decision["in_effect"]}
    counting = [each for each in ledger.files(by) if decided.get(each["file_id"], each["in_effect"])]
    quarantined = spark.table(branches.table("quarantine")).where(F.col("file_id") == original["file_id"])
    if isinstance(mover, Repair):
        refuse_strangers(mover, quarantined, own)
    history = spark.table(branches.table("transaction_history")).where(F.col("repairs") == original["file_id"])
    named = history.select("file_id", "row_order")
    named = named if own is None else named.unionByName(own.select("file_id", "row_order"))
    newest = F.max_by("file_id", "row_order.repair").alias("repair")
    repaired = (
        named.where(F.col("file_id").isin([each["file_id"] for each in counting]))
        .groupBy(F.col("row_order.row").alias("row"))
        .agg(newest)
    )
    marked = quarantined.select("row", "rules", F.col("repaired_by").alias("held")).join(repaired, on="row", how="left")
    rows = checkpointed(marked.withColumn("closed_by", F.coalesce("repair", waived_by(counting))))
    ((closed, of_repairs),) = rows.agg(F.count("closed_by"), F.count("repair")).collect()
    return Marks(original["file_id"], rows, {"by": by, "repaired": of_repairs, "waived": closed - of_repairs})


def waived_by(items: Sequence[FileItem]) -> Column:
    """Return the newest waiver of one of a row's rules, null where there is none."""
    waivers = [item for item in items if "waives" in item]
    waivers.sort(key=lambda item: (own_instant(item), item["key"], item["sequencer"]), reverse=True)
    found = [F.when(F.array_contains("rules", each["waives"]["rule"]), F.lit(each["file_id"])) for each in waivers]
    return F.coalesce(*found, F.lit(None).cast("string"))


def refuse_strangers(repair: Repair, quarantined: DataFrame, own: DataFrame | None) -> None:
    """Raise Refused for a repair that names a row twice, or one that is not in quarantine; or a waiver of no row."""
    if "waives" in repair.item:
        rule = repair.item["waives"]["rule"]
        if quarantined.where(F.array_contains("rules", rule)).isEmpty():
            text = f"No quarantined row of {repair.original['key']} breaks the rule {rule}."
            raise Refused(repair.owner_id, text, "not_in_quarantine")
    elif own is not None:
        named = own.select(F.col("row_order.row").alias("row"))
        known = named.distinct().join(quarantined.select("row"), on="row", how="left_semi")
        ((rows,),), ((there,),) = (found.agg(F.count(F.lit(1))).collect() for found in (named, known))
        if rows != there:
            text = f"{rows - there:,} rows of the repair are named twice, or are no quarantined rows of its original."
            raise Refused(repair.owner_id, text, "not_in_quarantine")


def write_marks(branches: Branches, marks: Marks | None) -> dict[str, RepairsOfFile]:
    """Mark the quarantined rows that something else closes than before; return what the ledger keeps."""
    if marks is None:
        return {}
    changed = marks.rows.where(~F.col("closed_by").eqNullSafe(F.col("held"))).select("row", "closed_by")
    if not changed.isEmpty():
        same_row = f"t.file_id = '{marks.file_id}' AND t.row = s.row"
        set_it = "WHEN MATCHED THEN UPDATE SET t.repaired_by = s.closed_by"
        branches.merge("quarantine", changed, on=same_row, clauses=set_it)
        require("quarantined rows", found=branches.rows_moved("quarantine"), expected=0)
    return {marks.file_id: marks.found}


def repaired_keys(history: DataFrame, file: FileItem) -> DataFrame:
    """Return the keys of the repairs of a file's rows; of a repair those of others of the same rows."""
    of_file = history.where(F.col("repairs") == file["file_id"])
    if "repairs" not in file:
        return of_file.select("dms_id")
    own = history.where(F.col("file_id") == file["file_id"])
    return own.select("dms_id").unionByName(outdated_keys(history, file["repairs"], own))


def outdated_keys(history: DataFrame, original_id: str, own: DataFrame) -> DataFrame:
    """Return the keys that repairs in the history give to the rows that some rows repair."""
    named = own.select(F.col("row_order.row").alias("of")).distinct()
    same = history.where(F.col("repairs") == original_id).select("dms_id", F.col("row_order.row").alias("of"))
    return same.join(named, on="of", how="left_semi").select("dms_id")
