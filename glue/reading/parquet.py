"""Reads Parquet files as text, value by value, so that one set of rules serves all kinds of files.

The text forms are those of section 3.3 of `docs/data-contract.md`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from contract.items import FileItem
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from glue.lake.spark import jvm, local_rows
from glue.reading.origin import ORIGIN, origin_of, origin_schema, texts_of
from glue.reading.staging import Staging
from glue.reading.texts import with_texts


def parquet_text(name: str, field: T.StructField) -> Column:
    """Return a Parquet column, `name` in the contract, in the text form of the contract."""
    value = F.col(f"`{field.name}`")
    kind = field.dataType
    if isinstance(kind, T.DecimalType):
        return plain_decimal(value, kind)
    if isinstance(kind, T.DoubleType | T.FloatType):
        whole = (value == F.floor(value)) & (value >= -(2.0**63)) & (value < 2.0**63)
        return F.when(whole, value.cast("bigint").cast("string")).otherwise(value.cast("string"))
    if isinstance(kind, T.ArrayType):
        return F.concat_ws(",", value)
    if isinstance(kind, T.LongType) and name in ("date", "commit_at"):
        # Spark 3.5 reads nanoseconds as plain numbers (nanosAsLong); other integers were rejected before.
        return F.timestamp_micros(
            ((value - F.pmod(value, F.lit(1000))) / 1000).cast("decimal(20,0)").cast("bigint")
        ).cast("string")
    return value.cast("string")


def plain_decimal(value: Column, kind: T.DecimalType) -> Column:
    """Return a decimal as digits at its full scale; Spark's cast writes small values of large scales with exponents."""
    if kind.scale <= 6:
        return value.cast("string")
    return F.regexp_replace(F.format_number(value, kind.scale), ",", "")


def known_places(file: FileItem) -> dict[str, int]:
    """Return where a file has the columns that are read of it."""
    names = texts_of(file)
    return {name: place for name, place in file["format"]["places"].items() if name in names}


def parquet_fields(spark: SparkSession, path: str, places: Iterable[int]) -> T.StructType:
    """Return the columns at these places of a Parquet file as Spark reads them, by its own rules.

    What Spark infers by itself is the schema of the whole file: it refuses a file for a column that nobody reads.
    """
    parquet, state = jvm(spark).org.apache.parquet, spark._jsparkSession.sessionState()
    source = jvm(spark).org.apache.hadoop.fs.Path(path)
    file = parquet.hadoop.util.HadoopInputFile.fromPath(source, state.newHadoopConf())
    reader = parquet.hadoop.ParquetFileReader.open(file)
    try:
        whole = reader.getFileMetaData().getSchema()
    finally:
        reader.close()
    kept = jvm(spark).java.util.ArrayList()
    for place in places:
        kept.add(whole.getType(place))
    datasources = jvm(spark).org.apache.spark.sql.execution.datasources
    converter = datasources.parquet.ParquetToSparkSchemaConverter(state.conf())
    fields = converter.convert(parquet.schema.MessageType("known", kept))
    return T.StructType.fromJson(json.loads(fields.json()))


def read_parquet(spark: SparkSession, files: Sequence[FileItem], staging: Staging) -> DataFrame:
    """Return the rows of Parquet files that all have the same columns and types, in the form of `read_csv`."""
    names, places = texts_of(files[0]), known_places(files[0])
    fields = parquet_fields(spark, staging.path(files[0]), places.values())
    source = spark.read.schema(fields).parquet(*[staging.path(file) for file in files])
    found = dict(zip(places, fields, strict=True))
    texts = {name: parquet_text(name, found[name]) for name in names if name in places}
    written = [name for name in texts if isinstance(found[name].dataType, T.StringType)]
    raw = F.to_json(F.struct(*[text.alias(name) for name, text in texts.items()]), {"ignoreNullFields": "false"})
    rows = source.select(
        F.col("_metadata.file_name").alias("file_name"),
        (F.col("_metadata.row_index") + 1).alias("row"),
        raw.alias("raw"),
        F.struct(*[texts.get(name, F.lit(None).cast("string")).alias(name) for name in names]).alias("values"),
    )
    values = {name: F.col("values")[name] for name in names}
    origins = local_rows(spark, [origin_of(file, staging, names) for file in files], origin_schema(names))
    return (
        rows.join(F.broadcast(origins), on="file_name", how="inner")
        .transform(with_texts, values, files, written=written)
        .select(
            *ORIGIN,
            "row",
            F.lit(None).cast("bigint").alias("line"),
            "raw",
            F.lit(None).cast("string").alias("broken"),
            *names,
        )
    )
