"""JSON lines as whole files: what the first block settles, what is refused with its way out, and how pins count."""

import gzip
import io
import json

import pytest
from admission import Inspection
from build import LAST_MODIFIED_AT, contents
from contract.subjects import TRANSACTIONS
from dms.envelope_cases import OFFSETS, TOMBSTONE, change, image
from json_cases import JSON_CASES, lines, row
from judging.rules import Limits
from kpi_rows import inspected_file, read_rows
from reading.file_name import Name
from reading.json_lines import JsonRows

READ = ("amounts.jsonl", "names.jsonl", "structure.jsonl", "texts.jsonl", "levels.jsonl", "blank_lines.jsonl")


def inspected(content: bytes, *, key: str = "transactions/a.jsonl", **pin: object) -> Inspection:
    return inspected_file(
        content, key=key, pin=json.dumps(pin).encode() if pin else None, last_modified_at=LAST_MODIFIED_AT
    )


def only_reason(content: bytes, **said: str) -> tuple[str, str]:
    [reason] = inspected(content, **said).reasons
    return reason.code, reason.text


@pytest.mark.parametrize("block_bytes", [7, 64, 1000])
@pytest.mark.parametrize("name", READ)
def test_rows_do_not_depend_on_the_blocks__each_file_of_json_lines(name: str, block_bytes: int) -> None:
    body = JSON_CASES[name]
    rows = JsonRows(io.BytesIO(body), Name("a.jsonl", TRANSACTIONS), places=True, block_bytes=block_bytes)
    found = [record for frame in rows.frames() for record in frame.select("row", "line", "raw").iter_rows()]
    expected = read_rows(io.BytesIO(body), Limits.of(LAST_MODIFIED_AT)).select("row", "line", "raw").rows()
    assert found == expected


@pytest.mark.parametrize(
    "body", [b"null\n" * 9 + lines(TOMBSTONE, row(1)), lines(TOMBSTONE, "", "null", change("c", image(1)))]
)
@pytest.mark.parametrize("block_bytes", [7, 64, 1000])
def test_rows_do_not_depend_on_the_blocks__tombstones_first(body: bytes, block_bytes: int) -> None:
    found = [
        [record for frame in rows.frames() for record in frame.select("row", "line", "raw", "broken").iter_rows()]
        for size in (block_bytes, 1 << 20)
        for rows in [JsonRows(io.BytesIO(body), Name("a.jsonl", TRANSACTIONS), places=True, block_bytes=size)]
    ]
    assert found[0] == found[1]
    assert len(found[0]) == (11 if body.startswith(b"null") else 1)


@pytest.mark.parametrize(
    "body", [b"null\n", b"null\n" * 2_000, b" null \r\n\nnull\n", lines(TOMBSTONE), lines("null", TOMBSTONE)]
)
def test_nothing_but_tombstones_is_no_table__key_that_names_no_offsets(body: bytes) -> None:
    for content in (body, gzip.compress(body, mtime=0)):
        assert only_reason(content) == (
            "no_rows", "The file holds nothing but tombstones of Kafka, and its key names no offsets."
        )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "tombstones"),
    [(b"null\n", 1), (b" null \r\n\nnull\n", 2), (lines("null", TOMBSTONE), 2), (b"null\n" * 150_000, 150_000)],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_object_of_tombstones_alone_is_empty_and_accepted__key_that_names_offsets(
    body: bytes, tombstones: int, zipped: bool
) -> None:
    key = f"{OFFSETS}.jsonl.gz" if zipped else f"{OFFSETS}.jsonl"
    found = inspected(gzip.compress(body, mtime=0) if zipped else body, key=key)
    assert found.reasons == []
    assert found.kpis is not None
    assert (found.kpis.row_count, found.format["tombstones"], found.format["dialect"]) == (0, tombstones, "debezium")
    assert found.offsets is not None
    assert (found.offsets["first"], found.offsets["last"]) == (100, 99 + tombstones)
    assert [warning[:34] for warning in found.warnings] == ["No rows, only tombstones of Kafka."]


