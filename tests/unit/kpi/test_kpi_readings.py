"""How the function reads what a first look at a file tells wrongly: mixed tables, pins beside headers, odd JSON."""

import io
import json
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from admission import Inspection, inspect_marker
from contract.subjects import TRANSACTIONS
from dms.build import CARD_NUMBERS, COMMIT, HEADER, LATER, deleted, text, user, values
from kpi_rows import PLAIN, inspected_file
from reading.card_secrets import secret_columns
from reading.csv_blocks import CsvRows
from reading.csv_records import Beginning
from reading.dialect_file import pin_of
from reading.layout import Shape, layout_of
from reading.rejection import Reason, RejectedError

FULL_LOAD, CHANGES = "transactions/LOAD00000001.csv", "transactions/20231201-100000000.csv"
IN_ORDER = "transactions/CDC_TXN-20231201100000000.csv"
COLUMNS = ["id", *TRANSACTIONS.headerless[1:]]


def inspected(key: str, body: bytes, **pin: object) -> Inspection:
    return inspected_file(body, key=key, pin=json.dumps(pin).encode() if pin else None)


def test_transactions_in_order_are_read_by_their_own_rows__most_are_of_another_table() -> None:
    others = [f"I,bank,users,{user(number)}" for number in range(5)]
    found = inspected(IN_ORDER, text(*others, f"I,bank,transactions,{values(1)}", f"U,bank,transactions,{values(2)}"))
    assert found.reasons == []
    assert (found.format["table"], found.format["table_places"]) == ("transactions", [2])
    assert found.kpis is not None
    assert (found.kpis.row_count, found.kpis.bad_rows) == (7, 5)
    assert found.kpis.operations == {"insert": 1, "update": 1, "delete": 0}


def test_row_of_another_table_is_quarantined__behind_a_first_block_of_one_unusual_table() -> None:
    first = [f"I,payments,bank,{values(number)}" for number in range(1_001)]
    found = inspected(IN_ORDER, text(*first, f"D,refunds,bank,{values(1)}"))
    assert found.kpis is not None
    assert found.kpis.operations == {"insert": 1_001, "update": 0, "delete": 0}
    assert found.kpis.bad_rows == 1


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        (f"I,{COMMIT},{values(1)},{LATER}", (2, 15)),
        (f"{COMMIT},I,{values(1)},{LATER}", (1, 15)),
        (f"{COMMIT},{values(1)},{LATER}", (1, 14)),
    ],
)
def test_both_timestamps_are_named__headerless_file_with_two(row: str, columns: tuple[int, int]) -> None:
    [reason] = inspected(CHANGES, text(row, row)).reasons
    assert reason.code == "ambiguous_dialect"
    assert f"the commit timestamp is column {columns[0]}; or it is column {columns[1]}." in reason.text


def test_columns_of_a_pin_do_not_rename_a_header__file_in_another_order() -> None:
    found = inspected(FULL_LOAD, text("amount,date,id", "1.00,2023-05-06,7"), columns=["id", "date", "amount"])
    assert found.format["places"] == {"amount": 0, "date": 1, "dms_id": 2}
    assert found.kpis is not None
    assert found.kpis.total_cents == 100


def test_columns_of_a_pin_fit_both_forms__full_load_without_the_operation_of_the_changes() -> None:
    pinned = ["op", *COLUMNS]
    assert inspected(CHANGES, text(f"U,{values(1)}"), columns=pinned).format["places"]["op"] == 0
    found = inspected(FULL_LOAD, text(values(1), values(2)), columns=pinned)
    assert found.format["columns"] == COLUMNS
    assert found.kpis is not None
    assert found.kpis.bad_rows == 0


def test_pin_with_another_number_of_columns_is_refused__both_numbers_told() -> None:
    [reason] = inspected(CHANGES, text(f"I,{values(1)},more"), columns=["op", *COLUMNS]).reasons
    assert reason.code == "ambiguous_dialect"
    assert "the pin names 13 columns; or most rows have 14 fields" in reason.text


def test_commit_timestamp_is_found__broken_row_in_the_first_block() -> None:
    broken = f"I,x,{values(2)},more"
    found = inspected(CHANGES, text(f"Op,moved,{HEADER}", f"I,{COMMIT},{values(1)}", broken))
    assert found.format["places"]["commit_at"] == 1


