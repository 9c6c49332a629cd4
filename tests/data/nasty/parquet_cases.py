"""The Parquet files of the corpus: their columns as readable values, written by pyarrow."""

import io
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

AT = datetime(2023, 5, 6, 7, 8, 9)
AT_UTC = AT.replace(tzinfo=UTC)
Columns = Mapping[str, pa.Array]


def _ids(size: int) -> pa.Array:
    return pa.array(range(1, size + 1), pa.int64())


def _amounts(kind: pa.DataType, *values: str | None) -> Columns:
    amounts = pa.array([None if value is None else Decimal(value) for value in values], kind)
    return {"dms_id": _ids(len(values)), "amount": amounts, "date": _days(len(values))}


def _days(size: int) -> pa.Array:
    return pa.array([date(2023, 5, 6)] * size, pa.date32())


def _texts(*values: str | None) -> pa.Array:
    return pa.array(values, pa.string())


def _latin1(*values: str) -> pa.Array:
    """Return texts in another encoding than their type says."""
    return pa.array([value.encode("latin-1") for value in values], pa.binary()).view(pa.string())


def _dates(values: pa.Array) -> Columns:
    return {"dms_id": _ids(len(values)), "amount": _texts(*["1.00"] * len(values)), "date": values}


def _nanoseconds(*values: int | None, zone: str | None = None) -> pa.Array:
    return pa.array(values, pa.timestamp("ns", zone))


