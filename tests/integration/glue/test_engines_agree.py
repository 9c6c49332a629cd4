"""The KPI function and Silver read the same rows out of every readable file: places, raw texts, rules and values."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from admission import Inspection
from build import LAST_MODIFIED_AT, contents
from contract.items import FileItem
from contract.limits import STORED_NAMES
from contract.subjects import SUBJECTS, subject_of
from dms import build as dms
from dms.goldens import OF_A_ROW
from file_grammar import envelope_files, json_files
from file_grammar import files as csv_files
from glue_pipeline import SILVER, WAREHOUSE, immortal_session
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st
from judging.rules import Limits
from kpi_rows import inspected_file, read_rows
from pyspark.sql import SparkSession
from reading.card_numbers import masked

from glue.lake.ledger import instant_text
from glue.lake.spark import session, size_shuffles
from glue.reading.masking import CardKey, copy_masked
from glue.reading.rows import READER_SETTINGS, read
from glue.reading.staging import Staging, csv_of_codes

NASTY = Path(__file__).parents[2] / "data/nasty"
FILES = contents()
GOLDENS = {name: json.loads((NASTY / f"{name}.expected.json").read_text()) for name in FILES}
READABLE = {name: FILES[name] for name, golden in GOLDENS.items() if "rows" in golden}
STAGING = Staging(WAREHOUSE)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DMS_FILES = dms.contents()
DMS_GOLDENS = {name: json.loads((dms.FOLDER / f"{name}.expected.json").read_text()) for name in DMS_FILES}
DMS_READABLE = [name for name, golden in DMS_GOLDENS.items() if "rows" in golden]
CARD_KEY = CardKey("patched")
vars(CARD_KEY)["_key"] = b"a key for tests"
RARER = {
    *("integral_doubles.parquet", "decimal_ids.parquet", "decimals_of_scale_0.parquet", "decimals_of_scale_2.parquet"),
    *("decimals_of_scale_4.parquet", "timestamps_ns_utc.parquet", "timestamps_ms.parquet", "timestamps_zone.parquet"),
    *("timestamps_offset_zone.parquet", "timestamps_unknown_zone.parquet", "timestamps_int96_far.parquet"),
    *("dictionaries.parquet", "lists_of_nothing.parquet", "latin1_unread.parquet", "unknown_types.parquet"),
    *("checksums.parquet", "checksums_of_second_pages.parquet", "debezium_scale_0_and_snapshot"),
    *("debezium_milliseconds", "debezium_microseconds", "debezium_nanoseconds", "debezium_ends_of_64_bits"),
    "debezium_connect_dates",
}
"""Files that are each a read of its own, of seconds, and near to others: they are read in the slow tests."""
Row = dict[str, Any]
Corpus = Callable[[str], list[Row]]
IN_COMMON = ("row", "line", "raw", "rules", "key", "cents", "us", "channel")


def inspected(key: str, body: bytes, pin: bytes | None = None) -> Inspection:
    """Inspect a file as the KPI function does."""
    return inspected_file(body, key=key, pin=pin, last_modified_at=LAST_MODIFIED_AT)


def file_of(number: int, key: str, body: bytes, pin: bytes | None = None) -> FileItem:
    """Return as much of the ledger item of a readable file as Silver reads."""
    found = inspected(key, body, pin)
    assert found.kpis is not None, found.reasons
    return {
        "file_id": f"{number:064x}",
        "subject": subject_of(key).name,
        "bucket": WAREHOUSE,
        "key": key,
        "version_id": f"v{number}",
        "sequencer": f"{number:032X}",
        "last_modified_at": instant_text(LAST_MODIFIED_AT),
        "format": found.format,
        "kpis": found.kpis.as_item(),
    }


def is_accepted(body: bytes) -> bool:
    return not inspected("transactions/file.csv", body).reasons


def rows_of_kpi(body: bytes, *, key: str = "transactions/file.csv", pin: bytes | None = None) -> list[Row]:
    rows = read_rows(io.BytesIO(body), Limits.of(LAST_MODIFIED_AT), key=key, pin=pin).iter_rows(named=True)
    return [{**{name: row[name] for name in IN_COMMON}, "raw": stored_raw(row)} for row in rows]


def stored_raw(row: Row) -> str | None:
    """Return what the quarantine keeps of a row's text."""
    return masked(row["raw"]) if row["rules"] and "other_table" not in row["rules"] else None


