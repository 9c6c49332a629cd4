"""How a file is written is decided once: which values prove it, refuse the file or warn, and what a pin does."""

import io
import json
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from admission import Inspection
from contract.kinds import AMOUNT
from contract.limits import REASON_CHARACTERS
from contract.subjects import TRANSACTIONS
from contract.writing import DATE_ORDER_PROOFS, DECIMAL_SIGN_PROOFS, DELIMITERS, THREE_DIGITS_BEHIND
from dms.build import CARD_NUMBERS, CARDS_HEADER, card, text
from hypothesis import strategies as st
from judging.rules import Limits
from kpi_rows import inspected_file, read_rows
from reading.near_names import near_name
from two_sizes import in_two_sizes

LAST_MODIFIED_AT = datetime(2024, 6, 1, tzinfo=UTC)
HEADER = "dms_id,amount,date"
DAY = "2023-05-06"


def inspected(
    body: bytes, *, key: str = "transactions/a.csv", maximum_bad_share: str = "1", **pin: object
) -> Inspection:
    found = inspected_file(
        body,
        key=key,
        pin=json.dumps(pin).encode() if pin else None,
        last_modified_at=LAST_MODIFIED_AT,
        maximum_bad_share=maximum_bad_share,
    )
    assert all(len(reason.text) <= REASON_CHARACTERS for reason in found.reasons)
    assert all(len(warning) <= REASON_CHARACTERS for warning in found.warnings)
    return found


def of_dates(*dates: str, **pin: object) -> Inspection:
    return inspected(text(HEADER, *(f"{number},1.00,{date}" for number, date in enumerate(dates))), **pin)


def of_amounts(*amounts: str, **pin: object) -> Inspection:
    return inspected(text(HEADER, *(f'{number},"{amount}",{DAY}' for number, amount in enumerate(amounts))), **pin)


def told(found: Inspection, word: str) -> list[str]:
    return [warning for warning in found.warnings if word in warning]


def codes(found: Inspection) -> list[str]:
    return [reason.code for reason in found.reasons]


@pytest.mark.parametrize(
    ("date", "orders"),
    [
        ("13/02/2024", ["day-first"]),
        ("31/12/2024 7:08", ["day-first"]),
        ("2/13/2024", ["month-first"]),
        ("12/31/2024 07:08:09.5", ["month-first"]),
        ("1/2/2024", []),
        ("13/13/2024", []),
        ("32/1/2024", []),
        ("0/13/2024", []),
        ("13/2/24", []),
        ("13/2/20245", []),
        ("2024-02-13", []),
    ],
)
def test_date_proves_an_order__only_one_is_in_the_calendar(date: str, orders: list[str]) -> None:
    found = of_dates(date, date)
    reasons = codes(found)
    assert ("day_first_dates" in reasons) == (orders == ["day-first"])
    assert [order for order in DATE_ORDER_PROOFS if orders == [order]] == orders
    assert told(found, "comes first") == [] or orders == []


def test_file_is_refused_with_counts_example_and_pin__dates_with_the_day_first() -> None:
    [reason] = of_dates("01/02/2024", "13/02/2024", DAY, "14/02/2024").reasons
    assert reason.code == "day_first_dates"
    assert "2 dates can only be read with the day first, '13/02/2024' on line 3 for one" in reason.text
    assert "1 can be read either way." in reason.text
    assert '{"date_order": "day-first"} in a _dialect.json in its folder' in reason.text


def test_file_is_refused_with_one_line_for_each_reading__dates_that_prove_both() -> None:
    reasons = of_dates("2/13/2024", "1/2/2024", "13/2/2024", "14/2/2024").reasons
    assert [reason.code for reason in reasons] == ["ambiguous_dialect"] * 2
    assert "1 date can only be read with the month first, '2/13/2024' on line 2 for one" in reasons[0].text
    assert "2 dates can only be read with the day first, '13/2/2024' on line 4 for one" in reasons[1].text
    assert '{"date_order": "month-first"}' in reasons[0].text
    assert '{"date_order": "day-first"}' in reasons[1].text


def test_default_holds_with_a_warning__nothing_decides() -> None:
    found = of_dates("01/02/2024", "02/02/2024", "2024-01-01")
    assert codes(found) == []
    [warning] = told(found, "comes first")
    assert "1 date, '01/02/2024' for one" in warning
    assert found.kpis is not None
    assert found.kpis.as_item()["last_at"] == "2024-02-02T00:00:00.000000Z"


