"""The order of changes is never guessed: which column orders a file, and when its object was written."""

from datetime import UTC, datetime, timedelta
from typing import Any

import app
import pytest
from admission import Inspection, inspect_file
from cloud.uploads import object_instant
from dms.build import COMMIT, HEADER, LATER, text, values
from kpi_cloud import BRONZE, Cloud, handle
from kpi_rows import inspected_file

LAST_MODIFIED_AT = datetime(2024, 1, 1, tzinfo=UTC)
SECOND = datetime(2024, 1, 1, 12, 0, 7, tzinfo=UTC)
CHANGES = "transactions/20231201-100000000.csv"
GOOD = b"dms_id,amount,date\n1,1.00,2023-05-06\n"


def inspected(key: str, body: bytes, pin: bytes | None = None) -> Inspection:
    return inspected_file(body, key=key, pin=pin, last_modified_at=LAST_MODIFIED_AT)


SHORT = "id,amount,date"
ROWS = (f"I,1,1.00,2023-05-06,{COMMIT}", f"U,2,2.00,2023-05-06,{LATER}")


@pytest.mark.parametrize("name", ["created_at", "written", "commit", "Updated At"])
@pytest.mark.parametrize("key", ["transactions/changes_9.csv", CHANGES])
def test_column_that_only_looks_like_a_commit_timestamp_is_ambiguous__changes(name: str, key: str) -> None:
    [reason] = inspected(key, text(f"Op,{SHORT},{name}", *ROWS)).reasons
    assert reason.code == "ambiguous_dialect"
    assert f"ordered by the column {name!r}, which looks like a commit timestamp" in reason.text
    assert f'{{"commit_timestamp": "{name}"}}' in reason.text
    assert '{"commit_timestamp": null}' in reason.text


@pytest.mark.parametrize(
    ("pin", "place", "ordered_by"),
    [(b'{"commit_timestamp": "created_at"}', 4, "created_at"), (b'{"commit_timestamp": null}', None, None)],
)
def test_pin_settles_which_column_orders__a_name_or_none(pin: bytes, place: int | None, ordered_by: str | None) -> None:
    found = inspected("transactions/changes_9.csv", text(f"Op,{SHORT},created_at", *ROWS), pin)
    assert found.reasons == []
    assert found.format["places"].get("commit_at") == place
    assert found.format.get("ordered_by") == ordered_by


def test_pin_that_names_no_commit_timestamp_passes_over_those_of_the_contract__too() -> None:
    found = inspected(
        CHANGES, text(f"Op,commit_ts,{SHORT}", f"I,{COMMIT},1,1.00,2023-05-06"), b'{"commit_timestamp": null}'
    )
    assert found.reasons == []
    assert "commit_at" not in found.format["places"]


@pytest.mark.parametrize(
    ("key", "header", "row", "ordered_by"),
    [
        (CHANGES, f"Op,moved,{SHORT}", f"I,{COMMIT},1,1.00,2023-05-06", "moved"),
        (CHANGES, f"moved,{SHORT}", f"{COMMIT},1,1.00,2023-05-06", "moved"),
        ("transactions/a.csv", f"Op,{SHORT},Transact_TS", f"I,1,1.00,2023-05-06,{COMMIT}", "Transact_TS"),
    ],
)
def test_column_orders_the_file__a_name_of_the_contract_or_the_place_where_dms_writes_it(
    key: str, header: str, row: str, ordered_by: str
) -> None:
    found = inspected(key, text(header, row))
    assert found.reasons == []
    assert found.format["ordered_by"] == ordered_by


@pytest.mark.parametrize("key", ["transactions/a.csv", "transactions/LOAD00000001.csv"])
def test_timestamp_orders_nothing__no_changes_depend_on_it(key: str) -> None:
    found = inspected(key, text(f"{HEADER},created_at", f"{values(1)},{COMMIT}"))
    assert found.reasons == []
    assert "ordered_by" not in found.format


@pytest.mark.parametrize(
    ("pin", "columns"),
    [
        (b'{"commit_timestamp": "column 14"}', ["errors", "column 14"]),
        (b'{"commit_timestamp": null}', ["errors", "column 14"]),
    ],
)
def test_timestamp_behind_all_values_is_ambiguous_until_it_is_pinned__headerless(
    pin: bytes, columns: list[str]
) -> None:
    body = text(f"I,{values(1)},{COMMIT}", f"U,{values(2)},{LATER}")
    assert [reason.code for reason in inspected(CHANGES, body).reasons] == ["ambiguous_dialect"]
    found = inspected(CHANGES, body, pin)
    assert found.reasons == []
    assert found.format["columns"][-2:] == columns
    assert ("ordered_by" in found.format) == (b"null" not in pin)


