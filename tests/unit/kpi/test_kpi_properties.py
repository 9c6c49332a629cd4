"""Properties of the reader and the rules, against the slow reference written from the contract's words."""

import io
from datetime import UTC, datetime
from decimal import Decimal

import kpi_reference as reference
import polars as pl
import pytest
from build import AMOUNTS, CHANNELS, DATES, INTEGERS, MCCS, ZIPS
from contract.kinds import Fault
from contract.rules import COMPARISONS, Rule
from contract.subjects import TRANSACTIONS
from hypothesis import assume, example
from hypothesis import strategies as st
from judging.kpis import count_kpis
from judging.rows import judge_exactly
from judging.rules import Limits, broken_rules
from judging.usual_forms import judge
from judging.values import read_values
from kpi_rows import PLAIN
from reading.csv_blocks import CsvRows
from reading.texts import without_null_texts
from two_sizes import in_two_sizes

LAST_MODIFIED_AT = datetime(2024, 1, 1, tzinfo=UTC)
LIMITS = Limits.of(LAST_MODIFIED_AT)
NAMES = ("dms_id", "amount", "date")
HEADER = ",".join(NAMES) + "\n"

signs = [
    '"',
    '"',
    ",",
    ",",
    "\n",
    "\n",
    "\r",
    "\r\n",
    "\x1a",
    "\0",
    " ",
    "\t",
    '""',
    "a",
    "1",
    "1.00",
    "2023-05-06",
    "\ufeff",
    "é",
]
runs = [
    "1,2.00,2023-05-06\n",
    '"3","4.00",2023-05-06\n',
    '5,"6.00\n',
    '7",2023-05-06\n',
    "\n" * 63,
    "\u2028",
    ",,\n",
    '"",\t,\r\n',
    "8,9.00,2023-05-06\r\r\n",
]
pieces = st.sampled_from([*signs, *runs])
bodies = st.lists(pieces, max_size=40).map("".join)
blocks = st.integers(min_value=1, max_value=80)


def reader(body: str, block_bytes: int, *, places: bool, aside: int = 2_000) -> CsvRows:
    stream = io.BytesIO((HEADER + body).encode())
    return CsvRows(stream, PLAIN, NAMES, places=places, block_bytes=block_bytes, maximum_set_aside=aside)


def read(body: str, block_bytes: int, *, places: bool, aside: int = 2_000) -> list[pl.DataFrame]:
    return list(reader(body, block_bytes, places=places, aside=aside).frames())


@in_two_sizes(20, 100, body=bodies, block_bytes=blocks)
def test_records_are_those_of_the_reference__any_text_in_any_blocks(body: str, block_bytes: int) -> None:
    rows = reader(body, block_bytes, places=True)
    found = [
        (line, raw, broken or [key or "", amount or "", date or ""])
        for frame in rows.frames()
        for line, raw, broken, key, amount, date in frame.select("line", "raw", "broken", *NAMES).iter_rows()
    ]
    # Empty fields behind each row make columns without a name.
    records = reference.records(reference.lines_of(body), len(rows.shape.layout.names))
    assert found == [(line, raw, told if isinstance(told, str) else told[: len(NAMES)]) for line, raw, told in records]


@in_two_sizes(20, 100, body=bodies, block_bytes=blocks, aside=st.sampled_from([0, 1, 2_000]))
@example(body='1,2.00,2023-05-06\n,,\n" ","","\t"\n,,2023-05-06\n', block_bytes=80, aside=0)
@example(body='1,2.00,2023-05-06\n,,\n" ","","\t"\n,,2023-05-06\n', block_bytes=80, aside=9)
@example(body=",\r,,\n", block_bytes=1, aside=0)
@example(body=",,1,2.00,2023-05-06\n\n", block_bytes=5, aside=0)  # too many fields come first, and commas even out
def test_quick_ways_give_the_same_records__any_text(body: str, block_bytes: int, aside: int) -> None:
    def told(frames: list[pl.DataFrame]) -> list[tuple[str | None, ...]]:
        texts = [
            [None if text in (None, "") else text for text in row]
            for frame in frames
            for row in frame.select("broken", *NAMES).iter_rows()
        ]
        return sorted((tuple(row) for row in texts), key=repr)

    quick, slow = reader(body, block_bytes, places=False, aside=aside), reader(body, 1 << 20, places=True)
    found, expected = told(list(quick.frames())), told(list(slow.frames()))
    # The first block tells how wide a file is, and such small ones may not hold its first rows.
    assume(quick.shape.layout.names == slow.shape.layout.names)
    assert found == expected


