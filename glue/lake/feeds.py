"""Silver as Gold reads it: at the snapshots of one of its runs, so that it may move on meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from contract.items import LayerTotals, PublishedRun
from contract.tables import SILVER_TABLES
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from glue.lake.run import Job
from glue.lake.tables import CATALOG, columns_or_null


@dataclass(frozen=True)
class SilverFeed:
    """Silver as one of its runs left it, and what Gold has not taken of it yet."""

    job: Job
    run: PublishedRun
    taken: LayerTotals

    @property
    def spark(self) -> SparkSession:
        return self.job.spark

    def rows(self, table: str) -> DataFrame:
        """Return a table as the run left it, in the form of the contract: a column that it had not yet is null."""
        name = f"{CATALOG}.{self.job.arguments.silver_database}.{table}"
        if table not in self.run["snapshots"]:
            return self.spark.table(name).limit(0)
        rows = self.spark.read.option("snapshot-id", self.run["snapshots"][table]).table(name)
        schema = SILVER_TABLES[table].schema
        return rows if rows.columns == list(schema) else columns_or_null(rows, schema)

    def whole(self, table: str) -> DataFrame:
        """Return all rows that were appended to a table up to the named run."""
        return self.rows(table).where(F.col("run_seq") <= self.run["run_seq"])

    def feed(self, table: str) -> DataFrame:
        """Return the rows that were appended to a table since the run that Gold shows."""
        return self.whole(table).where(F.col("run_seq") > self.taken.get("silver_run_seq", 0))

    def has_news(self, table: str) -> bool:
        """Tell from the snapshots alone whether a table has grown since the run that Gold shows."""
        seen = self.taken.get("silver_snapshots", {}).get(table)
        return self.run["snapshots"].get(table) not in (None, seen)

    @property
    def is_one_run(self) -> bool:
        """Tell whether the feeds hold rows of the named run alone."""
        return bool(self.run["run_seq"] == self.taken.get("silver_run_seq", 0) + 1)
