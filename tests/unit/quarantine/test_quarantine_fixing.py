"""Corrected rows: tied to their file and row, judged as they will be there, and sent whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from preview_tables import Items

from assay.errors import UserError
from assay.quarantine import fixing, objects
from assay.quarantine.rows import fields_of

ORIGINAL = "a" * 64
HEADER = "file_id,row,line,reasons,raw,dms_id,amount,date"
SHAPE = {"kind": "csv", "places": {"date": 2, "dms_id": 0, "amount": 1}, "is_full_load": False}


def original(**changed: Any) -> dict[str, Any]:
    item = {"file_id": ORIGINAL, "kind": "file", "subject": "transactions", "key": "transactions/a.csv"}
    item |= {
        "status": "published",
        "in_effect": True,
        "format": SHAPE,
        "last_modified_at": "2024-03-01T00:00:00.000000Z",
    }
    return {**item, "sequencer": "1", "version_id": "v", **changed}


def written(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "rows.csv"
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8-sig")
    return path


def corrected(folder: Path, *rows: str, item: dict[str, Any] | None = None, header: str = HEADER) -> fixing.Corrected:
    ledger: Any = Items(item or original())
    (found,) = fixing.corrected(fixing.read_corrected(written(folder, *rows, header=header)), ledger)
    return found


def test_corrected_rows_become_one_object__in_the_columns_of_their_file(tmp_path: Path) -> None:
    found = corrected(tmp_path, f'{ORIGINAL},9,,,,2,"2.00",2024-02-02', f"{ORIGINAL},3,4,why,raw,1,1.00,2024-02-01")
    assert found.body == b"row,dms_id,amount,date\n3,1,1.00,2024-02-01\n9,2,2.00,2024-02-02\n"
    assert found.key.startswith(f"transactions/repairs/{ORIGINAL}/")
    assert (
        found.key == corrected(tmp_path, f"{ORIGINAL},3,,,,1,1.00,2024-02-01", f"{ORIGINAL},9,,,,2,2.00,2024-02-02").key
    )
    assert found.inspection.reasons == []
    assert found.control == {"row-count": "2", "total-amount": "3.00"}


def test_corrected_rows_are_judged_as_in_their_file__decimal_comma_and_instant(tmp_path: Path) -> None:
    german = original(format={**SHAPE, "decimal": ","})
    found = corrected(tmp_path, f'{ORIGINAL},3,,,,1,"1,50",2024-02-01', item=german)
    assert found.control["total-amount"] == "1.50"
    late = corrected(tmp_path, f"{ORIGINAL},3,,,,1,x,2024-03-03", f"{ORIGINAL},4,,,,1,1.00,2024-03-01")
    assert late.inspection.reasons[0].code == "broken_repair"
    assert [(late.numbers[row.row - 1], row.rules) for row in late.broken()] == [
        (3, ("amount_unreadable", "date_in_future"))
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("first", ["", "sep={}\r\n"])
def test_corrected_rows_are_those_of_a_spreadsheet__its_separator_cleared_lines_and_columns(
    tmp_path: Path, delimiter: str, first: str
) -> None:
    path = tmp_path / "rows.csv"
    lines = [f"{HEADER.upper()},,", f"{ORIGINAL},3,,,,1,1.00,2024-02-01,,", ",,,,,,,,,", ""]
    path.write_text(first.format(delimiter) + "\r\n".join(lines).replace(",", delimiter), encoding="utf-8-sig")
    ledger: Any = Items(original())
    (found,) = fixing.corrected(fixing.read_corrected(path), ledger)
    assert found.body == b"row,dms_id,amount,date\n3,1,1.00,2024-02-01\n"


def test_fix_names_the_line_where_a_quote_is_opened(tmp_path: Path) -> None:
    path = written(tmp_path, f"{ORIGINAL},3,,,,1,1.00,2024-02-01", f'{ORIGINAL},4,,,,"1,1.00,2024-02-01')
    with pytest.raises(UserError, match="line 3: unexpected end of data"):
        fixing.read_corrected(path)


@pytest.mark.parametrize(
    ("rows", "header", "words"),
    [
        ((f"{ORIGINAL},1,2",), "file_id,row,row", "the column row twice"),
        ((f"{ORIGINAL},1.00",), "file_id,amount", "has no column row"),
        ((f"{ORIGINAL},1,x",), "file_id,row,colour", "unknown column 'colour'"),
        ((), HEADER, "has no rows"),
        ((f"{ORIGINAL},1",), HEADER, "record 2: it has other fields"),
        ((f"{ORIGINAL},one,,,,1,1.00,2024-02-01",), HEADER, "'one' is no number of a row"),
        ((f"{ORIGINAL},1,,,,1,1.00,2024-02-01",) * 2, HEADER, "row 1 of transactions/a.csv is there twice"),
        ((f"{ORIGINAL},1,1.00",), "file_id,row,amount", "the column dms_id of transactions/a.csv is missing"),
        (("b,1,,,,1,1.00,2024-02-01",), HEADER, "knows no file 'b'"),
    ],
)
def test_fix_refuses_a_file_that_cannot_be_tied_to_rows(
    tmp_path: Path, rows: tuple[str, ...], header: str, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        corrected(tmp_path, *rows, header=header)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"subject": "cards"}, "it is no file of transactions"),
        ({"in_effect": False}, "is undone: a repair would have no effect"),
        ({"repairs": "b" * 64}, "knows no file"),
        ({"kind": "action"}, "knows no file"),
    ],
)
def test_fix_refuses_what_cannot_be_repaired(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        corrected(tmp_path, f"{ORIGINAL},1,,,,1,1.00,2024-02-01", item=original(**changed))


def test_fix_refuses_rows_that_are_not_open__another_id_and_a_second_repair(tmp_path: Path) -> None:
    found = corrected(tmp_path, f"{ORIGINAL},1,,,,1,1.00,2024-02-01")
    fixing.refuse_closed(found, {(ORIGINAL, 1): None})
    with pytest.raises(UserError, match=r"row 1 of .* is not in quarantine"):
        fixing.refuse_closed(found, {(ORIGINAL, 2): None})
    with pytest.raises(UserError, match="is closed already, by ccc"):
        fixing.refuse_closed(found, {(ORIGINAL, 1): "c" * 64})


def test_fix_knows_what_was_sent_before__same_content_and_others_under_way() -> None:
    key, body = objects.waiver_of(original(), rule="zip_impossible", who="me", reason="a test")
    assert objects.waiver_of(original(), rule="zip_impossible", who="me", reason="a test") == (key, body)
    sent = {"file_id": "r", "key": key, "repairs": ORIGINAL, "status": "accepted", "in_effect": True}
    assert objects.sent_before(key, [sent]) == sent
    assert objects.sent_before(key, [{**sent, "status": "rejected"}]) is None
    with pytest.raises(UserError, match="is undone"):
        objects.sent_before(key, [{**sent, "status": "published", "in_effect": False}])
    with pytest.raises(UserError, match="is on its way"):
        objects.refuse_under_way(original(), [sent])
    objects.refuse_under_way(original(), [{**sent, "status": "published"}, {**sent, "repairs": "b" * 64}])


COMMA_SHAPE = {"kind": "csv", "places": {"dms_id": 0, "merchant_city": 1}}
OTHER_SHAPE = {"kind": "csv", "delimiter": ";", "places": {"dms_id": 0, "amount": 1}}
PARQUET_SHAPE = {"kind": "parquet", "places": {"dms_id": 0, "amount": 1}}


LINES_SHAPE = {"kind": "jsonl.gz", "columns": ["Town", "ID"], "places": {"merchant_city": 0, "dms_id": 1}}
ENVELOPE_SHAPE = {
    "kind": "jsonl",
    "dialect": "debezium",
    "columns": ["op", "source.ts", "id", "amount"],
    "places": {"op": 0, "commit_at": 1, "dms_id": 2, "amount": 3},
    "encodings": {"amount": "decimal 2"},
}


@pytest.mark.parametrize(
    ("raw", "shape", "fields"),
    [
        ('1,"a ""b"", c",x', COMMA_SHAPE, {"dms_id": "1", "merchant_city": 'a "b", c'}),
        ("1;x", OTHER_SHAPE, {"dms_id": "1", "amount": "x"}),
        ('1,"a\nb"', COMMA_SHAPE, {"dms_id": "1", "merchant_city": "a\nb"}),
        ('{"dms_id":"1","amount":null}', PARQUET_SHAPE, {"dms_id": "1", "amount": ""}),
        (
            '{"Town": "Leeds, UK", "x": [1], "ID": 12.30}',
            LINES_SHAPE,
            {"dms_id": "12.30", "merchant_city": "Leeds, UK"},
        ),
        ('{"ID": 12.30}', {**LINES_SHAPE, "decimal": ","}, {"dms_id": "12,30", "merchant_city": ""}),
        ('{"ID": 12, "Town": 1.5}', {**LINES_SHAPE, "decimal": ","}, {"dms_id": "12", "merchant_city": "1.5"}),
        (
            '{"op":"d","source":{"ts_ms":1700000000123},"before":{"id":1,"amount":"BNI="},"after":null}',
            ENVELOPE_SHAPE,
            {"op": "D", "commit_at": "2023-11-14 22:13:20.123000", "dms_id": "1", "amount": "12.34"},
        ),
        ("1," + "x" * 200_000, COMMA_SHAPE, {"dms_id": "1", "merchant_city": "x" * 200_000}),
    ],
)
def test_export_takes_a_record_apart__as_its_file_is_written(
    raw: str, shape: dict[str, Any], fields: dict[str, str]
) -> None:
    assert fields_of(raw, shape) == fields