digits = st.text("0123456789", max_size=21)
money = st.builds(
    lambda before, number, point, decimals, after: before + number + point + decimals + after,
    st.sampled_from(
        [
            "",
            "",
            "$",
            "-",
            "$-",
            "-$",
            "+",
            "(",
            "($",
            "--",
            " ",
            "$ ",
            "$(",
            "$ (",
            "- ",
            "\u2212",
            "$\u2013",
            "\u00a0",
        ]
    ),
    digits | st.sampled_from(["1,234", "12,34", "1,234,567", "-", "1\u202f234", "1\u00a023"]),
    st.sampled_from(["", ".", "."]),
    st.text("0123456789", max_size=4),
    st.sampled_from(["", "", "", ")", " ", "-", "e3", "\u00a0"]),
)
numbers = st.builds(
    lambda sign, number, tail: sign + number + tail,
    st.sampled_from(["", "", "-", "+"]),
    digits,
    st.sampled_from(["", "", ".0", ".00", ".0000000000", ".", ".5"]),
)
days = st.builds(
    lambda year, month, day: f"{year:04}-{month:02}-{day:02}",
    st.sampled_from([0, 1, 1899, 1900, 1969, 2000, 2023, 2024, 9999]),
    st.integers(0, 13),
    st.integers(0, 32),
)
american = st.builds(
    lambda month, day, year: f"{month}/{day}/{year}",
    st.integers(0, 13),
    st.integers(0, 32),
    st.sampled_from([1899, 1900, 2023]),
)
times = st.builds(
    lambda lead, hour, minute, rest, half, zone: f"{lead}{hour}:{minute:02}{rest}{half}{zone}",
    st.sampled_from([" ", "T", "  "]),
    st.integers(0, 25).map(str) | st.integers(0, 24).map("{:02}".format),
    st.integers(0, 61),
    st.sampled_from(["", ":00", ":59", ":60", ":00.1", ":00.1234567", ":00.", ":5"]),
    st.sampled_from(["", "", " AM", "pm", " Pm", "\u202fPM", "  AM", " P"]),
    st.sampled_from(
        ["", "", "Z", "+02:00", "-0530", "+18:00", "+18:01", "-19:00", "+00:60", "+01", " -0700", " UTC", "-5"]
    ),
)
dates = st.builds(lambda day, time: day + time, days | american, st.just("") | times)
any_text = st.text(' ab0123$.,()-+"é\t', max_size=8)
texts = {
    "dms_id": numbers | any_text,
    "amount": money | any_text,
    "date": dates | any_text,
    "use_chip": st.sampled_from(
        ["Swipe Transaction", "chip", "ONLINE", "tap", "", "\u017fwipe", "Chip transaction", " swipe "]
    ),
    "zip": numbers | st.sampled_from(["02139", "4101.0", "", "0", "00000"]),
    "client_id": numbers,
    "card_id": numbers,
    "merchant_id": numbers,
    "mcc": numbers | st.sampled_from(["5411", "742", "5411.0", ""]),
}
rows = st.lists(st.fixed_dictionaries(texts), min_size=1, max_size=30)


def frame_of(given_rows: list[dict[str, str]]) -> pl.DataFrame:
    frame = pl.DataFrame(given_rows, schema=dict.fromkeys(TRANSACTIONS.ruled, pl.String))
    # Empty texts come as null or as empty, depending on the quotes: both must do.
    return frame.with_columns(
        pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.col(name).replace("", None)).otherwise(name).alias(name)
        for name in TRANSACTIONS.ruled
    ).with_columns(broken=pl.lit(None, pl.String))


@in_two_sizes(20, 100, given_rows=rows)
def test_rules_are_those_of_the_reference__any_values(given_rows: list[dict[str, str]]) -> None:
    rules = broken_rules(TRANSACTIONS, LIMITS)
    judged = read_values(frame_of(given_rows), TRANSACTIONS).select(
        *(pl.col(f"{name}_value") for name in NAMES), *(rule.alias(f"rule {name}") for name, rule in rules.items())
    )
    found = [
        ([name for name in rules if row[f"rule {name}"]], *(row[f"{name}_value"] for name in NAMES))
        for row in judged.iter_rows(named=True)
    ]
    assert found == [reference.judge(row, LAST_MODIFIED_AT) for row in given_rows]


