"""The smaller parts of the KPI function: sources, keys, totals, settings, events, mail, package."""

import gzip
import io
import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from admission import Inspection
from botocore.exceptions import ClientError
from cloud.mail import (
    MAXIMUM_BODY_BYTES,
    notice_of,
    rejection_body,
    rejection_subject,
    report_page,
    sweep_body,
    sweep_subject,
)
from cloud.settings import Settings, SettingsError
from cloud.uploads import (
    ObjectVersion,
    UnsupportedEventError,
    checksum_of,
    data_records,
    object_version,
    read_pin,
    read_side_car,
)
from contract.limits import FILE_ROWS, WORKER_ROWS
from hypothesis import given, settings
from hypothesis import strategies as st
from judging.distinct_keys import DistinctKeys
from judging.kpis import Kpis, instant_text
from reading.bytes import Gunzipped
from reading.control import as_of_of_metadata, control_of_metadata, control_of_side_car
from reading.layout import layout_of
from reading.rejection import RejectedError

ROOT = Path(__file__).parents[3]
EVENTS = {path.stem: json.loads(path.read_text()) for path in (ROOT / "events").glob("*.json")}
ENVIRONMENT = {
    "LEDGER_TABLE": "ledger",
    "LAKE_BUCKET": "lake",
    "STATE_MACHINE_ARN": "arn:aws:states:us-east-1:123456789012:stateMachine:w",
    "TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:t",
    "STAGE": "dev",
}


class NoSuchLongKey:
    """S3 as it answers about keys of more than 1,024 bytes."""

    def get_object(self, **_: str) -> None:
        raise ClientError({"Error": {"Code": "KeyTooLongError", "Message": "Your key is too long"}}, "GetObject")


def test_companions_are_absent__their_keys_would_be_too_long() -> None:
    version = ObjectVersion("bronze", f"transactions/{'x' * 1010}", "v", "0", "", 1, datetime(2023, 5, 6, tzinfo=UTC))
    assert read_side_car(NoSuchLongKey(), version) is None
    assert read_pin(NoSuchLongKey(), version) is None


def drained(stream: Gunzipped, size: int) -> bytes:
    return b"".join(iter(lambda: stream.read(size), b""))


@settings(max_examples=60, deadline=None)
@given(chunks=st.lists(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 20), max_size=30), max_size=10))
def test_distinct_keys_are_exact__spilled_at_every_turn(chunks: list[list[int]]) -> None:
    with DistinctKeys(run_keys=10, shards=4) as keys:
        for chunk in chunks:
            keys.add(pl.Series(chunk, dtype=pl.Int64))
        assert keys.count() == len({key for chunk in chunks for key in chunk})


@pytest.mark.parametrize(
    "runs",
    [[[1, 2], [2, 3]], [[1, 9], [3, 4], [4, 9]], [[5, 6], [1, 2], [3, 4]], [[1, 1], [1, 1]], [[1, 9], [2, 3], [9, 10]]],
)
def test_distinct_keys_are_exact__runs_that_touch_or_lie_in_each_other(runs: list[list[int]]) -> None:
    with DistinctKeys(run_keys=2, shards=3) as keys:
        for run in runs:
            keys.add(pl.Series(run, dtype=pl.Int64))
        assert keys.count() == len({key for run in runs for key in run})


def test_distinct_keys_leave_no_files__after_spilling() -> None:
    with DistinctKeys(run_keys=1) as keys:
        keys.add(pl.Series([1, 2], dtype=pl.Int64))
        folder = Path(keys._folder.name)
        assert list(folder.iterdir())
    assert not folder.exists()


@settings(max_examples=60, deadline=None)
@given(
    members=st.lists(st.binary(max_size=200), min_size=1, max_size=4), piece=st.integers(1, 50), size=st.integers(1, 50)
)
def test_gunzipped_text_is_whole__members_in_any_pieces(members: list[bytes], piece: int, size: int) -> None:
    data = b"".join(gzip.compress(member, mtime=0) for member in members)
    stream = Gunzipped(io.BytesIO(data), piece_bytes=piece)
    assert drained(stream, size) == b"".join(members)


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(1, 40))
def test_gunzipped_text_is_refused__stream_cut_anywhere(cut: int) -> None:
    data = gzip.compress(b"some text that is long enough to be cut", mtime=0)
    stream = Gunzipped(io.BytesIO(data[:-cut]), piece_bytes=5)
    with pytest.raises(RejectedError, match="ends before its end"):
        drained(stream, 3)


