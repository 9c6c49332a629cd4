"""The least that a first load can cost: Spark reads the CSV files of Bronze and writes them as plain Parquet."""

import argparse
import json
from datetime import UTC, datetime

from pyspark.sql import SparkSession


def step(name: str) -> None:
    print(json.dumps({"layer": "plain", "step": name, "at": datetime.now(UTC).isoformat()}), flush=True)


def main(given: argparse.Namespace) -> None:
    spark = SparkSession.builder.appName("plain").getOrCreate()
    step("started")
    rows = spark.read.csv(f"s3://{given.bronze_bucket}/transactions/", header=True, escape='"', inferSchema=False)
    rows.write.mode("overwrite").parquet(f"s3://{given.lake_bucket}/plain/")
    step("published")
    spark.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bronze_bucket")
    parser.add_argument("--lake_bucket")
    main(parser.parse_known_args()[0])
