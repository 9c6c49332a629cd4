"""Makes files of transactions from the data contract's grammar, and from its neighbourhood: one mutation from good.

What is drawn is small and usual; what people's tools do to it on its way is a mutation: of a value, of a sign in the
text, of the whole file, or of its bytes.
"""

import gzip
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from build import AMOUNTS, CHANNELS, DATES, INTEGERS, MCCS, ZIPS
from dms.envelope_cases import CONNECT, DEBEZIUM, DECIMAL, KEYED, MS, field, in_bytes, schema_of
from hypothesis import strategies as st

REQUIRED = ("dms_id", "amount", "date")
GOOD: Mapping[str, Sequence[str]] = {
    "dms_id": ("1", "2", "2", "3.0", "-4", "9223372036854775807"),
    "amount": ("12", "12.34", "$-77.00", "($1,412.64)", ".5", "$ -", "\u221220.00", "$\u00a05.10", "-0.00", "1,234.5"),
    "date": (
        *("2023-05-06", "2023-05-06 07:08:09", "2023-05-06T07:08Z", "2023-05-06 23:59:59.5 -0700", "5/16/2023 1:05 PM"),
        *("2023-05-06 00:30:00+01", "2023-12-31 23:59 UTC", "2/29/2020", "12/31/2022 12:00 am", "2023-05-06 7:08"),
    ),
    "use_chip": ("Swipe Transaction", "chip", "ONLINE transaction", ""),
    "zip": ("02139", "4101.0", "89501.00", ""),
    "client_id": ("1556", "0", ""),
    "merchant_city": ("Rome", "Los Angeles, CA", 'the "Big" one', "Zürich", "two\nlines", ""),
    "mcc": ("5411", "742", "5411.00", ""),
    "errors": ("Bad PIN,Insufficient Balance", "", "nan"),
    "note": ("x", "", "; | \t"),
}
"""Texts that are read, by column; `note` is one that the contract lacks."""
NEAR: Mapping[str, Sequence[str]] = {
    name: values.split("|")
    for name, values in {
        "dms_id": INTEGERS, "amount": AMOUNTS, "date": DATES, "use_chip": CHANNELS, "zip": ZIPS, "client_id": INTEGERS,
        "mcc": MCCS, "merchant_city": "\\N|NULL|=\"1\"|'|\u200b", "errors": " , |None|,", "note": "a|\0|\ufeff",
    }.items()
}  # fmt: skip
"""Texts that are nearly of a column's form, or of one that few know."""
ENDS = ("\n", "\n", "\r\n", "\r\r\n")
DELIMITERS = (",", ",", ",", ";", "\t", "|")
SIGNS = (
    *('"', '""', ",", ",,", ";", "\t", "|", "\n", "\r", "\r\n", "\n\n", " ", "'", "\\", "=", "#"),
    *("-", "\u2212", "\u2013", "\u2014", "$", "€", "(", ")", ".", "0", "9", "\u0663", "e", "E5", "+"),
    *(":", "/", "T", "Z", " AM", "pm", " UTC", "+01", " +0530", "é", "\u00a0", "\u202f", "\u2028", "\u200b", "\ufeff"),
    *("\0", "\x1a", "\x85", "\x0c"),
)
Mutation = Callable[[str, int, str], str]


@dataclass(frozen=True)
class Writing:
    """How a table is written: what separates fields and ends lines, and which fields are in quotes."""

    delimiter: str = ","
    end: str = "\n"
    all_quoted: bool = False

    def text(self, table: Sequence[Sequence[str]]) -> str:
        return "".join(self.delimiter.join(map(self._field, row)) + self.end for row in table)

    def _field(self, text: str) -> str:
        if not self.all_quoted and not any(sign in text for sign in (self.delimiter, '"', "\n", "\r")):
            return text
        return '"' + text.replace('"', '""') + '"'


def _insert(text: str, place: int, sign: str) -> str:
    return text[:place] + sign + text[place:]


def _replace(text: str, place: int, sign: str) -> str:
    return text[:place] + sign + text[place + 1 :]


def _delete(text: str, place: int, _: str) -> str:
    return text[:place] + text[place + 1 :]


def _cut(text: str, place: int, _: str) -> str:
    return text[:place]