@in_two_sizes(20, 100, given_rows=rows)
def test_quick_judgements_are_the_exact_ones__any_values(given_rows: list[dict[str, str]]) -> None:
    frame = frame_of(given_rows)
    quick = sorted((row for judged in judge(frame, TRANSACTIONS, LIMITS) for row in judged.iter_rows()), key=repr)
    assert quick == sorted(judge_exactly(frame, TRANSACTIONS, LIMITS).iter_rows(), key=repr)


operations = st.sampled_from(["I", "U", "D", "i", "insert", "Update", "DELETE", "X", "", " U ", "NULL", "N\u0130"])
commits = st.just("2023-12-01 10:00:00.000001") | dates
changes = st.lists(
    st.fixed_dictionaries(
        {name: values | st.sampled_from(["NULL", " NULL ", "null"]) for name, values in texts.items()}
    )
    .flatmap(lambda row: st.tuples(st.just(row), operations, commits))
    .map(lambda parts: {**parts[0], "op": parts[1], "commit_at": parts[2]}),
    min_size=1,
    max_size=20,
)


@in_two_sizes(20, 100, given_rows=changes, columns=st.sampled_from([("op",), ("commit_at",), ("op", "commit_at")]))
def test_quick_judgements_are_the_exact_ones__any_changes_with_texts_for_null(
    given_rows: list[dict[str, str]], columns: tuple[str, ...]
) -> None:
    extra = pl.DataFrame([{name: row[name] for name in columns} for row in given_rows])
    frame = pl.concat([frame_of(given_rows), extra], how="horizontal")
    for null_texts in ((), ("NULL",), ("x", "NULL")):
        records = without_null_texts(frame, null_texts)
        quick = sorted((row for judged in judge(records, TRANSACTIONS, LIMITS) for row in judged.iter_rows()), key=repr)
        assert quick == sorted(judge_exactly(records, TRANSACTIONS, LIMITS).iter_rows(), key=repr)


@in_two_sizes(10, 50, given_rows=changes)
def test_text_for_null_is_as_if_nothing_were_there__any_changes(given_rows: list[dict[str, str]]) -> None:
    def told(rows_: list[dict[str, str]], null_texts: tuple[str, ...]) -> list[tuple[object, ...]]:
        extra = pl.DataFrame([{name: row[name] for name in ("op", "commit_at")} for row in rows_])
        records = pl.concat([frame_of(rows_), extra], how="horizontal")
        return list(judge_exactly(without_null_texts(records, null_texts), TRANSACTIONS, LIMITS).iter_rows())

    emptied = [
        {name: "" if value.strip(" \t") == "NULL" else value for name, value in row.items()} for row in given_rows
    ]
    assert told(given_rows, ("NULL",)) == told(emptied, ())


@in_two_sizes(
    20,
    100,
    amounts=st.lists(
        st.decimals(
            min_value=Decimal("-9999999999999999.99"), max_value=Decimal("9999999999999999.99"), places=2
        ).filter(lambda amount: not reference.holds_card_number(f"{amount:f}")),
        min_size=1,
        max_size=50,
    ),
)
def test_total_is_the_decimal_sum__any_amounts(amounts: list[Decimal]) -> None:
    body = "".join(f"{number},{amount:f},2023-05-06 00:00:00\n" for number, amount in enumerate(amounts))
    kpis = count_kpis(read(body, 256, places=False), LIMITS)
    assert kpis.total_cents == int(sum(amounts).scaleb(2))
    assert kpis.negative_amounts == sum(amount < 0 for amount in amounts)
    assert kpis.zero_amounts == sum(amount == 0 for amount in amounts)


USUAL = {
    "dms_id": "1",
    "amount": "$1.00",
    "date": "2023-05-06 07:08:09",
    "use_chip": "Chip Transaction",
    "zip": "2139.0",
    "client_id": "1",
    "card_id": "1",
    "merchant_id": "1",
    "mcc": "5411",
}
VALUES = {"amount": AMOUNTS, "date": DATES, "use_chip": CHANNELS, "zip": ZIPS, "mcc": f"{MCCS}|{INTEGERS}"}


