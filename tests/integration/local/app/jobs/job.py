"""Merges one row into an Iceberg table; `key` says what else to do."""

import argparse
import os

import boto3
from pyspark.sql import SparkSession

TABLE = "glue_catalog.small.keys"


def main():
    parser = argparse.ArgumentParser()
    for name in ("JOB_NAME", "key", "ledger", "mode", "greeting"):
        parser.add_argument(f"--{name}", default="")
    arguments, unknown = parser.parse_known_args()
    print("greeting", arguments.greeting, "mode", arguments.mode, "unknown", unknown)
    spark = SparkSession.builder.getOrCreate()
    if "break" in arguments.key:
        raise ValueError(f"cannot read {arguments.key}")
    if "die" in arguments.key:
        os._exit(3)
    properties = "'format-version'='2', 'write.merge.mode'='merge-on-read'"
    spark.sql(
        f"CREATE TABLE IF NOT EXISTS {TABLE} (key string, runs bigint) USING iceberg TBLPROPERTIES ({properties})"
    )
    spark.createDataFrame([(arguments.key, 1)], "key string, runs bigint").createOrReplaceTempView("new")
    spark.sql(
        f"MERGE INTO {TABLE} t USING new s ON t.key = s.key "
        "WHEN MATCHED THEN UPDATE SET runs = t.runs + 1 WHEN NOT MATCHED THEN INSERT *"
    )
    rows = spark.table(TABLE).count()
    update = "SET #rows = :rows, #mode = :mode"
    boto3.resource("dynamodb").Table(arguments.ledger).update_item(
        Key={"id": "job"},
        UpdateExpression=update,
        ExpressionAttributeNames={"#rows": "rows", "#mode": "mode"},
        ExpressionAttributeValues={":rows": rows, ":mode": arguments.mode},
    )
    spark.stop()


if __name__ == "__main__":
    main()