def rows_of_silver(spark: SparkSession, bodies: dict[str, bytes], pin: bytes | None = None) -> dict[str, list[Row]]:
    """Read all files in one go, as one run of the job would."""
    files = {name: file_of(number, name, body, pin) for number, (name, body) in enumerate(bodies.items(), start=1)}
    for name, file in files.items():
        boto3.client("s3").put_object(Bucket=WAREHOUSE, Key=STAGING.key(file), Body=bodies[name])
    return normalised(spark, files)


def normalised(spark: SparkSession, files: dict[str, FileItem]) -> dict[str, list[Row]]:
    """Return Silver's rows of staged files of one subject, by the files' names."""
    size_shuffles(spark, 1)
    subject = SUBJECTS[next(iter(files.values()))["subject"]]
    with immortal_session():
        texts = read(session("silver", READER_SETTINGS), list(files.values()), STAGING)
        typed = texts.transform(SILVER.normalise, subject)
        rows = sorted(typed.collect(), key=lambda row: (row.file_id, row.row))
    return {
        name: [row.asDict(recursive=True) for row in rows if row.file_id == file["file_id"]]
        for name, file in files.items()
    }


def in_common(row: Row) -> Row:
    """Return a row of Silver in the words of the KPI function."""
    at = row["transacted_at"]
    return {
        "row": row["row"],
        "line": row["line"],
        "raw": row["raw"],
        "rules": row["rules"],
        "key": row["dms_id"],
        "cents": None if row["amount"] is None else int(row["amount"].scaleb(2)),
        "us": None if at is None else round((at.replace(tzinfo=UTC) - EPOCH) / (EPOCH.resolution)),
        "channel": row["channel"],
    }


def each(names: Iterable[str]) -> Any:
    """Make a test of each file, of the rarer ones a slow one."""
    return pytest.mark.parametrize(
        "name", [pytest.param(name, marks=pytest.mark.slow if name in RARER else ()) for name in names]
    )


def stage(file: FileItem, body: bytes) -> None:
    """Put into staging what the job would put there: cards masked, a JSON object as the table that it stands for."""
    if file["subject"] == "cards":
        copy_masked(file, io.BytesIO(body), WAREHOUSE, STAGING.key(file), CARD_KEY)
    else:
        plain = csv_of_codes(json.loads(body)) if file["format"]["kind"] == "json" else body
        boto3.client("s3").put_object(Bucket=WAREHOUSE, Key=STAGING.key(file), Body=plain)


@pytest.fixture(scope="module")
def staged(at_the_server_for_module: None) -> dict[str, FileItem]:
    """The readable files of both corpora, staged."""
    given = {name: (name, body) for name, body in READABLE.items()} | {name: DMS_FILES[name] for name in DMS_READABLE}
    files = {name: file_of(number, *given[name]) for number, name in enumerate(given, start=1)}
    for name, file in files.items():
        stage(file, given[name][1])
    return files


@pytest.fixture(scope="module")
def corpus(spark: SparkSession, staged: dict[str, FileItem]) -> Corpus:
    """The rows of a file, read with the others of its subject as one run of the job would, the rarer ones apart."""

    @cache
    def read_with(subject: str, is_rarer: bool) -> dict[str, list[Row]]:
        of_read = (subject, is_rarer)
        return normalised(spark, {n: file for n, file in staged.items() if (file["subject"], n in RARER) == of_read})

    return lambda name: read_with(staged[name]["subject"], name in RARER)[name]


