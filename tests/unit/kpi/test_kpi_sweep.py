"""The sweep against S3, DynamoDB, SNS and Step Functions in memory: nothing is missing afterwards."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import app
import boto3
import pytest
import sweep
from cloud.ledger import Ledger, instant
from cloud.settings import SweepSettings
from kpi_cloud import BRONZE, TABLE, Cloud, Context, handle

GOOD = b"dms_id,amount,date\n1,1.00,2023-05-06\n"
BAD = b"dms_id,amount\n1,1.00\n"
NOW = datetime.now(UTC)
FAILED = {"stage": "silver", "reason": "x", "attempts": 3, "at": "2026-11-24T09:00:00.000000Z"}
LATER = NOW + timedelta(hours=7)


@dataclass
class Function:
    """Takes the sweep's events as Lambda does, and hands them over when it is told to."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> None:  # noqa: N803
        assert (FunctionName, InvocationType) == ("kpi", "Event")
        self.events.append(json.loads(Payload))

    def deliver(self) -> None:
        while self.events:
            handle(self.events.pop(0))


@dataclass
class Sweeper:
    """The sweep's handler with a clock that can be set."""

    cloud: Cloud
    on: sweep.Services
    function: Function

    def __call__(self, now: datetime = LATER, *, has_time: Callable[[], bool] = lambda: True, **event: Any) -> Any:
        return sweep.sweep(event, "call-1", self.on, now, has_time)

    def whys(self, now: datetime = LATER, **event: Any) -> list[str]:
        return [found["why"] for found in self(now, **event)["found"]]


@pytest.fixture
def sweeper(cloud: Cloud) -> Sweeper:
    function = Function()
    on = sweep.Services(
        settings=SweepSettings(TABLE, BRONZE, "kpi", cloud.machine_arn, cloud.topic_arn, "test"),
        ledger=Ledger(boto3.resource("dynamodb").Table(TABLE)),
        s3=cloud.s3,
        sns=boto3.client("sns"),
        workflows=cloud.workflows,
        functions=function,  # type: ignore[arg-type]
    )
    return Sweeper(cloud, on, function)


def test_lost_event_is_made_good_and_mailed__object_without_an_item(cloud: Cloud, sweeper: Sweeper) -> None:
    cloud.put("transactions/Mai 2023/größe+1.csv", GOOD)
    handle(cloud.put("transactions/b.csv", GOOD))

    assert sweeper.whys() == ["unheard"]
    sweeper.function.deliver()

    item = cloud.item("transactions/Mai 2023/größe+1.csv")
    assert (item["status"], "execution_arn" in item, len(cloud.executions())) == ("accepted", True, 2)
    [(subject, body)] = cloud.mails()
    assert subject == "[assay test] sweep: 1 left behind"
    assert "unheard   transactions/Mai 2023/größe+1.csv, version " in body
    assert (sweeper.whys(LATER + timedelta(hours=6)), len(cloud.mails())) == ([], 1)


def test_version_is_passed_over__younger_than_six_hours(cloud: Cloud, sweeper: Sweeper) -> None:
    cloud.put("transactions/a.csv", GOOD)

    assert sweeper.whys(NOW + timedelta(hours=5)) == []
    assert sweeper.whys(NOW + timedelta(hours=5, minutes=1), whole=True, older_than_s=0) == ["unheard"]


def test_what_is_no_data_is_no_loss__companions_and_other_folders(cloud: Cloud, sweeper: Sweeper) -> None:
    for key in ("transactions/_dialect.json", "transactions/_expect.json", "transactions/a.csv.control.json"):
        cloud.put(key, b"{}")
    for key in ("transactions/x/", "elsewhere/a.csv", "a.csv", "users/_SUCCESS"):
        cloud.put(key, b"")

    assert sweeper.whys() == []


DYING = 0.08
"""Of each step, before it and after it; a call has some four."""


