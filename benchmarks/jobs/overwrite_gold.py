"""Gold as demos make it: read all of Silver, make every dimension, fact and aggregate anew, overwrite them."""

import argparse
import json
from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

DIMENSIONS = {
    "channel": ["channel"],
    "location": ["merchant_city", "merchant_state", "zip"],
    "merchant": ["merchant_id"],
    "mcc": ["mcc"],
    "card": ["card_id"],
    "client": ["client_id"],
}


def step(name: str, **facts: object) -> None:
    print(json.dumps({"layer": "gold", "step": name, "at": datetime.now(UTC).isoformat(), **facts}), flush=True)


def key(name: str) -> Column:
    return F.xxhash64(F.lit(name), *[F.coalesce(F.col(each).cast("string"), F.lit("")) for each in DIMENSIONS[name]])


def tables(silver: DataFrame) -> dict[str, DataFrame]:
    """Return all tables of the star, from all rows of Silver."""
    day = F.to_date("transacted_at")
    fact = silver.select(
        "dms_id",
        "transacted_at",
        day.alias("transacted_on"),
        F.date_format(day, "yyyyMMdd").cast("int").alias("date_key"),
        *[key(name).alias(f"{name}_key") for name in DIMENSIONS],
        "card_id",
        "client_id",
        "amount",
        F.col("errors").isNotNull().alias("has_error"),
    )
    month = F.date_trunc("MONTH", "transacted_at").cast("date").alias("month")
    sums = [F.count("*").alias("row_count"), F.sum("amount").alias("total_amount")]
    return {
        "dim_date": silver.select(day.alias("date")).distinct(),
        **{
            f"dim_{name}": silver.select(key(name).alias(f"{name}_key"), *natural).distinct()
            for name, natural in DIMENSIONS.items()
        },
        "fact_transactions": fact.sortWithinPartitions("transacted_on", "dms_id"),
        "daily_totals": silver.groupBy(day.alias("transacted_on"), "channel").agg(*sums),
        "monthly_merchant_totals": silver.groupBy(month, "merchant_id").agg(*sums),
        "monthly_client_totals": silver.groupBy(month, "client_id").agg(*sums),
    }


def main(given: argparse.Namespace) -> None:
    spark = SparkSession.builder.appName("overwrite gold").getOrCreate()
    step("started")
    silver = spark.table(f"glue_catalog.{given.silver_database}.overwritten_transactions")
    for name, rows in tables(silver).items():
        rows.writeTo(f"glue_catalog.{given.gold_database}.overwritten_{name}").using("iceberg").createOrReplace()
        step("table_written", table=name)
    step("published")
    spark.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--silver_database")
    parser.add_argument("--gold_database")
    main(parser.parse_known_args()[0])
