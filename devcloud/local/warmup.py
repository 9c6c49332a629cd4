"""Runs a tiny job through Spark, Iceberg, S3 and the catalog: a JVM then has loaded and compiled what jobs need.

Started by the local cloud as any Glue script is, in a bucket and a database of its own that are gone afterwards.
"""

from __future__ import annotations

import contextlib
import os

import boto3
from pyspark.sql import SparkSession

NAME = f"assay-warm-up-{os.getpid()}"
DATABASE = NAME.replace("-", "_")
TABLE = f"glue_catalog.{DATABASE}.t"


def exercise(spark: SparkSession) -> None:
    properties = "'format-version'='2', 'write.merge.mode'='merge-on-read'"
    spark.sql(f"CREATE TABLE {TABLE} (id bigint, amount decimal(18,2), at timestamp) USING iceberg "
              f"LOCATION 's3://{NAME}/t' TBLPROPERTIES ({properties})")  # fmt: skip
    rows = "id, cast(id as decimal(18,2)) AS amount, timestamp '2020-01-01' AS at"
    spark.range(100).selectExpr(*rows.split(", ")).writeTo(TABLE).append()
    spark.sql(f"ALTER TABLE {TABLE} CREATE BRANCH b")
    spark.read.text(f"s3://{NAME}/in/").selectExpr("from_csv(value, 'id bigint, amount decimal(18,2)') AS r") \
        .selectExpr("r.id", "r.amount", "timestamp '2020-01-02' AS at").createOrReplaceTempView("changes")  # fmt: skip
    spark.sql(f"MERGE INTO {TABLE}.branch_b t USING changes s ON t.id = s.id "
              "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *")  # fmt: skip
    spark.sql(f"CALL glue_catalog.system.fast_forward('{DATABASE}.t', 'main', 'b')")
    spark.sql(f"SELECT date(at), count(*), sum(amount) FROM {TABLE} GROUP BY 1").collect()  # noqa: S608


def main() -> None:
    bucket, glue = boto3.resource("s3").Bucket(NAME), boto3.client("glue")
    bucket.create()
    bucket.put_object(Key="in/changes.csv", Body="\n".join(f"{key},{key}.50" for key in range(50, 150)).encode())
    glue.create_database(DatabaseInput={"Name": DATABASE})
    spark = SparkSession.builder.getOrCreate()
    try:
        exercise(spark)
    finally:
        spark.stop()
        with contextlib.suppress(glue.exceptions.EntityNotFoundException):
            glue.delete_table(DatabaseName=DATABASE, Name="t")
        glue.delete_database(Name=DATABASE)
        bucket.objects.delete()
        bucket.delete()


if __name__ == "__main__":
    main()