def chaos(monkeypatch: pytest.MonkeyPatch, draw: random.Random) -> None:
    """Have half of the function's calls die, each before or after any of its steps."""

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            if draw.random() < DYING:
                raise ConnectionError("died before")
            result = real(*arguments, **more)
            if draw.random() < DYING:
                raise ConnectionError("died after")
            return result

        return call

    for owner, name in (
        (Ledger, "receive"), (Ledger, "accept"), (Ledger, "reject"), (Ledger, "record_execution"),
        (Ledger, "claim_mail"), (Ledger, "mark_mailed"), (app, "start_execution"),
    ):  # fmt: skip
        monkeypatch.setattr(owner, name, dying(getattr(owner, name)))


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 4))])
def test_nothing_is_missing_after_a_sweep__events_dropped_and_half_of_the_calls_die(
    cloud: Cloud, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    draw, died, calls = random.Random(seed), 0, 0
    with monkeypatch.context() as broken:
        chaos(broken, draw)
        for number in range(40):
            event = cloud.put(f"transactions/{number % 30}.csv", BAD if number % 4 == 0 else GOOD)
            for _ in range(draw.choice([0, 1, 1, 2])):  # dropped, or up to two attempts
                calls += 1
                try:
                    handle(event, f"request-{number}")
                except ExceptionGroup:
                    died += 1
    assert 0.25 < died / calls < 0.75

    found = sweeper(LATER)
    monkeypatch.setattr(app, "_now", lambda: LATER)
    sweeper.function.deliver()

    assert {each["why"] for each in found["found"]} >= {"unheard", "received"}
    items = [item for item in cloud.table.scan()["Items"] if item["kind"] == "file"]
    assert len(items) == 40
    for item in items:
        if item["status"] == "rejected":
            assert "sent_at" in item["rejection_mail"]
        else:
            assert (item["status"], "execution_arn" in item) == ("accepted", True)
    bodies = [body for _, body in cloud.mails()]
    assert all(any(item["file_id"] in body for body in bodies) for item in items if item["status"] == "rejected")
    assert sweeper.whys(LATER + timedelta(hours=6)) == []


def test_swept_version_stands_between_its_neighbours__all_of_one_second(cloud: Cloud, sweeper: Sweeper) -> None:
    events = [cloud.put("transactions/a.csv", GOOD.replace(b"1.00", b"%d.00" % number)) for number in range(5)]
    ids = [event["Records"][0]["s3"]["object"]["versionId"] for event in events]
    at = cloud.s3.head_object(Bucket=BRONZE, Key="transactions/a.csv", VersionId=ids[0])["LastModified"]
    for number in (0, 3):
        events[number]["Records"][0]["eventTime"] = instant(at + timedelta(milliseconds=100 + number))
        events[number]["Records"][0]["s3"]["object"]["sequencer"] = f"0065A{number}F"
        handle(events[number])

    assert sweeper.whys() == ["unheard"] * 3
    sweeper.function.deliver()

    items = [item for item in cloud.table.scan()["Items"] if item["kind"] == "file"]
    in_order = sorted(items, key=lambda item: (item["last_modified_at"], item["sequencer"]))
    assert [item["version_id"] for item in in_order] == ids
    assert all(len(item["sequencer"]) == 32 for item in items)


def test_place_is_fixed_at_the_first_write__the_event_comes_after_all(cloud: Cloud, sweeper: Sweeper) -> None:
    event = cloud.put("transactions/a.csv", GOOD)
    sweeper()
    sweeper.function.deliver()
    before = cloud.item("transactions/a.csv")

    handle(event)

    assert cloud.item("transactions/a.csv") == before
    assert before["sequencer"] == f"{1:032X}"


def test_walk_goes_on_where_the_last_call_ended__no_time_left(
    cloud: Cloud, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "KEYS_AT_ONCE", 2)
    for number in range(5):
        cloud.put(f"transactions/{number}.csv", GOOD)

    first = sweeper(has_time=lambda: False)
    second = sweeper(has_time=lambda: False)
    third = sweeper()

    keys = [[found["key"][-5:-4] for found in told["found"]] for told in (first, second, third)]
    assert (keys, [told["complete"] for told in (first, second, third)]) == (
        [["0", "1"], ["2", "3"], ["4"]], [False, False, True],
    )  # fmt: skip
    assert sweeper(LATER + timedelta(hours=5))["found"] == []  # a walk begins every six hours
    assert len(sweeper(LATER + timedelta(hours=6))["found"]) == 5


def test_line_is_mailed_by_the_next_call__the_first_one_died(
    cloud: Cloud, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.put("transactions/a.csv", GOOD)
    with monkeypatch.context() as broken:
        broken.setattr(sweep, "send", lambda *_: (_ for _ in ()).throw(ConnectionError("died")))
        with pytest.raises(ConnectionError):
            sweeper()
    sweeper.function.deliver()

    assert sweeper()["found"] == []
    assert [subject for subject, _ in cloud.mails()] == ["[assay test] sweep: 1 left behind"]


def test_second_sweep_is_told_so__one_is_at_work(cloud: Cloud, sweeper: Sweeper) -> None:
    assert sweeper.on.ledger.begin_sweep("another", now=LATER, until=LATER + timedelta(minutes=20)) is not None

    assert sweeper() == {"busy": True}
    assert sweeper(LATER + timedelta(minutes=21))["complete"] is True  # it has died


def test_dead_execution_is_started_anew_under_the_next_name__aborted(cloud: Cloud, sweeper: Sweeper) -> None:
    handle(cloud.put("transactions/a.csv", GOOD))
    first = cloud.item("transactions/a.csv")["execution_arn"]
    assert sweeper.whys() == []
    cloud.workflows.stop_execution(executionArn=first)

    assert sweeper.whys(LATER + timedelta(hours=6)) == ["died"]

    item = cloud.item("transactions/a.csv")
    assert (item["execution_arn"], item["resumes"]) == (f"{first}-r1", 1)
    executions = {one["executionArn"]: one for one in cloud.executions()}
    assert executions[f"{first}-r1"]["input"] == executions[first]["input"]
    assert sweeper.whys(LATER + timedelta(hours=12)) == []
    cloud.workflows.stop_execution(executionArn=f"{first}-r1")
    sweeper(LATER + timedelta(hours=18))
    assert cloud.item("transactions/a.csv")["execution_arn"] == f"{first}-r2"


def test_execution_that_was_noted_and_not_started_is_dead__call_died_in_between(
    cloud: Cloud, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(cloud.put("transactions/a.csv", GOOD))
    first = cloud.item("transactions/a.csv")["execution_arn"]
    cloud.workflows.stop_execution(executionArn=first)
    with monkeypatch.context() as broken:
        broken.setattr(sweep, "start_execution", lambda *_: (_ for _ in ()).throw(ConnectionError("died")))
        with pytest.raises(ConnectionError):
            sweeper()

    assert sweeper.whys(whole=True) == ["died"]
    assert cloud.item("transactions/a.csv")["execution_arn"] == f"{first}-r2"


def test_file_is_left_to_an_open_breaker__its_execution_has_ended(cloud: Cloud, sweeper: Sweeper) -> None:
    handle(cloud.put("transactions/a.csv", GOOD))
    cloud.workflows.stop_execution(executionArn=cloud.item("transactions/a.csv")["execution_arn"])
    breaker = {"file_id": "breaker#silver", "kind": "breaker", "prober": "arn"}
    cloud.table.put_item(Item=breaker)

    assert sweeper.whys() == []

    cloud.table.delete_item(Key={"file_id": "breaker#silver"})
    assert sweeper.whys(whole=True) == ["died"]


@pytest.mark.parametrize("ended", [{"status": "published"}, {"failed": {"stage": "gold"}}])
def test_file_that_has_ended_is_left_alone__its_execution_too(
    cloud: Cloud, sweeper: Sweeper, ended: dict[str, Any]
) -> None:
    handle(cloud.put("transactions/a.csv", GOOD))
    item = cloud.item("transactions/a.csv")
    cloud.workflows.stop_execution(executionArn=item["execution_arn"])
    assert sweep.why_left_behind({**item, **ended}, sweeper.on) is None  # type: ignore[typeddict-item]


@pytest.mark.parametrize("ended", [{"status": "published"}, {"failed": FAILED}], ids=["published", "failed"])
def test_file_gets_its_mail__another_execution_saw_it_through_while_a_breaker_was_open(
    cloud: Cloud, sweeper: Sweeper, ended: dict[str, Any]
) -> None:
    handle(cloud.put("transactions/a.csv", GOOD))
    item = cloud.item("transactions/a.csv")
    parked = item["execution_arn"]
    cloud.workflows.stop_execution(executionArn=parked)
    cloud.table.put_item(Item={**item, **ended, "parked": parked})

    assert sweeper.whys(NOW, whole=True) == ["parked"]  # no event of it can come any more: its age does not count
    item = cloud.item("transactions/a.csv")
    assert item["execution_arn"] == f"{parked}-r1"
    assert item["execution_arn"] in {each["executionArn"] for each in cloud.executions()}
    cloud.workflows.stop_execution(executionArn=item["execution_arn"])
    assert sweeper.whys(whole=True) == []


def action_of(cloud: Cloud, name: str, **attributes: Any) -> dict[str, Any]:
    """Put an undo of a file as the command line leaves it; return it."""
    handle(cloud.put(f"transactions/{name}.csv", GOOD))
    file = cloud.item(f"transactions/{name}.csv")
    kept = {
        each: file[each] for each in ("bucket", "key", "version_id", "sequencer", "etag", "size", "last_modified_at")
    }
    action = kept | {
        "file_id": name * 64,
        "kind": "action",
        "subject": "undo",
        "status": "accepted",
        "in_effect": True,
        "waiting_for": "silver",
        "execution_arn": file["execution_arn"].rpartition(":")[0] + f":undo-{name}",
        "changes": [{"status": "accepted", "at": instant(NOW)}],
    }
    cloud.table.put_item(Item=action | attributes)
    cloud.table.update_item(
        Key={"file_id": "actions"},
        UpdateExpression="SET kind = :kind ADD ids :ids",
        ExpressionAttributeValues={":kind": "actions", ":ids": {action["file_id"]}},
    )
    return action


@pytest.mark.parametrize("ended", [{}, {"status": "published"}], ids=["waiting", "published by another run"])
def test_action_gets_its_execution__the_command_died_before_it_started_it(
    cloud: Cloud, sweeper: Sweeper, ended: dict[str, Any]
) -> None:
    action = action_of(cloud, "a", **ended)

    assert sweeper.whys(NOW + timedelta(hours=5)) == []  # the command may be at work
    told = sweeper()["found"]

    assert [(each["why"], each["file_id"], each["key"]) for each in told] == [
        ("undecided", action["file_id"], action["key"])
    ]
    assert f"{action['execution_arn']}-r1" in {each["executionArn"] for each in cloud.executions()}
    assert "undecided transactions/a.csv" in cloud.mails()[-1][1]
    assert sweeper.whys(LATER + timedelta(hours=1)) == []


def test_action_is_looked_at_until_its_execution_has_ended(cloud: Cloud, sweeper: Sweeper) -> None:
    action = action_of(cloud, "a")
    name = action["execution_arn"].rpartition(":")[2]
    cloud.workflows.start_execution(stateMachineArn=cloud.machine_arn, name=name, input="{}")
    assert (sweeper.whys(), sweeper.on.ledger.actions()) == ([], {action["file_id"]})

    cloud.workflows.stop_execution(executionArn=action["execution_arn"])
    cloud.table.put_item(Item={k: v for k, v in action.items() if k != "waiting_for"} | {"status": "published"})

    assert (sweeper.whys(LATER + timedelta(hours=1)), sweeper.on.ledger.actions()) == ([], set())
    assert sweeper.whys(LATER + timedelta(hours=2)) == []


CALENDAR = {"expected": [{"name": "day_{date}.csv", "days": ["sat"], "by": "02:30", "zone": "Europe/Zurich"}]}
ON_CHANGE = {"expected": [{"name": "day_{date}.csv", "by": "02:30", "zone": "Europe/Zurich"}]}
SPRING = datetime(2027, 3, 28, 1, 0, tzinfo=UTC)
"""The clocks of Zurich go from 2 to 3 o'clock."""


def lines(cloud: Cloud) -> list[str]:
    """Return the lines of all mails about expected files."""
    return [line for _, body in cloud.mails() for line in body.splitlines() if line.startswith(("late", "came", "cal"))]


def test_late_file_is_mailed_once_and_once_more_when_it_came__a_time_that_the_clocks_skip(
    cloud: Cloud, sweeper: Sweeper
) -> None:
    cloud.put("transactions/zurich/_expect.json", json.dumps(ON_CHANGE).encode())
    cloud.put("transactions/zurich/day_2027-03-27.csv", GOOD)
    before = SPRING - timedelta(seconds=1)
    sweeper(SPRING - timedelta(days=14, hours=1))
    sweeper.function.deliver()
    mails = len(cloud.mails())
    late = "late      transactions/zurich/day_2027-03-28.csv, expected by 2027-03-28 01:00 UTC: it has not come"

    sweeper(before)
    assert late not in lines(cloud)
    for hours in range(3):
        sweeper(SPRING + timedelta(seconds=1, hours=hours))
    assert lines(cloud).count(late) == 1
    assert not any("day_2027-03-27" in line for line in lines(cloud))

    handle(cloud.put("transactions/zurich/day_2027-03-28.csv", BAD))
    sweeper(SPRING + timedelta(hours=4))
    assert not any(line.startswith("came") for line in lines(cloud))  # rejected is not come

    handle(cloud.put("transactions/zurich/day_2027-03-28.csv", GOOD))
    for hours in (5, 6):
        sweeper(SPRING + timedelta(hours=hours))
    [came] = [line for line in lines(cloud) if line.startswith("came")]
    assert came.startswith(late.replace("late", "came").partition(":00 UTC")[0])
    assert len(cloud.mails()) > mails


def test_nothing_is_late__before_the_calendar_was_written_and_on_other_days(cloud: Cloud, sweeper: Sweeper) -> None:
    cloud.put("transactions/_expect.json", json.dumps(CALENDAR).encode())
    next_saturday = date.fromordinal(NOW.date().toordinal() + (5 - NOW.weekday()) % 7 + 7)
    due = datetime(next_saturday.year, next_saturday.month, next_saturday.day, 0, 0, tzinfo=UTC)

    sweeper(NOW + timedelta(seconds=1))
    assert lines(cloud) == []
    sweeper(due + timedelta(hours=3))
    assert {line.split(",")[0] for line in lines(cloud)} <= {
        f"late      transactions/day_{next_saturday}.csv",
        f"late      transactions/day_{next_saturday - timedelta(days=7)}.csv",
    }
    assert f"late      transactions/day_{next_saturday}.csv" in {line.split(",")[0] for line in lines(cloud)}


def test_calendar_is_told_of_once__it_is_none(cloud: Cloud, sweeper: Sweeper) -> None:
    cloud.put("transactions/_expect.json", b'{"expected": [{"name": "a.csv", "by": "07:30"}]}')
    for hours in (0, 1, 7):
        sweeper(LATER + timedelta(hours=hours))
    [line] = lines(cloud)
    assert line.startswith("calendar  transactions/_expect.json: it is no calendar, so nothing is expected: the name ")


def test_calendar_shows_what_came_what_is_late_and_what_is_due__the_last_two_weeks_and_the_next(
    cloud: Cloud, sweeper: Sweeper
) -> None:
    daily = {"expected": [{"name": "{yyyymmdd}*.csv", "by": "12:00"}]}
    cloud.put("transactions/_expect.json", json.dumps(daily).encode())
    now = NOW + timedelta(days=3)
    sweeper(now)
    first = (NOW + timedelta(days=1)).strftime("%Y%m%d")
    handle(cloud.put(f"transactions/{first}_b7.csv", GOOD))

    shown = sweep.show_calendar(sweeper.on, now)["expected"]

    states = {each["name"][:8]: each["state"] for each in shown}
    assert states[first] == "came"
    assert states[(NOW + timedelta(days=2)).strftime("%Y%m%d")] == "late"
    assert states[(NOW + timedelta(days=5)).strftime("%Y%m%d")] == "due"
    assert [each["due_at"] for each in shown] == sorted(each["due_at"] for each in shown)


def test_calendar_counts_at_once__the_handler_is_told_of_it(
    cloud: Cloud, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "services", lambda: sweeper.on)
    cloud.put("transactions/_expect.json", json.dumps(ON_CHANGE).encode())

    for _ in range(2):
        told = sweep.handler({"calendars": ["transactions/_expect.json"]}, Context())
        assert told == {"calendars": ["transactions/_expect.json"]}

    assert sweep.handler({"show": "calendar"}, Context())["expected"]


def test_nothing_changes__dry_run(cloud: Cloud, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "services", lambda: sweeper.on)
    cloud.put("transactions/a.csv", GOOD)
    before = cloud.table.scan()["Items"]

    told = sweep.handler({"dry_run": True, "older_than_s": 0}, Context())

    assert [found["why"] for found in told["found"]] == ["unheard"]
    assert (cloud.table.scan()["Items"], sweeper.function.events, cloud.mails()) == (before, [], [])


def test_calendar_that_is_gone_expects_nothing__deleted(cloud: Cloud, sweeper: Sweeper) -> None:
    cloud.put("transactions/_expect.json", json.dumps(ON_CHANGE).encode())
    sweeper(NOW)
    cloud.s3.delete_object(Bucket=BRONZE, Key="transactions/_expect.json")

    assert sweep.show_calendar(sweeper.on, NOW + timedelta(days=3))["expected"] == []


def test_handler_answers__scheduled_and_asked_for_the_calendar(
    cloud: Cloud, sweeper: Sweeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "services", lambda: sweeper.on)
    scheduled = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
    assert sweep.handler(scheduled, Context()) == {"found": [], "notices": [], "complete": True}
    assert sweep.handler({"show": "calendar"}, Context()) == {"expected": []}
