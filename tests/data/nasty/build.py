"""Builds the corpus of nasty files: what each holds is readable here, what must come out is in `<name>.expected.json`.

`python tests/data/nasty/build.py FOLDER` writes the files. All of them are judged as if their object was last modified
at LAST_MODIFIED_AT. A golden has either `rows` (every record: its place, raw text, broken rules and amount) or
`reasons` (the codes for which the file is rejected).
"""

import gzip
import sys
from datetime import UTC, datetime
from pathlib import Path

from foreign_cases import FOREIGN_CASES
from json_cases import JSON_CASES
from parquet_cases import PARQUET_CASES, parquet_bytes

LAST_MODIFIED_AT = datetime(2024, 1, 1, tzinfo=UTC)
FOLDER = Path(__file__).parent
HEADER = "dms_id,amount,date,errors"
DAY = "2023-05-06"


def text(*lines: str) -> bytes:
    """Join the lines, each with its line feed."""
    return "".join(line + "\n" for line in lines).encode()


def _one_value_each(column: str, values: str) -> bytes:
    """Write one row per value of one column (separated by bars), all else good."""
    other = {"dms_id": None, "amount": "1.00", "date": DAY}
    names = [*other, *([] if column in other else [column])]
    lines = []
    for number, value in enumerate(values.split("|"), start=1):
        row = {**other, "dms_id": str(number), column: f'"{value}"' if "," in value else value}
        lines.append(",".join(row[name] for name in names))
    return text(",".join(names), *lines)


AMOUNTS = (
    "12|12.3|12.34|.5|0.50|-.5|007.10|12.3400|-0.00|$0.00|$-77.00|-$77.00|$+77.00|+$77.00|+77|-77|"
    "($77.00)|(77)|(.5)|($1,412.64)|$1,412.64|1,234,567.89|12,34,5|12,3456,789|,123,456|1,23.00|5.|$|-|()|"
    "$-$5|--5|(-5)|-(5)|($-5)|$ 5|5 $|5€|1e3|NaN|0x10|1.234|0.001|1.2.3|12 34|9999999999999999.99|"
    "-9999999999999999.99|10000000000000000.00|00000000000000000001.00|99999999999999999.999|"
    "123456789012345678901234567890.10|\u0661\u0662|NULL|"
    "\u2212100.00|\u201320.00|-\u202f5.00|\u201420.00|$\u22125|$(77.00)|$(1,000.25)|$ (5)|($ 5)|$(-5)|$($5)|"
    "$-|$ -|$ \u2013|$-   |- $|-$ 5|$   12.00|$ - 5|- 5|- - 5|\u00a0$\u00a01,234.50\u202f|1\u202f234\u202f567.89|"
    "1\u00a0234|1\u00a023|1\u202f234,567,890|\u00a0|\u00a0-\u00a0|12.340000000000001|0.30000000000000004|1e-05|2.5E+03|"
)
DATES = (
    "2023-05-06|2023-05-06 7:08|2023-05-06 07:08|2023-05-06 07:08:09|2023-05-06T07:08:09|"
    "2023-05-06 07:08:09.1|2023-05-06 07:08:09.123456|2023-05-06 07:08:09.123456789|"
    "2023-05-06 07:08:09.1234567890|2023-05-06T07:08:09Z|2023-05-06 07:08Z|2023-05-06T07:08:09+02:00|"
    "2023-05-06T07:08:09-0530|2023-05-06T07:08+18:00|2023-05-06T07:08+18:01|2023-05-06T07:08+19:00|"
    "2023-05-06T07:08:09 Z|5/6/2023|05/06/2023 7:08|5/6/2023 07:08:09.5|13/13/2023|5/6/23|"
    "5/6/2023T07:08|2/29/2024|2/29/2023|2023-02-29|2024-02-29|2023-13-01|2023-00-10|2023-5-6|"
    "20230506|2023/05/06|06.05.2023|2023-05-06 24:00|2023-05-06 23:60|2023-05-06 23:59:60|"
    "2023-05-06 07|2023-05-06  07:08|2023-05-06t07:08|1900-01-01|1899-12-31 23:59:59.999999|"
    "1900-01-01T01:00+02:00|0001-01-01|0000-01-01|2024-01-02|2024-01-02 00:00:00.000001|"
    "2024-01-02T02:00:00+02:00|2024-01-01T23:00:00-02:00|9999-12-31|yesterday|1672531200|"
    "\u0662\u0660\u0662\u0663-\u0660\u0665-\u0660\u0666|"
    "2023-05-06 10:15:33.895+01|2023-05-06 07:08-05|2023-05-06 10:15:33 -0700|2023-05-06 10:15:33 +01:00|"
    "2023-05-06 10:15:33.5 UTC|2023-05-06 10:15 UTC|2023-05-06 10:15:33UTC|2023-05-06 UTC|2023-05-06 07:08+18|"
    "2023-05-06 07:08+19|2023-05-06 07:08+5|5/6/2023 1:05 PM|5/6/2023 12:00 AM|5/6/2023 12:30:15 PM|"
    "5/6/2023 11:59 pm|2023-05-06 09:00:00 AM|2023-05-06T02:00:00.25pm|2023-05-06 02:00 Pm +01:00|"
    "5/6/2023 1:05\u202fPM|5/6/2023 13:00 PM|5/6/2023 0:30 AM|2023-05-06 00:30 AM|5/6/2023 1 PM|5/6/2023 1:05 XM|"
    "5/6/2023 PM|12/31/1899 11:59 PM|1/2/2024 12:00 AM|1/2/2024 12:00 PM|45356|45356.4270833333|"
)
INTEGERS = (
    "1|0|-1|007|5.0|5.000|-5.0|-0|9223372036854775807|-9223372036854775808|9223372036854775808|"
    "-9223372036854775809|9223372036854775807.0|99999999999999999999|0000000000000000001|"
    "00000000000000000001|+5|5.|5.5|.0|5e3|1,000|0x1F|1_000|12 34|\u0663|"
)
CHANNELS = (
    "Swipe Transaction|chip transaction|ONLINE TRANSACTION|swipe|Chip|oNLINE|swipe  transaction|"
    "swipetransaction|Swipe|contactless|\u017fwipe|true|"
)
ZIPS = "02139|2139|4101.0|1|00001|58523.0|58523.00|89501.0000000000|89501.01|123456|0|00000|0.0|-1|1.5|A1B2|2139-1234|"
MCCS = "5411|742|0742|0|5411.0|5411.00|5411.0000000000|5411.10|54111|-5|x|"

