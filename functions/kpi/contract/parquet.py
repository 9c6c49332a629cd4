"""What Parquet files may be made of, by the numbers of their format: what both engines read, and what one does not."""

from collections.abc import Mapping

CODECS: Mapping[int, str] = {
    0: "no codec",
    1: "snappy",
    2: "gzip",
    3: "LZO",
    4: "Brotli",
    5: "LZ4 (Hadoop)",
    6: "zstd",
    7: "LZ4",
}
UNREAD_CODECS = frozenset({3, 4})
"""Spark has the names of these but not the libraries."""
UNREAD_ENCODINGS: Mapping[int, str] = {9: "BYTE_STREAM_SPLIT"}
"""Spark 3.5 ends at a page that is written so."""
USUAL = "snappy, gzip or zstd, and plain or dictionary encoding"
"""What every reader reads."""

NULL_LOGICAL_TYPE = 11
"""Of a column that holds nothing but nulls; what its pages would hold is not said."""
UNREAD_LOGICAL_TYPES: Mapping[int, str] = {15: "float16", 16: "variant", 17: "geometry", 18: "geography"}
"""Spark 3.5 cannot open a file that has one of these in any column, read or not."""
LAST_LOGICAL_TYPE = 14
"""Types beyond it are younger than Spark's reader."""
INT96 = 3
"""The physical type of the instants that Spark, Hive and Impala write; it reaches farther than nanoseconds do."""

FOOTER_BYTES = 64 << 20
"""A footer has at most so many bytes: it is held in memory as a whole."""