def _double_line(text: str, place: int, _: str) -> str:
    line = text[text.rfind("\n", 0, place) + 1 : text.find("\n", place) + 1]
    return text.replace(line, line + line, 1)


OF_SIGNS: Sequence[Mutation] = (_insert, _insert, _insert, _replace, _replace, _delete, _cut, _double_line)


def _empty_rows(text: str, *, first: bool) -> str:
    """Put rows of empty fields, as many as the header has, behind the header or at the end."""
    header, _, rows = text.partition("\n")
    row = "".join(sign for sign in header if sign in DELIMITERS)
    return f"{header}\n{row}\n{rows}" if first else text + f'{row}\n ""{row}\n{row} \n'


OF_FILES: Sequence[Callable[[str], str]] = (
    lambda text: "sep=,\n" + text,
    lambda text: '"sep=;"\r\n' + text,
    lambda text: "\n , \n" + text,
    lambda text: "\ufeff\ufeff" + text,
    lambda text: text + "\x1a",
    lambda text: text + "\0" * 70,
    lambda text: text + ",,\n,,,,,,,,,,,\n" + ";;\n\t\t\n",
    lambda text: _empty_rows(text, first=True),
    lambda text: _empty_rows(text, first=False),
    lambda text: text.replace("\n", "\n\n"),
    lambda text: text.replace("\n", ",\n"),
    lambda text: text.replace("\n", ",,\n").replace(",,\n", "\n", 1),
    lambda text: text.replace("\n", "\r"),
    lambda text: text.replace(",", ", "),
    lambda text: text.replace(".", ","),
    lambda text: text.upper(),
    lambda text: text.rstrip("\r\n"),
    lambda text: "",
)
OF_BYTES: Sequence[Callable[[str], bytes]] = (
    lambda text: text.encode("latin-1", errors="replace"),
    lambda text: text.encode("utf-16"),
    lambda text: text.encode("utf-16-le"),
    lambda text: text.encode("utf-8-sig"),
    lambda text: gzip.compress(text.encode(), mtime=0),
    lambda text: gzip.compress(text.encode(), mtime=0)[:-9],
    lambda text: gzip.compress(gzip.compress(text.encode(), mtime=0), mtime=0),
    lambda text: text.encode()[: len(text) // 2 + 1],
)


def _chosen(number: int, *choices: Sequence[str]) -> list[str]:
    """Return one of each of the choices, as a number says: one draw costs much less than one for each of them."""
    found = []
    for options in choices:
        number, place = divmod(number, len(options))
        found.append(options[place])
    return found


NUMBERS = st.integers(0, 10**12)
WRITINGS = st.builds(Writing, st.sampled_from(DELIMITERS), st.sampled_from(ENDS), st.booleans())
ORDERS = st.permutations(list(GOOD))
KINDS = st.sampled_from(["none", "value", "value", "sign", "sign", "sign", "file", "file", "bytes"])


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Draw a file: a good one, or one that is a mutation away from it."""
    left_out = set(_chosen(draw(NUMBERS), *[["", name] for name in GOOD if name not in REQUIRED]))
    names = [name for name in draw(ORDERS) if name not in left_out]
    rows = [
        _chosen(number, *(GOOD[name] for name in names)) for number in draw(st.lists(NUMBERS, min_size=1, max_size=5))
    ]
    writing, kind, number = draw(WRITINGS), draw(KINDS), draw(NUMBERS)
    if kind == "value":
        number, place = divmod(number, len(names))
        rows[-1][place] = NEAR[names[place]][number % len(NEAR[names[place]])]
    text = writing.text([names, *rows])
    if kind == "sign":
        mutate, sign = draw(st.sampled_from(OF_SIGNS)), draw(st.sampled_from(SIGNS))
        return mutate(text, number % (len(text) + 1), sign).encode()
    if kind == "file":
        return OF_FILES[number % len(OF_FILES)](text).encode()
    return OF_BYTES[number % len(OF_BYTES)](text) if kind == "bytes" else text.encode()


JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
OF_JSON: Sequence[str] = (
    *(
        "{",
        "}",
        "[",
        "]",
        "{}",
        "[[",
        ":",
        ",",
        '"',
        '"a":',
        '"id":7',
        '"ID" : 7,',
        "null",
        "true",
        "1e2",
        "-0",
        "01",
        "1.",
    ),
    *(
        "\\",
        "\\n",
        "\\u0031",
        "\\ud83d",
        "\\ude00",
        "\\ud83d\\ude00",
        "\\x",
        "\x01",
        "\t",
        "\r",
        "\n",
        " ",
        "\ufeff",
        "NaN",
    ),
)
ODD_VALUES = (
    "true",
    "false",
    "{}",
    "[1]",
    '{"a":[null,{"b":"}"}]}',
    "1E400",
    "-0",
    "12.30",
    "0.10",
    "1e2",
    "[1 2]",
    '"\\ud800"',
)
ODD_MEMBERS = (
    '"tags":["a",{"b":[]}]',
    '"ID":1',
    '"note":1,"note":2',
    '"":0',
    '"x":{"id":1}',
    '"\\u007a":null',
    '"x":tru',
)


def _value(text: str, number: int) -> str:
    """Write a value in one of the ways that JSON has for it."""
    if not text and number % 3:
        return "null"
    if JSON_NUMBER.fullmatch(text) and number % 2:
        return text
    return json.dumps(text, ensure_ascii=number % 5 < 2)


def _member(name: str, text: str, number: int) -> str:
    spelled = (name, name, name.upper(), f" {name}\\t", f"\\u{ord(name[0]):04x}{name[1:]}")[
        number % 5 if number % 7 == 0 else 0
    ]
    return f'"{spelled}"{":" if number % 2 else " : "}{_value(text, number)}'


@st.composite
def json_files(draw: st.DrawFn) -> bytes:
    """Draw a file of JSON lines: a good one, or one that is a mutation away from it."""
    rows = []
    for number in draw(st.lists(NUMBERS, min_size=1, max_size=5)):
        number, shift = divmod(number, len(GOOD))
        names = [*list(GOOD)[shift:], *list(GOOD)[:shift]]
        told = zip(names, _chosen(number, *(GOOD[name] for name in names)), strict=True)
        rows.append(
            [_member(name, text, number + len(text)) for name, text in told if name in REQUIRED or len(text + name) % 3]
        )
    kind, number, end = draw(KINDS), draw(NUMBERS), draw(st.sampled_from(ENDS))
    if kind == "value":
        number, place = divmod(number, len(rows[-1]))
        name = rows[-1][place].partition('"')[2].partition('"')[0]
        odd = [f'"{name}":{value}' for value in ODD_VALUES]
        odd += [f'"{name}":{json.dumps(text)}' for text in NEAR.get(name, ())] + list(ODD_MEMBERS)
        rows[-1][place] = odd[number % len(odd)]
    return _mutated(draw, "".join("{" + ",".join(row) + "}" + end for row in rows), kind, number)


def _mutated(draw: st.DrawFn, text: str, kind: str, number: int) -> bytes:
    """Return JSON lines as a file, after a mutation of a sign, of the file or of its bytes, if it is of that kind."""
    if kind == "sign":
        mutate, sign = draw(st.sampled_from(OF_SIGNS)), draw(st.sampled_from((*OF_JSON, *SIGNS)))
        return mutate(text, number % (len(text) + 1), sign).encode()
    if kind == "file":
        return OF_FILES[number % len(OF_FILES)](text).encode()
    return OF_BYTES[number % len(OF_BYTES)](text) if kind == "bytes" else text.encode()


IN_BYTES = tuple(f'"{in_bytes(cents)}"' for cents in (1230, -1, 0, -(10**9), 10**17))
IMAGES: Sequence[tuple[object, Mapping[str, Sequence[str]]]] = (
    (None, {}),
    (None, {}),
    (schema_of(KEYED, DECIMAL), {"amount": (*IN_BYTES, "12.5", "null")}),
    (
        schema_of(field("date", "int64", f"{DEBEZIUM}MicroTimestamp"), at="before"),
        {"date": ("1683356889123456", "-1", "null")},
    ),
    (
        schema_of(field("Amount", "bytes", f"{CONNECT}Decimal", scale="0"), field("date", "int32", f"{DEBEZIUM}Date")),
        {"amount": IN_BYTES, "date": ("19483", "-25567", "0")},
    ),
)
"""What the schema of a file's envelopes says, and how values of its images are then written."""
OPERATIONS = ("c", "u", "u", "d", "d", "r")
SOURCES = (
    *(f'{{"ts_ms":{MS}}}', f'{{"ts_ms":{MS},"ts_us":{MS}456,"ts_ns":{MS}456789}}'),
    *(f'{{"snapshot":"true","ts_ms":{MS - 1}}}', f'{{"ts_ns":{MS}999999,"table":"t\\u0031"}}'),
    *(f'{{"ts_us":null,"ts_ms":{MS + 7}}}', f'{{"TS_MS":{MS}, "lsn":[1,{{}}]}}'),
)
ODD_PARTS: Mapping[str, Sequence[str]] = {
    "op": ('"t"', '"C"', '"\\u0063"', '"u "', '""', "null", "true", "7", '{"op":"c"}', '"c","op":"d"'),
    "source": (
        *("null", "{}", "[]", '"x"', '{"ts_ms":null}', '{"ts_ms":"1701424800123"}', '{"ts_ms":1,"ts_ms":2}'),
        *('{"ts_us":1e15,"ts_ms":5}', '{"ts_ms":-1}', '{"ts_ns":9223372036854775808}', '{"ts_ms":1701424800123.0}'),
    ),
    "after": ("null", "{}", "[]", "true", '"{}"', "7", '{"id":1,"ID":2}', '{"op":"d","source.ts":1,"id":5}'),
    "before": ("null", "{}", '{"id":7}', "[1]", '"x"', '{"id":1,"id":2}', '{"commit_at":"2023-05-06"}'),
    "payload": ("1", '{"op":"c"}', "null"),
}
"""What the parts of an envelope hold that are nearly right, or right and seldom."""
TOMBSTONES = (
    *("null", '{"schema":null,"payload":null}', ' {"payload" : null,"schema":null}\t', ""),
    *("nul", '{"schema":null}', "null null"),
)
"""The first four are no rows."""


def _image(number: int, written: Mapping[str, Sequence[str]]) -> str:
    chosen = _chosen(number, *GOOD.values())
    named = [(name, text) for name, text in zip(GOOD, chosen, strict=True) if name in REQUIRED or len(text + name) % 3]
    members = [
        f'"{name}":{written[name][number % len(written[name])]}'
        if name in written
        else _member(name, text, number + len(text))
        for name, text in named
    ]
    return "{" + ",".join(members) + "}"


def _envelope(number: int, written: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the parts of an envelope, each as it is written."""
    operation, source = _chosen(number, OPERATIONS, SOURCES)
    image, other = _image(number // 7, written), _image(number // 11, written) if number % 3 else "null"
    before, after = (image, "null") if operation == "d" else (other, image)
    parts = {"before": before, "after": after, "source": source, "op": f'"{operation}"', "ts_ms": f"{MS + 9}"}
    names, shift = list(parts), number % len(parts)
    return {name: parts[name] for name in (*names[shift:], *names[:shift])}


@st.composite
def envelope_files(draw: st.DrawFn) -> bytes:
    """Draw a file of change envelopes: a good one, or one that is a mutation away from it."""
    schema, written = draw(st.sampled_from(IMAGES))
    numbers = draw(st.lists(NUMBERS, min_size=1, max_size=5))
    envelopes = [_envelope(number, written) for number in numbers]
    kind, number, end = draw(KINDS), draw(NUMBERS), draw(st.sampled_from(ENDS))
    is_packed = schema is not None or number % 3 == 0
    if kind == "value":
        number, place = divmod(number, len(ODD_PARTS))
        name = list(ODD_PARTS)[place]
        envelopes[-1][name] = ODD_PARTS[name][number % len(ODD_PARTS[name])]
    text = ""
    for drawn, parts in zip(numbers, envelopes, strict=True):
        envelope = "{" + ",".join(f'"{name}":{value}' for name, value in parts.items()) + "}"
        line = f'{{"schema":{json.dumps(schema)},"payload":{envelope}}}' if is_packed else envelope
        behind = [TOMBSTONES[drawn % 4]] if drawn % 5 < 2 else []
        if kind == "value":
            behind.append(TOMBSTONES[number % len(TOMBSTONES)])
        text += "".join(each + end for each in (line, *behind))
    return _mutated(draw, text, kind, number)