def test_gunzipped_text_is_refused__garbage_behind_the_last_member() -> None:
    stream = Gunzipped(io.BytesIO(gzip.compress(b"text") + b"garbage"))
    with pytest.raises(RejectedError, match="damaged"):
        drained(stream, 100)


@pytest.mark.parametrize("piece", [1, 10, 1 << 20])
def test_gunzipped_text_is_refused__zeros_behind_the_last_member(piece: int) -> None:
    stream = Gunzipped(io.BytesIO(gzip.compress(b"text") + b"\0" * 512), piece_bytes=piece)
    with pytest.raises(RejectedError, match="Zeros follow"):
        drained(stream, 100)


def test_layout_rejects_every_repeated_name__but_columns_without_a_name() -> None:
    assert layout_of(["ID", " amount ", "Date", "", ""]).places == {"dms_id": 0, "amount": 1, "date": 2}
    with pytest.raises(RejectedError, match="'colour'"):
        layout_of(["id", "amount", "date", "Colour", "colour"])


def test_layout_names_only_some_unknown_columns__very_wide_header() -> None:
    warnings = layout_of(["id", "amount", "date", *(f"c{n}" for n in range(900))]).warnings()
    assert "'c19' and 880 more" in warnings[0]
    assert len("".join(warnings)) < 1000


@pytest.mark.parametrize(
    ("content", "rows", "cents"),
    [
        (b'{"row_count": 1200, "total_amount": "51234.10"}', 1200, 5123410),
        (b'{"row_count": "7"}', 7, None),
        (b'{"total_amount": -0.1}', None, -10),
        (b'{"total_amount": 12345678901234567890123456789012345.670}', None, 1234567890123456789012345678901234567),
    ],
)
def test_side_car_is_read_exactly__each_form(content: bytes, rows: int | None, cents: int | None) -> None:
    control = control_of_side_car(content)
    assert (control.figures.get("row_count"), control.figures.get("total_amount")) == (rows, cents)


@pytest.mark.parametrize(
    "content",
    [
        *(
            b"",
            b"[]",
            b"{}",
            b"\xff",
            b'{"rows": 1}',
            b'{"row_count": 1.5}',
            b'{"row_count": true}',
            b'{"row_count": -1}',
        ),
        *(b'{"total_amount": "1.234"}', b'{"total_amount": "$1"}', b'{"total_amount": NaN}', b'{"total_amount": 1e3}'),
    ],
)
def test_side_car_is_refused__each_unreadable_form(content: bytes) -> None:
    with pytest.raises(RejectedError) as raised:
        control_of_side_car(content)
    assert raised.value.reasons[0].code == "unreadable_control"


def test_metadata_without_totals_is_no_control__other_metadata() -> None:
    assert control_of_metadata({"as-of": "2023-05-06"}) is None
    written_at = datetime(2023, 5, 5, tzinfo=UTC)
    assert as_of_of_metadata({"as-of": "2023-05-06T02:00:00+02:00"}, written_at) == datetime(2023, 5, 6, tzinfo=UTC)


def test_as_of_is_refused__more_than_a_day_later_than_the_object() -> None:
    with pytest.raises(RejectedError, match="more than 1 day later than the object was written") as raised:
        as_of_of_metadata({"as-of": "2023-05-06T00:00:00.001Z"}, datetime(2023, 5, 5, tzinfo=UTC))
    assert raised.value.reasons[0].code == "unreadable_control"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOPIC_ARN", " "),
        ("MAXIMUM_BAD_SHARE", "1.1"),
        ("MAXIMUM_BAD_SHARE", "x"),
        ("MINIMUM_ROWS", "0"),
        ("HOLD_WARNINGS", "yes"),
        ("CARD_SECURITY_CODES", "accept"),
        ("GLUE_WORKERS", "1"),
        ("STAGE", ""),
    ],
)
def test_settings_name_the_wrong_variable__each(name: str, value: str) -> None:
    Settings.of(ENVIRONMENT)
    with pytest.raises(SettingsError, match=name):
        Settings.of({**ENVIRONMENT, name: value})


