"""What is too large to be real, or for the ledger, is refused with its figures; every ledger item fits DynamoDB."""

import gzip
import io
import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from admission import Inspection
from contract.limits import BLANK_LINES, COLUMNS, OBJECT_BYTES, REASON_CHARACTERS, STORED_NAMES
from kpi_rows import inspected_file
from reading.bytes import ByteStream
from reading.rejection import Reason, stored_reasons, stored_warnings

ITEM_BYTES = 400 * 1024
ROOMY = ITEM_BYTES // 4
ROW = "1,1.00,2023-05-06"
HEADER = "dms_id,amount,date"


class NeverRead:
    """A stream of a Parquet file that may be looked at and not read."""

    def __init__(self, head: bytes) -> None:
        self._head = head

    def read(self, _: int, /) -> bytes:
        assert self._head, "the file was read"
        head, self._head = self._head, b""
        return head.ljust(4096, b"\n")


class Endless:
    """A stream of rows that ends only for those who stop reading it."""

    def __init__(self) -> None:
        self._begun = False

    def read(self, size: int, /) -> bytes:
        line = f"{ROW}\n".encode()
        rows = line * max(1, min(size, 1 << 20) // len(line) - 2)
        head, self._begun = b"" if self._begun else f"{HEADER}\n".encode(), True
        return head + rows


def inspected(
    content: bytes | ByteStream, *, key: str = "transactions/file.csv", size: int = 0, pin: bytes | None = None
) -> Inspection:
    return inspected_file(content, key=key, pin=pin, size=size)


def refusal(content: bytes, **given: bytes) -> Reason:
    found = inspected(content, **given)
    [reason] = found.reasons
    assert len(reason.text) <= REASON_CHARACTERS
    assert len(json.dumps(found.as_item())) < ROOMY
    return reason


def test_thousand_columns_are_read__the_names_of_the_first_ones_are_kept() -> None:
    names = ",".join(f"column with a long name {number:060}" for number in range(COLUMNS - 3))
    found = inspected(f"{HEADER},{names}\n{ROW}{',' * (COLUMNS - 3)}\n".encode())
    assert not found.reasons
    item = found.as_item()
    assert (item["format"]["column_count"], len(item["format"]["columns"])) == (COLUMNS, STORED_NAMES)
    assert len(json.dumps(item)) < ROOMY


def test_types_are_kept_of_the_named_columns__a_wide_parquet_file() -> None:
    columns = {"dms_id": pa.array([1]), "amount": pa.array(["1.00"]), "date": pa.array(["2023-05-06"])}
    columns |= {f"c{number}": pa.array([number]) for number in range(300)}
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    said = inspected(sink.getvalue()).as_item()["format"]
    assert (len(said["types"]), said["column_count"]) == (STORED_NAMES, 303)


@pytest.mark.parametrize("count", [COLUMNS + 1, 30_000])
def test_columns_are_refused__more_than_a_thousand(count: int) -> None:
    names = ",".join(f"column with a name of many letters and a number {number:06}" for number in range(count - 3))
    reason = refusal(f"{HEADER},{names}\n".encode())
    assert reason.code == "too_many_columns"
    assert f"{count:,} columns, 1,000 at the most" in reason.text


def test_columns_are_refused__more_than_a_thousand_in_parquet() -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({f"c{number}": pa.array([number]) for number in range(1_001)}), sink)
    assert refusal(sink.getvalue()).code == "too_many_columns"


def test_name_is_refused__of_half_a_megabyte() -> None:
    reason = refusal(f"{HEADER},{'x' * 500_000}\n{ROW},\n".encode())
    assert reason.code == "long_column_name"
    assert "column 4 has 500,000 characters, 300 at the most" in reason.text


def test_line_ends_are_named__a_file_of_other_fields_whose_lines_end_in_cr_alone() -> None:
    rows = "\r".join(f"{number},{number}.25,2023-05-06" for number in range(20_000))
    reason = refusal(f"{HEADER}\r{rows}\r".encode())
    assert reason.code == "missing_column"
    assert "lines end in CR alone" in reason.text


def test_names_are_cut__a_file_without_a_required_column() -> None:
    found = inspected(",".join(f"{'x' * 200}{number}" for number in range(900)).encode())
    assert len(json.dumps(found.as_item())) < ROOMY


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "parquet"])
def test_object_is_refused_on_sight__larger_than_its_kind_may_be(kind: str) -> None:
    head = {"csv": HEADER.encode(), "csv.gz": b"\x1f\x8b", "parquet": b"PAR1"}[kind]
    [reason] = inspected(NeverRead(head), size=OBJECT_BYTES[kind] + 1).reasons
    assert reason.code == "file_too_large"
    assert f"{OBJECT_BYTES[kind] + 1:,} bytes" in reason.text
    assert f"{OBJECT_BYTES[kind]:,} at the most" in reason.text


