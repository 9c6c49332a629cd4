"""Builds the corpus of files of changes and references: what each holds is readable here, what must come out beside it.

`PYTHONPATH=tests/data python -m dms.build FOLDER` writes the files under their names; each is judged as if it lay under
its key, with its pin in the same folder, and was last modified at LAST_MODIFIED_AT. All card numbers are test numbers.
"""

import gzip
import io
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from dms.envelope_cases import ENVELOPE_CASES

LAST_MODIFIED_AT = datetime(2024, 1, 1, tzinfo=UTC)
FOLDER = Path(__file__).parent
HEADER = "id,date,client_id,card_id,amount,use_chip,merchant_id,merchant_city,merchant_state,zip,mcc,errors"
CARDS_HEADER = (
    "id,client_id,card_brand,card_type,card_number,expires,cvv,has_chip,num_cards_issued,credit_limit,"
    "acct_open_date,year_pin_last_changed,card_on_dark_web"
)
USERS_HEADER = (
    "id,current_age,retirement_age,birth_year,birth_month,gender,address,latitude,longitude,per_capita_income,"
    "yearly_income,total_debt,credit_score,num_credit_cards"
)
AT = "2023-05-06 07:08:09"
COMMIT = "2023-12-01 10:00:00.000001"
LATER = "2023-12-01 10:00:00.000002"
TABLE = "transactions/bank/transactions"
CARD_NUMBERS = ("4111111111111111", "5555555555554444", "4012888888881881", "6011111111111117", "378282246310005")
SECURITY_CODES = ("623", "393", "719", "693", "075")

Pin = dict[str, object] | bytes
Case = tuple[str, bytes, Pin | None]


def text(*lines: str) -> bytes:
    """Join the lines, each with its line feed."""
    return "".join(line + "\n" for line in lines).encode()


def values(key: object, amount: str = "$10.00", *, errors: str = "") -> str:
    """Write the twelve values of a transaction in the order of a headerless file."""
    return f"{key},{AT},825,2972,{amount},Swipe Transaction,59935,Beulah,ND,58523.0,5499,{errors}"


def deleted(key: object) -> str:
    """Write the values of a delete that carries its key only."""
    return f"{key},,,,,,,,,,,"


def card(key: object, number: str = CARD_NUMBERS[0], cvv: str = SECURITY_CODES[0], limit: str = "$24295") -> str:
    """Write the thirteen values of a card in the order of a headerless file."""
    return f"{key},825,Visa,Debit,{number},12/2022,{cvv},YES,2,{limit},09/2002,2008,No"


def user(key: object, income: str = "$29278") -> str:
    """Write the fourteen values of a client in the order of a headerless file."""
    return f"{key},53,66,1966,11,Female,462 Rose Lane,34.15,-117.76,{income},$59696,$127613,787,5"


def parquet(columns: Mapping[str, pa.Array]) -> bytes:
    """Write a Parquet file in row groups of two rows."""
    sink = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), sink, compression="zstd", row_group_size=2)
    return sink.getvalue()


def texts(*given: str | None) -> pa.Array:
    return pa.array(given, pa.string())


def integers(*given: int | None) -> pa.Array:
    return pa.array(given, pa.int64())


def money(*given: str | None) -> pa.Array:
    return pa.array([None if value is None else Decimal(value) for value in given], pa.decimal128(18, 2))


def instants(count: int) -> pa.Array:
    return pa.array([datetime.fromisoformat(AT)] * count, pa.timestamp("us"))