@pytest.mark.parametrize(
    ("workers", "rows"), [("2", WORKER_ROWS), ("3", 2 * WORKER_ROWS), ("50", FILE_ROWS)], ids=lambda value: f"{value}"
)
def test_file_has_as_many_rows_as_a_run_and_the_function_take__the_smaller(workers: str, rows: int) -> None:
    assert Settings.of({**ENVIRONMENT, "GLUE_WORKERS": workers}).policy.maximum_rows == rows


@pytest.mark.parametrize(
    ("event", "keys"),
    [
        ("put_csv", ["transactions/2023/05/day.csv"]),
        ("put_gzip", ["transactions/history.csv.gz"]),
        ("put_parquet", ["transactions/increment.parquet"]),
        ("put_cards", ["cards/2023/cards.csv"]),
        ("put_marker", ["transactions/bank/_load.json"]),
        ("put_special_key", ["transactions/_März 2023/50% = [a]{b} *c*: 1+1.csv"]),
        ("multipart", ["transactions/history.csv"]),
        ("copy", ["transactions/copied.csv"]),
        ("several_records", ["transactions/a.csv", "transactions/b.parquet", "transactions/c.csv.gz"]),
        ("same_key_twice", ["transactions/a.csv", "transactions/a.csv"]),
        ("test_event", []),
        ("delete_marker", []),
        ("folder", []),
        ("side_car", []),
        ("pin", []),
        ("companions", []),
    ],
)
def test_events_name_their_objects__each_situation(event: str, keys: list[str]) -> None:
    versions = [object_version(record) for record in data_records(EVENTS[event])]
    assert [version.key for version in versions] == keys
    assert len({version.file_id for version in versions}) == len(keys)


def test_event_is_refused__no_version_or_a_later_format() -> None:
    [record] = data_records(EVENTS["without_version"])
    with pytest.raises(UnsupportedEventError, match="not versioned"):
        object_version(record)
    [record] = data_records(EVENTS["put_csv"])
    with pytest.raises(UnsupportedEventError, match=r"3\.0"):
        object_version({**record, "eventVersion": "3.0"})


def test_file_id_is_the_hash_of_bucket_key_and_version__joined_by_nul() -> None:
    [record] = data_records(EVENTS["put_csv"])
    assert object_version(record).file_id == ("f96b3edb24047aebc2be09300bb04868a1deb7513a31a36a04d46eff8c418bdf")


def test_sequencer_is_padded_on_the_right__for_comparison_as_text() -> None:
    first, second = (object_version(record).sequencer for record in data_records(EVENTS["same_key_twice"]))
    assert first == "0055AED6DCD90281E5" + "0" * 14
    assert first < second


def test_mail_fits_into_sns__long_key_and_many_reasons() -> None:
    item = {
        "bucket": "b",
        "key": "transactions/" + "ü\n" * 400,
        "version_id": "v",
        "last_modified_at": "2024-01-01T00:00:00.000000Z",
        "size": 1,
        "file_id": "f" * 64,
        "reasons": [{"code": "missing_column", "text": "ü" * 300} for _ in range(100)],
    }
    subject = rejection_subject(item, "prod")
    assert re.fullmatch(r"[ -~]{1,99}", subject)
    body = rejection_body(item)
    assert len(body.encode()) <= MAXIMUM_BODY_BYTES
    assert "docs/runbook.md" in body
    assert " ..." in body


@pytest.mark.parametrize(
    ("counts", "subject", "commands"),
    [
        ({"late": 0, "left behind": 2}, "2 left behind", ["status"]),
        ({"late": 1, "came": 1, "gap": 0}, "1 late, 1 came", ["status --expected"]),
        ({"unreadable calendar": 1}, "1 unreadable calendar", ["status --expected"]),
        ({"gaps": 2, "gap closed": 1}, "2 gaps, 1 gap closed", ["status --offsets"]),
        ({"late": 1, "gap": 1, "left behind": 1}, "1 late, 1 gap, 1 left behind", None),
    ],
)
def test_mail_of_a_sweep_gives_the_command_that_shows_what_it_found(
    counts: dict[str, int], subject: str, commands: list[str] | None
) -> None:
    body = sweep_body(["a line"] * 2_000, counts)

    assert sweep_subject(counts, "prod") == f"[assay prod] sweep: {subject}"
    found = re.findall(r"^  assay (.+)$", body, flags=re.MULTILINE)
    assert found == (commands or ["status --expected", "status --offsets", "status"])
    assert "No money moved" in body
    assert len(body.encode()) <= MAXIMUM_BODY_BYTES