@pytest.mark.parametrize("column", TRANSACTIONS.ruled)
def test_quick_judgements_are_the_exact_ones__one_odd_value_in_a_usual_row(column: str) -> None:
    values = [
        *VALUES.get(column, INTEGERS).split("|"),
        ".-5",
        ".+5",
        "5.-5",
        "$.50",
        "2010-01-01 00:01: 0",
        "+010-01-01 00:00:00",
    ]
    frame = frame_of([{**USUAL, column: value} for value in values])
    quick = sorted((row for judged in judge(frame, TRANSACTIONS, LIMITS) for row in judged.iter_rows()), key=repr)
    assert quick == sorted(judge_exactly(frame, TRANSACTIONS, LIMITS).iter_rows(), key=repr)


def test_usual_rows_take_the_quick_way__no_odd_value() -> None:
    assert [judged.height for judged in judge(frame_of([USUAL, USUAL]), TRANSACTIONS, LIMITS)] == [2]


COMPARED = [
    (Rule("r", "amount", Fault.ABOVE_LIMIT, limit="10.00"), ["$10.00", "$10.01", "$-10.01", "10.001", "x"], 1),
    (Rule("r", "amount", Fault.BELOW_LIMIT, limit="-1.5"), ["$-1.50", "$-1.51", "-1.6", "(1.51)", ""], 3),
    (Rule("r", "client_id", Fault.ABOVE_LIMIT, limit="7"), ["7", "8", "8.0", "-8", "", "x"], 2),
    (Rule("r", "date", Fault.BELOW_LIMIT, limit="2020-01-01"), ["2020-01-01 00:00:00", "2019-12-31 23:59:59"], 1),
]


@pytest.mark.parametrize(("rule", "values", "broken"), COMPARED, ids=lambda given: getattr(given, "column", None))
def test_comparison_is_the_same_quick_and_exact__below_at_and_above_the_limit(
    rule: Rule, values: list[str], broken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COMPARISONS, "transactions", (rule,))  # type: ignore[arg-type]
    frame = frame_of([{**USUAL, rule.column: value} for value in values])
    quick = sorted((row for judged in judge(frame, TRANSACTIONS, LIMITS) for row in judged.iter_rows()), key=repr)
    assert quick == sorted(judge_exactly(frame, TRANSACTIONS, LIMITS).iter_rows(), key=repr)
    assert read_values(frame, TRANSACTIONS).select(broken_rules(TRANSACTIONS, LIMITS)["r"].sum()).item() == broken


COMMITS = f"{DATES}|2023-12-01 10:00:00.000001|2023-12-01 10:00:00.1|1899-12-31 23:59:59.999999|2023-12-01 10:00: 1.5"


@pytest.mark.parametrize(
    ("column", "values"), [("op", "I|U|D|i|u|d|INSERT|update|Delete| I|X|"), ("commit_at", f"{COMMITS}|NULL|")]
)
def test_quick_judgements_are_the_exact_ones__one_odd_value_of_a_change(column: str, values: str) -> None:
    change = {"op": "U", "commit_at": "2023-12-01 10:00:00.000001"}
    extra = pl.DataFrame([{**change, column: value} for value in values.split("|")])
    frame = pl.concat([frame_of([USUAL] * extra.height), extra], how="horizontal")
    quick = sorted((row for judged in judge(frame, TRANSACTIONS, LIMITS) for row in judged.iter_rows()), key=repr)
    assert quick == sorted(judge_exactly(frame, TRANSACTIONS, LIMITS).iter_rows(), key=repr)


def test_usual_changes_take_the_quick_way__inserts_and_updates() -> None:
    extra = pl.DataFrame({"op": ["I", "U"], "commit_at": ["2023-12-01 10:00:00.000001", "2023-12-01 10:00:00"]})
    frame = pl.concat([frame_of([USUAL, USUAL]), extra], how="horizontal")
    assert [judged.height for judged in judge(frame, TRANSACTIONS, LIMITS)] == [2]


@pytest.mark.parametrize("block_bytes", range(1, 60))
def test_byte_order_mark_inside_the_file_is_content__at_the_start_of_a_block(block_bytes: int) -> None:
    body = "1,2.00,2023-05-06\n\ufeff2,3.00,2023-05-06\n"
    keys = [key for frame in read(body, block_bytes, places=False) for key in frame["dms_id"]]
    assert keys == ["1", "\ufeff2"]