FULL_LOADS: dict[str, Case] = {
    "full_load_headerless": (
        f"{TABLE}/LOAD00000001.csv",
        text(values(1), values(2, "-12.34", errors="Bad PIN"), values("x"), values(3, "NULL"), values(1)),
        None,
    ),
    "full_load_with_header": (f"{TABLE}/LOAD00000001.csv", text(HEADER, values(1), values(2)), None),
    "full_load_with_op": (
        f"{TABLE}/LOAD00000001.csv.gz",
        gzip.compress(text(f"I,{values(1)}", f"I,{values(2)}", f"X,{values(3)}"), mtime=0),
        None,
    ),
    "full_load_hexadecimal_counter": (f"{TABLE}/LOAD0000000A.csv", text(values(1)), None),
    "full_load_segment": (f"{TABLE}/SEGMENT1_LOAD00000001.csv", text(values(1), values(2)), None),
    "full_load_with_transfer_timestamp": (
        f"{TABLE}/LOAD00000002.csv",
        text(f"{values(1)},{COMMIT}", f"{values(2)},{COMMIT}", f"{values(3)},"),
        None,
    ),
    "full_load_parquet": (
        f"{TABLE}/LOAD00000001.parquet",
        parquet(
            {
                "id": integers(1, 2, None),
                "date": instants(3),
                "amount": money("10.00", "-0.05", "3.00"),
                "use_chip": texts("Chip Transaction", "NULL", "Swipe Transaction"),
            }
        ),
        None,
    ),
}

CHANGES: dict[str, Case] = {
    "cdc_headerless": (
        f"{TABLE}/20231201-100000000.csv",
        text(f"I,{values(1)}", f"U,{values(1, '$11.00')}", f"D,{values(2, '$20.00')}", f"i,{values(3)}"),
        None,
    ),
    "cdc_with_header": (
        f"{TABLE}/20231201-1000000000.csv",
        text(f"Op,{HEADER},moved_at", f"INSERT,{values(1)},{COMMIT}", f"delete,{values(1)},{LATER}"),
        {"commit_timestamp": "moved_at"},
    ),
    "cdc_timestamp_after_the_operation": (
        f"{TABLE}/20231201-100000000.csv",
        text(f"I,{COMMIT},{values(1)}", f"U,{LATER},{values(1, '$11.00')}"),
        None,
    ),
    "cdc_timestamp_at_the_end": (
        f"{TABLE}/20231201-100000000.csv",
        text(f"I,{values(1)},{COMMIT}", f"U,{values(1, '$11.00')},{LATER}", f"D,{values(2, errors='NULL')},{LATER}"),
        {"commit_timestamp": "column 14"},
    ),
    "cdc_inserts_only": (f"{TABLE}/20231201-100000000.csv", text(values(1), values(2)), None),
    "cdc_gzip": (
        f"{TABLE}/20231201-100000000.csv.gz",
        gzip.compress(text(f"U,{COMMIT},{values(1)}", f"D,{LATER},{deleted(2)}"), mtime=0),
        None,
    ),
    "cdc_in_date_folders": (
        f"{TABLE}/2023/12/01/20231201-100000000.csv",
        text(f"I,{COMMIT},{values(1)}"),
        None,
    ),
    "cdc_null_tokens": (
        f"{TABLE}/20231201-100000000.csv",
        text(
            f"I,{AT[:10]} 10:00:00.000000,1,{AT},NULL,NULL,$10.00,NULL,NULL,NULL,NULL,NULL,NULL,NULL",
            f"U,{COMMIT},2,{AT},825,2972,NULL,Swipe Transaction,59935,Beulah,ND,58523.0,5499,NULL",
            f"NULL,{COMMIT},{values(3)}",
            f"I,NULL,{values(4)}",
            f'I,{COMMIT},"5"," NULL ",825,2972,$10.00,null,59935,Nulltown,ND,58523.0,5499,"NULL"',
        ),
        None,
    ),
    "cdc_key_only_deletes": (
        f"{TABLE}/20231201-100000000.csv",
        text(f"I,{COMMIT},{values(1)}", f"D,{COMMIT},{deleted(2)}", f"D,{LATER},{deleted(3)}"),
        None,
    ),
    "cdc_before_image_deletes": (
        f"{TABLE}/20231201-100000000.csv",
        text(
            f"D,{COMMIT},{values(1, '$10.00')}",
            f"D,{COMMIT},{values(2, '12.345')}",
            f"D,{COMMIT},3,soon,x,y,lots,tap,z,,,0,54111,",
        ),
        None,
    ),
    "cdc_several_changes_in_one_transaction": (
        f"{TABLE}/20231201-100000000.csv",
        text(
            f"I,{COMMIT},{values(1)}",
            f"U,{COMMIT},{values(1, '$11.00')}",
            f"D,{COMMIT},{values(1, '$11.00')}",
            f"I,{COMMIT},{values(1, '$12.00')}",
        ),
        None,
    ),
    "cdc_unknown_operation": (
        f"{TABLE}/20231201-100000000.csv",
        text(f"I,{values(1)}", f"X,{values(2)}", f",{values(3)}", f"upsert,{values('x')}", f"Update,{values(5)}")
        + text(f"D,{values(6)}", f"I,{values(7)}"),
        None,
    ),
    "cdc_unreadable_timestamp": (
        f"{TABLE}/20231201-100000000.csv",
        text(
            f"I,{COMMIT},{values(1)}",
            f"U,{COMMIT},{values(2)}",
            f"U,{COMMIT},{values(3)}",
            f"U,yesterday,{values(4)}",
            f"D,,{deleted(5)}",
            f"U,1899-12-31 23:59:59.999999,{values(6)}",
            f"U,2023-12-01T12:00:00.0000019+02:00,{values(7)}",
            f"U,2023-12-01,{values(8)}",
            f"I,{COMMIT},{values(9)}",
        ),
        None,
    ),
    "cdc_timestamp_in_the_future": (
        f"{TABLE}/20231201-100000000.csv",
        text(
            f"I,{COMMIT},{values(1)}",
            f"U,9999-12-31 23:59:59.000000,{values(1, '$11.00')}",
            f"U,2024-01-02 00:00:00.000000,{values(2)}",
            f"D,2024-01-02 00:00:00.000001,{deleted(2)}",
            f"I,{LATER},{values(3)}",
        ),
        None,
    ),
    "cdc_change_without_key": (
        f"{TABLE}/20231201-100000000.csv",
        text(
            f"I,{values(1)}",
            f"U,{values(2)}",
            f"D,{values(3)}",
            f"I,{values(4)}",
            f"U,{values('')}",
            f"D,{deleted('')}",
            f"D,{deleted('x')}",
        ),
        None,
    ),
    "cdc_transactions_of_one_table": (
        "transactions/CDC_TXN-20231201100000000.csv",
        text(f"I,payments,bank,{values(1)}", f"D,payments,bank,{deleted(1)}"),
        None,
    ),
    "cdc_transactions_of_several_tables": (
        "transactions/CDC_TXN-20231201100000000.csv",
        text(
            f"I,bank,transactions,{COMMIT},{values(1)}",
            f"I,bank,cards,{COMMIT},{card(1, number='0000', cvv='')}",
            f"U,bank,Transactions,{COMMIT},{values('x')}",
            f"D,bank,users,{COMMIT},1",
            "short",
            f'U,bank,transactions,{COMMIT},"broken',
            f"D,bank,transactions,{LATER},{deleted(1)}",
            f"U,bank,transactions,{LATER},{values(2)},more",
            f'I,bank,"mcc_codes",{LATER},"5411","Grocery Stores, Supermarkets"',
        ),
        None,
    ),
    "cdc_parquet": (
        f"{TABLE}/20231201-100000000.parquet",
        parquet(
            {
                "Op": texts("I", "U", "D", "D"),
                "dms_moved": texts(COMMIT, COMMIT, LATER, LATER),
                "id": integers(1, 1, 2, None),
                "date": instants(4),
                "amount": money("10.00", "11.00", None, "4.00"),
                "merchant_city": texts("NULL", "Beulah", None, "Beulah"),
            }
        ),
        None,
    ),
}

