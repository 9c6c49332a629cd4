"""The nasty files of JSON lines, and what is JSON without being lines."""

import gzip

DAY = "2023-05-06"
AMOUNTS = (
    "12|12.3|12.30|0|-0|0.10|-12.340|1e2|1E+2|1.5e-1|12E0|1E400|1e-400|-77|9999999999999999.99|10000000000000000|"
    "0.30000000000000004|12.340000000000001|123456789012345678901234567890.10|0.1000000000000000000000000000000000|"
    '"12.30"|"$1,412.64"|"(77.00)"|"1e2"|" 5.00\\t"|""|" "|null|"null"|"\\u0031\\u0032"|"\\u00a05.10"|"5\\u0000"|"NaN"|'
    "true|false|{}|[]|[12.30]|"
    '{"a":1}|01|00.1|.5|5.|+5|-|1.|1.e2|1e|1_000|0x10|NaN|Infinity|-Infinity|nan|None|TRUE|'
    '\'12\'|12 34|12,34|"12|12"|"1\t2"|1\t|\t1|\\u0031|\u0661|9223372036854775808'
)
KEYS = (
    '1|"1"|1.0|"2.0"|-0|-4|9223372036854775807|9223372036854775808|-9223372036854775808|1e3|1E0|0.5|'
    '"\\u0031"|"é"|00000000000000000001|99999999999999999999|null|""|true|[1]'
)
LEVELS = 16


def lines(*texts: str) -> bytes:
    return "".join(text + "\n" for text in texts).encode()


def row(number: int, *more: str, amount: str = "1.00", date: str = DAY) -> str:
    """Write an object with the required names, and more members behind them."""
    return "{" + ", ".join([f'"id": {number}', f'"amount": {amount}', f'"date": "{date}"', *more]) + "}"


def nested(levels: int, sign: str = "[]") -> str:
    """Write arrays in arrays, or objects in objects."""
    opening, closing = ('{"a":', "}") if sign == "{}" else sign
    return opening * levels + ("0" if sign == "{}" else "") + closing * levels


