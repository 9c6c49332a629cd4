"""Files that are not in effect: the table `decisions` says it, and the rows of such a file count for nothing."""

from __future__ import annotations

from collections.abc import Sequence

from contract.items import FileItem
from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def files_and_actions(waiting: Sequence[FileItem]) -> tuple[list[FileItem], list[FileItem]]:
    """Tell files from actions: each of these has a run of its own."""
    return [item for item in waiting if "decides" not in item], [item for item in waiting if "decides" in item]


def undone_files(decisions: DataFrame) -> DataFrame:
    """Return `file_id` of the files that are not in effect, by rows of `decisions`.

    A replay that was put in place may have several decisions on a file under one run.
    """
    newest = F.max_by("in_effect", F.struct("run_seq", "at")).alias("in_effect")
    return decisions.groupBy("file_id").agg(newest).where(~F.col("in_effect")).select("file_id")


def without(rows: DataFrame, undone: DataFrame) -> DataFrame:
    """Return the rows of files in effect."""
    return rows.join(F.broadcast(undone), on="file_id", how="left_anti")
