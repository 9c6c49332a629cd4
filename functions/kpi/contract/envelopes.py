"""What an envelope of Debezium says, and how the values of its image may be written; the times of the source first."""

from collections.abc import Mapping

WITH_SCHEMA = ("payload", "schema")
"""The names of an object that carries its envelope beside the schema, and no others."""
OPERATION_COLUMN, COMMIT_COLUMN = "op", "source.ts"
"""What the two columns of changes are called in a file of envelopes."""
SNAPSHOT_READ = "r"
OPERATIONS_OF_DEBEZIUM: Mapping[str, str] = {"c": "I", SNAPSHOT_READ: "I", "u": "U", "d": "D"}
"""The operations whose rows are read; others (`t`, `m`) break the rule of unknown operations."""
UNREAD = "(not read)"
"""What stands for an operation, or a value, that is there and none."""

TENS: Mapping[str, int] = {"nanoseconds": 9, "microseconds": 6, "milliseconds": 3}
"""Decimals of a second, by the unit in which instants are counted since 1970."""
SOURCE_INSTANTS: Mapping[str, str] = {"ts_ns": "nanoseconds", "ts_us": "microseconds", "ts_ms": "milliseconds"}
"""The members of `source` that tell the instant of a change; the first that is there counts."""
DAYS = "days"
UNIT_DIGITS: Mapping[str, int] = {"nanoseconds": 19, "microseconds": 18, "milliseconds": 15, DAYS: 7}
"""A number of units with more digits is no instant that is read."""
UNITS_OF_SCHEMAS: Mapping[str, str] = {
    "io.debezium.time.Timestamp": "milliseconds",
    "io.debezium.time.MicroTimestamp": "microseconds",
    "io.debezium.time.NanoTimestamp": "nanoseconds",
    "io.debezium.time.Date": DAYS,
    "org.apache.kafka.connect.data.Timestamp": "milliseconds",
    "org.apache.kafka.connect.data.Date": DAYS,
}
"""The names of schemas by which an integer is an instant."""
DECIMAL_SCHEMA = "org.apache.kafka.connect.data.Decimal"
"""The name of the schema of a decimal in bytes; its parameter `scale` says how many decimals it has."""
DECIMAL = "decimal"
"""How such a column is called in `encodings`, with the scale behind a blank."""
BASE64 = "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)"
DECIMAL_CHARACTERS = 20
"""Longer ones have more than 15 bytes, or 36 digits, and are no money."""
MOST_SCALE = 18
EXACT_TYPES = ("string", "bytes", "int8", "int16", "int32", "int64")
"""The types of a schema from which money is read."""
JSON_BLANKS = r"[ \t\r]*"
TOMBSTONE = (
    rf"{JSON_BLANKS}(?:null|\{{{JSON_BLANKS}(?:"
    + "|".join(
        rf'"{one}"{JSON_BLANKS}:{JSON_BLANKS}null{JSON_BLANKS},{JSON_BLANKS}"{other}"{JSON_BLANKS}:{JSON_BLANKS}null'
        for one, other in (("schema", "payload"), ("payload", "schema"))
    )
    + rf"){JSON_BLANKS}\}}){JSON_BLANKS}"
)
"""A line of nothing, which Kafka keeps behind a delete: `null`, or an envelope of null."""
