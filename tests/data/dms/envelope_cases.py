"""Change envelopes as Debezium writes them, with and without their schemas, and what is nearly one."""

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

KEY = "transactions/kafka/changes.jsonl"
OFFSETS = "transactions/topics/orders/partition=0/orders+0+0000000100"
TOMBSTONE = '{"schema":null,"payload":null}'
AT = "2023-05-06 07:08:09"
MS = 1_701_424_800_123
"""2023-12-01 10:00:00.123 UTC."""
CONNECT, DEBEZIUM = "org.apache.kafka.connect.data.", "io.debezium.time."
Case = tuple[str, bytes, dict[str, object] | bytes | None]


def text(*lines: str) -> bytes:
    return "".join(line + "\n" for line in lines).encode()


def image(key: object, amount: object = "10.00", date: object = AT, **more: object) -> dict[str, object]:
    return {"id": key, "amount": amount, "date": date, **more}


def change(
    op: object,
    after: object = None,
    before: object = None,
    *,
    schema: object = None,
    source: object = None,
    **more: object,
) -> str:
    """Write an envelope; with a schema it is the payload beside that."""
    told: Mapping[str, Any] = {"ts_ms": MS, "snapshot": "false"} if source is None else source  # type: ignore[assignment]
    payload = {"before": before, "after": after, "source": told, "op": op, "ts_ms": MS + 5, "transaction": None, **more}
    return json.dumps({"schema": schema, "payload": payload} if schema else payload)


def field(name: str, kind: str, schema: str = "", **parameters: str) -> dict[str, object]:
    told: dict[str, object] = {"type": kind, "optional": True, "field": name}
    if schema:
        told |= {"name": schema, "version": 1}
    return told | ({"parameters": parameters} if parameters else {})


def schema_of(*fields: dict[str, object], at: str = "after") -> dict[str, object]:
    parts = [{"type": "struct", "field": part, "fields": list(fields)} for part in ("before", at) if part]
    others = [{"type": "struct", "field": "source", "fields": [field("ts_ms", "int64")]}, field("op", "string")]
    return {"type": "struct", "fields": [*parts, *others], "optional": False, "name": "bank.transactions.Envelope"}


