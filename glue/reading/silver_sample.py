"""A sample of Silver's rows for the previews of the Gold notebook, from the files that the Silver notebook shows.

Only the plain forms of a value are read here; what breaks a rule, or is late, is left out.
"""

from __future__ import annotations

from contract.sql_types import ORDER_FIELDS
from contract.subjects import REFERENCES
from contract.tables import IMAGE
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from glue.lake.tables import columns_or_null
from glue.reading.sample import files_of

CHANGED_AT = "2024-02-20"


def history_of(spark: SparkSession, sample: str, name: str) -> DataFrame:
    """Return the rows of one file of transactions as Silver's history has them."""
    _, staging = files_of(spark, sample)
    texts = spark.read.option("header", True).csv(f"{staging.folder}/{name}.csv")
    read = {
        "op": F.coalesce(F.col("Op"), F.lit("I")) if "Op" in texts.columns else F.lit("I"),
        "transacted_at": F.col("date").cast("timestamp"),
        "amount": F.regexp_replace("amount", "^[$]", "").cast(IMAGE["amount"]),
        "channel": F.lower(F.split("use_chip", " ")[0]),
        "zip": F.lpad(F.split("zip", "[.]")[0], 5, "0"),
        "errors": F.when(F.col("errors") != "", F.split("errors", ",")),
        "row_order": _order(F.col("commit_ts") if "commit_ts" in texts.columns else F.lit("2024-02-01")),
    }
    rows = texts.withColumns(read).where("dms_id BETWEEN 1001 AND 1097 AND amount IS NOT NULL")
    image = columns_or_null(rows, IMAGE).columns
    values = [F.col(column).cast(IMAGE[column]).alias(column) for column in image]
    return rows.select(*values, "op", "row_order", F.lit(name).alias("file_id"))


def _order(at: Column) -> Column:
    """Return the order of rows by an instant; the rest of it is the same for all of them."""
    instant = at.cast("timestamp")
    parts = {"position": instant, "phase": F.lit(1), "instant": instant, "object_key": F.lit("sample")}
    return F.struct(*[parts.get(name, F.lit(None)).cast(kind).alias(name) for name, kind in ORDER_FIELDS.items()])


def effects_of(history: DataFrame, increment: DataFrame) -> DataFrame:
    """Return what Silver tells of the keys that an increment changes: their images before and after."""
    newest = F.max_by(F.struct("op", *[name for name in IMAGE if name != "dms_id"]), "row_order").alias("newest")
    late = F.col("row_order.position") < F.lit(CHANGED_AT).cast("timestamp")
    after = increment.where(~late).groupBy("dms_id").agg(newest)
    values = [name for name in IMAGE if name != "dms_id"]
    before = history.select("dms_id", F.struct(*values).alias("before"))
    kept = F.when(F.col("newest.op") != "D", F.struct(*[F.col(f"newest.{name}") for name in values]))
    return after.join(before, on="dms_id", how="left").select("dms_id", "before", kept.alias("after"))


def cards_of(spark: SparkSession, sample: str) -> DataFrame:
    """Return two accepted rows of each card: the limit of every second one is another in February."""
    _, staging = files_of(spark, sample)
    cards = spark.read.option("header", True).csv(f"{staging.folder}/cards.csv").where("id IS NOT NULL")
    months = F.explode(F.array(F.lit("2024-01-15"), F.lit("2024-02-15"))).alias("as_of")
    limit = F.when((F.col("as_of") > "2024-02") & (F.col("id") % 2 == 0), 500).otherwise(100)
    rows = cards.select("*", F.col("id").alias("card_id"), months).withColumn("credit_limit", limit)
    image = REFERENCES["cards"].image
    values = columns_or_null(rows, {**image, "as_of": "string"})
    return values.select(*image, F.lit("I").alias("op"), _order(F.col("as_of")).alias("row_order"))
