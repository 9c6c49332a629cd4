"""Pins, names and what the first block tells: the forms that the corpus has no file of."""

import io
from datetime import UTC, datetime
from typing import Any

import pytest
from admission import Inspection
from contract.subjects import subject_of
from dms.build import card, text, values
from judging.rules import Limits
from kpi_cloud import Cloud, handle
from kpi_rows import inspected_file, read_rows
from reading.dialect_file import Pin, pin_of
from reading.rejection import RejectedError

LAST_MODIFIED_AT = datetime(2024, 1, 1, tzinfo=UTC)
FULL_LOAD, CHANGES = "transactions/LOAD00000001.csv", "transactions/20231201-100000000.csv"
IN_ORDER = "transactions/CDC_TXN-20231201100000000.csv"


def inspected(key: str, body: bytes, pin: bytes | None = None) -> Inspection:
    return inspected_file(body, key=key, pin=pin, last_modified_at=LAST_MODIFIED_AT)


@pytest.mark.parametrize(
    ("content", "pin"),
    [
        (None, Pin()),
        (b"{}", Pin()),
        (b'{"header": false}', Pin(header=False)),
        (b'{"columns": ["id", "op"]}', Pin(columns=("id", "op"))),
        (b'{"commit_timestamp": "at"}', Pin(settles_commit=True, commit_timestamp="at")),
        (b'{"commit_timestamp": null}', Pin(settles_commit=True)),
        (b'{"null": null}', Pin(settles_null=True)),
        (b'{"null": ""}', Pin(settles_null=True)),
        (b'{"null": []}', Pin(settles_null=True)),
        (b'{"null": " NA "}', Pin(settles_null=True, null_texts=("NA",))),
        (b'{"null": [" nan ", "None", "nan", ""]}', Pin(settles_null=True, null_texts=("nan", "None"))),
        (b'{"delimiter": "\\t"}', Pin(delimiter="\t")),
        (b'{"decimal": ","}', Pin(decimal=",")),
        (b'{"date_order": "day-first"}', Pin(date_order="day-first")),
        (b'{"full_load": true}', Pin(full_load=True)),
        (b'{"table": " Payments "}', Pin(table="payments")),
    ],
)
def test_pin_says_what_it_settles__each_word(content: bytes | None, pin: Pin) -> None:
    assert pin_of(content) == pin


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"separator": ";"}', "'separator', which is none of 'header'"),
        (b'{"delimiter": ":"}', "'delimiter' is ':', which is none of ',', ';'"),
        (b'{"delimiter": null}', "'delimiter' has the wrong type"),
        (b'{"decimal": "comma"}', "'decimal' is 'comma', which is none of '.', ','"),
        (b'{"date_order": "year-first"}', "'date_order' is 'year-first', which is none of 'month-first', 'day-first'"),
        (b'{"null": ["nan", 0]}', "'null' is not a list of texts"),
        (b'{"header": "no"}', "'header' has the wrong type"),
        (b'{"header": null}', "'header' has the wrong type"),
        (b'{"columns": "id"}', "'columns' has the wrong type"),
        (b'{"columns": []}', "'columns' is not a list of names"),
        (b'{"columns": ["id", 2]}', "'columns' is not a list of names"),
        (b'{"commit_timestamp": ""}', "'commit_timestamp' has the wrong type"),
        (b'{"null": 0}', "'null' has the wrong type"),
        (b'{"full_load": 1}', "'full_load' has the wrong type"),
        (b'{"table": []}', "'table' has the wrong type"),
    ],
)
def test_pin_is_refused__each_form_that_cannot_be_read(content: bytes, why: str) -> None:
    with pytest.raises(RejectedError, match=why) as raised:
        pin_of(content)
    assert [reason.code for reason in raised.value.reasons] == ["unreadable_dialect"]


@pytest.mark.parametrize(
    ("last", "dialect"),
    [
        ("LOAD00000001.csv", "dms full load"),
        ("LOAD000000FF.csv.gz", "dms full load"),
        ("load0000000a.csv", "dms full load"),
        ("SEGMENT1_LOAD00000001.csv", "dms full load"),
        ("LOAD0000001.csv", "upload"),
        ("LOAD0000000G.csv", "upload"),
        ("RELOAD00000001.csv", "upload"),
        ("20231201-100000000.csv", "dms cdc"),
        ("20231201-1000000000.csv.gz", "dms cdc"),
        ("20231201-10000000.csv", "upload"),
        ("20231201.csv", "upload"),
        ("CDC_TXN-20231201100000000.csv", "dms cdc transactions"),
    ],
)
def test_dialect_is_told_by_the_last_part_of_the_key__file_with_a_header(last: str, dialect: str) -> None:
    header = "op,bank,ledger,id,amount,date" if dialect == "dms cdc transactions" else "id,amount,date"
    row = "I,a,b,1,1.00,2023-05-06" if dialect == "dms cdc transactions" else "1,1.00,2023-05-06"
    assert inspected(f"transactions/LOAD00000001.csv/{last}", text(header, row)).format["dialect"] == dialect


