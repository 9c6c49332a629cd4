"""Silver as demos make it: read all files of Bronze, keep the newest row of each key, overwrite the whole table."""

import argparse
import json
from datetime import UTC, datetime

from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

TABLE = "overwritten_transactions"


def step(name: str) -> None:
    print(json.dumps({"layer": "silver", "step": name, "at": datetime.now(UTC).isoformat()}), flush=True)


def main(given: argparse.Namespace) -> None:
    spark = SparkSession.builder.appName("overwrite silver").getOrCreate()
    step("started")
    texts = spark.read.csv(f"s3://{given.bronze_bucket}/transactions/", header=True, escape='"', inferSchema=False)
    rows = texts.select(
        F.col("id").cast("bigint").alias("dms_id"),
        F.col("date").cast("timestamp").alias("transacted_at"),
        F.regexp_replace("amount", r"[$,]", "").cast("decimal(18,2)").alias("amount"),
        F.lower(F.substring_index("use_chip", " ", 1)).alias("channel"),
        *[F.col(name).cast("bigint").alias(name) for name in ("client_id", "card_id", "merchant_id")],
        "merchant_city",
        "merchant_state",
        F.lpad(F.regexp_replace("zip", r"\.0$", ""), 5, "0").alias("zip"),
        F.lpad("mcc", 4, "0").alias("mcc"),
        F.split("errors", ",").alias("errors"),
        F.col("_metadata.file_modification_time").alias("changed_at"),
    )
    newest = Window.partitionBy("dms_id").orderBy(F.col("changed_at").desc())
    state = rows.withColumn("place", F.row_number().over(newest)).where("place = 1").drop("place", "changed_at")
    name = f"glue_catalog.{given.silver_database}.{TABLE}"
    state.sortWithinPartitions("dms_id").writeTo(name).using("iceberg").createOrReplace()
    step("published")
    spark.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bronze_bucket")
    parser.add_argument("--silver_database")
    main(parser.parse_known_args()[0])