@pytest.mark.parametrize("dates", [("02/13/2024", "01/02/2024"), ("2/2/2024",), (DAY, ""), ("soon",)])
def test_nothing_is_said_of_dates__proven_or_the_same_either_way(dates: tuple[str, ...]) -> None:
    found = of_dates(*dates)
    assert codes(found) == []
    assert told(found, "comes first") == []


@pytest.mark.parametrize("order", ["day-first", "month-first"])
@pytest.mark.parametrize("date", ["01/02/2024", "13/02/2024", "02/13/2024"])
def test_pin_settles_the_order_without_a_word__each(order: str, date: str) -> None:
    found = of_dates(date, date_order=order)
    day, month = (0, 1) if order == "day-first" else (1, 0)
    parts = [int(part) for part in date.split("/")]
    assert codes(found) == []
    assert told(found, "comes first") == []
    assert found.kpis is not None
    expected = None if parts[month] > 12 else f"2024-{parts[month]:02}-{parts[day]:02}T00:00:00.000000Z"
    assert found.kpis.as_item().get("first_at") == expected


PROVE_POINT = "12.50 12.5 .5 -.50 1,412.64 $1,412.64 ($77.00) 1,234,567 1234.567 0.173 12.3400 1,234.5678 12.3400000001"
PROVE_COMMA = "12,50 12,5 ,5 -,50 1.412,64 $1.412,64 ($77,00) 1.234.567 1234,567 0,173 12,3400 1.234,5678 1\u00a0234,50"
PROVE_NOTHING = "12 5. 5, 1.2.3 12,34,567.00 1,23.00 06.05.2023 1e-05 2.5E+03 12.50- NaN"


@pytest.mark.parametrize(
    ("amount", "signs"),
    [
        *((amount, ["."]) for amount in PROVE_POINT.split(" ")),
        *((amount, [","]) for amount in PROVE_COMMA.split(" ")),
        *((amount, []) for amount in PROVE_NOTHING.split(" ") if amount != "12.50-"),
    ],
)
def test_amount_proves_a_decimal_sign__none_with_the_other(amount: str, signs: list[str]) -> None:
    with_comma = codes(of_amounts(amount, "12,50"))
    with_point = codes(of_amounts(amount, "12.50"))
    assert with_comma == (["ambiguous_dialect"] * 2 if signs == ["."] else ["decimal_commas"])
    assert with_point == (["ambiguous_dialect"] * 2 if signs == [","] else [])


def test_forms_of_evidence_exclude_each_other__any_number() -> None:
    assert set(DECIMAL_SIGN_PROOFS) == set(THREE_DIGITS_BEHIND) == {".", ","}


def test_file_is_refused_with_counts_example_and_pin__decimal_commas() -> None:
    [reason] = of_amounts("173,900", "12,50", "1.234,56").reasons
    assert reason.code == "decimal_commas"
    assert "2 amounts can only be read with a comma as decimal sign, '12,50' on line 3 for one" in reason.text
    assert '{"decimal": ","} in a _dialect.json' in reason.text


def test_file_is_refused_with_one_line_for_each_reading__both_decimal_signs() -> None:
    usual, comma = of_amounts("12.50", "0.10", "12,50").reasons
    assert usual.code == comma.code == "ambiguous_dialect"
    assert "2 amounts can only be read with a point as decimal sign, '12.50' on line 2 for one" in usual.text
    assert "1 amount can only be read with a comma as decimal sign, '12,50' on line 4 for one" in comma.text


@pytest.mark.parametrize(
    ("amounts", "warnings"),
    [
        (("750.00", "1.500"), ["behind a single point"]),
        (("1.500", "2.250"), ["behind a single point"]),
        (("173,900", "12"), ["behind a single comma"]),
        (("173,900", "12.50"), []),
        (("173,900", "1.500"), ["behind a single point", "behind a single comma"]),
        (("12.50", "173,900", "1.500"), ["behind a single point"]),
        (("1234.500", "0.500"), []),
        (("12.50", "12.3400"), []),
    ],
)
def test_three_digits_are_a_warning_that_names_the_pin__beside_what(
    amounts: tuple[str, ...], warnings: list[str]
) -> None:
    found = of_amounts(*amounts)
    assert codes(found) == []
    single = [warning.partition("three digits ")[2].partition(":")[0] for warning in told(found, "behind a")]
    assert single == warnings
    assert all('{"decimal": "."}' in warning for warning in told(found, "behind a"))