@each(READABLE)
def test_silver_agrees_with_the_kpi_function__file_of_the_corpus(name: str, corpus: Corpus) -> None:
    assert [in_common(row) for row in corpus(name)] == rows_of_kpi(READABLE[name])


@each(READABLE)
def test_silver_agrees_with_the_golden__file_of_the_corpus(name: str, corpus: Corpus) -> None:
    found = [
        {
            "row": row["row"],
            "line": row["line"],
            "rules": row["rules"],
            "amount": None if row["amount"] is None else str(row["amount"]),
            "dms_id": row["dms_id"],
            "at": None if row["transacted_at"] is None else f"{row['transacted_at']:%Y-%m-%dT%H:%M:%S.%fZ}",
        }
        for row in corpus(name)
    ]
    wanted = [{name: value for name, value in row.items() if name != "raw"} for row in GOLDENS[name]["rows"]]
    raws = {row["row"]: stored_raw(row) for row in GOLDENS[name]["rows"] if row["rules"]}
    assert found == wanted
    assert {row["row"]: row["raw"] for row in corpus(name) if row["rules"]} == raws


def as_golden(row: Row, subject: str) -> Row:
    """Return a row of Silver in the words of the goldens; without a commit timestamp its instant is the object's."""
    instant = row["row_order"]["instant"].replace(tzinfo=UTC)
    key = row[SUBJECTS[subject].key]
    told = {
        "row": row["row"],
        "line": row["line"],
        "rules": row["rules"],
        "op": row["op"],
        "commit_us": None if instant == LAST_MODIFIED_AT else (instant - EPOCH) // EPOCH.resolution,
        "key": None if key is None else int(key),
    }
    cents = None if row.get("amount") is None else int(row["amount"].scaleb(2))
    return {**told, "cents": cents} if subject == "transactions" else told


@each(DMS_READABLE)
def test_silver_agrees_with_the_golden__form_of_dms(name: str, corpus: Corpus, staged: dict[str, FileItem]) -> None:
    found = [as_golden(row, staged[name]["subject"]) for row in corpus(name)]
    # A JSON object has no lines; Silver counts those of the table that it stands for.
    no_lines = dict.fromkeys(["line"]) if staged[name]["format"]["kind"] == "json" else {}
    assert [{**row, **no_lines} for row in found] == DMS_GOLDENS[name]["rows"]


@each(name for name in DMS_READABLE if DMS_FILES[name][0].startswith("transactions/"))
def test_silver_agrees_with_the_kpi_function__form_of_dms(name: str, corpus: Corpus) -> None:
    key, body, pin = DMS_FILES[name]
    assert [in_common(row) for row in corpus(name)] == rows_of_kpi(body, key=key, pin=pin)


@pytest.mark.parametrize("name", dms.TEXTS)
def test_silver_has_texts_as_they_are_sent__a_pin_says_commas(name: str, corpus: Corpus) -> None:
    wanted = dms.TEXTS[name]
    assert {column: [row[column] for row in corpus(name)] for column in wanted} == wanted


@each(DMS_READABLE)
def test_silver_puts_full_loads_before_changes__form_of_dms(name: str, corpus: Corpus) -> None:
    found = DMS_GOLDENS[name]["format"]
    phases = [row["row_order"]["phase"] for row in corpus(name)]
    if found["dialect"] == "debezium":
        snapshot = [re.search('"op": "r"', line) for line in plain_lines(DMS_FILES[name][1])]
        assert phases == [0 if snapshot[row["line"] - 1] else 1 for row in corpus(name)]
    else:
        assert set(phases) == {0 if found["is_full_load"] else 1}