@pytest.mark.parametrize(
    ("key", "body", "pin", "format_"),
    [
        (FULL_LOAD, text(f"U,{values(1)}"), b'{"full_load": false}', {"is_full_load": False}),
        ("transactions/a.csv", text(f"Op,{'id,amount,date'}", "I,1,1.00,2023-05-06"), None, {"dialect": "dms cdc"}),
        (
            "transactions/a.csv",
            text("id,amount,date", "1,1.00,2023-05-06"),
            b'{"full_load": true}',
            {"dialect": "upload", "is_full_load": True},
        ),
        (CHANGES, text(f"I,{values(1)}"), b'{"null": null}', {"null_text": None}),
        (
            CHANGES,
            text("op,id,amount,date,a,b", "I,1,1.00,2023-05-06,x,2023-12-01"),
            b'{"commit_timestamp": "B"}',
            {"places": {"op": 0, "dms_id": 1, "amount": 2, "date": 3, "commit_at": 5}},
        ),
        (
            IN_ORDER,
            text(f"I,bank,payments,{values(1)}", f"I,bank,refunds,{values(2)}"),
            b'{"table": "Refunds"}',
            {"table": "refunds", "table_places": [2]},
        ),
        (
            IN_ORDER,
            text(f"I,transactions,cards,{values(1)}", f"I,transactions,transactions,{values(2)}"),
            None,
            {"table": "transactions", "table_places": [2]},
        ),
        (
            IN_ORDER,
            text(f"I,cards,transactions,{values(1)}", f"I,transactions,transactions,{values(2)}"),
            None,
            {"table": "transactions", "table_places": [1]},
        ),
    ],
)
def test_file_is_read_as_its_pin_and_its_rows_say__each_case(
    key: str, body: bytes, pin: bytes | None, format_: dict[str, Any]
) -> None:
    found = inspected(key, body, pin)
    assert found.reasons == []
    assert {name: found.format.get(name) for name in format_} == format_


@pytest.mark.parametrize(
    ("key", "body", "pin", "code"),
    [
        (IN_ORDER, text(f"I,bank,payments,{values(1)}"), b'{"table": "refunds"}', "ambiguous_dialect"),
        (CHANGES, text("op,id,amount,date", "I,1,1.00,2023-05-06"), b'{"commit_timestamp": "at"}', "missing_column"),
        ("transactions/a.csv", text(f"{values(1)},more"), b'{"header": false}', "ambiguous_dialect"),
        ("transactions/a.csv", text(values(1)), None, "missing_column"),
        (FULL_LOAD, text('"', '"'), None, "ambiguous_dialect"),
        ("mcc_codes/a.csv", b'{"5411": {"name": "x"}}', None, "unreadable_json"),
        ("mcc_codes/a.csv", b"{" + b'"a":{' * 100_000, None, "unreadable_json"),
        ("mcc_codes/a.csv", b"{}", None, "no_rows"),
    ],
)
def test_file_is_rejected__each_case(key: str, body: bytes, pin: bytes | None, code: str) -> None:
    assert inspected(key, body, pin).reasons[0].code == code


def test_hint_points_to_a_pin__upload_whose_first_line_looks_like_data() -> None:
    assert "_dialect.json" in inspected("transactions/a.csv", text(values(1), values(2))).reasons[-1].text


def test_name_that_promises_another_kind_is_a_warning__codes_in_json_and_csv() -> None:
    found = inspected("mcc_codes/codes.csv", b'\xef\xbb\xbf\n {"5411": "Grocery Stores"}')
    assert found.reasons == []
    assert "The name promises CSV, the content is JSON" in found.warnings[0]
    other = inspected("mcc_codes/codes.json", text("mcc", "5411"))
    assert "The name promises JSON, the content is CSV" in other.warnings[0]


def test_columns_that_name_the_table_are_no_warning__transactions_in_order() -> None:
    warnings = inspected(IN_ORDER, text(f"I,bank,payments,{values(1)}")).warnings
    assert not any("Unknown columns" in warning for warning in warnings)


@pytest.mark.parametrize("break_in", range(1, 40, 7))
def test_rows_are_the_same__headerless_file_behind_blank_lines(break_in: int) -> None:
    body = b"\n \n" + text(*(f"I,{values(n)}" for n in range(break_in)))
    rows = read_rows(io.BytesIO(body), Limits.of(LAST_MODIFIED_AT), key=CHANGES)
    assert rows["line"].to_list() == list(range(3, break_in + 3))
    assert rows["key"].to_list() == list(range(break_in))


def test_pin_of_a_parent_folder_counts__none_nearer(cloud: Cloud) -> None:
    cloud.put("transactions/_dialect.json", b'{"header": false}')
    handle(cloud.put("transactions/2023/05/a.csv", text(values(1))))
    assert cloud.item("transactions/2023/05/a.csv")["status"] == "accepted"
    cloud.put("transactions/2023/_dialect.json", b"{}")
    handle(cloud.put("transactions/2023/05/b.csv", text(values(1))))
    assert cloud.item("transactions/2023/05/b.csv")["reasons"][0]["code"] == "missing_column"
    cloud.put("cards/_dialect.json", b"no pin of these files")
    handle(cloud.put("transactions/c.csv", text(values(1))))
    assert cloud.item("transactions/c.csv")["format"]["has_header"] is False


