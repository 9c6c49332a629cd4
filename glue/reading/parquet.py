"""Reads Parquet files as text, value by value, so that one set of rules serves all kinds of files.

The text forms are those of section 3.3 of `docs/data-contract.md`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from contract.items import FileFormat, FileItem
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from glue.lake.spark import in_parallel, jvm, local_rows, united
from glue.reading.origin import ORIGIN, WRITING, origin_of, origin_schema, texts_of
from glue.reading.staging import Staging

AS_INT96 = ("timestamp[ns", "timestamp[us]")
"""How the KPI function calls INT96: it depends on the version of polars that has read the file."""


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
        return F.when(value.isNotNull(), F.concat_ws(",", value))
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


def footers(spark: SparkSession, files: Iterable[FileItem], staging: Staging) -> dict[str, T.StructType]:
    """Return the columns that are read of each file, as Spark has them, by the file's id."""
    reads = {
        file["file_id"]: partial(parquet_fields, spark, staging.path(file), known_places(file).values())
        for file in files
    }
    return in_parallel(reads)


def is_untold(shape: FileFormat) -> bool:
    """Tell whether only the footer tells all types: the ledger has one name for INT96 and for another type of instants.

    Of many columns it has the first types.
    """
    return "column_count" in shape or any(kind.startswith(AS_INT96) for kind in shape.get("types", []))


def shapes(
    spark: SparkSession, files: Sequence[FileItem], staging: Staging
) -> Iterator[tuple[list[FileItem], dict[str, T.StructField]]]:
    """Yield files that have the same columns and types, and the columns that are read of them, as Spark has them."""
    told = footers(spark, (file for file in files if is_untold(file["format"])), staging)
    found: dict[str, list[FileItem]] = {}
    for file in files:
        shape, file_id = file["format"], file["file_id"]
        footer = told[file_id].json() if file_id in told else None
        parts = [shape["columns"], shape.get("types"), shape["places"], footer]
        found.setdefault(json.dumps(parts, sort_keys=True), []).append(file)
    told |= footers(spark, (alike[0] for alike in found.values() if alike[0]["file_id"] not in told), staging)
    for alike in found.values():
        first = alike[0]
        yield alike, dict(zip(known_places(first), told[first["file_id"]], strict=True))


def read_shape(
    spark: SparkSession, paths: Sequence[str], found: Mapping[str, T.StructField], names: Sequence[str]
) -> DataFrame:
    """Return `file_name, row, raw` and the columns of these names, as text, of files that all have the same columns."""
    texts = {name: parquet_text(name, found[name]) for name in names if name in found}
    raw = F.to_json(F.struct(*[text.alias(name) for name, text in texts.items()]), {"ignoreNullFields": "false"})
    return (
        spark.read.schema(T.StructType(list(found.values())))
        .parquet(*paths)
        .select(
            F.col("_metadata.file_name").alias("file_name"),
            (F.col("_metadata.row_index") + 1).alias("row"),
            raw.alias("raw"),
            F.struct(*[texts.get(name, F.lit(None).cast("string")).alias(name) for name in names]).alias("values"),
        )
    )


def read_parquet(spark: SparkSession, files: Sequence[FileItem], staging: Staging) -> DataFrame:
    """Return the rows of Parquet files in the form of `read_csv`; each shape is a read of its own."""
    names = texts_of(files[0])
    parts, origins = [], []
    for alike, found in shapes(spark, files, staging):
        parts.append(read_shape(spark, [staging.path(file) for file in alike], found, names))
        typed = [name for name, field in found.items() if not isinstance(field.dataType, T.StringType)]
        origins += [origin_of(file, staging, names, typed) for file in alike]
    origin = F.broadcast(local_rows(spark, origins, origin_schema(names)))
    return (
        united(parts)
        .join(origin, on="file_name", how="inner")
        .select(
            *ORIGIN,
            *WRITING,
            "row",
            F.lit(None).cast("bigint").alias("line"),
            "raw",
            F.lit(None).cast("string").alias("broken"),
            *[F.col("values")[name].alias(name) for name in names],
        )
    )