def test_mean_is_that_of_the_amounts_there_are__deletes_without_one() -> None:
    found = inspected(CHANGES, text(f"I,{values(1)}", *(f"D,{deleted(number)}" for number in range(2, 30))))
    assert found.kpis is not None
    assert found.kpis.mean_cents == found.kpis.total_cents == 1_000


def test_lone_carriage_return_cuts_no_row_of_the_sample__headerless_file() -> None:
    seen: list[int] = []

    def shape_of(beginning: Beginning) -> Shape:
        seen.extend(len(record) for record in beginning.records(","))
        return Shape(layout_of(["id", "date", "amount"]), has_header=False)

    list(CsvRows(io.BytesIO(b"1,a\rb,1.00\r\n2,c,2.00\n"), shape_of, ("dms_id",)).frames())
    assert seen == [3, 3]


@pytest.mark.parametrize("tail", [".0", ".00"])
def test_card_numbers_are_told__written_as_decimals(tail: str) -> None:
    shape = Shape(layout_of(["id", "amount", "date", "pan"]))
    sample = [("1", "1.00", "2023-05-06", number + tail) for number in CARD_NUMBERS]
    assert [reason.code for reason in secret_columns(shape, sample)] == ["card_numbers"]


@pytest.mark.parametrize("name", ["Security Code", "card-security-code", "CARD SECURITY  CODE"])
def test_security_codes_are_told__words_of_the_name_apart(name: str) -> None:
    shape = Shape(layout_of(["id", "amount", "date", name]))
    assert [reason.code for reason in secret_columns(shape, [("1", "1.00", "2023-05-06", "123")])] == [
        "card_security_codes"
    ]


def marked(content: bytes) -> list[Reason]:
    """Return why a marker is rejected."""
    written_at = datetime(2024, 1, 1, tzinfo=UTC)
    return inspect_marker(content, "b", last_modified_at=written_at, is_usable=lambda _: True).reasons


def test_json_with_half_a_surrogate_pair_is_refused__pin_marker_and_codes() -> None:
    half = b'"\\ud800"'
    with pytest.raises(RejectedError, match="surrogates not allowed"):
        pin_of(b'{"header": false, "columns": [' + half + b"]}")
    marker = b'{"load": "May", "start": "2023-05-06", "files": [{"key": "transactions/a", "version": ' + half + b"}]}"
    assert [reason.code for reason in marked(marker)] == ["unreadable_load"]
    assert inspected("mcc_codes/a.json", b'{"5411": ' + half + b"}").reasons[0].code == "unreadable_json"


@pytest.mark.parametrize(
    ("key", "version"),
    [
        ("transactions/a/_load.json", "v"),
        ("transactions/a/_dialect.json", "v"),
        ("transactions/a.csv.control.json", "v"),
        ("transactions/a/", "v"),
        ("transactions/a.csv", ""),
    ],
)
def test_marker_is_refused__lists_what_never_becomes_a_file_with_rows(key: str, version: str) -> None:
    content = json.dumps({"load": "May", "start": "2023-05-06", "files": [{"key": key, "version": version}]})
    [reason] = marked(content.encode())
    assert reason.code == "unreadable_load"
    assert repr(key) in reason.text


ODD_COLUMNS = {
    "vector": pa.array([[1.0, 2.0]] * 6, pa.list_(pa.float32(), 2)),
    "bytes": pa.array([b"\xff"] * 6, pa.binary()),
    "span": pa.array([1] * 6, pa.duration("us")),
}


@pytest.mark.parametrize("odd", ODD_COLUMNS)
def test_values_of_parquet_are_looked_at__beside_a_column_that_has_no_text(odd: str) -> None:
    columns = {"id": list(range(6)), "date": ["2023-05-06"] * 6, "amount": ["1.00"] * 6, "op": ["I"] * 6}
    numbers = [*CARD_NUMBERS, CARD_NUMBERS[0]]
    with_cards = pa.table({**columns, "pan": numbers, odd: ODD_COLUMNS[odd]})
    assert [reason.code for reason in inspected("transactions/a.parquet", parquet(with_cards)).reasons] == [
        "card_numbers"
    ]
    changes = pa.table({**columns, "cdc_at": [COMMIT] * 6, odd: ODD_COLUMNS[odd]})
    [reason] = inspected("transactions/a.parquet", parquet(changes)).reasons
    assert "'cdc_at', which looks like a commit timestamp" in reason.text