def test_pin_that_cannot_be_read_rejects_the_file__nearest_one(cloud: Cloud) -> None:
    cloud.put("transactions/_dialect.json", b"{}")
    cloud.put("transactions/a/_dialect.json", b"{")
    handle(cloud.put("transactions/a/b.csv", b"id,amount,date\n1,1.00,2023-05-06\n"))
    assert cloud.item("transactions/a/b.csv")["reasons"][0]["code"] == "unreadable_dialect"


def test_pin_is_no_file_of_its_own__event_ignored(cloud: Cloud) -> None:
    assert handle(cloud.put("transactions/a/_dialect.json", b"{}")) == {"handled": 0}
    assert cloud.table.scan()["Items"] == []


@pytest.mark.parametrize(
    ("key", "body"),
    [
        ("transactions/a.csv", b"id,amount,date\n1,1.00,2023-05-06\n"),
        ("cards/LOAD00000001.csv", text(card(1, cvv=""))),
        ("users/a.csv", b"id\n1\n"),
        ("mcc_codes/a.json", b'{"5411": "Grocery Stores"}'),
    ],
)
def test_item_names_its_subject__first_folder(cloud: Cloud, key: str, body: bytes) -> None:
    handle(cloud.put(key, body))
    item = cloud.item(key)
    assert item["status"] == "accepted"
    assert item["subject"] == key.partition("/")[0] == subject_of(key).name


HEADER = b"id,amount,date,merchant_city\n"
STAMPED = b"Op,stamp,id,amount,date,merchant_city\n"
CHANGE = b'I,1,2023-05-06 00:00:00,7,8,1.00,chip,5,"a\nb",MA,02139,5411,\n'
THREE_LINES = b'I,7,40,60,1970,2,f,"1 Main St\nFlat 2\nBoston",42.1,-71.1,$10,$20,$5,700,%d\n'


@pytest.mark.parametrize(
    ("key", "body", "found"),
    [
        ("transactions/file.csv", HEADER + b'1,1.00,2023-05-06,"a\nx,,,,,\nb"\n', (1, 0, "1.00")),
        ("transactions/file.csv", HEADER + b'1,1.00,2023-05-06,"a\nx,,,,,\nb"\n2,1.00,2023-05-06,c\n', (2, 0, "2.00")),
        ("transactions/file.csv", HEADER + b'1,1.00,2023-05-06,"a\n2,2.00,2023-05-06,"b\n', (2, 2, "0.00")),
        (
            CHANGES,
            STAMPED + b'I,2024-03-01 00:00:00.000000,1,1.00,2023-05-06,x\nI,,2,2.00,2023-05-06,"a\nb"\n',
            (2, 0, "3.00"),
        ),
        (CHANGES, CHANGE, (1, 0, "1.00")),
        (FULL_LOAD, CHANGE[2:], (1, 0, "1.00")),
        ("users/20231201-100000000.csv", b"".join(THREE_LINES % cards for cards in range(3)), (3, 0, "0.00")),
    ],
)
def test_first_block_is_told_by_records__of_several_lines(key: str, body: bytes, found: tuple[int, int, str]) -> None:
    inspection = inspected(key, body)
    assert [reason.text for reason in inspection.reasons] == []
    assert inspection.kpis is not None
    kpis = inspection.kpis.as_item()
    assert (kpis["row_count"], kpis["bad_rows"], kpis["total_amount"]) == found
    assert not any("more than the header has names" in warning for warning in inspection.warnings)


ENVELOPES = (
    b'{"before":null,"after":{"mcc":"742","description":"a"},"source":{"ts_ms":1683356889000},"op":"c"}\n'
    b'{"before":{"mcc":"742"},"after":null,"source":{"ts_ms":1683356889001},"op":"d"}\n'
)


@pytest.mark.parametrize(
    ("body", "kind", "rows"),
    [
        (ENVELOPES, "jsonl", 2),
        (ENVELOPES.partition(b"\n")[0], "jsonl", 1),
        (b'{"description":"a"}\n{"mcc":"742","description":"b"}\n', "jsonl", 2),
        (b'{" MCC ":"742","description":"b"}\n', "jsonl", 1),
        (b'{"742":"Veterinary"}\n', "json", 1),
        (b'{\n"742":"Veterinary",\n"743":"b"}\n', "json", 2),
    ],
)
def test_codes_are_an_object_or_lines__by_what_follows_the_first_line(body: bytes, kind: str, rows: int) -> None:
    inspection = inspected("mcc_codes/codes.jsonl", body)
    assert [reason.text for reason in inspection.reasons] == []
    assert inspection.kpis is not None
    assert (inspection.format["kind"], inspection.kpis.as_item()["row_count"]) == (kind, rows)