def test_mail_is_inert__key_with_controls_and_commands() -> None:
    key = 'transactions/a"; $(touch x)\n\x1b[31m b.csv'
    item = {
        "bucket": "b",
        "key": key,
        "version_id": "v",
        "last_modified_at": "2024-01-01T00:00:00.000000Z",
        "size": 1,
        "file_id": "f" * 64,
        "reasons": [{"code": "no_rows", "text": "The file has columns and no rows."}],
        "warnings": ["Unknown columns, not read: 'note'."],
    }
    body = rejection_body(item)
    assert 'key      transactions/a"; $(touch x)<U+000A><U+001B>[31m b.csv\n' in body
    assert "Seen as well\n  Unknown columns, not read: 'note'.\n" in body
    assert re.findall(r"^  assay .*", body, re.MULTILINE) == ["  assay upload FILE --as-of 2024-01-01T00:00:00.000000Z"]
    assert "No money moved." in body


def test_notice_says_what_the_mail_adds__warnings_and_rules() -> None:
    found = Inspection(warnings=[f"Warning {number}." for number in range(12)])
    found.kpis = Kpis(broken_rules=Counter({"zip_impossible": 2, "date_unreadable": 1_200}))
    notice = notice_of("transactions/a\nb.csv", "f" * 64, found)
    assert (notice["name"], notice["ending"]) == ("transactions/a<U+000A>b.csv", "published with warnings")
    warnings = "".join(f"\n  Warning {number}." for number in range(10))
    assert notice["text"] == (
        f"\n\nWarnings{warnings}\n  and 2 more: see the passport"
        "\n\nQuarantined rows by rule (a row counts for each rule that it breaks)"
        "\n  date_unreadable        1,200\n  zip_impossible         2"
        f"\n  assay quarantine export --file {'f' * 64} --output rows.csv"
        "\n  assay quarantine fix rows.csv"
    )


def test_notice_adds_nothing__good_file() -> None:
    assert notice_of("transactions/a.csv", "f", Inspection(kpis=Kpis())) == {
        "name": "transactions/a.csv",
        "ending": "published",
        "text": "",
    }


def test_notice_names_the_page_of_the_month__where_one_is_kept() -> None:
    at = "2026-06-30T23:59:59.000000Z"
    page = report_page("s3://lake/reports/", at)
    notice = notice_of("transactions/a.csv", "f", Inspection(kpis=Kpis()), page)
    assert notice["text"] == "\n\nIts month on one page: s3://lake/reports/2026-06.html"
    assert report_page("none", at) == ""


def test_mean_is_rounded_half_up__negative_and_positive() -> None:
    assert Kpis(row_count=2, total_cents=5).mean_cents == 3
    assert Kpis(row_count=3, total_cents=-4).mean_cents == -1
    assert Kpis(row_count=1, unreadable_amounts=1).mean_cents is None


def test_instant_text_stays_in_range__beyond_the_year_9999() -> None:
    assert instant_text(10**18) == "9999-12-31T23:59:59.999999Z"
    assert instant_text(-1) == "1969-12-31T23:59:59.999999Z"


def test_package_is_pinned_by_hash__no_index_and_no_interpreter_of_its_own() -> None:
    lines = (ROOT / "functions/kpi/requirements.txt").read_text().splitlines()
    pinned = [line for line in lines if not line.startswith("#")]
    assert pinned
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}", line) for line in pinned)
    assert "://" not in "".join(lines)


def test_checksum_is_the_one_that_says_most__several_or_none() -> None:
    told = {"ETag": '"e"', "ChecksumCRC64NVME": "c", "ChecksumSHA256": "s-2", "ChecksumType": "COMPOSITE"}
    assert checksum_of(told) == {"algorithm": "SHA256", "value": "s-2"}
    assert checksum_of({"ETag": '"e"', "ChecksumCRC64NVME": "c"}) == {"algorithm": "CRC64NVME", "value": "c"}
    assert checksum_of({"ETag": '"e"'}) is None
