"""Files hold what the rows say, to the byte and to the cent."""

import csv
import gzip
import hashlib
import io
import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.errors import UserError
from devcloud.sample.extent import Extent
from devcloud.sample.history import History
from devcloud.sample.writers import Totals, amount_text, arrow_table, csv_bytes, write, write_control

SMALL = Extent(1000, seed=3)
HEADER = "id,date,client_id,card_id,amount,use_chip,merchant_id,merchant_city,merchant_state,zip,mcc,errors"

# Change these two only together with the changelog: whoever has made files from a seed will get others.
FIRST_LINE = (
    "7475327,2010-01-05 09:38:00,496,2961,$4.92,Swipe Transaction,25887,Topeka,KS,66601.0,5814,Insufficient Balance"
)
SHA256 = "4994b7b4100a21295980d8f75ef8a481b7b33ec36e4bfa0aad180a73ad7846b4"


def read_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def decimal_total(rows: list[dict[str, str]]) -> Decimal:
    return sum((Decimal(row["amount"].replace("$", "")) for row in rows), Decimal(0))


def test_csv_is_byte_for_byte_the_same__on_every_machine(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    write(History(SMALL), path)
    content = path.read_bytes()
    lines = content.decode("ascii").split("\n")
    assert lines[0] == HEADER
    assert lines[1] == FIRST_LINE
    assert lines[-1] == ""
    assert hashlib.sha256(content).hexdigest() == SHA256


@pytest.mark.parametrize(
    ("cents", "text"),
    [(1457, "$14.57"), (-7700, "$-77.00"), (141264, "$1412.64"), (0, "$0.00"), (-5, "$-0.05"), (9, "$0.09")],
)
def test_amount_is_written_as_in_the_source__from_cents(cents: int, text: str) -> None:
    assert amount_text(pl.Series([cents])).to_list() == [text]


def test_csv_values_have_the_source_s_forms__in_every_row(rows: pl.DataFrame) -> None:
    text = csv_bytes(rows.head(100_000), header=True).decode("ascii")
    frame = pl.read_csv(io.StringIO(text), infer_schema=False)
    assert frame["date"].str.contains(r"^20\d\d-\d\d-\d\d \d\d:\d\d:00$").all()
    assert frame["amount"].str.contains(r"^\$-?\d+\.\d\d$").all()
    assert frame["zip"].drop_nulls().str.contains(r"^\d{4,5}\.0$").all()
    assert frame["zip"].null_count() > 0
    assert frame["mcc"].str.contains(r"^\d{4}$").all()
    assert 90 < len(text) / len(frame) < 97
    quoted = [line for line in text.splitlines() if '"' in line]
    assert quoted
    assert all(line.count('"') == 2 and line.endswith('"') for line in quoted)


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz", "rows.parquet", "rows.jsonl", "rows.json.gz"])
def test_totals_are_exact__against_decimals_read_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    totals = write(History(SMALL), path)
    if name.endswith(".parquet"):
        amounts = pq.read_table(path)["amount"].to_pylist()
    else:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode()
        objects = [json.loads(line, parse_float=Decimal) for line in text.splitlines()] if "json" in name else []
        amounts = [row["amount"] for row in objects] or [
            Decimal(row["amount"].replace("$", "")) for row in read_rows(text)
        ]
    assert totals.rows == len(amounts) == 1000
    assert totals.total_amount == str(sum(amounts))


def test_gzip_holds_the_csv__and_tells_neither_time_nor_name(tmp_path: Path) -> None:
    plain, first, second = tmp_path / "a.csv", tmp_path / "b.csv.gz", tmp_path / "other.csv.gz"
    for path in (plain, first, second):
        write(History(SMALL), path)
    assert gzip.decompress(first.read_bytes()) == plain.read_bytes()
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes()[3:8] == bytes(5)


def test_parquet_has_the_contract_s_types__and_the_csv_s_values(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write(History(SMALL), path)
    table = pq.read_table(path)
    types = {field.name: field.type for field in table.schema}
    assert list(types) == HEADER.split(",")
    assert types["amount"] == pa.decimal128(18, 2)
    assert types["date"] == pa.timestamp("us")
    assert {types[name] for name in ("id", "client_id", "card_id", "merchant_id", "zip", "mcc")} == {pa.int64()}
    assert {types[name] for name in ("use_chip", "merchant_city", "merchant_state", "errors")} == {pa.string()}
    frame = pl.concat(list(History(SMALL)))
    assert [int(amount.scaleb(2)) for amount in table["amount"].to_pylist()] == frame["amount_cents"].to_list()
    assert table["zip"].to_pylist() == frame["zip"].to_list()
    assert min(table["amount"].to_pylist()) < 0


def test_arrow_decimals_are_whole__negative_and_beyond_a_word() -> None:
    frame = pl.concat(list(History(SMALL))).head(4)
    cents = [-7700, 0, 1457, -(10**18) + 1]
    table = arrow_table(frame.with_columns(amount_cents=pl.Series(cents)), amounts="decimal")
    table.validate(full=True)
    assert table["amount"].to_pylist() == [Decimal(value).scaleb(-2) for value in cents]


def test_parquet_amounts_can_be_text__as_in_the_csv(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    totals = write(History(SMALL), path, amounts="text")
    texts = pq.read_table(path)["amount"].to_pylist()
    assert all(isinstance(text, str) and text.startswith("$") for text in texts)
    assert sum(Decimal(text.replace("$", "")) for text in texts) == Decimal(totals.total_amount)


def test_json_lines_have_the_csv_s_values__amounts_as_numbers_or_as_texts(tmp_path: Path) -> None:
    texts, numbers, table = tmp_path / "texts.jsonl", tmp_path / "numbers.ndjson", tmp_path / "rows.csv"
    write(History(SMALL), texts, amounts="text")
    write(History(SMALL), numbers)
    write(History(SMALL), table)
    read = {
        path: [json.loads(line, parse_float=str) for line in path.read_text().splitlines()] for path in (texts, numbers)
    }
    for row, text, number in zip(read_rows(table.read_text()), read[texts], read[numbers], strict=True):
        assert [text["amount"], f"${number['amount']}"] == 2 * [row["amount"]]
        assert {**text, "zip": None, "amount": None} == {**number, "zip": None, "amount": None}
        assert [str(text["id"]), text["date"], text["errors"] or ""] == [row["id"], row["date"], row["errors"]]


def test_control_side_car_holds_the_contract_s_figures__beside_the_file(tmp_path: Path) -> None:
    path = write_control(tmp_path / "day.csv", Totals(rows=1200, total_cents=5123410))
    assert path.name == "day.csv.control.json"
    assert json.loads(path.read_text()) == {"row_count": 1200, "total_amount": "51234.10"}


@pytest.mark.parametrize(("cents", "text"), [(0, "0.00"), (-5, "-0.05"), (10**20 + 7, "1000000000000000000.07")])
def test_total_amount_has_two_decimals__for_any_cents(cents: int, text: str) -> None:
    assert Totals(1, cents).total_amount == text


def test_write_refuses__a_name_of_no_kind(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"rows\.txt"):
        write(History(SMALL), tmp_path / "rows.txt")


def test_write_leaves_nothing__when_the_rows_fail(tmp_path: Path) -> None:
    def failing() -> object:
        yield from History(SMALL)
        raise RuntimeError("broken on purpose")

    (tmp_path / "rows.csv").write_text("before")
    with pytest.raises(RuntimeError, match="on purpose"):
        write(failing(), tmp_path / "rows.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]
    assert (tmp_path / "rows.csv").read_text() == "before"