@pytest.mark.parametrize("decimal", [".", ","])
def test_pin_settles_the_decimal_sign_without_a_word__both_written(decimal: str) -> None:
    found = of_amounts("12.50", "12,50", "1.500", "173,900", decimal=decimal)
    assert codes(found) == []
    assert told(found, "decimal") == []
    assert found.kpis is not None
    assert found.kpis.total_cents == (1_250 + 150 + 17_390_000 if decimal == "." else 1_250 + 150_000 + 17_390)
    assert found.kpis.bad_rows == 1


@in_two_sizes(20, 100, amount=st.from_regex(rf"\A{AMOUNT.pattern}\Z"))
def test_amount_is_the_same_with_its_signs_swapped__under_the_pin(amount: str) -> None:
    def rows(written: str, pin: str) -> list[tuple[object, ...]]:
        body = f'{HEADER}\n1,"{written}",{DAY}\n'.encode()
        read = read_rows(io.BytesIO(body), Limits.of(LAST_MODIFIED_AT), pin=f'{{"decimal": "{pin}"}}'.encode())
        return read.select("rules", "cents").rows()

    assert rows(amount.translate(str.maketrans(",.", ".,")), ",") == rows(amount, ".")


def test_numbers_of_parquet_are_not_written_in_any_way__whatever_their_decimals() -> None:
    amounts = pa.array([Decimal("1.500"), Decimal("2.250")], pa.decimal128(18, 3))
    table = pa.table({"id": [1, 2], "amount": amounts, "date": [DAY] * 2})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    found = inspected(sink.getvalue(), key="transactions/a.parquet")
    assert told(found, "behind a") == []
    pinned = inspected(sink.getvalue(), key="transactions/a.parquet", decimal=",")
    assert pinned.kpis is not None
    assert (pinned.kpis.total_cents, pinned.kpis.bad_rows) == (375, 0)


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_separator_is_read_by_proof__only_with_it_are_the_required_columns_there(delimiter: str) -> None:
    lines = [HEADER, f"1,1.00,{DAY}", f'2,"2.00",{DAY}', f'3,"3{delimiter}00",{DAY}']
    found = inspected(text(*(line.replace(",", delimiter) for line in lines)))
    assert found.format["delimiter"] == delimiter
    assert found.kpis is not None
    assert (found.kpis.row_count, found.kpis.total_cents, found.kpis.bad_rows) == (3, 300, 1)


def test_separator_stays_a_comma__what_the_header_says_with_it_or_nothing_proves() -> None:
    assert "delimiter" not in inspected(text("dms_id,amount,date,a;b", f"1,1.00,{DAY},x")).format
    assert codes(inspected(text("id;amount;when", f"1;1.00;{DAY}")))[0] == "missing_column"
    pinned = inspected(text(HEADER, f"1,1.00,{DAY}"), delimiter=";")
    assert codes(pinned)[0] == "missing_column"


@pytest.mark.parametrize("delimiter", [each for each in DELIMITERS if each != ","])
def test_separator_of_a_file_without_a_header_is_named__and_read_with_the_pin(delimiter: str) -> None:
    row = f"1,{DAY},1,2,1.00,Chip Transaction,9,Reno,NV,89501,5411,".replace(",", delimiter)
    key = "transactions/LOAD00000001.csv"
    [reason] = inspected(text(row, row), key=key).reasons
    assert reason.code == "ambiguous_dialect"
    assert DELIMITERS[delimiter] in reason.text
    assert json.dumps({"delimiter": delimiter}) in reason.text
    assert codes(inspected(text(row, row), key=key, delimiter=delimiter)) == []


NULLS = text(
    f"{HEADER},merchant_city,errors,zip",
    *(f"{number},1.00,{DAY},{word},{word}," for number, word in enumerate(["nan", "None", "nan", " NaN ", "Reno"])),
)


def test_null_words_are_counted_by_column__and_the_pin_is_named() -> None:
    city, names = told(inspected(NULLS), "has 'nan'")
    assert city.startswith("'merchant_city' has 'nan' in 2 rows, 'NaN' in 1 row, 'None' in 1 row: if that means null")
    assert '{"null": ["nan", "NaN", "None"]} in a _dialect.json' in city
    assert names.startswith("'errors' has")
    assert "it was read as null there" in names