JSON_CASES: dict[str, bytes] = {
    "amounts.jsonl": lines(row(0), *(row(n, amount=text) for n, text in enumerate(AMOUNTS.split("|"), 1))),
    "keys.jsonl": lines(
        row(0), *(f'{{"dms_id":{text},"amount":1.00,"date":"{DAY}"}}'.replace("dms_", "") for text in KEYS.split("|"))
    ),
    "names.jsonl": lines(
        row(1, '"MCC": 5411', '"Colour": "blue"'),
        f'{{" ID ":2,"Amount":2.00,"DATE\\t":"{DAY}","\\u006dcc":"0742"}}',
        f'{{"date":"{DAY}","amount":3.00,"id":3,"":"no name"}}',
        row(4, '"zip":4101.0', '"mcc":"x"'),
        row(5, '"id":6'),
        row(6, '"Id":6'),
        row(7, '"\\u0069d":7'),
        row(8, '"note":1', '"note ":2'),
        row(9, '"note":{"id":1,"id":2}'),
        row(10, '"":1', '" ":2'),
        f'{{"id":11,"date":"{DAY}"}}',
        "{}",
        row(13, '"MERCHANT_CITY":"Rome"'),
        row(14, '"merchant_city":true'),
        row(15, '"a\\u0001b":1', '"\\u0001":2', '"a":"\\\\"'),
    ),
    "other_types.jsonl": lines(
        row(1, '"errors":["a","b"]'),
        row(2, '"zip":{"five":"02139"}'),
        row(3, '"mcc":false'),
        row(4, '"paid":true', '"tags":["x",{"y":[null,-1.5e3,"}]"]}]', '"more":{"deep":{"amount":"{"}}'),
        row(5, '"use_chip":null', '"zip":null', '"errors":null', '"none":null'),
        row(6, '"date":true').replace(f'"date": "{DAY}", ', ""),
        row(7, '"merchant_state":[]'),
    ),
    "texts.jsonl": lines(
        row(1, r'"errors":"a \"quoted\" \\ \/ \b\f\n\r\t word"'),
        row(2, r'"errors":"\ud83c\udfe6 \u00e9 \u0000 \uFFFF"'),
        row(3, r'"errors":"\ud83c"'),
        row(4, r'"x":"\udfe6\ud83c"'),
        row(5, r'"x":{"y":["\uD83C \udfe6"]}'),
        row(6, r'"\uDFE6":1'),
        row(7, r'"errors":"\\ud83c"'),
        row(8, r'"errors":"\x41"'),
        row(9, r'"errors":"\u12g4"'),
        row(10, r'"errors":"\u00E9\u 0041"'),
        row(11, '"errors":"tab\there"'),
        row(12, '"errors":"\x01"'),
        row(13, '"errors":"\x7f\u2028\u0085\ufeff東京 🏦"'),
        row(14, '"errors":"never closed'),
        row(15, '"errors":"'),
        row(16, '"errors":"\\"'),
        row(17, '"errors":"}"'),
        row(18, r'"use_chip":"\u0063hip"', r'"zip":"\u0030"', r'"mcc":"54\/11"'),
        row(19, '"errors":"a', 'b"'),
    ),
    "structure.jsonl": b"\xef\xbb\xbf\xef\xbb\xbf \t\r\n\n"
    + lines(
        row(1),
        f"\t {row(2)} \t\r",
        f"{row(3)},",
        f"{row(4)}{row(5)}",
        f"{row(6)} {row(7)}",
        f"[{row(8)}]",
        row(9)[:-1],
        f"{row(10)}}}",
        row(11).replace(":", "=", 1),
        row(12).replace('"id"', "id"),
        row(13).replace('"id"', "'id'"),
        row(14).replace(": 1.00", ""),
        row(15).replace("}", ",}"),
        row(16).replace("{", "{,"),
        row(17).replace(",", ",,", 1),
        row(18).replace(",", " ", 1),
        row(19).replace(", ", "\r,\t"),
        row(20).replace(", ", "\x0c, "),
        row(21).replace(", ", "\u00a0, "),
        "null",
        "true",
        '"text"',
        "7",
        "",
        "  \t ",
        "// a comment",
        f"{row(26)} // a comment",
        row(27).replace("{", "{/**/"),
        "\ufeff" + row(28),
        "\x0c",
        row(30, '"x":1\x01'),
        row(31) + "\x1a\r",
        row(32, "\x01:\x01"),
        row(33, '"x":\x01'),
    )
    + row(34).encode()
    + b"\x1a",
    "levels.jsonl": lines(
        row(1, f'"x":{nested(LEVELS - 1)}'),
        row(2, f'"x":{nested(LEVELS)}'),
        row(3, f'"x":{nested(LEVELS - 1, "{}")}'),
        row(4, f'"x":{nested(LEVELS, "{}")}'),
        row(5, f'"x":{nested(2_000)}'),
        row(6, f'"x":[{",".join(["[[]]"] * 30)}]'),
        row(7, '"x":[1 2]'),
        row(8, '"x":[1,]'),
        row(9, '"x":[,1]'),
        row(10, '"x":[1}'),
        row(11, '"x":{1}'),
        row(12, '"x":{"a":1,}'),
        row(13, '"x":{"a" 1}'),
        row(14, '"x":["a":1]'),
        row(15, '"x":[[1][2]]'),
        row(16, '"x":[1[2]]'),
        row(17, '"x":[01]'),
        row(18, '"x":[\t1\r, {"a" : [ ] , "b":{ } } ]'),
        row(19, '"x":["]", "[", "\\"]"]'),
        row(20, '"x":[nulL]'),
        row(21, '"x":["a""b"]'),
    ),
    "blank_lines.jsonl": b"\n" + lines(row(1), "", " ", row(2), "\t") + b"\n\n" + row(3).encode(),
    "no_line_end.jsonl": row(1).encode(),
    "broken_first.jsonl": lines(row(1)[:-1], row(2)),
    "lines.json": lines(row(1), row(2)),
    "firehose": lines(
        '{"dms_id":1,"amount":"1.00","date":"2024-01-01"}', '{"dms_id":2,"amount":2,"date":"2024-01-01"}'
    ),
    "two_members.jsonl.gz": gzip.compress(b"", mtime=0)
    + gzip.compress(row(1).encode()[:20], mtime=0)
    + gzip.compress(row(1).encode()[20:] + b"\n\n" + row(2).encode(), mtime=0),
    "late_columns.jsonl": lines(*(row(n) for n in range(1_100)), row(1_100, '"ZIP":"0"', '"x":1'), row(1_101)),
    "objects.json": b'\xef\xbb\xbf\n{"id": 1, "amount": "1.00", "date": "2023-05-06"}\n',
    "json_in_gzip.csv.gz": gzip.compress(lines(row(1)), mtime=0),
    # Rejected.
    "list.json": b'[\n  {"id": 1, "amount": "1.00", "date": "2023-05-06"}\n]\n',
    "list_in_gzip.json.gz": gzip.compress(b"[" + row(1).encode() + b"]", mtime=0),
    "over_lines.json": row(1).replace(", ", ",\n  ").encode(),
    "on_one_line.json": (row(1) + row(2)).encode(),
    "on_one_line_with_a_comma.json": lines(f"{row(1)}, {row(2)}", row(3)),
    "missing_name.jsonl": lines('{"id":1,"when":"2023-05-06"}'),
    "two_names.jsonl": lines(row(1), row(2).replace('"id"', '"dms_id"')),
    "two_names_late.jsonl": lines(*(row(n) for n in range(1_100)), row(7).replace('"id"', '"DMS_id"')),
    "late_operation.jsonl": lines(*(row(n) for n in range(1_100)), row(7, '"Op":"D"')),
    "latin1.jsonl": row(1, '"errors":"Zürich"').encode("latin-1"),
    "truncated.jsonl.gz": gzip.compress(lines(*(row(n, f'"x":{n * n}') for n in range(500))), mtime=0)[:-500],
}
