"""Parquet files that polars would read and Spark would not, or that are damaged: refused before they are accepted."""

import io
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from admission import Inspection
from build import contents
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kpi_rows import inspected_file
from reading.parquet_footer import read_footer
from reading.parquet_pages import check_pages
from reading.thrift import Compact, ThriftError

FILES = contents()
SAID = {
    "latin1_city.parquet": "The text in the column 'merchant_city' is not UTF-8",
    "latin1_names.parquet": "The text in the column 'errors' is not UTF-8",
    "brotli.parquet": "The column 'dms_id' is compressed by Brotli, which Spark cannot read: write the file",
    "byte_stream_split.parquet": "The column 'client_id' is encoded by BYTE_STREAM_SPLIT, which Spark cannot read",
    "half_floats_unread.parquet": "The column 'weight' has the type float16: Spark cannot open a file with it",
    "wrong_checksum.parquet": "a page of the column 'amount' does not match its checksum",
    "wrong_checksum_unread.parquet": "a page of the column 'note' does not match its checksum",
    "truncated.parquet": "it does not end as a Parquet file does, so its end may be missing",
}


def inspected(content: bytes) -> Inspection:
    return inspected_file(content, key="transactions/file.parquet")


def written(columns: dict[str, pa.Array], **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, **options)
    return sink.getvalue()


def rows(size: int) -> dict[str, pa.Array]:
    return {
        "dms_id": pa.array(range(size), pa.int64()),
        "amount": pa.array([f"{number}.00" for number in range(size)]),
        "date": pa.array([datetime(2023, 5, 6)] * size, pa.timestamp("us")),
    }


@pytest.mark.parametrize("name", SAID)
def test_reason_names_column_and_cause__each_file_that_cannot_be_read(name: str) -> None:
    [reason] = inspected(FILES[name]).reasons
    assert SAID[name] in reason.text


@pytest.mark.parametrize("damaged", ["dms_id", "merchant_city", "note"])
def test_page_header_is_damaged__column_is_counted_or_only_kept_or_not_read(damaged: str, tmp_path: Path) -> None:
    columns = {**rows(50), "merchant_city": pa.array(["Reno"] * 50), "note": pa.array(["a"] * 50)}
    path = tmp_path / "file.parquet"
    path.write_bytes(written(columns))
    [start] = {chunk.start for chunk in read_footer(path).chunks if chunk.leaf.name == damaged}
    data = path.read_bytes()
    [reason] = inspected(data[:start] + b"\xff\xff\xff\xff" + data[start + 4 :]).reasons
    assert reason.code == "unreadable_parquet"
    assert f"the header of a page of the column {damaged!r} is damaged" in reason.text


def test_page_header_is_damaged__a_list_stands_in_the_place_of_a_struct(tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    path.write_bytes(written(rows(50), use_dictionary=False))
    data = path.read_bytes()
    at = data.index(b"\x2c\x15", read_footer(path).chunks[0].start)  # field 5, the struct DataPageHeader
    [reason] = inspected(data[:at] + b"\x29" + data[at + 1 :]).reasons
    assert "the header of a page of the column 'dms_id' is damaged" in reason.text


def test_numbers_are_refused__a_column_would_hold_more_values_than_its_pages() -> None:
    content = written(rows(50), compression="none", use_dictionary=False)
    footer = int.from_bytes(content[-8:-4], "little")
    start = len(content) - 8 - footer
    changed = content[:start] + content[start:].replace(b"\x16\x64", b"\x16\x7e")  # 50 and 63 as Thrift writes them
    [reason] = inspected(changed).reasons
    assert reason.code == "unreadable_parquet"
    assert "hold 50 values, not 63" in reason.text


def test_pages_match_their_checksums__of_both_forms_in_every_codec(tmp_path: Path) -> None:
    for version in ("1.0", "2.0"):
        for codec in ("none", "snappy", "gzip", "zstd", "lz4"):
            path = tmp_path / f"{version}-{codec}.parquet"
            path.write_bytes(
                written(rows(5_000), compression=codec, data_page_version=version, write_page_checksum=True)
            )
            check_pages(path, read_footer(path))


def test_header_of_a_page_is_read__its_statistics_are_long_texts() -> None:
    texts = pa.array([chr(65 + number) * 20_000 for number in range(20)])
    found = inspected(written({**rows(20), "note": texts}, use_dictionary=False, write_page_checksum=True))
    assert not found.reasons


def test_column_of_nulls_is_read__amounts_of_the_type_null_are_missing() -> None:
    found = inspected(written({**rows(3), "amount": pa.nulls(3), "zip": pa.nulls(3)}))
    assert found.kpis is not None
    assert (found.kpis.row_count, found.kpis.unreadable_amounts, found.kpis.bad_rows) == (3, 3, 3)
    assert found.format["types"] == ["int64", "null", "timestamp[us]", "null"]


def test_sample_is_looked_at__a_column_that_nobody_reads_is_not_utf8() -> None:
    latin1 = pa.array(["Zürich".encode("latin-1")] * 3, pa.binary()).view(pa.string())
    numbers = pa.array(["4111111111111111"] * 3)
    found = inspected(written({**rows(3), "note": latin1, "cvv": pa.array(["123"] * 3), "number": numbers}))
    assert [reason.code for reason in found.reasons] == ["card_security_codes"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_ends_in_a_rejection_or_in_rows__bytes_changed_anywhere(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["texts.parquet", "lists_of_errors.parquet", "checksums_of_second_pages.parquet"]))
    content = bytearray(FILES[name])
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    found = inspected(bytes(content[: data.draw(st.sampled_from([len(content), len(content) - 5, 40]))]))
    assert found.reasons or found.kpis is not None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "ends too early"),
        (b"\x1c" * 100, "nested too deeply"),
        (b"\x16" + b"\xff" * 20, "a number is too long"),
        (b"\x19\xf5\xff\xff\xff\x7f", "ends too early"),
        (b"\x1f", "unknown kind 15"),
        (b"\x18\xff\x7f", "ends too early"),
        (b"\x1b\xff\xff\x7f", "ends too early"),
    ],
)
def test_struct_is_refused__damaged_bytes(data: bytes, why: str) -> None:
    with pytest.raises(ThriftError, match=why):
        Compact(data).struct()
