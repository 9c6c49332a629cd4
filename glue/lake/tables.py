"""Tables as the layers describe them: their types, their columns, and how rows are brought into their form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import partial

from contract.descriptions import column_description
from contract.sql_types import TOTAL
from contract.tables import LakeTable
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from glue.lake.positions import loaded_table
from glue.lake.spark import in_parallel, jvm

CATALOG = "glue_catalog"
PROPERTIES = {
    "write.delete.mode": "merge-on-read",
    "write.update.mode": "merge-on-read",
    "write.merge.mode": "merge-on-read",
    "write.parquet.compression-codec": "zstd",
    # One delete file a commit. By data file, each commit would write the deletes of earlier ones again.
    "write.delete.granularity": "partition",
    # Each commit writes a metadata file; of the earlier ones, those of the last 100 commits stay.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
}


def columns(schema: Mapping[str, str]) -> str:
    """Return a schema as the column list of a CREATE TABLE."""
    return ", ".join(f"{name} {kind}" for name, kind in schema.items())


def conform(rows: DataFrame, schema: Mapping[str, str]) -> DataFrame:
    """Select exactly the schema's columns, cast to its types: the contract on leaving a step."""
    return rows.select(*[F.col(name).cast(kind).alias(name) for name, kind in schema.items()])


def columns_or_null(rows: DataFrame, schema: Mapping[str, str]) -> DataFrame:
    """Select the schema's columns, cast to its types; those that the rows lack are null."""
    values = {name: F.col(name) if name in rows.columns else F.lit(None) for name in schema}
    return rows.select(*[values[name].cast(kind).alias(name) for name, kind in schema.items()])


def create_tables(
    spark: SparkSession, database: str, tables: Mapping[str, LakeTable], *, row_group_bytes: int = 128 << 20
) -> None:
    """Create the tables that do not exist yet; give the others the columns and properties that have come since.

    Columns are null in old rows. A reader passes over row groups that cannot hold what it looks for. Their bytes are
    those of compressed pages, and of the last pages, of up to 20,000 rows, as they are.
    """
    existing = {row.tableName for row in spark.sql(f"SHOW TABLES IN {CATALOG}.{database}").collect()}
    in_parallel({name: partial(_bring_up, spark, database, tables[name]) for name in tables if name in existing})
    properties = PROPERTIES | {"write.parquet.row-group-size-bytes": str(row_group_bytes)}
    for table in tables.values():
        if table.name in existing:
            continue
        name = f"{CATALOG}.{database}.{table.name}"
        spark.sql(
            f"CREATE TABLE IF NOT EXISTS {name} ({_described(table)}) USING iceberg {table.partitioning} "
            f"COMMENT {_quoted(table.description)} TBLPROPERTIES ('format-version'='2', {_sql(properties)})"
        )
        if table.sort_order:
            spark.sql(f"ALTER TABLE {name} WRITE LOCALLY ORDERED BY {table.sort_order}")


def _described(table: LakeTable) -> str:
    """Return the columns as a CREATE TABLE lists them, each with what it means."""
    told = {name: _quoted(column_description(name)) for name in table.schema}
    return ", ".join(f"{name} {kind} COMMENT {told[name]}" for name, kind in table.schema.items())


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _sql(properties: Mapping[str, str]) -> str:
    return ", ".join(f"'{name}'={_quoted(value)}" for name, value in properties.items())


def _bring_up(spark: SparkSession, database: str, table: LakeTable) -> None:
    """Add the columns and properties that a table lacks; Iceberg writes its metadata alone, no file and no snapshot."""
    name, wanted = f"{CATALOG}.{database}.{table.name}", T._parse_datatype_string(table.column_list)
    added = [f"{path} {sql_type}" for path, sql_type in missing_columns(spark.table(name).schema, wanted)]
    if added:
        spark.sql(f"ALTER TABLE {name} ADD COLUMNS ({', '.join(added)})")
    properties = PROPERTIES | {"comment": table.description}
    today = jvm(spark).java.util.HashMap(properties)
    if not loaded_table(spark, name).properties().entrySet().containsAll(today.entrySet()):
        spark.sql(f"ALTER TABLE {name} SET TBLPROPERTIES ({_sql(properties)})")
    _describe(spark, name, table)


def _describe(spark: SparkSession, name: str, table: LakeTable) -> None:
    """Say of each column what it means, in one commit of the metadata alone, where that is not what the table says."""
    iceberg = loaded_table(spark, name)
    held = {str(column.name()): column.doc() for column in iceberg.schema().columns()}
    wanted = {column: column_description(column) for column in table.schema}
    update = iceberg.updateSchema()
    for column, said in wanted.items():
        if held[column] != said:
            update = update.updateColumnDoc(column, said)
    if any(held[column] != said for column, said in wanted.items()):
        update.commit()


def missing_columns(held: T.DataType, wanted: T.DataType, within: str = "") -> Iterator[tuple[str, str]]:
    """Yield name and type of the columns that a table lacks; those within a struct have its name before theirs."""
    if isinstance(held, T.StructType) and isinstance(wanted, T.StructType):
        for column in wanted.fields:
            path = f"{within}{column.name}"
            if column.name not in held.names:
                yield path, column.dataType.simpleString()
            else:
                yield from missing_columns(held[column.name].dataType, column.dataType, f"{path}.")


def widened(rows: DataFrame, wanted: T.StructType) -> DataFrame:
    """Return rows with the columns and fields that they lack, null: those of a snapshot from before these came."""
    for path, sql_type in missing_columns(rows.schema, wanted):
        column, _, within = path.partition(".")
        nothing = F.lit(None).cast(sql_type)
        rows = rows.withColumn(column, F.col(column).withField(within, nothing) if within else nothing)
    return rows.select(*wanted.names)


def total(amount: str) -> Column:
    """Return the exact sum of a money column, 0 for no rows."""
    return F.coalesce(F.sum(F.col(amount).cast(TOTAL)), F.lit(Decimal(0))).cast(TOTAL)


def cents(amount: Decimal | None) -> str:
    """Return an exact amount as the ledger writes it: text with two decimals."""
    return f"{(amount or Decimal(0)).quantize(Decimal('0.01'))}"