PINNED: dict[str, Case] = {
    "pinned_headerless_upload": (
        "transactions/nightly/export.csv",
        text(values(1), values(2), values(3, "NULL")),
        {"header": False},
    ),
    "pinned_columns": (
        f"{TABLE}/20231201-100000000.csv",
        text(f"1,{COMMIT},U,{AT},$10.00", f"2,{LATER},D,,"),
        {"columns": ["id", "changed", "op", "date", "amount"], "commit_timestamp": "changed"},
    ),
    "pinned_null_text": (
        "transactions/nightly/export.csv",
        text(HEADER, values(1), values(2, r"\N"), values(3, "NULL")),
        {"null": r"\N"},
    ),
    "unreadable_pin": ("transactions/nightly/export.csv", text(HEADER, values(1)), b'{"header": "no"}'),
}

SHORT = "id,amount,date"
WRITINGS: dict[str, Case] = {
    "written_day_first": (
        "transactions/uk/day.csv",
        text(f"Op,commit_ts,{SHORT}", "I,1/12/2023 9:00,1,1.00,13/05/2023", f"I,{COMMIT},2,2.00,5/6/2023 07:08")
        + text("U,02/12/2023,3,3.00,2023-05-06", f"I,{COMMIT},4,4.00,5/13/2023", f"I,{COMMIT},5,5.00, 31/12/2023 "),
        {"date_order": "day-first"},
    ),
    "written_month_first": (
        "transactions/us/day.csv",
        text(SHORT, "1,1.00,5/6/2023", "2,2.00,13/5/2023", "3,3.00,5/13/2023"),
        {"date_order": "month-first"},
    ),
    "written_with_decimal_commas": (
        "transactions/de/day.csv",
        text(
            "id;amount;date;zip;mcc;card_id",
            *("1;12,50;2023-05-06;4101,0;5499,0;7,0", "2;1.234,56;2023-05-06;;;", '3;"-1.500";2023-05-06;;;'),
            *("4;12.50;2023-05-06;;;", "5;(77,00);2023-05-06;;;", "6; $1.412,64 ;2023-05-06;;;", "7;,5;2023-05-06;;;"),
            *("8;1.234.567,8;2023-05-06;;;", "9;1,234;2023-05-06;;;", "10;NULL;2023-05-06;NULL;;"),
        ),
        {"decimal": ",", "delimiter": ";", "null": ["NULL", "-"]},
    ),
    "written_with_decimal_points": (
        "transactions/us/day.csv",
        text(SHORT, "1,12.50,2023-05-06", '2,"12,50",2023-05-06', "3,1.500,2023-05-06", '4,"173,900",2023-05-06'),
        {"decimal": "."},
    ),
    "written_in_json_lines": (
        "transactions/de/day.jsonl",
        text(
            '{"id": 1.0, "amount": 12.5, "date": "2023-05-06", "merchant_city": 1.5, "errors": -2e3, "zip": 4101.0}',
            '{"id": 2, "amount": "1.234,50", "date": "2023-05-06", "merchant_city": "1,5", "errors": "2.5"}',
        ),
        {"decimal": ","},
    ),
    "written_in_json_lines_of_users": (
        "users/de/day.jsonl",
        text('{"id": 1, "latitude": 34.15, "yearly_income": 59696.5}', '{"id": 2, "latitude": "34,15"}'),
        {"decimal": ","},
    ),
    "written_in_parquet": (
        "transactions/de/day.parquet",
        parquet(
            {
                "id": texts("1", "2", "3"),
                "amount": money("12.50", "-0.05", "1234.00"),
                "date": texts("13/05/2023", "2023-05-06", "5/6/2023"),
                "zip": texts("4101,0", "4101.0", None),
                "card_id": pa.array([Decimal("7.0"), None, Decimal("8.0")], pa.decimal128(5, 1)),
            }
        ),
        {"decimal": ",", "date_order": "day-first"},
    ),
    "written_with_several_null_texts": (
        "transactions/pandas/day.csv",
        text(f"{HEADER}", values(1, errors="nan"), values(2).replace("Beulah", "None"), values(3, "N/A")),
        {"null": ["nan", "None", "N/A"]},
    ),
    "written_with_bars_headerless": (f"{TABLE}/LOAD00000001.csv", text(values(1), values(2)).replace(b",", b"|"), None),
    "written_with_bars_headerless_pinned": (
        f"{TABLE}/LOAD00000001.csv",
        text(values(1), values(2, errors='"Bad PIN|Bad CVV"')).replace(b",", b"|"),
        {"delimiter": "|"},
    ),
    "cards_with_semicolons": (
        "cards/cards.csv",
        text(CARDS_HEADER, card(1), card(2, CARD_NUMBERS[1], SECURITY_CODES[1], '"$24;295"'), CARD_NUMBERS[4])
        .replace(b",", b";")
        .replace(b"$24;295", b"$24,295.00"),
        None,
    ),
    "load_and_a_date": ("transactions/daily/LOAD20240306.csv", text(HEADER, values(1), values(2)), None),
    "load_and_a_date_pinned": (
        "transactions/daily/LOAD20240306.csv",
        text(HEADER, values(1), values(2)),
        {"full_load": True},
    ),
    "load_and_a_date_headerless": ("transactions/daily/LOAD20240306.csv", text(values(1), values(2)), None),
}