def in_bytes(number: int, size: int = 0) -> str:
    """Write a decimal's digits as Debezium does: big-endian with their sign, in base64."""
    return base64.b64encode(number.to_bytes(size or number.bit_length() // 8 + 1, "big", signed=True)).decode()


DECIMAL = field("amount", "bytes", f"{CONNECT}Decimal", scale="2", **{"connect.decimal.precision": "18"})
KEYED = field("id", "int64")
OF_BYTES = schema_of(KEYED, DECIMAL, field("date", "int64", f"{DEBEZIUM}MicroTimestamp"), field("zip", "string"))
US = 1_683_356_889_123_456
AMOUNTS: tuple[object, ...] = (
    *(in_bytes(number) for number in (1230, -1230, 0, 1, -1, 127, 128, -128, -129, 10**18 - 1, -(10**18) + 1, 10**18)),
    *(
        in_bytes(1230, 15),
        in_bytes(-1230, 15),
        in_bytes(1230, 16),
        in_bytes(-1, 15),
        in_bytes(2**118),
        in_bytes(-(2**119), 15),
    ),
    *("1234", "12==", "AA=", "", " ", "12.30", "BM4", "BM4=\n", 12.30, 12, None, True, "é"),
)


def of_unit(kind: str, schema: str, values: tuple[object, ...]) -> bytes:
    """Write a change for each value of a column that counts instants."""
    told = schema_of(KEYED, field("amount", "string"), field("date", kind, schema))
    return text(*(change("c", image(n, "1.00", value), schema=told) for n, value in enumerate(values, 1)))


ODD_INSTANTS: tuple[object, ...] = (0, -1, 10**7, 10**18, 10**19, -(10**18), "1683356889123", 1.5, None, False)
CHANGES = text(
    change("r", image(1, "12.30", "2023-05-06T07:08:09Z"), source={"ts_ms": 0, "snapshot": "first"}),
    change("c", image(2, 12.3), source={"ts_ms": MS, "ts_us": MS * 1000 + 456, "ts_ns": MS * 10**6 + 456_789}),
    change(
        "u",
        image(2, "$-1.00", mcc=5411, note={"op": "d"}),
        image(2, 12.3),
        source={"ts_ms": MS, "ts_us": MS * 1000 + 1},
    ),
    change("d", None, image(2)),
    "null",
    change("d", None, {"id": 3}),
    ' {"schema" : null, "payload":null}\r',
    '{"payload":null,"schema":null}',
    "",
    change("c", image(4, None, None)),
    change("u", image(5, zip="0", op="x", commit_ts="y", **{"source.ts": 1})),
)
NASTY = text(
    change("c", image(1)),
    change("t"),
    change("m", message={"prefix": "x"}),
    change("I", image(2)),
    change("C", image(3)),
    change(None, image(4)),
    change(True, image(5)),
    change(7, image(6)),
    change({"a": "c"}, image(7)),
    change("c"),
    change("d", image(8)),
    change("c", [], image(9)),
    change("c", "text"),
    change("c", 5),
    change("d", None, True),
    change("c", image(10), source=[]),
    change("c", image(11), source="x"),
    change("c", image(12), source={}),
    change("c", image(13), source={"ts_ms": None}),
    change("c", image(14), source={"ts_ms": "1701424800123"}),
    change("c", image(15), source={"ts_ms": -1}),
    change("c", image(16), source={"ts_ms": 10**15}),
    change("c", image(17), source={"ts_us": None, "ts_ns": 1.5e18, "ts_ms": MS}),
    change("c", image(18, True)),
    change("c", image(19, zip=["02139"])),
    '{"op":"c","op":"d","after":{"id":20,"amount":"1.00","date":"2023-05-06"},"source":{"ts_ms":0}}',
    '{"op":"c","after":{"id":21,"ID":2,"amount":"1.00","date":"2023-05-06"},"source":{"ts_ms":0}}',
    '{"op":"c","after":{"id":22,"amount":"1.00","date":"2023-05-06"},"source":{"ts_ms":0,"ts_ms":1}}',
    '{"op":"c","after":{"id":22,"id":2},"source":[]}',
    '{"op":"c","before":{"id":1,"id":2},"after":{"id":23,"amount":"1.00","date":"2023-05-06"},"source":{"ts_ms":0}}',
    '{"o\\u0070":"\\u0063","AFTER":{"\\u0069d":"\\u0032\\u0034","amount":"1.00","date":"2023-05-06"},"source":{"ts_ms":0}}',
    '{"op":"\\u0064","before":{"id":"25\\t"},"source":{"ts_ms":0}}',
    '{"schema":null,"payload":{"op":"c","after":{"id":26,"amount":"1.00","date":"2023-05-06"},"source":{"ts_ms":0}}}',
    '{"schema":{"a":1,"a":2},"payload":{"op":"c","after":{"id":27,"amount":1,"date":"2023-05-06"},"source":{"ts_ms":0}}}',
    '{"payload":{"op":"c","after":{"id":28,"amount":1,"date":"2023-05-06"},"source":{"ts_ms":0}}}',
    '{"schema":null,"payload":[]}',
    '{"schema":null,"payload":null,"x":1}',
    "null x",
    "nul",
    "[]",
    "{}",
    '{"id":29,"amount":"1.00","date":"2023-05-06"}',
    change("c", image(30))[:-1],
    change("c", image(31)) + change("c", image(32)),
    change("r", image(33, errors="a,b", merchant_city="é \\u00e9 \U0001f3e6 \x00")),
)

ENVELOPE_CASES: dict[str, Case] = {
    "debezium_changes": (KEY, CHANGES, None),
    "debezium_gzip": (f"{KEY}.gz", gzip.compress(b"null\nnull\n" + CHANGES, mtime=0), None),
    "debezium_nasty": (KEY, NASTY, None),
    "debezium_decimals_in_bytes": (
        KEY,
        text(*(change("c", image(n, amount, US), schema=OF_BYTES) for n, amount in enumerate(AMOUNTS, 1))),
        None,
    ),
    "debezium_scale_0_and_snapshot": (
        KEY,
        text(
            *(
                change(
                    "r",
                    image(n, in_bytes(n), AT),
                    schema=schema_of(field("Amount", "bytes", f"{CONNECT}Decimal", scale="0")),
                )
                for n in (-300, 7)
            )
        ),
        None,
    ),
    "debezium_milliseconds": (KEY, of_unit("int64", f"{DEBEZIUM}Timestamp", (US // 1000, *ODD_INSTANTS)), None),
    "debezium_microseconds": (KEY, of_unit("int64", f"{DEBEZIUM}MicroTimestamp", (US, -US, *ODD_INSTANTS)), None),
    "debezium_nanoseconds": (
        KEY,
        of_unit("int64", f"{DEBEZIUM}NanoTimestamp", (US * 1000 + 999, -US * 1000 - 1, *ODD_INSTANTS)),
        None,
    ),
    "debezium_ends_of_64_bits": (
        KEY,
        text(
            *(
                change("c", image(n), source={"ts_ns": value})
                for n, value in enumerate((2**63 - 1, 2**63, 93 * 10**17, -(2**63), -(2**63) - 1, MS * 10**6), 1)
            )
        ),
        None,
    ),
    "debezium_days": (KEY, of_unit("int32", f"{DEBEZIUM}Date", (19_483, -1, -25_567, -25_568, *ODD_INSTANTS)), None),
    "debezium_connect_dates": (KEY, of_unit("int64", f"{CONNECT}Timestamp", (US // 1000,)), None),
    "debezium_zoned_dates": (
        KEY,
        of_unit("string", f"{DEBEZIUM}ZonedTimestamp", ("2023-05-06T07:08:09.5Z", 5, "")),
        None,
    ),
    "debezium_tombstones_first": (f"{OFFSETS}.jsonl", b"null\n" * 1_100 + text(TOMBSTONE, change("c", image(1))), None),
    "debezium_tombstones_alone": (f"{OFFSETS}.jsonl", text("null", TOMBSTONE, "", "null"), None),
    "debezium_null_text": (KEY, text(change("c", image(1, zip="NULL")), change("c", image(2, zip="-"))), {"null": "-"}),
    "debezium_users": (
        "users/kafka.jsonl",
        text(
            change("r", {"id": 1, "yearly_income": "$59696", "gender": "Female"}),
            change("u", {"id": 1, "yearly_income": 60000.00, "gender": None}),
            change("d", None, {"id": 2}),
        ),
        None,
    ),
    "kafka_record_that_is_no_json_first": (f"{OFFSETS}.jsonl", text("hello", json.dumps(image(1))), None),
    "kafka_record_that_is_no_json_first_in_gzip": (
        f"{OFFSETS}.json.gz",
        gzip.compress(text("1,2,{", json.dumps(image(1))), mtime=0),
        None,
    ),
    "ambiguous_debezium_bytes": (KEY, text(change("c", image(1, in_bytes(1230)))), None),
    "ambiguous_debezium_dates": (KEY, text(change("c", image(1, "1.00", US // 1000))), None),
    "ambiguous_debezium_rows": (KEY, text(json.dumps({**image(1), "op": "c", "after": image(1), "source": {}})), None),
    "ambiguous_debezium_schemas": (
        KEY,
        text(change("c", image(1, in_bytes(5), US), schema=OF_BYTES), change("c", image(2, "5.00"))),
        None,
    ),
    "debezium_doubles": (
        KEY,
        text(change("c", image(1, 12.3), schema=schema_of(KEYED, field("amount", "double"), field("date", "string")))),
        None,
    ),
    "debezium_without_scale": (
        KEY,
        text(change("c", image(1, "Bg=="), schema=schema_of(field("amount", "bytes", f"{CONNECT}Decimal")))),
        None,
    ),
}
