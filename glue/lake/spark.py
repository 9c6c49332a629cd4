"""How the layers use Spark: the session of a job, rows that are computed once, files and tasks of a good size."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from typing import Any, TypeVar

from py4j.protocol import Py4JError
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

ROWS_A_PARTITION = 250_000  # about 50 MB of rows with their images and orders
ROWS_A_BLOCK = 1_000_000  # of a file, as Spark cuts CSV
HASHES_A_PARTITION = 32  # so many that one leads to each of thousands of partitions
SCAN_BYTES = 64 << 20  # a file of a first load has 30 to 40 MB; half of Spark's own setting
BROADCAST_KEYS = 1_000_000  # some 100 MB of hash table
ALWAYS = {"spark.sql.session.timeZone": "UTC", "spark.sql.ansi.enabled": "false"}
LOOKED_UP_ONCE = {"functions": ("col", "lit", "when", "coalesce"), "PythonUtils": ("toSeq",), "org": (), "py4j": ()}
"""Names of the JVM that PySpark asks for with each column, and members of these."""
Result = TypeVar("Result")


def session(name: str, settings: Mapping[str, str]) -> SparkSession:
    """Return the session of a job, with the settings that its layer needs."""
    builder = SparkSession.builder.appName(name)
    for setting, value in {**ALWAYS, **settings}.items():
        builder = builder.config(setting, value)
    made = builder.getOrCreate()
    _remember_names(jvm(made))
    return made


def jvm(spark: SparkSession) -> Any:
    """Return the JVM behind a session."""
    return spark._jvm


def is_at_work(spark: SparkSession) -> bool:
    """Tell whether a session can still do anything: its JVM may have been killed, or its context stopped."""
    try:
        return not spark.sparkContext._jsc.sc().isStopped()
    except (Py4JError, OSError):
        return False


def _remember_names(view: Any) -> None:
    """Keep what py4j would else ask for anew each time; the JVM seeks a name in the jars of every imported package."""
    for name, members in LOOKED_UP_ONCE.items():
        setattr(view, name, found := getattr(view, name))
        for member in members:
            setattr(found, member, getattr(found, member))


def in_parallel(tasks: Mapping[str, Callable[[], Result]]) -> dict[str, Result]:
    """Return the results of independent tasks, carried out side by side; the first error is raised.

    For small ones the driver mostly plans, and waits for storage.
    """
    with ThreadPoolExecutor(4) as pool:
        begun = {name: pool.submit(task) for name, task in tasks.items()}
        return {name: task.result() for name, task in begun.items()}


def checkpointed(rows: DataFrame) -> DataFrame:
    """Return rows that are computed once, by the first use; later plans begin at the result and stay small.

    They are kept as bytes: a large run has more rows than memory holds as objects.
    """
    kept = rows.localCheckpoint(eager=False)
    levels = jvm(rows.sparkSession).org.apache.spark.storage.StorageLevel
    kept._jdf.logicalPlan().rdd().persist(levels.MEMORY_AND_DISK_SER())
    return kept


def once(value: Column, function: Callable[[Column], Column]) -> Column:
    """Return what a function makes of a value that it names several times: Spark would compute it at each place."""
    return F.transform(F.array(value), function)[0]


def united(parts: Sequence[DataFrame]) -> DataFrame:
    """Return the rows of all parts, computed once if there are several: what follows is planned and compiled once."""
    return parts[0] if len(parts) == 1 else checkpointed(reduce(DataFrame.unionByName, parts))


def forget(spark: SparkSession) -> None:
    """Free the memory and the disk of what earlier runs of this process have computed."""
    for kept in spark.sparkContext._jsc.getPersistentRDDs().values():
        kept.unpersist()


def broadcast_if_small(keys: DataFrame, most: int) -> DataFrame:
    """Return at most `most` keys, to be joined by a lookup in each task if they are few."""
    return F.broadcast(keys) if most <= BROADCAST_KEYS else keys


def laid_out(rows: DataFrame, count: int, *by: str) -> DataFrame:
    """Return about `count` rows as files shall hold them: few in one; many by an order over all files, if one is given.

    Within a file the table's own order rules.
    """
    if count <= ROWS_A_PARTITION:
        return rows.coalesce(1)
    return rows.orderBy(*by) if by else rows


def partitions_for(rows: int, cores: int) -> int:
    """Return into how many partitions rows are brought: few for an increment, for more whole rounds of the cores."""
    wanted = 2 + rows // ROWS_A_PARTITION
    return wanted if wanted <= cores else -(-wanted // cores) * cores


def size_shuffles(spark: SparkSession, rows: int) -> None:
    """Set the shuffle partitions by the rows of a run: each costs a task, and its rows must fit into one's memory."""
    partitions = partitions_for(rows, spark.sparkContext.defaultParallelism)
    spark.conf.set("spark.sql.shuffle.partitions", str(partitions))


def in_partitions(rows: DataFrame, count: int, number: Column) -> DataFrame:
    """Return rows in `count` partitions, each row in the one that `number` says, from 0.

    Spark places a row by a hash: of each partition's number stands an integer whose hash leads there.
    """
    drawn = rows.sparkSession.range(HASHES_A_PARTITION * count)
    leading = drawn.groupBy(F.pmod(F.hash("id"), F.lit(count)).alias("to")).agg(F.min("id").alias("id")).collect()
    found = {row["to"]: row["id"] for row in leading}
    numbers = F.array(*[F.lit(found.get(to, 0)).cast("bigint") for to in range(count)])
    return rows.repartition(count, F.get(numbers, number))


def size_scans(spark: SparkSession) -> None:
    """Let each task read one of a table's usual files: the last one of a few long tasks leaves cores idle.

    To be called once the run's input is read, whose tasks each become a file of the tables.
    """
    spark.conf.set("spark.sql.files.maxPartitionBytes", str(SCAN_BYTES))


def local_rows(spark: SparkSession, rows: Sequence[Mapping[str, object]], schema: str) -> DataFrame:
    """Return a few rows of the driver as a DataFrame that Spark can broadcast without a Python worker."""
    rows_of = T.ArrayType(T._parse_datatype_string(schema))
    return spark.range(1).select(F.inline(F.from_json(F.lit(json.dumps(rows)), rows_of)))