def test_object_is_refused__tombstones_to_the_limit_of_a_line() -> None:
    body = (b" " * 1_020 + b"null\n") * (17 << 10)
    found = inspected(body, key=f"{OFFSETS}.jsonl")
    assert [reason.text for reason in found.reasons] == ["The first 16 MB hold nothing but tombstones."]


def test_object_of_tombstones_alone_is_rejected__its_control_totals_say_rows() -> None:
    found = inspected_file(b"null\n", key=f"{OFFSETS}.jsonl", metadata={"row-count": "1"})
    assert [reason.code for reason in found.reasons] == ["row_count_mismatch"]


def test_tombstones_are_records_of_the_topic__beside_envelopes() -> None:
    body = lines("null", change("c", image(1)), change("d", None, image(1)), TOMBSTONE, "", "null")
    found = inspected(body, key=f"{OFFSETS}.jsonl")
    assert found.kpis is not None
    assert found.offsets is not None
    assert (found.kpis.row_count, found.format["tombstones"], found.offsets["last"]) == (2, 3, 104)


def test_null_is_a_broken_row__topic_of_plain_rows() -> None:
    found = inspected(lines("null", row(1), "null"), key=f"{OFFSETS}.jsonl")
    assert found.kpis is not None
    assert (found.kpis.row_count, found.kpis.broken_rules) == (3, {"malformed_json": 2})
    assert "tombstones" not in found.format


@pytest.mark.parametrize("first", ["hello", "{hello", "1,2,3", "null x", "[1,2]"])
def test_first_record_is_quarantined__no_json_and_the_key_names_offsets(first: str) -> None:
    found = inspected(lines(first, row(1), row(2)), key=f"{OFFSETS}.json")
    assert found.kpis is not None
    assert (found.kpis.row_count, found.kpis.broken_rules) == (3, {"malformed_json": 1})


@pytest.mark.parametrize("key", ["transactions/a.jsonl", f"{OFFSETS}.csv", f"{OFFSETS}.csv.gz"])
def test_first_bytes_alone_tell__key_that_names_no_records_of_json(key: str) -> None:
    body = lines("hello", row(1))
    found = inspected(gzip.compress(body, mtime=0) if key.endswith(".gz") else body, key=key)
    assert {reason.code for reason in found.reasons} == {"missing_column"}


def test_columns_are_the_names_of_all_objects__some_come_late() -> None:
    found = inspected(contents()["late_columns.jsonl"])
    assert found.format["columns"] == ["id", "amount", "date", "ZIP", "x"]
    assert found.format["places"] == {"dms_id": 0, "amount": 1, "date": 2, "zip": 3}
    assert "Unknown columns, not read: 'x'." in found.warnings
    assert found.kpis is not None
    assert found.kpis.broken_rules == {"zip_impossible": 1}


def test_numbers_are_exact__no_double_has_them() -> None:
    found = inspected(lines(row(9007199254740993, amount="9007199254740993.01"), row(2, amount="0.10")))
    assert found.kpis is not None
    assert found.kpis.total_cents == 900719925474099311
    assert found.kpis.largest_key == 9007199254740993


@pytest.mark.parametrize(
    ("body", "advice"),
    [
        (JSON_CASES["list.json"], "jq -c '.[]' FILE > COPY.jsonl"),
        (JSON_CASES["list_in_gzip.json.gz"], "gunzip -c FILE > INNER"),
        (JSON_CASES["over_lines.json"], "jq -c . FILE > COPY.jsonl"),
        (JSON_CASES["on_one_line.json"], "AppendDelimiterToRecord"),
        (gzip.compress(JSON_CASES["on_one_line.json"], mtime=0), "AppendDelimiterToRecord"),
        ((row(1) * 400_000).encode(), "AppendDelimiterToRecord"),
    ],
)
def test_other_json_is_refused_with_its_way_out__no_lines(body: bytes, advice: str) -> None:
    code, text = only_reason(body)
    assert code == "unsupported_format"
    assert advice in text


