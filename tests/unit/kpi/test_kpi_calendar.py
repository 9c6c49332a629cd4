"""Calendars: what is expected when, also where the clocks change; and what is no calendar."""

import json
from datetime import UTC, date, datetime, time

import pytest
from reading.calendar import CalendarError, calendar_of, instant_in


@pytest.mark.parametrize(
    ("zone", "day", "at", "instant"),
    [
        ("UTC", "2024-03-31", "02:30", "2024-03-31T02:30Z"),
        ("Europe/Zurich", "2024-06-03", "07:30", "2024-06-03T05:30Z"),
        ("Europe/Zurich", "2024-12-02", "07:30", "2024-12-02T06:30Z"),
        ("Europe/Zurich", "2024-03-31", "01:59", "2024-03-31T00:59Z"),
        ("Europe/Zurich", "2024-03-31", "02:00", "2024-03-31T01:00Z"),
        ("Europe/Zurich", "2024-03-31", "02:30", "2024-03-31T01:00Z"),
        ("Europe/Zurich", "2024-03-31", "03:00", "2024-03-31T01:00Z"),
        ("Europe/Zurich", "2024-10-27", "01:59", "2024-10-26T23:59Z"),
        ("Europe/Zurich", "2024-10-27", "02:30", "2024-10-27T01:30Z"),
        ("Europe/Zurich", "2024-10-27", "03:00", "2024-10-27T02:00Z"),
        ("Australia/Lord_Howe", "2024-10-06", "02:15", "2024-10-05T15:30Z"),
        ("Australia/Lord_Howe", "2024-04-07", "01:45", "2024-04-06T15:15Z"),
        ("America/Sao_Paulo", "2018-11-04", "00:00", "2018-11-04T03:00Z"),
        ("Pacific/Apia", "2011-12-30", "07:00", "2011-12-30T10:00Z"),
    ],
)
def test_time_in_a_gap_is_the_instant_behind_it_and_a_doubled_one_the_later__clock_changes(
    zone: str, day: str, at: str, instant: str
) -> None:
    assert instant_in(zone, date.fromisoformat(day), time.fromisoformat(at)) == datetime.fromisoformat(instant)


def test_files_are_expected_on_their_days__weekdays_and_both_forms_of_a_day() -> None:
    entry = {"name": "b_{date}_{yyyymmdd}.csv", "days": ["mon", "fri"], "by": "07:30", "zone": "Europe/Zurich"}
    [expectation] = calendar_of(json.dumps({"expected": [entry]}).encode())
    first, last = datetime(2024, 3, 29, 6, 30, tzinfo=UTC), datetime(2024, 4, 5, 5, 29, tzinfo=UTC)
    assert [(expectation.name_on(day), due.isoformat()) for day, due in expectation.dues(first, last)] == [
        ("b_2024-03-29_20240329.csv", "2024-03-29T06:30:00+00:00"),
        ("b_2024-04-01_20240401.csv", "2024-04-01T05:30:00+00:00"),
    ]


def test_day_is_the_one_of_the_zone__far_from_utc() -> None:
    entries = [{"name": "{date}", "by": "00:30", "zone": zone} for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago")]
    expected = calendar_of(json.dumps({"expected": entries}).encode())
    first, last = datetime(2024, 6, 1, tzinfo=UTC), datetime(2024, 6, 1, 23, 59, tzinfo=UTC)
    found = [(str(day), due.isoformat()) for each in expected for day, due in each.dues(first, last)]
    assert found == [("2024-06-02", "2024-06-01T10:30:00+00:00"), ("2024-06-01", "2024-06-01T11:30:00+00:00")]


GOOD = {"name": "a_{date}.csv", "by": "07:30"}


@pytest.mark.parametrize(
    "said",
    [
        b"", b"{}", b"[]", b'{"expected": []}', b'{"expected": {}}', b"\xff", b"[" * 9_000, b" " * 300_000,
        *(
            json.dumps({"expected": [entry]}).encode()
            for entry in (
                {}, [], "a", {"name": "a_{date}.csv"}, {"by": "07:30"}, {**GOOD, "until": "08:00"},
                {**GOOD, "name": "a.csv"}, {**GOOD, "name": "b/{date}"}, {**GOOD, "name": 1}, {**GOOD, "name": ""},
                {**GOOD, "name": "{date}" * 60}, {**GOOD, "days": []}, {**GOOD, "days": "mon"},
                {**GOOD, "days": ["Mon"]}, {**GOOD, "days": [0]}, {**GOOD, "days": [["mon"]]}, {**GOOD, "by": "7:30"},
                {**GOOD, "by": "24:00"}, {**GOOD, "by": 730}, {**GOOD, "zone": "Mars/Olympus"}, {**GOOD, "zone": ""},
                {**GOOD, "zone": "../etc/passwd"}, {**GOOD, "zone": 1}, {**GOOD, "zone": "a\0b"},
            )
        ),
        json.dumps({"expected": [GOOD] * 101}).encode(),
        json.dumps({"expected": [GOOD], "more": 1}).encode(),
    ],
)  # fmt: skip
def test_calendar_is_refused_with_a_sentence__it_is_none(said: bytes) -> None:
    with pytest.raises(CalendarError, match=r"\w+ \w+"):
        calendar_of(said)
