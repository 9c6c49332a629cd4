"""Markers: what a declaration of a reload says, how it cannot be read, and what the function makes of it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from admission import Inspection, inspect_marker
from contract.limits import MARKER_FILES
from contract.subjects import is_marker
from kpi_cloud import BRONZE, Cloud, handle
from reading.markers import Listed, file_id, load_of
from reading.rejection import RejectedError

LAST = datetime(9999, 12, 30, 23, 59, 59, 999_999, tzinfo=UTC)
FILE = {"key": "transactions/bank/LOAD00000001.csv", "version": "v1"}
GOOD: dict[str, Any] = {"load": "May", "start": "2023-05-06T07:08:09Z", "files": [FILE]}
MARKER, FULL_LOAD = "transactions/bank/_load.json", "transactions/bank/LOAD00000001.csv"
ROWS = b"1,2023-05-06,1,1,1.00,Swipe Transaction,1,,,,,\n2,2023-05-06,1,1,2.00,Swipe Transaction,1,,,,,\n"


def marker(**changed: object) -> bytes:
    return json.dumps({**GOOD, **changed}).encode()


def inspected(content: bytes, is_usable: Callable[[Listed], bool] = lambda _: True) -> Inspection:
    """Inspect a marker that was written in the last instant of all, so that no start lies in its future."""
    return inspect_marker(content, "b", last_modified_at=LAST, is_usable=is_usable)


def test_marker_is_refused__it_begins_more_than_a_day_later_than_itself() -> None:
    written_at = datetime(2023, 5, 5, 7, 8, 9, tzinfo=UTC)
    for later, refused in ((timedelta(0), []), (timedelta(microseconds=1), ["unreadable_load"])):
        start = (written_at + timedelta(days=1) + later).isoformat()
        found = inspect_marker(marker(start=start), "b", last_modified_at=written_at, is_usable=lambda _: True)
        assert [reason.code for reason in found.reasons] == refused


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "an object with"),
        (json.dumps({"load": "May", "files": [FILE]}).encode(), "an object with"),
        (marker(load=""), "not a name"),
        (marker(load=5), "not a name"),
        (marker(start="yesterday"), "not an ISO 8601 instant"),
        (marker(start=None), "not an ISO 8601 instant"),
        (marker(start="0001-01-01T00:00:00+10:00"), "not an ISO 8601 instant"),
        (marker(start="1899-12-31T23:59:59Z"), "before 1900"),
        (marker(start="1900-01-01T00:00:00+01:00"), "before 1900"),
        (marker(files=[]), "a list of 1 to 2000 files"),
        (marker(files=FILE), "a list of 1 to 2000 files"),
        (marker(files=[{**FILE, "version": str(n)} for n in range(MARKER_FILES + 1)]), "a list of 1 to 2000 files"),
        (marker(files=[FILE, FILE]), "a file twice"),
        (marker(files=["transactions/a.csv"]), "'key' and 'version'"),
        (marker(files=[{"key": "transactions/a.csv"}]), "'key' and 'version'"),
        (marker(files=[{**FILE, "size": 1}]), "'key' and 'version'"),
        (marker(files=[{**FILE, "version": None}]), "'key' and 'version'"),
        (marker(files=[{**FILE, "key": "cards/a.csv"}]), "not under transactions/"),
        (marker(files=[{**FILE, "key": f"transactions/repairs/{'a' * 64}/b.csv"}]), "not a version of a file"),
    ],
)
def test_marker_is_refused__each_form_that_cannot_be_read(content: bytes, why: str) -> None:
    with pytest.raises(RejectedError, match=why) as raised:
        load_of(content)
    assert [reason.code for reason in raised.value.reasons] == ["unreadable_load"]


@pytest.mark.parametrize(
    ("start", "in_utc"),
    [
        ("2023-05-06T07:08:09Z", "2023-05-06T07:08:09.000000Z"),
        ("2023-05-06T07:08:09", "2023-05-06T07:08:09.000000Z"),
        ("2023-05-06T02:00:00+05:30", "2023-05-05T20:30:00.000000Z"),
        ("2023-05-06", "2023-05-06T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        ("1900-01-01T00:00:00.000001Z", "1900-01-01T00:00:00.000001Z"),
    ],
)
def test_start_is_an_instant_in_utc_to_the_microsecond__each_form(start: str, in_utc: str) -> None:
    found = inspected(marker(start=start))
    assert found.load == {"name": "May", "start_at": in_utc, "files": [file_id("b", FILE["key"], "v1")]}


def test_start_is_exact__microseconds_that_floating_point_cannot_hold() -> None:
    first = datetime(2242, 3, 16, 12, 56, 31, 999_990, tzinfo=UTC)
    for start in (first + timedelta(microseconds=n) for n in range(50)):
        load = inspected(marker(start=start.isoformat())).load
        assert load is not None
        assert load["start_at"] == f"{start:%Y-%m-%dT%H:%M:%S.%f}Z"


def test_marker_accepts_the_most_files__each_another_version() -> None:
    files = [{**FILE, "version": str(n)} for n in range(MARKER_FILES)]
    assert load_of(marker(files=files)).files[-1] == Listed(FILE["key"], str(MARKER_FILES - 1))


def test_marker_without_a_listed_file_is_rejected__the_others_are_counted() -> None:
    files = [{**FILE, "version": version} for version in ("there", "gone", "gone too")]
    found = inspected(marker(files=files), is_usable=lambda listed: listed.version_id == "there")
    [reason] = found.reasons
    assert reason.code == "load_file_missing"
    assert f"{FILE['key']} (version gone) and 1 more" in reason.text
    assert found.load is None


@pytest.mark.parametrize(
    ("key", "is_one"),
    [
        ("transactions/_load.json", True),
        ("transactions/2023/05/_load.json", True),
        ("transactions/my_load.json", False),
        ("transactions/_load.json/a.csv", False),
        ("cards/_load.json", False),
        ("_load.json", False),
    ],
)
def test_marker_is_told_by_its_key__each_place(key: str, is_one: bool) -> None:
    assert is_marker(key) is is_one


def declared(cloud: Cloud, version: str) -> dict[str, Any]:
    """Upload a marker that lists a version of the full load, handle it, and return its item."""
    handle(cloud.put(MARKER, marker(files=[{"key": FULL_LOAD, "version": version}])))
    return cloud.item(MARKER)


def test_marker_is_accepted_and_its_workflow_started__files_in_bronze(cloud: Cloud) -> None:
    handle(cloud.put(FULL_LOAD, ROWS))
    item = declared(cloud, cloud.versions[FULL_LOAD])
    assert item["status"] == "accepted"
    assert item["subject"] == "load"
    assert item["waiting_for"] == "silver"
    assert item["load"] == {
        "name": "May",
        "start_at": "2023-05-06T07:08:09.000000Z",
        "files": [cloud.item(FULL_LOAD)["file_id"]],
    }
    assert item["load"]["files"] == [file_id(BRONZE, FULL_LOAD, cloud.versions[FULL_LOAD])]
    assert (item["kpis"]["row_count"], item["kpis"]["total_amount"]) == (0, "0.00")
    assert len(cloud.executions()) == 2
    assert cloud.mails() == []


def test_marker_is_accepted__listed_file_not_handled_yet(cloud: Cloud) -> None:
    cloud.put(FULL_LOAD, ROWS)
    assert declared(cloud, cloud.versions[FULL_LOAD])["status"] == "accepted"


def test_marker_changes_nothing_of_what_files_look_like__accepted(cloud: Cloud) -> None:
    handle(cloud.put(FULL_LOAD, ROWS))
    key = {"file_id": "range#transactions"}
    before = cloud.table.get_item(Key=key)["Item"]
    declared(cloud, cloud.versions[FULL_LOAD])
    assert cloud.table.get_item(Key=key)["Item"] == before


@pytest.mark.parametrize("version", ["no-such-version", "5f0b9c4e-1d7a-4a53-9d52-8b8c1a0f3c11", "null"])
def test_marker_is_rejected__version_not_in_bronze(cloud: Cloud, version: str) -> None:
    cloud.put(FULL_LOAD, ROWS)
    item = declared(cloud, version)
    assert item["status"] == "rejected"
    assert [reason["code"] for reason in item["reasons"]] == ["load_file_missing"]
    assert cloud.executions() == []
    [(subject, _)] = cloud.mails()
    assert subject == "[assay test] rejected: _load.json"


def test_marker_is_rejected__listed_version_deleted(cloud: Cloud) -> None:
    cloud.put(FULL_LOAD, ROWS)
    version = cloud.versions[FULL_LOAD]
    cloud.s3.delete_object(Bucket=BRONZE, Key=FULL_LOAD, VersionId=version)
    assert [reason["code"] for reason in declared(cloud, version)["reasons"]] == ["load_file_missing"]


def test_marker_is_rejected__listed_file_was_rejected(cloud: Cloud) -> None:
    handle(cloud.put(FULL_LOAD, b""))
    item = declared(cloud, cloud.versions[FULL_LOAD])
    assert [reason["code"] for reason in item["reasons"]] == ["load_file_missing"]


def test_marker_is_rejected__not_json(cloud: Cloud) -> None:
    handle(cloud.put(MARKER, b"load everything"))
    item = cloud.item(MARKER)
    assert [reason["code"] for reason in item["reasons"]] == ["unreadable_load"]
    assert "kpis" not in item