def test_null_words_are_no_warning__pinned_or_part_of_a_text() -> None:
    assert told(inspected(NULLS, null=["nan", "NaN", "None"]), "null there") == []
    assert told(inspected(NULLS, null=None), "if that means null") == []
    longer = NULLS.replace(b"nan", b"Nantes").replace(b"None", b"Nonesuch").replace(b"NaN", b"")
    assert told(inspected(longer), "means null") == []


def test_null_words_are_named_in_the_refusal__they_break_a_rule() -> None:
    body = text(f"{HEADER},zip", *(f"{number},1.00,{DAY},\\N" for number in range(4)))
    found = inspected(body, maximum_bad_share="0.05")
    assert set(codes(found)) == {"too_many_bad_rows"}
    assert any("'zip' has '\\N' in 4 rows" in reason.text for reason in found.reasons)
    assert codes(inspected(body, maximum_bad_share="0.05", null="\\N")) == []


def test_null_words_of_secret_columns_are_not_looked_at__cards() -> None:
    found = inspected(text(CARDS_HEADER, card(1, "NULL", "NULL"), card(2, CARD_NUMBERS[0], "")), key="cards/a.csv")
    assert told(found, "NULL") == []


@pytest.mark.parametrize("rows", [3, 3_000])
def test_value_without_a_name_refuses_the_file__wherever_it_stands(rows: int) -> None:
    lines = [f"{number},1.00,{DAY},," for number in range(rows)]
    lines[-1] = f"{rows},1.00,{DAY},,x"
    [reason] = inspected(text(f"{HEADER},,", *lines)).reasons
    assert reason.code == "values_without_name"
    assert reason.text.startswith("Column 5 has no name, but values in 1 row, 'x' being the first.")


def test_value_without_a_name_refuses_the_file__parquet() -> None:
    def parquet(values: list[int | None]) -> bytes:
        sink = io.BytesIO()
        columns = [pa.array([1, 2]), pa.array(["1.00", "2.00"]), pa.array([DAY, DAY]), pa.array(values, pa.int64())]
        pq.write_table(pa.table(columns, names=["id", "amount", "date", ""]), sink)
        return sink.getvalue()

    assert codes(inspected(parquet([None, 7]), key="transactions/a.parquet")) == ["values_without_name"]
    assert told(inspected(parquet([None, None]), key="transactions/a.parquet"), "without a name") != []


@pytest.mark.parametrize(("behind", "fields"), [(",", "1 empty field"), (", ,", "2 empty fields")])
def test_empty_fields_behind_each_row_are_columns_without_a_name__as_many_in_each(behind: str, fields: str) -> None:
    found = inspected(text(HEADER, *(f"{number},1.00,{DAY}{behind}" for number in range(3))))
    assert codes(found) == []
    assert found.kpis is not None
    assert found.kpis.bad_rows == 0
    assert told(found, f"Each row ends in {fields} more") != []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("merchant_citty", "merchant_city"),
        ("merchnat_city", "merchant_city"),
        ("Merchant City", "merchant_city"),
        ("zip_code", "zip"),
        ("zipp", "zip"),
        ("error", "errors"),
        ("mcc-code", "mcc"),
        ("merchant_name", None),
        ("created_at", None),
        ("note", None),
        ("state", None),
    ],
)
def test_near_name_is_the_column_that_was_meant__or_none(name: str, meant: str | None) -> None:
    assert near_name(name, TRANSACTIONS.texts) == meant


def test_near_names_are_said__of_columns_that_are_absent() -> None:
    found = inspected(text(f"{HEADER},merchant_citty,zip,zip_code", f"1,1.00,{DAY},Reno,2139,2139"))
    assert told(found, "If it is") == ["The column 'merchant_citty' is not read. If it is 'merchant_city', call it so."]


def test_repeated_ids_are_said__where_nothing_says_that_they_are_changes() -> None:
    rows = (f"1,1.00,{DAY}", f"1,2.00,{DAY}", f"1,2.00,{DAY}", f"2,1.00,{DAY}")
    [warning] = told(inspected(text(HEADER, *rows)), "repeat")
    assert warning.startswith("2 rows repeat an id of the file")
    assert "spreadsheet" not in warning
    assert told(inspected(text(f"op,{HEADER}", *(f"U,{row}" for row in rows))), "repeat") == []
    assert told(inspected(text(f"commit_ts,{HEADER}", *(f"{DAY},{row}" for row in rows))), "repeat") == []
    long = [row.replace("1,", "1914310000010100000,", 1) for row in rows]
    assert "A spreadsheet rounds ids of more than 15 digits." in told(inspected(text(HEADER, *long)), "repeat")[0]
