"""Ways past Iceberg's public SQL, through its own Java API, where SQL costs a job or reads too much.

Each has a twin in plain SQL that the tests hold it to: `tests/integration/glue/test_positions.py`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from glue.lake.spark import broadcast_if_small, jvm, laid_out

POSITION_DELETES = "file_path string, pos bigint"
PLACE = f"struct<{POSITION_DELETES}>"
DELETES_BY_DRIVER = 1_000  # 0.2 s
FIELD_IDS = {"file_path": 2147483546, "pos": 2147483545}  # reserved by Iceberg's specification


def loaded_table(spark: SparkSession, name: str) -> Any:
    """Return a table as Iceberg's Java API has it, at the state at which this session has loaded it."""
    return jvm(spark).org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, name)


def iceberg_table(spark: SparkSession, name: str) -> Any:
    """Return a table as Iceberg's Java API has it, at its newest state: a request to the catalog."""
    iceberg = loaded_table(spark, name)
    iceberg.refresh()
    return iceberg


def place_of_row() -> Column:
    """Return the place of a row that Iceberg has read."""
    return F.struct(F.col("_file").alias("file_path"), F.col("_pos").alias("pos")).alias("place")


def ancestry(iceberg: Any, snapshot: Any) -> Iterator[Any]:
    """Yield a snapshot and those before it, as far as they have not expired; none for a table without snapshots."""
    while snapshot is not None:
        yield snapshot
        snapshot = iceberg.snapshot(snapshot.parentId()) if snapshot.parentId() is not None else None