@pytest.mark.parametrize(
    ("last", "is_dated"),
    [
        ("LOAD20240306.csv", True),
        ("load20241231.csv", True),
        ("bank_LOAD20240306.csv", True),
        ("LOAD20240306.csv.gz", True),
        ("LOAD20241306.csv", False),
        ("LOAD18991231.csv", False),
        ("LOAD00000001.csv", False),
        ("LOAD2024030A.csv", False),
    ],
)
def test_name_of_load_and_a_date_is_no_full_load__with_a_header(last: str, is_dated: bool) -> None:
    found = inspected(f"transactions/{last}", text(HEADER, values(1)))
    assert found.format["dialect"] == ("upload" if is_dated else "dms full load")
    assert found.format["is_full_load"] is not is_dated
    assert any("Its name is LOAD and a date" in warning for warning in found.warnings) is is_dated
    assert inspected(f"transactions/{last}", text(values(1))).format["is_full_load"] is True


@pytest.mark.parametrize("pinned", [True, False])
def test_pin_says_whether_it_is_a_full_load__load_and_a_date(pinned: bool) -> None:
    pin = b'{"full_load": true}' if pinned else b'{"full_load": false}'
    found = inspected("transactions/LOAD20240306.csv", text(HEADER, values(1)), pin)
    assert found.format["is_full_load"] is pinned
    assert not any("Its name is LOAD" in warning for warning in found.warnings)


@pytest.mark.parametrize(
    ("event_at", "instant"),
    [
        (SECOND + timedelta(milliseconds=300), SECOND + timedelta(milliseconds=300)),
        (SECOND, SECOND),
        (SECOND - timedelta(milliseconds=1), SECOND),
        (SECOND + timedelta(milliseconds=999), SECOND + timedelta(milliseconds=999)),
        (SECOND + timedelta(seconds=1), SECOND + timedelta(milliseconds=999)),
        (SECOND + timedelta(hours=1), SECOND + timedelta(milliseconds=999)),
    ],
)
def test_object_has_the_milliseconds_of_its_event__in_the_second_that_s3_tells(
    event_at: datetime, instant: datetime
) -> None:
    assert object_instant(SECOND, event_at) == instant


def written(cloud: Cloud, key: str, body: bytes, milliseconds: int) -> dict[str, Any]:
    """Upload; return the event, which says that it was done so many milliseconds after S3's second."""
    event = cloud.put(key, body)
    at = cloud.s3.head_object(Bucket=BRONZE, Key=key)["LastModified"] + timedelta(milliseconds=milliseconds)
    event["Records"][0]["eventTime"] = f"{at:%Y-%m-%dT%H:%M:%S}.{milliseconds:03}Z"
    return event


def test_later_upload_of_one_second_is_the_newer_one__whatever_its_key(cloud: Cloud) -> None:
    handle(written(cloud, "transactions/z_original.csv", GOOD, 100))
    handle(written(cloud, "transactions/a_correction.csv", GOOD, 400))
    first, second = (cloud.item(f"transactions/{name}.csv") for name in ("z_original", "a_correction"))
    assert first["last_modified_at"][-8:] == ".100000Z"
    assert second["last_modified_at"][-8:] == ".400000Z"


def test_instant_of_an_object_stays_the_first_one__another_event_about_the_same_version(cloud: Cloud) -> None:
    event = written(cloud, "transactions/a.csv", GOOD, 100)
    handle(event)
    before = cloud.item("transactions/a.csv")
    event["Records"][0]["eventTime"] = event["Records"][0]["eventTime"].replace(".100Z", ".700Z")
    handle(event)
    assert cloud.item("transactions/a.csv") == before


def test_file_is_judged_by_the_recorded_instant__event_repeated_after_a_crash(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[datetime] = []

    def inspect_or_crash(*args: Any, last_modified_at: datetime, **kwargs: Any) -> Inspection:
        seen.append(last_modified_at)
        if len(seen) == 1:
            raise ConnectionError("crashed")
        return inspect_file(*args, last_modified_at=last_modified_at, **kwargs)

    monkeypatch.setattr(app, "inspect_file", inspect_or_crash)
    event = written(cloud, "transactions/a.csv", GOOD, 100)
    with pytest.raises(ExceptionGroup):
        handle(event)
    event["Records"][0]["eventTime"] = event["Records"][0]["eventTime"].replace(".100Z", ".700Z")
    handle(event)
    assert cloud.item("transactions/a.csv")["status"] == "accepted"
    assert [at.microsecond for at in seen] == [100_000, 100_000]


def test_as_of_in_the_future_refuses_the_file__more_than_a_day(cloud: Cloud) -> None:
    handle(cloud.put("transactions/a.csv", GOOD, as_of="9999-12-31T00:00:00Z"))
    item = cloud.item("transactions/a.csv")
    assert [reason["code"] for reason in item["reasons"]] == ["unreadable_control"]
    assert "more than 1 day later" in item["reasons"][0]["text"]
