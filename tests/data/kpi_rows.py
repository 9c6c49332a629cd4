"""Every record of a file as the KPI function reads it: what the corpora and the other engine are compared with."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from contract.subjects import TRANSACTIONS, subject_of
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
    return pl.concat(
        frame.select(*OF_RECORD, *(pl.col(old).alias(new) for new, old in values.items())) for frame in read
    )