def test_card_numbers_are_told__written_as_bytes() -> None:
    numbers = pa.array([number.encode() for number in CARD_NUMBERS], pa.binary())
    table = pa.table({"id": list(range(5)), "date": ["2023-05-06"] * 5, "amount": ["1.00"] * 5, "pan": numbers})
    assert [reason.code for reason in inspected("transactions/a.parquet", parquet(table)).reasons] == ["card_numbers"]


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def test_reasons_stay_few__hundreds_of_columns_twice() -> None:
    names = ",".join(f"c{number}" for number in range(400))
    reasons = inspected("transactions/a.csv", text(f"id,amount,date,{names},{names}")).reasons
    assert len(reasons) == 21
    assert "380 more" in reasons[-1].text


def test_blank_lines_are_no_rows__file_of_one_column() -> None:
    found = inspected("mcc_codes/a.csv", b"mcc\n5411\n\n5812\n \n")
    assert found.kpis is not None
    assert (found.kpis.row_count, found.kpis.bad_rows) == (2, 0)


def test_line_without_end_is_refused__before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reading.csv_blocks.LINE_BYTES", 1 << 10)
    rows = CsvRows(
        io.BytesIO(b"id,amount,date\n1,1.00,2023-05-06\r" + b"2,2.00,2023-05-06\r" * 200),
        PLAIN,
        ("dms_id",),
        block_bytes=64,
    )
    with pytest.raises(RejectedError, match="longer than"):
        list(rows.frames())


def test_null_text_of_a_pin_is_null__an_instant_of_parquet() -> None:
    instants = pa.array([datetime(1970, 1, 1), datetime(2023, 5, 6, 7, 8, 9, 500_000)], pa.timestamp("us"))
    body = parquet(pa.table({"id": [1, 2], "amount": ["1.00", "2.00"], "date": instants}))
    for null, bad in (("1970-01-01 00:00:00", 1), ("2023-05-06 07:08:09.5", 1), ("1970-01-01", 0)):
        kpis = inspected("transactions/a.parquet", body, null=null).kpis
        assert kpis is not None
        assert (null, kpis.bad_rows) == (null, bad)


@pytest.mark.parametrize("wide", [pl.Int128, pl.UInt128])
@pytest.mark.parametrize("column", ["dms_id", "amount", "client_id"])
def test_integers_of_128_bits_are_refused__spark_reads_them_as_bytes(column: str, wide: pl.DataType) -> None:
    values = {"dms_id": [1], "amount": ["1.00"], "date": ["2023-05-06"], "client_id": [5]}
    pl.DataFrame(values | {column: pl.Series([42], dtype=wide)}).write_parquet(written := io.BytesIO())
    assert [reason.code for reason in inspected(FULL_LOAD, written.getvalue()).reasons] == ["unsupported_column_type"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_instants_of_int96_are_read__any_unit_and_zone_that_arrow_notes(unit: str, zone: str | None) -> None:
    at = datetime(2023, 5, 6, 7, 8, 9, tzinfo=UTC)
    dates = pa.array([at if zone else at.replace(tzinfo=None)], pa.timestamp(unit, zone))
    table = pa.table({"dms_id": [1], "amount": ["1.00"], "date": dates})
    pq.write_table(table, written := io.BytesIO(), flavor="spark")
    found = inspected("transactions/a.parquet", written.getvalue())
    assert found.kpis is not None, found.reasons
    assert found.kpis.as_item()["first_at"] == "2023-05-06T07:08:09.000000Z"


@pytest.mark.parametrize(
    "kind",
    [pa.list_(pa.string(), 2), pa.list_(pa.dictionary(pa.int32(), pa.string())), pa.large_list(pa.string())],
    ids=str,
)
def test_lists_of_text_are_read__of_any_kind_that_arrow_notes(kind: pa.DataType) -> None:
    names = pa.array([["Bad PIN", "Bad CVV"], None], pa.list_(pa.string())).cast(kind)
    dates = ["2023-05-06", "2023-05-07"]
    table = pa.table({"dms_id": [1, 2], "amount": ["1.00", "2.00"], "date": dates, "errors": names})
    pq.write_table(table, written := io.BytesIO())
    found = inspected("transactions/a.parquet", written.getvalue())
    assert found.kpis is not None, found.reasons
    assert (found.kpis.row_count, found.kpis.bad_rows) == (2, 0)
