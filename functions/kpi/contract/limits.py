"""The limits of the data contract: what is larger, longer or earlier than these is refused, cut or broken."""

from collections.abc import Mapping

EARLIEST_YEAR = 1900
EARLIEST_INSTANT = "1900-01-01 00:00:00"
"""No date, commit timestamp, `as-of` or start of a load may lie before it."""
EARLIEST_US, LAST_US = -2_208_988_800_000_000, 253_402_300_799_999_999
"""The first instant that is read, and the last one of 9999, in microseconds since 1970."""
BEGINNING_OF_TIME = "1800-01-01 00:00:00"
"""Minus infinity as the tables write it: the position of an undeclared full load, the start of a first version."""
END_OF_TIME = "9999-12-31 00:00:00"
"""The end of a version that no later one ends."""
FUTURE_DAYS = 1
"""A date may be so many days later than its object's last-modified instant."""

RECORD_LINES = 64
"""A record of a CSV file has at most so many lines."""
LINE_BYTES = 64 << 20
"""A line of a CSV file, or what may become one record of several lines, has at most so many bytes."""
JSON_LINE_BYTES = 16 << 20
"""A line of JSON has at most so many bytes: Jackson, by which Spark decodes texts, takes none above 20 MB."""
JSON_LEVELS = 16
"""Objects and arrays of a line stand in each other at most so deep, the line's own object included."""
BLANK_LINES = 100_000
"""A file of text has at most so many lines without content, or as many as it has rows where that is more."""
INFLATION = 200
INFLATED_BYTES = 64 << 20
"""A gzip stream holds at most so many times its own bytes, once it has held this many: exports stay below fifty."""
SAMPLE_RECORDS = 1_000
"""The first block: so many records are looked at to tell how a file is written."""
CODES_BYTES = 16 << 20
"""A JSON file of `mcc_codes` has at most so many bytes."""
OBJECT_BYTES: Mapping[str, int] = {
    "csv": 8 << 30,
    "csv.gz": 2 << 30,
    "jsonl": 4 << 30,
    "jsonl.gz": 512 << 20,
    "json": CODES_BYTES,
    "parquet": 2 << 30,
}
"""A file has at most so many bytes, by its kind: each a quarter of what the KPI function reads in its 15 minutes on one
processor (42 MB of CSV a second, 10 MB of gzip, 13 MB of Parquet, 20 MB of JSON lines). A Parquet file is copied to
the function's 4 GB of disk, and the keys of so many rows need another gigabyte there."""
FILE_ROWS = 100_000_000
"""A file has at most so many rows, and at most what a run of Silver takes: `docs/limits.md` has the arithmetic."""
COLUMNS = 1_000
"""A file has at most so many columns."""
NAME_CHARACTERS = 300
"""The name of a column, or a text of a pin, has at most so many characters."""
COMPANION_BYTES = 256 << 10
"""A pin or a side-car has at most so many bytes."""
MARKER_BYTES = 4 << 20
MARKER_FILES = 2_000
"""A marker lists at most so many files."""
RUN_FILES = 2_000
"""A run takes at most so many files: its list lies in one DynamoDB item, which ends at 400 KB."""
WORKER_ROWS = 40_000_000
"""A run of Silver takes so many rows for each G.1X worker but the driver: two thirds of what its disk holds
(`docs/limits.md`)."""

AMOUNT_DIGITS = 16
"""An amount has at most so many significant digits before its point."""
AMOUNT_DECIMALS = 2
SEQUENCER_CHARACTERS = 32
"""Sequencers are padded on the right with zeros to so many characters."""
OFFSET_DIGITS = 20
"""An offset of Kafka has at most so many digits, which is how the names of Kafka's own segments are written. Card
numbers have fewer: with all its zeros no offset is one."""
SPANS = 500
"""So many spans of a partition's offsets are known apart: those of a partition with more gaps have none to be told."""
FAILURE_CHARACTERS = 2_000
"""The reason of a failure is cut to so many: the mail that carries it must stay below 8 KB."""
REASON_CHARACTERS = 300
"""A reason of a rejection, and a warning, has at most so many characters; longer ones are cut."""
STORED_REASONS = 10
STORED_WARNINGS = 20
STORED_NAMES = 200
"""The ledger keeps so many names of a file's columns, with their types, and counts the rest: an item ends at 400 KB."""
NOTICE_WARNINGS = 10
"""The mail about a published file lists so many of its warnings."""
PENDING_DAYS = 1
"""A file outside of the learned range widens it once it has stayed accepted for so many days."""
PENDING_FILES = 20
"""So many files outside of the learned range are kept aside at a time; later ones never widen it."""
EXAMPLE_RULES = 3
"""A file with too many broken rows shows the first row of so many rules, the most frequent ones."""
TOLD_RULES = 5
"""So many rules are named with the number of their rows; the others are counted."""
EXAMPLE_BLOCKS = 16
"""So many blocks of a rejected file are read again for its examples."""