AMBIGUOUS: dict[str, Case] = {
    "ambiguous_creation_timestamp": (
        "transactions/app/changes_9.csv",
        text(f"Op,{SHORT},created_at", f"I,1,10.00,2023-05-06,{COMMIT}", f"U,2,5.00,2023-05-06,{LATER}"),
        None,
    ),
    "creation_timestamp_that_orders_nothing": (
        "transactions/app/changes_9.csv",
        text(f"Op,{SHORT},created_at", f"I,1,10.00,2023-05-06,{COMMIT}", f"U,2,5.00,2023-05-06,{LATER}"),
        {"commit_timestamp": None},
    ),
    "ambiguous_timestamp_at_the_end": (
        f"{TABLE}/20231201-100000000.csv",
        text(f"I,{values(1)},{COMMIT}", f"U,{values(1, '$11.00')},{LATER}"),
        None,
    ),
    "ambiguous_decimal_sign": (
        "transactions/mixed/day.csv",
        text(SHORT, "1,12.50,2023-05-06", '2,"12,50",2023-05-06'),
        None,
    ),
    "ambiguous_two_timestamps": (
        f"{TABLE}/20231201-100000000.csv",
        text(f"Op,{HEADER},read_at,written_at", f"I,{values(1)},{COMMIT},{LATER}"),
        None,
    ),
    "ambiguous_full_load_with_updates": (
        f"{TABLE}/LOAD00000001.csv",
        text(f"I,{values(1)}", f"U,{values(1)}", f"D,{values(2)}"),
        None,
    ),
    "ambiguous_number_of_columns": (f"{TABLE}/LOAD00000001.csv", text(f"{values(1)},a", f"{values(2)},b"), None),
    "ambiguous_tables": (
        "transactions/CDC_TXN-20231201100000000.csv",
        text(f"I,payments,bank,{values(1)}", f"I,refunds,bank,{values(2)}"),
        None,
    ),
}