_SECOND = int(AT_UTC.timestamp())
PARQUET_CASES: dict[str, Columns] = {
    "texts.parquet": {
        "ID": _texts("1", "2.0", "x", None),
        "Amount": _texts("$1.00", "($2.00)", "", None),
        "DATE": _texts("2023-05-06", "5/6/2023 7:08", "soon", None),
        "use_chip": _texts("Chip Transaction", "swipe", "tap", None),
        "zip": _texts("02139", "4101.0", "0", None),
        "mcc": _texts("5411", "742", "x", None),
        "merchant_city": _texts('Zürich "old, town"', "two\nlines", "", None),
        "errors": _texts("Bad PIN,Bad CVV", "", "x", None),
        "colour": _texts("red", "green", "blue", None),
    },
    "integers.parquet": {
        "dms_id": pa.array([2**63 - 1, -(2**63), None], pa.int64()),
        "amount": pa.array([5, -7, 0], pa.int32()),
        "date": _days(3),
        "zip": pa.array([2139, 0, 123456], pa.int32()),
        "mcc": pa.array([742, 10000, -1], pa.int16()),
        "client_id": pa.array([1, 2, None], pa.int8()),
        "card_id": pa.array([1, 2**32 - 1, None], pa.uint32()),
        "merchant_id": pa.array([1, 2**31 - 1, None], pa.int32()),
    },
    "integral_doubles.parquet": {
        "dms_id": pa.array([1.0, 2.5, None, -4.0], pa.float64()),
        "amount": _texts("1.00", "2.00", "3.00", "4.00"),
        "date": _days(4),
        "client_id": pa.array([7.0, None, 1.5, 8.0], pa.float64()),
        "zip": pa.array([2139.0, None, 0.0, 99999.0], pa.float32()),
        "mcc": pa.array([742.0, None, 5411.5, 5411.0], pa.float64()),
    },
    "large_doubles.parquet": {
        "dms_id": pa.array([1.0, 2.0, 2.0**62], pa.float64()),
        "amount": _texts("1.00", "2.00", "3.00"),
        "date": _days(3),
        "merchant_id": pa.array([3527213246127876953.0, None, -(2.0**63)], pa.float64()),
    },
    # Types that some readers refuse, in columns that the contract does not know.
    "unknown_types.parquet": {
        **_dates(_days(2)),
        "clock": pa.array([1, None], pa.time64("us")),
        "short_clock": pa.array([1, None], pa.time32("ms")),
        "vector": pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2)),
        "bytes": pa.array([b"\xff", None], pa.binary()),
        "uuid": pa.array([b"0123456789abcdef", None], pa.binary(16)),
        "span": pa.array([1, None], pa.duration("us")),
        "pair": pa.array([{"a": 1}, None], pa.struct([("a", pa.int8())])),
    },
    "decimal_ids.parquet": {
        "dms_id": pa.array([Decimal("1.00"), Decimal("2.50"), None], pa.decimal128(10, 2)),
        "amount": _texts("1.00", "2.00", "3.00"),
        "date": _days(3),
        "mcc": pa.array([Decimal("742.0"), Decimal("5411.5"), None], pa.decimal128(6, 1)),
        "zip": pa.array([Decimal(2139), Decimal(0), None], pa.decimal128(5, 0)),
    },
    "decimals_of_scale_0.parquet": _amounts(
        pa.decimal128(18, 0), "12", "-1", "0", None, "9999999999999999", "10000000000000000"
    ),
    "decimals_of_scale_2.parquet": _amounts(
        pa.decimal128(18, 2), "12.34", "-0.05", "0.00", None, "9999999999999999.99"
    ),
    "decimals_of_scale_4.parquet": _amounts(
        pa.decimal128(21, 4), "12.3400", "12.3450", "-0.0001", None, "10000000000000000.0000"
    ),
    "decimals_of_scale_10.parquet": _amounts(
        pa.decimal128(38, 10), "0", "0.0000000001", "12.5", "-12.34", "9999999999999999.99"
    ),
    "decimals_of_38_digits.parquet": _amounts(pa.decimal128(38, 2), "999999999999999999999999999999999999.99", "1.00"),
    "timestamps_ns.parquet": _dates(
        _nanoseconds(_SECOND * 10**9, _SECOND * 10**9 + 123_456_789, -1, None, 2_000_000_000 * 10**9)
    ),
    "timestamps_ns_utc.parquet": _dates(_nanoseconds(_SECOND * 10**9 + 1_999, None, zone="UTC")),
    "timestamps_us.parquet": _dates(
        pa.array(
            [AT, AT.replace(microsecond=120_000), datetime(1899, 12, 31), datetime(1900, 1, 1), None],
            pa.timestamp("us"),
        )
    ),
    "timestamps_int96.parquet": _dates(
        pa.array([AT, datetime(1899, 12, 31), datetime(1900, 1, 1), None], pa.timestamp("us"))
    ),
    "timestamps_ms.parquet": _dates(
        pa.array([AT.replace(microsecond=5_000), datetime(2024, 1, 2), None], pa.timestamp("ms"))
    ),
    "timestamps_zone.parquet": _dates(pa.array([AT_UTC, None], pa.timestamp("us", "Europe/Berlin"))),
    "dates.parquet": _dates(
        pa.array([date(2023, 5, 6), date(1899, 12, 31), date(2024, 1, 2), date(2024, 1, 3), None], pa.date32())
    ),
    "lists_of_errors.parquet": {
        **_dates(_days(4)),
        "errors": pa.array([["Bad PIN", "Bad CVV"], [], None, ["Bad PIN", None]], pa.list_(pa.string())),
    },
    "dictionaries.parquet": {**_dates(_days(2)), "use_chip": _texts("chip", "tap").dictionary_encode()},
    "null_columns.parquet": {
        **_dates(_days(2)),
        "use_chip": pa.nulls(2),
        "zip": pa.nulls(2),
        "client_id": pa.nulls(2),
        "errors": pa.nulls(2),
    },
    "lists_of_nothing.parquet": {**_dates(_days(2)), "errors": pa.array([[], None], pa.list_(pa.null()))},
    "timestamps_offset_zone.parquet": _dates(pa.array([AT_UTC, None], pa.timestamp("us", "+05:30"))),
    "timestamps_unknown_zone.parquet": _dates(pa.array([AT_UTC, None], pa.timestamp("us", "Nowhere/Land"))),
    "timestamps_int96_far.parquet": _dates(
        pa.array([AT, datetime(1600, 1, 1), datetime(2300, 1, 1), datetime(9999, 12, 31), None], pa.timestamp("us"))
    ),
    "latin1_unread.parquet": {**_dates(_days(2)), "note": _latin1("Zürich", "Córdoba")},
    "checksums.parquet": {**_dates(_days(5)), "merchant_city": _texts("a", "b", "a", None, "c")},
    "checksums_of_second_pages.parquet": {**_dates(_days(5)), "merchant_city": _texts("a", "b", "a", None, "c")},
    # Rejected.
    "latin1_city.parquet": {**_dates(_days(2)), "merchant_city": _latin1("Reno", "Zürich")},
    "latin1_names.parquet": {**_dates(_days(2)), "errors": _latin1("", "Código")},
    "brotli.parquet": _dates(_days(2)),
    "byte_stream_split.parquet": {**_dates(_days(2)), "client_id": pa.array([1.0, 2.0], pa.float64())},
    "half_floats_unread.parquet": {**_dates(_days(1)), "weight": pa.array([np.float16(7)], pa.float16())},
    "wrong_checksum.parquet": _dates(_days(5)),
    "wrong_checksum_unread.parquet": {**_dates(_days(5)), "note": _texts("a", "b", "c", "d", "MARK")},
    "float_amounts.parquet": {**_dates(_days(1)), "amount": pa.array([1.0], pa.float64())},
    "half_floats.parquet": {**_dates(_days(1)), "client_id": pa.array([np.float16(7)], pa.float16())},
    "boolean_dates.parquet": {**_dates(_days(1)), "date": pa.array([True])},
    "binary_channels.parquet": {**_dates(_days(1)), "use_chip": pa.array([b"chip"], pa.binary())},
    "no_rows.parquet": _dates(_days(0)),
    "missing_columns.parquet": {"dms_id": _ids(1), "colour": _texts("red")},
    "truncated.parquet": _dates(_days(100)),
    "only_magic.parquet": {},
    "damaged_page.parquet": {**_dates(_days(5_000)), "dms_id": pa.array([n * n for n in range(5_000)], pa.int64())},
}


