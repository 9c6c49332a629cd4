"""Reads an Iceberg table as DuckDB asks for it: only the files, row groups and columns that a statement needs."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.dataset as ds  # type: ignore[import-untyped]
from pyarrow.fs import LocalFileSystem  # type: ignore[import-untyped]
from pyiceberg.conversions import from_bytes
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan, pyarrow_to_schema, schema_to_pyarrow
from pyiceberg.manifest import DataFile
from pyiceberg.schema import index_by_name
from pyiceberg.table import DataScan, FileScanTask
from pyiceberg.types import (
    DateType,
    DecimalType,
    IntegerType,
    LongType,
    NestedField,
    StringType,
    TimestampType,
    TimestamptzType,
)

PARQUET = ds.ParquetFileFormat()
BOUNDED = (DateType, DecimalType, IntegerType, LongType, StringType, TimestampType, TimestamptzType)
"""Types whose values compare in Arrow as their bounds do in a manifest."""
BATCHES_AHEAD = 4
KEPT = "is kept"


class Rows:
    """What a scan gives DuckDB: rows, batch by batch."""

    def __init__(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        self._reader = pa.RecordBatchReader.from_batches(schema, batches)

    def to_reader(self) -> pa.RecordBatchReader:
        return self._reader


class SnapshotScan(ds.Dataset):  # type: ignore[misc]
    """The rows of one snapshot, deletes applied.

    DuckDB takes it for a dataset of Arrow's: it calls `scanner` with the columns that it needs, and with the conditions
    that it leaves to the scan. Manifests rule out files by their bounds, Parquet's statistics rule out row groups.
    """

    def __init__(self, scan: DataScan) -> None:
        self._scan = scan
        self._iceberg_schema = scan.projection()
        self._schema = schema_to_pyarrow(self._iceberg_schema, include_field_ids=False)
        self._deletes: dict[str, pa.Table] = {}

    @property
    def schema(self) -> pa.Schema:
        return self._schema

    def scanner(
        self,
        columns: Sequence[str] | None = None,
        filter: pc.Expression | None = None,  # noqa: A002  DuckDB names it so
        **_: Any,
    ) -> Rows:
        """Give the columns, all if none is named, of the rows that meet the filter."""
        asked = self._schema if columns is None else pa.schema([self._schema.field(name) for name in columns])
        condition = pc.scalar(True) if filter is None else filter
        tasks = self._tasks_that_may_hold(condition)
        return Rows(asked, (batch for task in tasks for batch in self._rows(task, asked, condition)))

    @cached_property
    def _tasks(self) -> list[FileScanTask]:
        return list(self._scan.plan_files())

    def _tasks_that_may_hold(self, condition: pc.Expression) -> list[FileScanTask]:
        """Let Arrow compare the condition with the bounds of each file; it opens none."""
        if not self._tasks:
            return []
        numbered = ds.FileSystemDataset.from_paths(
            [str(number) for number in range(len(self._tasks))],
            schema=self._schema,
            format=PARQUET,
            filesystem=LocalFileSystem(),
            partitions=[self._bounds(task.file) for task in self._tasks],
        )
        return [self._tasks[int(fragment.path)] for fragment in numbered.get_fragments(filter=condition)]

    def _bounds(self, file: DataFile) -> pc.Expression:
        """Return what is true of every row of a file."""
        true = pc.scalar(True)
        for field in self._iceberg_schema.fields:
            true &= self._bounds_of(field, file)
        return true

    def _bounds_of(self, field: NestedField, file: DataFile) -> pc.Expression:
        lower = (file.lower_bounds or {}).get(field.field_id)
        upper = (file.upper_bounds or {}).get(field.field_id)
        if lower is None or upper is None or not isinstance(field.field_type, BOUNDED):
            return pc.scalar(True)
        kind, value = self._schema.field(field.name).type, ds.field(field.name)
        at_least = value >= pa.scalar(from_bytes(field.field_type, lower), kind)
        at_most = value <= pa.scalar(from_bytes(field.field_type, upper), kind)
        if (file.null_value_counts or {}).get(field.field_id) == 0:
            return at_least & at_most
        # Arrow concludes from a bound that holds unless the value is null, but not from such a range.
        return (at_least | value.is_null()) & (at_most | value.is_null())

    def _rows(self, task: FileScanTask, asked: pa.Schema, condition: pc.Expression) -> Iterator[pa.RecordBatch]:
        with self._scan.io.new_input(task.file.file_path).open() as file:
            fragment = PARQUET.make_fragment(file)
            if not self._names_columns_alike(fragment.physical_schema):
                yield from self._rows_by_field_id(task, asked, condition)
                return
            groups = fragment.subset(filter=condition, schema=self._schema)
            if not groups.row_groups:
                return
            alive = self._alive(task, fragment, groups)
            columns = {name: ds.field(name) for name in asked.names} | {KEPT: condition}
            seen = 0
            for batch in groups.to_batches(schema=self._schema, columns=columns, batch_readahead=BATCHES_AHEAD):
                kept = batch.column(KEPT)
                if alive is not None:
                    kept = pc.and_(kept, alive.slice(seen, batch.num_rows).combine_chunks())
                    seen += batch.num_rows
                yield batch.select(asked.names).filter(kept).cast(asked)

    def _names_columns_alike(self, physical: pa.Schema) -> bool:
        """Tell whether each name means the same field in a file and in the table: Arrow reads by name, not by id."""
        names = self._scan.table_metadata.name_mapping()
        theirs, ours = index_by_name(pyarrow_to_schema(physical, names)), index_by_name(self._iceberg_schema)
        shared = {(name, id_) for name, id_ in theirs.items() if name in ours or id_ in ours.values()}
        return shared <= set(ours.items())

    def _rows_by_field_id(
        self, task: FileScanTask, asked: pa.Schema, condition: pc.Expression
    ) -> Iterator[pa.RecordBatch]:
        """Read a whole file that was written before a column was renamed."""
        reader = ArrowScan(self._scan.table_metadata, self._scan.io, self._iceberg_schema, AlwaysTrue())
        for batch in reader.to_record_batches([task]):
            table = pa.Table.from_batches([batch.cast(self._schema)])
            yield from table.filter(condition).select(asked.names).to_batches()

    def _alive(
        self, task: FileScanTask, fragment: ds.ParquetFileFragment, groups: ds.ParquetFileFragment
    ) -> pa.ChunkedArray | None:
        """Return for each row of the groups to read whether it is not deleted; None if no row of the file is."""
        if not task.delete_files:
            return None
        in_this_file = ds.field("file_path") == task.file.file_path
        # Not tables: of the writers of delete files some declare their columns required, and some do not.
        found = [self._deletes_in(file).filter(in_this_file)["pos"] for file in task.delete_files]
        dead = pa.chunked_array([chunk for positions in found for chunk in positions.chunks], pa.int64())
        ends = accumulate(group.num_rows for group in fragment.row_groups)
        places = {group.id: (end - group.num_rows, end) for group, end in zip(fragment.row_groups, ends, strict=True)}
        return pa.chunked_array(
            [pc.invert(pc.is_in(pa.arange(*places[group.id]), value_set=dead)) for group in groups.row_groups]
        )

    def _deletes_in(self, file: DataFile) -> pa.Table:
        """Read a delete file, once: one has the deletes of a commit in all data files."""
        if file.file_path not in self._deletes:
            with self._scan.io.new_input(file.file_path).open() as source:
                form = ds.ParquetFileFormat(dictionary_columns=["file_path"])
                self._deletes[file.file_path] = form.make_fragment(source).to_table(columns=["file_path", "pos"])
        return self._deletes[file.file_path]