@pytest.mark.parametrize("before", ["", row(1) + "\n"])
def test_file_is_refused__a_line_above_the_limit(before: str) -> None:
    code, text = only_reason(f'{before}{row(1)[:-1]}, "x": "{"é" * (9 << 20)}"}}\n'.encode())
    assert (code, text[:33]) == ("endless_line", "A line is longer than 16 MB; line")


def test_line_below_the_limit_is_read__of_three_blocks() -> None:
    found = inspected(f'{row(1)}\n{row(2)[:-1]}, "x": "{"é" * (7 << 20)}"}}\n{row(3)}\n'.encode())
    assert found.kpis is not None
    assert (found.kpis.row_count, found.kpis.bad_rows) == (3, 0)


def test_file_is_refused__more_blank_lines_than_rows() -> None:
    assert only_reason(lines(row(1)) + b"\n" * 100_001)[0] == "too_many_blank_lines"


def test_file_is_refused__more_names_than_a_table_has_columns() -> None:
    assert only_reason(lines(*(row(n, f'"x{n}": 1') for n in range(1_200))))[0] == "too_many_columns"


def test_cards_are_refused__their_numbers_are_taken_out_of_csv_and_parquet_only() -> None:
    body = b'{"id": 1, "card_number": "4111111111111111"}\n'
    code, text = only_reason(body, key="cards/a.jsonl")
    assert (code, "as CSV or Parquet" in text, "4111" in text) == ("unsupported_format", True, False)


def test_codes_may_be_lines_or_one_object__mcc_codes() -> None:
    of_lines = inspected(b'{"mcc": 5411, "description": "Groceries"}\n{"MCC": "742"}\n', key="mcc_codes/a.json")
    assert (of_lines.format["kind"], of_lines.reasons) == ("jsonl", [])
    assert of_lines.kpis is not None
    assert (of_lines.kpis.row_count, of_lines.kpis.bad_rows) == (2, 0)
    assert inspected(b'{"5411": "Groceries"}\n', key="mcc_codes/a.json").format["kind"] == "json"


def test_point_of_a_number_is_its_decimal_sign__a_pin_says_commas() -> None:
    found = inspected(lines(row(1, amount="1234.567"), row(2, amount='"1.234,50"'), row(3, amount="-0.5")), decimal=",")
    assert found.kpis is not None
    assert found.kpis.broken_rules == {"amount_too_precise": 1}
    assert found.kpis.total_cents == 123400


def test_changes_are_read__operation_and_commit_timestamp() -> None:
    commit = '"commit_ts": "2023-05-06 07:08:09.123456"'
    found = inspected(lines(row(1, '"Op": "I"', commit), row(2, '"Op": "D"', commit), row(3, commit)))
    assert found.kpis is not None
    assert found.format["dialect"] == "dms cdc"
    assert found.format["ordered_by"] == "commit_ts"
    assert found.kpis.operations == {"insert": 1, "update": 0, "delete": 1}
    assert found.kpis.broken_rules == {"op_unknown": 1}


def test_name_of_a_form_of_dms_says_nothing__dms_writes_no_json() -> None:
    for name in ("LOAD00000001.json", "20240305-000000001.json", "CDC_TXN-1.jsonl"):
        found = inspected(lines(row(1)), key=f"transactions/{name}")
        assert (found.reasons, found.format["dialect"], found.format["is_full_load"]) == ([], "upload", False)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.ndjson", "a"])
def test_name_promises_what_it_holds__no_warning(name: str) -> None:
    assert [text for text in inspected(lines(row(1)), key=f"transactions/{name}").warnings if "promises" in text] == []
    packed = inspected(gzip.compress(lines(row(1))), key=f"transactions/{name}.gz")
    assert packed.format["kind"] == "jsonl.gz"
    assert [text for text in packed.warnings if "promises" in text] == []