WRITTEN: Mapping[str, Mapping[str, object]] = {
    "timestamps_int96.parquet": {"use_deprecated_int96_timestamps": True},
    # As Spark writes: without Arrow's description of the columns.
    "timestamps_int96_far.parquet": {"use_deprecated_int96_timestamps": True, "store_schema": False},
    "checksums.parquet": {"write_page_checksum": True},
    "checksums_of_second_pages.parquet": {"write_page_checksum": True, "data_page_version": "2.0"},
    "wrong_checksum.parquet": {"write_page_checksum": True, "compression": "none"},
    "wrong_checksum_unread.parquet": {"write_page_checksum": True, "compression": "none"},
    "brotli.parquet": {"compression": "brotli"},
    "byte_stream_split.parquet": {"use_dictionary": False, "column_encoding": {"client_id": "BYTE_STREAM_SPLIT"}},
    "damaged_page.parquet": {"row_group_size": 5_000},
    "truncated.parquet": {"row_group_size": 5_000},
}
"""How a file is written where that is not the usual way."""
USUALLY = {"compression": "zstd", "row_group_size": 3}
CHANGED: Mapping[str, tuple[bytes, bytes]] = {
    "wrong_checksum.parquet": (b"1.00", b"9.00"),
    "wrong_checksum_unread.parquet": (b"MARK", b"PARK"),
}
"""What of a file was changed after it was written."""


def parquet_bytes(name: str) -> bytes:
    """Return the file as it would be uploaded."""
    if name == "only_magic.parquet":
        return b"PAR1"
    sink = io.BytesIO()
    pq.write_table(pa.table(dict(PARQUET_CASES[name])), sink, **{**USUALLY, **WRITTEN.get(name, {})})
    data = sink.getvalue().replace(*CHANGED.get(name, (b"", b"")), 1)
    if name == "truncated.parquet":
        return data[: len(data) // 2]
    return data[:8] + b"\xff" * 200 + data[208:] if name == "damaged_page.parquet" else data