REFERENCES: dict[str, Case] = {
    "cards_csv": (
        "cards/cards.csv",
        text(
            CARDS_HEADER,
            card(1),
            card(2, CARD_NUMBERS[1], SECURITY_CODES[1], '"$24,295"'),
            card("x", CARD_NUMBERS[2], SECURITY_CODES[2]),
            card("", CARD_NUMBERS[3], SECURITY_CODES[3], "a lot"),
            f'{card(3, "4111 1111 1111 1111", "")},"{CARD_NUMBERS[4]}"',
            f'4,"half" quoted {CARD_NUMBERS[4]} "{SECURITY_CODES[4]}"',
            CARD_NUMBERS[4],
            card(5, "", ""),
            card("6.0", CARD_NUMBERS[4], SECURITY_CODES[4], "$1.234").replace("825", "client"),
        ),
        None,
    ),
    "cards_empty_records": (
        "cards/cards.csv",
        text("sep=,", "", CARDS_HEADER, card(1), ",,", "," * 12, '"",""', f"{card(2, '', '')}\0").replace(
            b"\n", b"\r\r\n"
        )
        + b"\x1a",
        None,
    ),
    "cards_parquet": (
        "cards/cards.parquet",
        parquet(
            {
                "card_id": integers(1, 2, None),
                "client_id": pa.array([825.0, None, 1.5], pa.float64()),
                "card_number": pa.array([*map(int, CARD_NUMBERS[:2]), None], pa.int64()),
                "cvv": pa.array([*map(int, SECURITY_CODES[:2]), None], pa.int16()),
                "credit_limit": money("24295.00", None, "1.00"),
            }
        ),
        None,
    ),
    "cards_headerless_full_load": (
        "cards/bank/cards/LOAD00000001.csv",
        text(card(1), card(2, CARD_NUMBERS[1], SECURITY_CODES[1], "NULL"), card(3, "NULL", "NULL")),
        None,
    ),
    "cards_cdc": (
        "cards/bank/cards/20231201-100000000.csv",
        text(
            f"I,{COMMIT},{card(1)}",
            f"U,{LATER},{card(1, CARD_NUMBERS[1], SECURITY_CODES[1])}",
            f"D,{LATER},{card(1, CARD_NUMBERS[1], SECURITY_CODES[1])}",
            f"D,{LATER},2,,,,,,,,,,,,",
            f"D,{LATER},3,client,,,,,,,,much,,,",
            f"U,soon,{card(4, CARD_NUMBERS[2], SECURITY_CODES[2])}",
        ),
        None,
    ),
    "cards_multi_line": (
        "cards/cards.csv",
        text(CARDS_HEADER, card(1).replace("Visa", '"Vi').replace("Debit", 'sa\n",Debit')),
        None,
    ),
    "cards_without_key": ("cards/cards.csv", text("client_id,card_brand", "825,Visa"), None),
    "users_csv": (
        "users/users.csv",
        text(
            USERS_HEADER,
            user(825),
            user("", "plenty"),
            user("825.5"),
            user(826, "").replace("$59696", '"($1,000.50)"'),
            user(827).replace("$127613", "1.001"),
        ),
        None,
    ),
    "mcc_codes_csv": (
        "mcc_codes/codes.csv",
        text("mcc,Description", "5411,Grocery Stores", '742.0,"Veterinary, Services"', "54111,x", ",nothing", "0742,"),
        None,
    ),
    "mcc_codes_json": (
        "mcc_codes/codes.json",
        b'\xef\xbb\xbf {"5411": "Grocery Stores", "0742": "Veterinary, \\"Services\\"", "x": " ", "12": "Z\xc3\xbcge"}',
        None,
    ),
    "mcc_codes_json_code_twice": ("mcc_codes/codes.json", b'{"5411": "Grocery Stores", "5411": "Markets"}', None),
}