def test_file_is_refused_where_its_rows_become_too_many__no_further_is_read() -> None:
    [reason] = inspected_file(Endless(), maximum_rows=1_000_000).reasons
    assert reason.code == "too_many_rows"
    assert re.match(r"The file has at least 1,\d{3},\d{3} rows, one file 1,000,000 at the most", reason.text)
    assert "Split it by rows" in reason.text


def test_file_is_refused_on_sight__a_parquet_footer_says_too_many_rows() -> None:
    columns = {"dms_id": [1, 2, 3], "amount": ["1.00"] * 3, "date": ["2023-05-06"] * 3}
    pq.write_table(pa.table(columns), written := io.BytesIO())
    [reason] = inspected_file(written.getvalue(), maximum_rows=2).reasons
    assert reason.code == "too_many_rows"
    assert reason.text.startswith("The file has 3 rows, one file 2 at the most")
    assert not inspected_file(written.getvalue(), maximum_rows=3).reasons


def test_file_is_refused_on_sight__its_control_total_says_too_many_rows() -> None:
    never = NeverRead(b"")
    [reason] = inspected_file(never, metadata={"row-count": "3"}, maximum_rows=2).reasons
    assert reason.code == "too_many_rows"


def test_blank_lines_are_refused__more_than_their_limit_and_than_rows() -> None:
    reason = refusal(f"{HEADER}\n{ROW}\n".encode() + b"\n" * (BLANK_LINES + 1))
    assert reason.code == "too_many_blank_lines"
    assert "100,001 lines without content and 0 rows" in reason.text


@pytest.mark.parametrize("line", [pytest.param(b"\n", marks=pytest.mark.slow), b" \t\r\n", b",,\n"])
def test_blank_lines_are_refused__of_a_gzip_that_holds_a_thousand_times_its_bytes(line: bytes) -> None:
    packed = gzip.compress(f"{HEADER}\n{ROW}\n".encode() + line * ((4 << 20) // len(line)))
    assert refusal(packed).code == "too_many_blank_lines"


def test_blank_lines_are_refused__in_front_of_the_header() -> None:
    assert refusal(b"\n" * (BLANK_LINES + 1) + f"{HEADER}\n{ROW}\n".encode()).code == "too_many_blank_lines"


def test_blank_lines_are_taken__one_behind_each_row() -> None:
    lines = "".join(f"{number},1.00,2023-05-06\n\n" for number in range(BLANK_LINES + 50_000))
    found = inspected(f"{HEADER}\n{lines}".encode())
    assert not found.reasons
    assert found.kpis is not None
    assert found.kpis.row_count == BLANK_LINES + 50_000


def test_inflation_is_refused__with_both_figures() -> None:
    packed = gzip.compress(f"{HEADER}\n".encode() + f"{ROW},{' ' * 4000}\n".encode() * 20_000)
    reason = refusal(packed)
    assert reason.code == "suspicious_compression"
    assert "more than 200 times as many" in reason.text


def test_inflation_is_taken__a_text_that_packs_well_and_is_small() -> None:
    assert not inspected(gzip.compress(f"{HEADER}\n".encode() + f"{ROW}\n".encode() * 100_000)).reasons


def test_pin_is_refused__larger_than_any() -> None:
    assert refusal(f"{HEADER}\n{ROW}\n".encode(), pin=b" " * 300_000).code == "unreadable_dialect"
    long = json.dumps({"null": "x" * 500}).encode()
    assert refusal(f"{HEADER}\n{ROW}\n".encode(), pin=long).code == "unreadable_dialect"


def test_reasons_are_cut_and_counted__more_than_the_ledger_keeps() -> None:
    kept = stored_reasons([Reason("duplicate_column", "x" * 1_000)] * 12)
    assert len(kept) == 10
    assert kept[0].text.endswith("… (1,000 characters)")
    assert len(kept[0].text) == REASON_CHARACTERS
    assert kept[-1] == Reason("duplicate_column", "There are 3 more reasons.")
    assert stored_warnings(["short"] * 20) == ["short"] * 20
    assert stored_warnings(["short"] * 25)[-1] == "There are 6 more warnings."