def planned_files(scan: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the data files of a scan, and their files of position deletes, as Iceberg describes them, by path."""
    planned = scan.planFiles()
    tasks = planned.iterator()
    files: dict[str, Any] = {}
    deletes: dict[str, Any] = {}
    while tasks.hasNext():
        task = tasks.next()
        files[str(task.file().location())] = task.file()
        deletes |= {str(delete.location()): delete for delete in task.deletes()}
    planned.close()
    return files, deletes


def read_files(spark: SparkSession, schema: str | StructType, paths: Iterable[str]) -> DataFrame:
    """Read files of a table without Iceberg, which counts days before 1582 as Spark does since version 3."""
    return spark.read.schema(schema).option("datetimeRebaseMode", "CORRECTED").parquet(*paths)


def rows_of_keys(
    spark: SparkSession,
    iceberg: Any,
    name: str,
    keys: DataFrame,
    names: Iterable[str],
    *,
    between: tuple[int, int],
    most: int,
) -> DataFrame:
    """Return columns of a table's rows under the keys of another one, and the `place` of each row.

    `keys` has one column and at most `most` rows, in a range. Iceberg reads structs and lists row by row, and keys may
    lie in all files. So it only tells which files may hold the keys and which of their rows are dead; Spark's own
    reader, which takes columns, reads them. A MERGE would join all the table holds.
    """
    (key,), (low, high), as_seen = keys.columns, between, spark.table(name)
    files, deletes, is_wide = _files_between(spark, iceberg, key, low, high)
    if not files:
        return as_seen.where(F.lit(False)).select(*names, F.lit(None).cast(PLACE).alias("place"))
    rows = read_files(spark, as_seen.schema, files)
    if not is_wide:
        # A reader passes over pages by the range. But its limits stand in the code that Spark generates, and a
        # loop that is new with each run has read millions of rows before the JVM has compiled it.
        rows = rows.where(F.col(key).between(low, high))
    places = {"file_name": F.col("_metadata.file_name"), "pos": F.col("_metadata.row_index")}
    found = rows.withColumns(places).join(broadcast_if_small(keys, most), on=key, how="left_semi")
    if deletes:
        dead = read_files(spark, POSITION_DELETES, deletes)
        dead = dead.select(F.substring_index("file_path", "/", -1).alias("file_name"), "pos")
        found = found.join(dead, on=["file_name", "pos"], how="left_anti")
    # One literal: two for each file would be as many calls of the JVM.
    paths = json.dumps({path.rpartition("/")[2]: path for path in files})
    path_of = F.from_json(F.lit(paths), "map<string, string>")
    place = F.struct(path_of[F.col("file_name")].alias("file_path"), "pos")
    return found.select(*names, place.alias("place"))


def _files_between(
    spark: SparkSession, iceberg: Any, key: str, low: int, high: int
) -> tuple[list[str], dict[str, Any], bool]:
    """Return the published data files that may hold keys of a range, and their files of deletes by path.

    The third part tells whether most of the rows are in files all of whose keys lie in the range.
    """
    expressions = jvm(spark).org.apache.iceberg.expressions
    within = getattr(expressions.Expressions, "and")(
        expressions.Expressions.greaterThanOrEqual(key, low), expressions.Expressions.lessThanOrEqual(key, high)
    )
    files, deletes = planned_files(iceberg.newScan().filter(within).includeColumnStats([key]))
    lies_within = expressions.StrictMetricsEvaluator(iceberg.schema(), within)
    rows = {path: file.recordCount() for path, file in files.items()}
    rows_within = sum(rows[path] for path, file in files.items() if lies_within.eval(file))
    return list(files), deletes, 2 * rows_within > sum(rows.values())


def start_branch(spark: SparkSession, iceberg: Any, branch: str) -> int | None:
    """Start a branch at the state of a table that a transaction holds; return the snapshot there, if there is one.

    A transaction refuses `ManageSnapshots`, and a write by Spark wants a branch that is there.
    """
    if (main := iceberg.currentSnapshot()) is None:
        iceberg.newFastAppend().toBranch(branch).commit()
        return None
    packages, operations = jvm(spark).org.apache.iceberg, iceberg.operations()
    reference = packages.SnapshotRef.branchBuilder(main.snapshotId()).build()
    before = operations.current()
    operations.commit(before, packages.TableMetadata.buildFrom(before).setRef(branch, reference).build())
    return int(main.snapshotId())


def append_rows(spark: SparkSession, iceberg: Any, rows: DataFrame, *, branch: str) -> None:
    """Append rows to a branch of a table that a transaction holds, which no identifier of SQL names."""
    plans = jvm(spark).org.apache.spark.sql.catalyst.plans.logical
    _carry_out(spark, plans.AppendData.byName(*_write(spark, iceberg, rows, branch), _options(spark)))


def replace_rows(spark: SparkSession, iceberg: Any, rows: DataFrame, *, branch: str) -> None:
    """Put rows in the place of all on a branch of a table that a transaction holds."""
    sql = jvm(spark).org.apache.spark.sql.catalyst
    every, plan = sql.expressions.Literal.TrueLiteral(), sql.plans.logical.OverwriteByExpression
    _carry_out(spark, plan.byName(*_write(spark, iceberg, rows, branch), every, _options(spark)))


def _write(spark: SparkSession, iceberg: Any, rows: DataFrame, branch: str) -> tuple[Any, Any]:
    """Return the branch as the target of a plan that writes, and the plan of the rows."""
    table = jvm(spark).org.apache.iceberg.spark.source.SparkTable(iceberg, branch, False)
    nothing = getattr(jvm(spark).scala, "None$").__getattr__("MODULE$")
    relation = jvm(spark).org.apache.spark.sql.execution.datasources.v2.DataSourceV2Relation
    return relation.create(table, nothing, nothing), rows._jdf.logicalPlan()


def _options(spark: SparkSession) -> Any:
    """Have each task write files of its own, as the rows come: to bring partitions together takes a catalog."""
    return jvm(spark).PythonUtils.toScalaMap({"distribution-mode": "none", "fanout-enabled": "true"})


def _carry_out(spark: SparkSession, plan: Any) -> None:
    jvm(spark).org.apache.spark.sql.Dataset.ofRows(spark._jsparkSession, plan)


def delete_rows(spark: SparkSession, iceberg: Any, places: DataFrame, count: int, *, branch: str) -> None:
    """Delete the rows at these `count` places (`file_path, pos`) from a branch.

    A MERGE would look for the rows a second time, and one that also inserts sorts all that the table holds.
    """
    few = count <= DELETES_BY_DRIVER
    files = [put_few_deletes(spark, iceberg, places)] if few else put_deletes(spark, iceberg, laid_out(places, count))
    delta = iceberg.newRowDelta().toBranch(branch)
    for file in files:
        delta = delta.addDeletes(file)
    delta.commit()


def put_few_deletes(spark: SparkSession, iceberg: Any, places: DataFrame) -> Any:
    """Write position deletes from the driver, row by row; return the file as Iceberg describes it.

    It is one request to S3. What Spark writes goes by way of folders that are listed, renamed and removed: some 35.
    """
    packages = jvm(spark).org.apache.iceberg
    parquet, factory = packages.FileFormat.PARQUET, packages.data.GenericAppenderFactory(iceberg.schema())
    factory.setAll(iceberg.properties())
    target = packages.io.OutputFileFactory.builderFor(iceberg, 0, 0).format(parquet).build().newOutputFile()
    writer, delete = factory.newPosDeleteWriter(target, parquet, None), packages.deletes.PositionDelete.create()
    for path, position in sorted(tuple(row) for row in places.select("file_path", "pos").collect()):
        writer.write(delete.set(path, position, None))
    writer.close()
    return writer.toDeleteFile()


def put_deletes(spark: SparkSession, iceberg: Any, places: DataFrame) -> list[Any]:
    """Write position deletes, a file for each partition; return the files as Iceberg describes them."""
    with_ids = [F.col(name).alias(name, metadata={"parquet.field.id": number}) for name, number in FIELD_IDS.items()]
    folder = f"{iceberg.location()}/data/deletes-{uuid.uuid4().hex}/"
    ordered = places.sortWithinPartitions("file_path", "pos").select(*with_ids)
    # Nobody knows of the folder yet, so its files need no second renaming.
    committer = {"marksuccessfuljobs": "false", "algorithm.version": "2"}
    settings = {f"mapreduce.fileoutputcommitter.{name}": value for name, value in committer.items()}
    ordered.write.options(**settings).parquet(folder)
    return _described_deletes(spark, iceberg, folder)


def _described_deletes(spark: SparkSession, iceberg: Any, folder: str) -> list[Any]:
    """Return the files of position deletes in a folder as Iceberg describes them."""
    packages, described = jvm(spark).org.apache.iceberg, []
    config = packages.MetricsConfig.forPositionDelete(iceberg)
    found = iceberg.io().listPrefix(folder).iterator()
    while found.hasNext():
        listed = found.next()
        if not listed.location().endswith(".parquet"):
            continue
        written = iceberg.io().newInputFile(listed.location(), listed.size())
        metrics = packages.parquet.ParquetUtil.fileMetrics(written, config)
        if metrics.recordCount():
            file = packages.FileMetadata.deleteFileBuilder(iceberg.spec()).ofPositionDeletes()
            file = file.withPath(listed.location()).withFormat("parquet").withFileSizeInBytes(listed.size())
            described.append(file.withMetrics(metrics).build())
    return described


def delete_files(spark: SparkSession, iceberg: Any) -> dict[str, Any]:
    """Return all delete files of a table by path; a scan does not name those whose data files are gone."""
    manifests = jvm(spark).org.apache.iceberg.ManifestFiles
    found: dict[str, Any] = {}
    for manifest in iceberg.currentSnapshot().deleteManifests(iceberg.io()):
        reader = manifests.readDeleteManifest(manifest, iceberg.io(), iceberg.specs())
        entries = reader.iterator()
        while entries.hasNext():
            delete = entries.next().copyWithoutStats()
            found[str(delete.location())] = delete
        reader.close()
    return found


def merge_deletes(spark: SparkSession, iceberg: Any) -> None:
    """Put one file with the deletes of present data files in the place of all delete files of a table.

    Iceberg 1.10 has `rewrite_position_delete_files` for this, but for a table with a list among its columns that fails
    ("Invalid partition field parent"): it takes the list's elements for a partition field. Until it does not.
    """
    deletes = delete_files(spark, iceberg)
    if not deletes:
        return
    files, _ = planned_files(iceberg.newScan())
    living = read_files(spark, POSITION_DELETES, deletes).where(F.col("file_path").isin(list(files)))
    rewrite = iceberg.newRewrite().validateFromSnapshot(iceberg.currentSnapshot().snapshotId())
    for delete in deletes.values():
        rewrite.deleteFile(delete)
    for file in put_deletes(spark, iceberg, living.coalesce(1)):
        rewrite.addFile(file)
    rewrite.commit()