def plain_lines(body: bytes) -> list[str]:
    return (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode().split("\n")


def without_kind(body: bytes) -> str:
    """Return what a staged copy says, whatever its kind."""
    if body[:4] == b"PAR1":
        return str(pq.read_table(io.BytesIO(body)).to_pylist())
    return (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode()


def secrets_in(text: str) -> list[str]:
    """Return the card numbers and security codes of the corpus that occur in a text, however they are grouped."""
    numbers = [number for number in dms.CARD_NUMBERS if number in re.sub("[ -]", "", text)]
    return numbers + [code for code in dms.SECURITY_CODES if re.search(rf"\b0*{int(code)}\b", text)]


CARD_FILES = [name for name in DMS_READABLE if DMS_FILES[name][0].startswith("cards/")]


@pytest.mark.parametrize("name", CARD_FILES)
def test_no_card_number_or_security_code_leaves_bronze__form_of_cards(
    name: str, corpus: Corpus, staged: dict[str, FileItem]
) -> None:
    staged = boto3.client("s3").get_object(Bucket=WAREHOUSE, Key=STAGING.key(staged[name]))["Body"].read()
    assert secrets_in(without_kind(DMS_FILES[name][1]))
    assert secrets_in(without_kind(staged)) == []
    assert secrets_in(str(corpus(name))) == []


def test_equal_card_numbers_have_equal_hashes__across_kinds_of_files(corpus: Corpus) -> None:
    first = {name: corpus(name)[0] for name in CARD_FILES}
    assert {row["card_last_four"] for row in first.values()} == {dms.CARD_NUMBERS[0][-4:]}
    assert len({row["card_number_hash"] for row in first.values()}) == 1
    assert len(first["cards_csv"]["card_number_hash"]) == 64


DIGITS = st.text("0123456789", min_size=0, max_size=6)
AMOUNTS = st.one_of(
    st.from_regex(r"\A[-+$(]{0,2}[0-9]{1,4}(,[0-9]{3}){0,2}(\.[0-9]{0,4})?\)?\Z"),
    st.text("0123456789.,$-+() e", max_size=8),
    st.from_regex(r"\A-?[0-9]{14,18}\.[0-9]{2}\Z"),
)
DATES = st.one_of(
    st.from_regex(
        r"\A(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]([ T][0-2]?[0-9]:[0-5][0-9](:[0-5][0-9](\.[0-9]{1,10})?)?)?\Z"
    ),
    st.from_regex(r"\A[0-9]{1,2}/[0-9]{1,2}/20[0-9]{2}( [0-9]{1,2}:[0-9]{2})?\Z"),
    st.from_regex(r"\A20[0-9]{2}-0[1-9]-[0-2][0-9]T[0-9]{2}:[0-9]{2}(Z|[-+][01][0-9]:?[0-9]0)\Z"),
    st.text("0123456789-/:T Z.+", max_size=20),
)
KEYS = st.one_of(
    st.integers(-5, 10**7).map(str), st.from_regex(r"\A-?[0-9]{17,20}(\.0)?\Z"), st.text("0123456789.- x", max_size=5)
)
FREE = st.text('ab ,"\t\rä', max_size=6)
CHANNELS = st.sampled_from(["", "chip", "Swipe Transaction", "ONLINE", "tap", "chip ", " online transaction"])
QUOTED = st.one_of(FREE, FREE.map(lambda text: '"' + text.replace('"', '""') + '"'))
RECORDS = st.one_of(
    st.tuples(
        KEYS, AMOUNTS.map(lambda text: f'"{text}"' if "," in text else text), DATES, CHANNELS, DIGITS, DIGITS, QUOTED
    ).map(",".join),
    st.tuples(KEYS, QUOTED, QUOTED, QUOTED, DIGITS, DIGITS, QUOTED).map(",".join),
    st.text('1,." \t', max_size=12),
    st.just(""),
)
NASTY_HEADER = "dms_id,amount,date,use_chip,zip,mcc,errors"


def generated(count: int) -> bytes:
    """Return a file of records that hypothesis draws, the same each time."""
    lines: list[str] = []

    @seed(20260)
    @settings(max_examples=count // 20, database=None, deadline=None, phases=[Phase.generate])
    @given(st.lists(RECORDS, min_size=20, max_size=20), st.sampled_from(["\n", "\r\n"]))
    def draw(records: list[str], end: str) -> None:
        lines.extend(record.replace("\n", " ") + end for record in records)

    draw()
    rng = random.Random(20260)
    rng.shuffle(lines)
    return f"{NASTY_HEADER}\n{''.join(lines)}".encode()


GRAMMARS = {"csv": csv_files(), "jsonl": json_files(), "envelopes.jsonl": envelope_files()}
QUICK = {"csv": 30, "jsonl": 30}
"""How many files are drawn in a quick run; envelopes take long, since what each schema says is a read of its own."""
WRITINGS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "usual": ({"decimal": ".", "date_order": "month-first"}, {}),
    "other": ({"decimal": ",", "date_order": "day-first", "delimiter": ";"}, {",": ";", ".": ","}),
}
"""Pins, and what of the random records is written otherwise under them."""


@pytest.mark.parametrize("writing", WRITINGS)
def test_silver_agrees_with_the_kpi_function__two_thousand_random_records(spark: SparkSession, writing: str) -> None:
    said, signs = WRITINGS[writing]
    body = generated(2_000).decode().translate(str.maketrans(signs)).encode()
    pin = json.dumps(said).encode()
    expected = rows_of_kpi(body, pin=pin)
    found = [in_common(row) for row in rows_of_silver(spark, {"random.csv": body}, pin)["random.csv"]]
    assert len(found) > 1_000
    assert {rule for row in expected for rule in row["rules"]} >= {
        "malformed_quotes", "too_few_fields", "too_many_fields", "amount_unreadable", "amount_too_precise",
        "date_unreadable", "date_in_future", "use_chip_unknown", "zip_impossible", "mcc_unreadable",
        "dms_id_unreadable",
    }  # fmt: skip
    assert any(not row["rules"] for row in expected)
    differing = [(one, other) for one, other in zip(found, expected, strict=True) if one != other]
    assert differing[:5] == []


WANTED = int(os.environ.get("ASSAY_FILES", "0"))


def drawn_files(grammar: st.SearchStrategy[bytes], count: int) -> list[bytes]:
    """Return files of the grammar and its neighbourhood: always the same, or others where ASSAY_FILES is set."""
    found: list[bytes] = []

    @seed(random.randrange(1 << 32) if WANTED else 20261)
    @settings(max_examples=count, database=None, deadline=None, phases=[Phase.generate])
    @given(grammar)
    def draw(content: bytes) -> None:
        found.append(content)

    draw()
    return found


@pytest.mark.parametrize(
    ("kind", "count"),
    [(kind, WANTED) for kind in GRAMMARS]
    if WANTED
    else [*QUICK.items(), *(pytest.param(kind, 300, marks=pytest.mark.slow) for kind in GRAMMARS)],
)
def test_silver_agrees_with_the_kpi_function__files_of_the_grammar_in_one_read(
    spark: SparkSession, kind: str, count: int
) -> None:
    drawn = drawn_files(GRAMMARS[kind], count)
    bodies = {f"{number:05}.{kind}": body for number, body in enumerate(drawn) if is_accepted(body)}
    found = rows_of_silver(spark, bodies)
    assert len(bodies) > 2 * count // 3
    expected = {name: rows_of_kpi(body) for name, body in bodies.items()}
    differing = [bodies[name] for name in bodies if list(map(in_common, found[name])) != expected[name]]
    assert differing[:5] == []
    if kind.startswith("envelopes"):
        changes = {name: changes_of_kpi(body) for name, body in bodies.items()}
        differing = [bodies[name] for name in bodies if list(map(as_change, found[name])) != changes[name]]
        assert differing[:5] == []


def as_change(row: Row) -> Row:
    """Return which change a row of Silver is, in the words of the goldens."""
    return as_golden(row, "transactions")


def changes_of_kpi(body: bytes) -> list[Row]:
    """Return which change each record of a file is to the KPI function."""
    read = read_rows(io.BytesIO(body), Limits.of(LAST_MODIFIED_AT))
    return [{name: row[name] for name in OF_A_ROW} for row in read.iter_rows(named=True)]


def test_silver_agrees_with_the_kpi_function__values_that_end_in_a_line_end(spark: SparkSession) -> None:
    good = ["1", "1.00", "2023-05-06", "chip", "2139", "5411", ""]
    records = []
    for place in range(len(good) - 1):
        for end in ("\r", "\n", "\u0085", "\u2028"):
            records.append(",".join([*good[:place], f'"{good[place]}{end}"', *good[place + 1 :]]))
    body = "\n".join([NASTY_HEADER, *records]).encode()
    found = [in_common(row) for row in rows_of_silver(spark, {"ends.csv": body})["ends.csv"]]
    expected = rows_of_kpi(body)
    differing = [(one, other) for one, other in zip(found, expected, strict=True) if one != other]
    assert differing == []


def test_silver_agrees_with_the_kpi_function__instants_of_two_types_under_one_name(spark: SparkSession) -> None:
    names = ("timestamps_us.parquet", "timestamps_int96.parquet", "timestamps_ns.parquet")
    at = pa.array([datetime(2023, 5, 6, 7, 8, 9, tzinfo=UTC), None, None], pa.timestamp("ns", "Europe/Berlin"))
    of_names = pa.array([["Bad PIN"], [], None], pa.list_(pa.string()))
    as_spark = {"dms_id": [1, 2, 3], "amount": ["1.00", "x", "y"], "date": at, "errors": of_names}
    of_length_1 = pa.array([["Bad PIN"], None, ["Bad CVV"]], pa.list_(pa.dictionary(pa.int32(), pa.string()), 1))
    files = {name: READABLE[name] for name in names}
    for name, table in {"as_spark.parquet": as_spark, "fixed.parquet": as_spark | {"errors": of_length_1}}.items():
        pq.write_table(pa.table(table), written := io.BytesIO(), flavor="spark")
        files[name] = written.getvalue()
    found = rows_of_silver(spark, files)
    for name, body in files.items():
        assert [in_common(row) for row in found[name]] == rows_of_kpi(body)
    assert [row["raw"] and json.loads(row["raw"])["errors"] for row in found["as_spark.parquet"]] == [None, "", None]


def test_silver_agrees_with_the_kpi_function__columns_behind_the_names_that_the_ledger_keeps(
    spark: SparkSession,
) -> None:
    others = {f"other_{number}": pa.array([number, number]) for number in range(STORED_NAMES + 5)}
    known = {"dms_id": [1, 2], "amount": ["1,50", "2.000,25"], "date": ["31/01/2023", "01/02/2023"]}
    table, written = pa.table({**others, **known}), io.BytesIO()
    pq.write_table(table, written)
    pin = json.dumps({"decimal": ",", "date_order": "day-first"}).encode()
    file = file_of(3000, "transactions/wide.parquet", written.getvalue(), pin)
    boto3.client("s3").put_object(Bucket=WAREHOUSE, Key=STAGING.key(file), Body=written.getvalue())
    found = normalised(spark, {"wide": file})["wide"]
    assert [(row["dms_id"], str(row["amount"]), f"{row['transacted_at']:%Y-%m-%d}") for row in found] == [
        (1, "1.50", "2023-01-31"),
        (2, "2000.25", "2023-02-01"),
    ]
    assert file["kpis"]["total_amount"] == "2001.75"


def test_silver_agrees_with_the_kpi_function__code_with_a_line_break_in_json(spark: SparkSession) -> None:
    body = json.dumps({"5411": "Grocery\nStores", "12\n34": "x", "5412\r": "y"}).encode()
    file = file_of(2000, "mcc_codes/codes.json", body)
    stage(file, body)
    rows = normalised(spark, {"codes": file})["codes"]
    assert [(row["row"], row["mcc"], bool(row["rules"])) for row in rows] == [
        (1, "5411", False),
        (2, None, True),
        (3, None, True),
    ]
    assert file["kpis"]["bad_rows"] == 2
