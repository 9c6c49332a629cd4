"""A file as the KPI function sees it: what it says of the file, and each of its records."""

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import polars as pl
from admission import Inspection, inspect_file
from contract.limits import FILE_ROWS
from contract.subjects import TRANSACTIONS, subject_of
from judging.reconcile import Policy
from judging.rules import Limits, broken_rule_names
from judging.values import columns_to_read, read_values
from reading.bytes import ByteStream
from reading.dialect import csv_shape
from reading.dialect_file import pin_of
from reading.file_name import Name
from reading.files import SourceFile, frames_of

OF_RECORD = ("row", "line", "raw", "rules")
OF_MONEY = {"cents": "amount_value", "us": "date_value", "channel": "use_chip_value"}


PLAIN = partial(csv_shape, Name("transactions/file.csv", TRANSACTIONS))
"""Tells the shape of a plain file of transactions, for a reader that is tried by itself."""


def inspected_file(
    content: bytes | ByteStream,
    *,
    key: str = "transactions/file.csv",
    pin: bytes | None = None,
    metadata: Mapping[str, str] = MappingProxyType({}),
    last_modified_at: datetime = datetime(2024, 1, 1, tzinfo=UTC),
    maximum_bad_share: str = "1",
    size: int = 0,
    is_reopened: bool = True,
    empties_security_codes: bool = True,
    maximum_rows: int = FILE_ROWS,
) -> Inspection:
    """Judge a file as the function does: the first of its prefix, without a side-car; any share of bad rows is good.

    A stream cannot be opened again, as the function does where it shows the places of values.
    """
    return inspect_file(
        key,
        io.BytesIO(content) if isinstance(content, bytes) else content,
        last_modified_at=last_modified_at,
        metadata=metadata,
        read_side_car=lambda: None,
        read_pin=lambda: pin,
        learned=lambda: None,
        policy=Policy(
            Decimal(maximum_bad_share), 1, empties_security_codes=empties_security_codes, maximum_rows=maximum_rows
        ),
        reopen=(lambda: io.BytesIO(content)) if is_reopened and isinstance(content, bytes) else None,
        size=size,
    )


def read_rows(
    stream: ByteStream, limits: Limits, *, key: str = "transactions/file.csv", pin: bytes | None = None
) -> pl.DataFrame:
    """Return every record of a file: `row`, `line`, `raw`, `rules` (the broken ones, in order) and its values.

    The values are `op`, `commit_us`, `key`, and of transactions `cents`, `us`, `channel`.
    """
    subject = subject_of(key)
    file = SourceFile.sniff(Name(key, subject, pin_of(pin)), stream)
    with TemporaryDirectory(prefix="parquet-") as folder:
        frames = list(frames_of(file.rows(columns_to_read(subject), Path(folder), places=True), subject))
    named = broken_rule_names(subject, limits)
    values = {"op": "op_value", "commit_us": "commit_at_value", "key": f"{subject.key}_value"}
    values |= OF_MONEY if subject is TRANSACTIONS else {}
    read = (read_values(frame, subject).with_columns(rules=named) for frame in frames)
    told = [frame.select(*OF_RECORD, *(pl.col(old).alias(new) for new, old in values.items())) for frame in read]
    return pl.concat(told) if told else pl.DataFrame()