CSV_CASES: dict[str, bytes] = {
    "quotes.csv": text(
        HEADER,
        f'1,1.00,{DAY},"Bad PIN,Insufficient Balance"',
        f'2,"$1,412.64 ",{DAY},"a ""quoted"" word"',
        f'3,3.00,{DAY},"first line',
        'second line"',
        f'"4","4.00","{DAY}",""',
        f'5,5.00,{DAY},""""',
        f'6,6.00,{DAY},half "quoted" field',
        f'7,7.00,{DAY},"blank behind" ',
        f'8,8.00,{DAY}, "blank before"',
        f'9,9.00,{DAY},"one""two""',
        "three",
        '"',
        f'10,10.00,{DAY},"many',
        "",
        '  lines, with ""quotes"", commas',
        'and a blank line"',
        f'11,11.00,{DAY},"too","many"',
        f'12,12.00,"{DAY}"',
        f'13,13.00,{DAY},"""a"",""b"""',
    ),
    "stray_quotes.csv": text(
        HEADER,
        f'1,1.00,{DAY},5" pipe',
        f"2,2.00,{DAY},good",
        f'3,3.00,{DAY},6" pipe',
        f"4,4.00,{DAY},good",
        f'5,5.00,{DAY},"opens here',
        f"6,6.00,{DAY},good, has one field too many",
        f'7,7.00,{DAY},"opens again',
        'and closes"',
        f'8,8.00,{DAY},"two stray',
        f'9,9.00,{DAY},quotes"',
        f'10,10.00,{DAY},"never closed',
        f"11,11.00,{DAY},good",
    ),
    "sixty_four_lines.csv": text(
        HEADER,
        f'1,1.00,{DAY},"line 1 of 64',
        *(f"line {number}" for number in range(2, 64)),
        'line 64"',
        f'2,2.00,{DAY},"line 1 of 65',
        *(f"line {number}" for number in range(2, 65)),
        'line 65"',
        f"3,3.00,{DAY},good",
    ),
    "blank_lines.csv": b"\n \t\r\n"
    + text(HEADER, "", f"1,1.00,{DAY},", "   ", "\t", f"2,2.00,{DAY},", ",,,", "", "")
    + b" ",
    "empty_records.csv": b',"",\r\n'
    + text(HEADER, ",,,", f"1,1.00,{DAY},", ',"", ,"\t"', ",", ",,,,,,", '""', ",,,a", ' "",,,', f'2,2.00,{DAY},""')
    + text(f'3,3.00,{DAY},"in', ",,,", 'quotes"', ",,,\r", '""""', "\u00a0,,,"),
    "empty_records_at_the_end.csv": text(HEADER, f"1,1.00,{DAY},a", f"2,2.00,{DAY},b", *(20 * [",,,"])),
    "empty_records_in_quotes.csv": text(
        '"dms_id","amount","date"', f'"1","1.00","{DAY}"', '"","",""', f'"2","2.00","{DAY}"', '"", "","  "'
    ),
    "sep_comma.csv": text("sep=,", HEADER, f"1,1.00,{DAY},"),
    "sep_comma_in_quotes.csv": b"\xef\xbb\xbf\r\n"
    + text('"SEP=,"', "", HEADER, "sep=,", f"1,1.00,{DAY},").replace(b"\n", b"\r\n"),
    "ctrl_z.csv": text("dms_id,amount,date", f"1,1.00,{DAY}", f"2,2.00,{DAY}").replace(b"\n", b"\r\n") + b"\x1a",
    "ctrl_z_behind_a_value.csv": text("dms_id,amount,date", f"1,1.00,{DAY}") + f"2,2.00,{DAY}\x1a".encode(),
    "nuls_behind_the_end.csv": text(HEADER, f"1,1.00,{DAY},", f"2,2.00,{DAY},b") + b"\0" * 5_000,
    "control_signs.csv": text(
        HEADER,
        f"1,1.00,{DAY},a\0",
        f"2,2.00,{DAY},\0b\x1a\0\r",
        "\x1a",
        f"\x1a3,3.00,{DAY},",
        f"4,4.00,{DAY}\0,",
        "\0,,,",
    ),
    "doubled_carriage_returns.csv": text(
        "dms_id,amount,date,note\r\r",
        f"1,1.00,{DAY},x\r\r",
        f'2,2.00,{DAY},"y\r\r',
        'z"\r\r',
        "\r\r",
        f"3,3.00,{DAY},\r\r",
    ),
    "blank_after_comma.csv": text(
        "dms_id, amount, date, errors", f'1, "1.00", {DAY}, "Bad PIN, Glitch"', f"2, 2.00, {DAY}, a"
    ),
    "formulas.csv": text("dms_id,amount,date,zip", f'="1",1.00,{DAY},="02139"', f'2,2.00,{DAY},"=""02139"""'),
    "line_ends.csv": (
        f"{HEADER}\r\n1,1.00,{DAY},crlf\r\n2,2.00,{DAY},lf\n3,3.00,{DAY},a\rb\r\n4,4.00,{DAY},two\r\r\n"
        f'5,5.00,{DAY},"in\r\nquotes"\r\n\r\n\r\r\n6,6.00,{DAY},no line feed\r'
    ).encode(),
    "carriage_return_ends_a_date.csv": f"dms_id,amount,date\r\n1,1.00,{DAY}\r\n2,2.00,{DAY}\r".encode(),
    "carriage_return_ends_the_file.csv": f"{HEADER}\r\n1,1.00,{DAY},\r\n\r".encode(),
    "bom.csv": b"\xef\xbb\xbf"
    + text(HEADER, f"1,1.00,{DAY},ä").replace(b"\n", b"\r\n")
    + f"\ufeff2,2.00,{DAY},\n".encode(),
    "two_boms.csv": b"\xef\xbb\xbf" * 2 + text(HEADER, f"1,1.00,{DAY},ä"),
    "field_counts.csv": text(
        HEADER, f"1,1.00,{DAY},", f"2,2.00,{DAY}", "3", f"4,4.00,{DAY},,", f'5,5.00,{DAY},"a,b",c', f"6,6.00,{DAY},good"
    ),
    "separators.csv": text(
        HEADER,
        f"1,1.00,{DAY},line\u2028separator",
        f"2,2.00,{DAY},next\u0085line",
        f"3,3.00,{DAY},form\x0cfeed\x0btab\x1cfs",
        f"4;4.00;{DAY};semicolons",
        f"5,5.00,{DAY},back\\slash\\",
        f'6,6.00,{DAY},"back\\""slash\\"',
        f"7,7.00,{DAY},'single'",
        f"#8,8.00,{DAY},comment",
        f"9,9.00,{DAY},Zürich 東京 🏦",
    ),
    "trimming.csv": text(
        HEADER,
        f" 1\t, $1.00 ,\t{DAY} , padded ",
        f'2,"  2.00\t","  {DAY}"," "',
        f"\u00a03,3.00,{DAY},no-break space",
        f'4," ",{DAY},',
    ),
    "mixed_case_header.csv": text(
        ' MCC ,"Date",Colour,ID,"Use_Chip ",AMOUNT', f"5411,{DAY},blue,1,chip,1.00", f"x,{DAY},red,2,chip,2.00"
    ),
    "no_last_line_feed.csv": text(HEADER, f"1,1.00,{DAY},") + f"2,2.00,{DAY},last".encode(),
    "many_rules.csv": text(
        "dms_id,amount,date,use_chip,zip,client_id,card_id,merchant_id,mcc",
        f"1,1.00,{DAY},chip,1,1,1,1,1",
        "x,1.234,2030-01-01,tap,0,a,b,c,d",
        ",,,,,,,,5411",
        "2,10000000000000000.00,1812-01-01,chip,1,1,1,1,1",
        "3,abc,abc,chip,1,1,1,1,1",
        f'"4,9.00,{DAY},tap,0,a,b,c,d',
    ),
    "same_keys.csv": text(HEADER, f"1,1.00,{DAY},a", f"1,1.00,{DAY},a", f"1,2.00,{DAY},b", f"01,-3.00,{DAY},c"),
    "amounts.csv": _one_value_each("amount", AMOUNTS),
    "dates.csv": _one_value_each("date", DATES),
    "keys.csv": _one_value_each("dms_id", INTEGERS),
    "merchant_ids.csv": _one_value_each("merchant_id", INTEGERS),
    "channels.csv": _one_value_each("use_chip", CHANNELS),
    "zips.csv": _one_value_each("zip", ZIPS),
    "mccs.csv": _one_value_each("mcc", MCCS),
    "two_members.csv.gz": gzip.compress(text(HEADER) + b"1,1.0", mtime=0)
    + gzip.compress(text(f"0,{DAY},", f"2,2.00,{DAY},"), mtime=0),
    "gzip_by_content.csv": gzip.compress(text(HEADER, f"1,1.00,{DAY},"), mtime=0),
    "csv_by_content.parquet": text(HEADER, f"1,1.00,{DAY},"),
    "semicolons.csv": text(
        "dms_id;amount;date;errors",
        f"1;1.00;{DAY};",
        f'2;"1,412.64";{DAY};"Bad PIN;Bad CVV"',
        f'3;3.00;{DAY};"over',
        'two; lines"',
        f"4;4.00;{DAY};Bad PIN,Bad CVV",
        f"5;5.00;{DAY}",
        f"6;6.00;{DAY};;",
        f'7;7.00;{DAY};half "quoted"',
        f"8,8.00,{DAY},",
        "  ",
        f'9;9.00;{DAY};""";"""',
    ),
    "tabs.csv": text(
        *(line.replace(";", "\t") for line in (HEADER.replace(",", ";"), f"1;1.00;{DAY};", f"2;2.00;{DAY};a b"))
    )
    + b"\t\t\t\n3\t3.00\n",
    "bars.csv": text(HEADER.replace(",", "|"), f"1|1.00|{DAY}|a,b", f'2|"2.00"|{DAY}|"a|b"', f"3|3.00|{DAY}|a|b"),
    "comma_behind_each_row.csv": text("dms_id,amount,date", f"1,1.00,{DAY},", f"2,2.00,{DAY}, ", f'3,3.00,{DAY},""'),
    "comma_behind_some_rows.csv": text(
        "dms_id,amount,date", f"1,1.00,{DAY},", f"2,2.00,{DAY}, ", f"3,3.00,{DAY}", f"4,,{DAY},"
    ),
    "columns_without_a_name.csv": text(" ,dms_id,amount,date,,", f",1,1.00,{DAY},,", f" ,2,2.00,{DAY},\t,"),
    "null_words.csv": text(
        "dms_id,amount,date,merchant_city,merchant_state,errors",
        f"1,1.00,{DAY},nan,None,nan",
        f"2,2.00,{DAY}, NaN ,NULL, N/A ",
        f"3,3.00,{DAY},Reno,NV,None",
        f'4,4.00,{DAY},\\N,<NA>,"Bad PIN,None"',
        "5,NaN,NaT,,,\\N",
        f"6,6.00,{DAY},Nantes,Nanda,Nonesuch",
    ),
    "three_digits.csv": text(HEADER, f"1,-3.000,{DAY},", f'2,"173,900",{DAY},', f"3,750.00,{DAY},"),
    "trailer.csv": text(HEADER, f"1,1.00,{DAY},a", f"2,-2.50,{DAY},", "T,2,-1.50"),
    "trailer_in_quotes.csv": text(HEADER, f"1,1.00,{DAY},", '"T",\t1.0 ,"$ 1.000",""," ",', ",,,", "") + b" \r\n\x1a",
    "trailer_in_gzip.csv.gz": gzip.compress(text(HEADER, f"1,1.00,{DAY},") + b"T,1,1", mtime=0),
    "trailer_behind_semicolons.csv": text("dms_id;amount;date;errors", f"1;-1.00;{DAY};", "", "T;1;(1.00);;;;;"),
    "trailer_behind_a_quote.csv": text(HEADER, f"1,1.00,{DAY},", f'2,2.00,{DAY},"never', " closed", "T,3,1.00,"),
    "trailer_behind_two_lines.csv": text(HEADER, f'1,1.00,{DAY},"two', 'lines"', "T,1,1.00"),
    "trailer_before_the_last.csv": text(HEADER, f"1,1.00,{DAY},", "T,1,1.00", f"2,2.00,{DAY},", "T,3,3.00"),
    "trailer_before_a_quote.csv": text(HEADER, f"1,1.00,{DAY},", "T,1,1.00", ",,", '""""'),
    "trailer_of_another_case.csv": text(HEADER, f"1,1.00,{DAY},", "t,1,1.00"),
    "trailer_with_a_remark.csv": text(HEADER, f"1,1.00,{DAY},", "T,1,1.00,end"),
    "trailer_without_an_amount.csv": text(HEADER, f"1,1.00,{DAY},", "T,1,,"),
    # Rejected.
    "trailer_alone.csv": text(HEADER, "T,0,0.00"),
    "trailer_disagrees.csv": text(HEADER, f"1,1.00,{DAY},", "T,2,1.01"),
    "trailer_with_parts_of_a_cent.csv": text(HEADER, f"1,1.00,{DAY},", "T,1,1.001"),
    "day_first_dates.csv": text(HEADER, "1,1.00,01/02/2023,", "2,2.00,13/02/2023 7:08,", "3,3.00,2023-05-06,"),
    "dates_in_both_orders.csv": text(HEADER, "1,1.00,01/02/2023,", "2,2.00,13/02/2023,", "3,3.00,02/13/2023,"),
    "decimal_commas.csv": text(HEADER, f'1,"12,50",{DAY},', f'2,"173,900",{DAY},', f'3,"1.234,56",{DAY},'),
    "decimal_commas_behind_semicolons.csv": text("dms_id;amount;date", f"1;11,01;{DAY}", f"2;12,02;{DAY}"),
    "decimal_signs_of_both_kinds.csv": text(HEADER, f'1,"12,50",{DAY},', f"2,12.50,{DAY},"),
    "values_without_a_name.csv": text(",dms_id,amount,date", f"0,1,1.00,{DAY}", f"1,2,2.00,{DAY}"),
    "value_behind_trailing_commas.csv": text("dms_id,amount,date", f"1,1.00,{DAY},", f"2,2.00,{DAY},")
    + text(*(f"{number},1.00,{DAY}," for number in range(3, 1_200)), f"1200,1.00,{DAY},x"),
    "empty.csv": b"",
    "empty_inside.csv.gz": gzip.compress(b"", mtime=0),
    "header_only.csv": text(HEADER, "", ""),
    "missing_column.csv": text("dms_id,when,errors", "1,2023-05-06,"),
    "duplicate_column.csv": text("dms_id,amount,date,ID", f"1,1.00,{DAY},1"),
    "latin1.csv": f"{HEADER}\n1,1.00,{DAY},Zürich\n".encode("latin-1"),
    "utf16.csv": text(HEADER, f"1,1.00,{DAY},").decode().encode("utf-16"),
    "truncated.csv.gz": gzip.compress(text(HEADER, *(f"{n},1.00,{DAY},{n * n}" for n in range(500))), mtime=0)[:-500],
    "damaged.csv.gz": gzip.compress(text(HEADER, f"1,1.00,{DAY},"), mtime=0)[:-8] + b"\0" * 8,
    "header_over_two_lines.csv": text('dms_id,amount,date,"err', 'ors"', f"1,1.00,{DAY},"),
}


def contents() -> dict[str, bytes]:
    """Return every file of the corpus by its name."""
    return {**CSV_CASES, **JSON_CASES, **FOREIGN_CASES, **{name: parquet_bytes(name) for name in PARQUET_CASES}}


def build(folder: Path) -> list[Path]:
    """Write the files."""
    for name, content in contents().items():
        (folder / name).write_bytes(content)
    return sorted(folder / name for name in contents())


if __name__ == "__main__":
    build(Path(sys.argv[1]))