SECRETS: dict[str, Case] = {
    "card_numbers_in_transactions": (
        f"{TABLE}/20231201-100000000.csv",
        text(
            f"Op,{HEADER},pan",
            *(f"I,{values(place)},{number}" for place, number in enumerate(CARD_NUMBERS)),
            f"I,{values(5)},4111-1111 1111-1111",
            f"D,{deleted(6)},NULL",
            f"D,{deleted(7)},",
        ),
        None,
    ),
    "security_codes_in_transactions": (
        "transactions/day.csv",
        text(f"{HEADER},CVV2", f"{values(1)},{SECURITY_CODES[0]}", f"{values(2)},"),
        None,
    ),
    "card_numbers_in_parquet": (
        "transactions/day.parquet",
        parquet(
            {
                "id": integers(1, 2, 3, 4, 5, 6),
                "date": instants(6),
                "amount": money(*["1.00"] * 6),
                "card": pa.array([*map(float, CARD_NUMBERS), None], pa.float64()),
            }
        ),
        None,
    ),
}


TEXTS: dict[str, dict[str, list[str]]] = {
    "written_in_json_lines": {"merchant_city": ["1.5", "1,5"]},
    "written_in_json_lines_of_users": {"latitude": ["34.15", "34,15"]},
}
"""Texts as they are sent, of columns without a decimal sign, by the names of files."""


def contents() -> dict[str, tuple[str, bytes, bytes | None]]:
    """Return every file of the corpus by its name: its key, its bytes, and the pin of its folder."""
    cases = {**FULL_LOADS, **CHANGES, **PINNED, **WRITINGS, **AMBIGUOUS, **REFERENCES, **SECRETS, **ENVELOPE_CASES}
    return {name: (key, body, _pin(pin)) for name, (key, body, pin) in cases.items()}


def _pin(pin: Pin | None) -> bytes | None:
    return pin if pin is None or isinstance(pin, bytes) else json.dumps(pin).encode()


def build(folder: Path) -> list[Path]:
    """Write the files, each in a folder of its name, with its pin."""
    written = []
    for name, (key, body, pin) in contents().items():
        path = folder / name / key
        path.parent.mkdir(parents=True)
        path.write_bytes(body)
        if pin is not None:
            (path.parent / "_dialect.json").write_bytes(pin)
        written.append(path)
    return written


if __name__ == "__main__":
    build(Path(sys.argv[1]))
