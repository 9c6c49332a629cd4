"""`assay sweep`, `assay expect` and `assay status --expected`, with the sweep's own code behind the function's name."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import sweep
from cloud.ledger import Ledger
from cloud.settings import SweepSettings
from deployed_stack import NAMES, DeployedStack
from documented_answers import conform

from assay import sweeping
from assay.target import Target

KEY = "transactions/london/_expect.json"


class Function:
    """Stands for Lambda: calls the sweep, and takes note of what the sweep hands to the KPI function."""

    def __init__(self, stack: DeployedStack) -> None:
        self.handed_on: list[dict[str, Any]] = []
        table = boto3.resource("dynamodb", endpoint_url=stack.endpoint).Table(NAMES["LedgerTable"])
        settings = SweepSettings(
            NAMES["LedgerTable"], NAMES["BronzeBucket"], NAMES["KpiFunction"], NAMES["Workflow"], "arn", "test"
        )
        self.mails: list[str] = []
        sns = SimpleNamespace(publish=lambda **mail: self.mails.append(mail["Subject"]))
        handed = SimpleNamespace(invoke=lambda **call: self.handed_on.append(json.loads(call["Payload"])))
        clients = (stack.client("s3"), sns, stack.client("stepfunctions"), handed)
        self.services = sweep.Services(settings, Ledger(table), *clients)  # type: ignore[arg-type]

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == NAMES["SweepFunction"]
        context = SimpleNamespace(
            function_name="sweep", memory_limit_in_mb=512, invoked_function_arn="arn", aws_request_id="one",
            get_remaining_time_in_millis=lambda: 900_000,
        )  # fmt: skip
        told = sweep.handler(json.loads(Payload), context)
        return {"Payload": io.BytesIO(json.dumps(told).encode())}


@pytest.fixture
def function(stack: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> Function:
    function = Function(stack)
    monkeypatch.setattr(sweep, "services", lambda: function.services)
    monkeypatch.setattr(Target, "functions", function)
    return function


def put(stack: DeployedStack, key: str) -> None:
    stack.client("s3").put_object(Bucket=NAMES["BronzeBucket"], Key=key, Body=b"x")


def test_sweep_shows_what_was_left_behind_and_changes_nothing__dry_run(
    stack: DeployedStack, function: Function
) -> None:
    put(stack, "transactions/a.csv")

    result = stack.assay("sweep", "--older-than", "0", "--dry-run", "--json")

    assert result.exit_code == 0, result.output
    assert [found["key"] for found in conform("sweep", result.stdout)["found"]] == ["transactions/a.csv"]
    assert (function.handed_on, function.mails) == ([], [])


def test_sweep_hands_on_what_was_left_behind_and_mails_it__yes(stack: DeployedStack, function: Function) -> None:
    put(stack, "transactions/a.csv")

    result = stack.assay("sweep", "--older-than", "0", "--yes")

    assert result.exit_code == 0, result.output
    assert "transactions/a.csv" in result.stdout
    assert [event["Records"][0]["s3"]["object"]["key"] for event in function.handed_on] == ["transactions/a.csv"]
    assert function.mails == ["[assay test] sweep: 1 left behind"]


def test_sweep_asks_before_it_does_anything__no_terminal(stack: DeployedStack, function: Function) -> None:
    put(stack, "transactions/a.csv")

    result = stack.assay("sweep", "--older-than", "0")

    assert (result.exit_code, "add --yes" in result.stderr, function.handed_on) == (2, True, [])


@pytest.mark.parametrize(("answer", "handed", "code"), [("y", 1, 0), ("n", 0, 1)])
def test_sweep_does_what_the_answer_says__terminal(
    stack: DeployedStack, function: Function, monkeypatch: pytest.MonkeyPatch, answer: str, handed: int, code: int
) -> None:
    put(stack, "transactions/a.csv")
    monkeypatch.setattr("assay.options.typer.confirm", lambda *_, **__: answer == "y")
    monkeypatch.setattr("assay.options.sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))

    assert (stack.assay("sweep", "--older-than", "0").exit_code, len(function.handed_on)) == (code, handed)


def test_sweep_is_quiet_about_young_files__nothing_left_behind(stack: DeployedStack, function: Function) -> None:
    put(stack, "transactions/a.csv")

    result = stack.assay("sweep")

    assert (result.exit_code, function.handed_on) == (0, [])
    assert "Nothing was left behind, and nothing is late." in result.stdout


def test_second_operator_is_told__a_sweep_is_at_work(stack: DeployedStack, function: Function) -> None:
    now = datetime.now(UTC)
    function.services.ledger.begin_sweep("another", now=now, until=now + sweep.CLAIM_LIFETIME)

    result = stack.assay("sweep", "--yes")

    assert (result.exit_code, "another sweep is at work" in result.stderr) == (2, True)


def test_expect_writes_the_calendar_and_status_shows_it__names_and_times(
    stack: DeployedStack, function: Function
) -> None:
    words = ("transactions/london", "day_{date}.csv", "--by", "07:30", "--zone", "Europe/London", "--days", "mon-fri")

    shown = stack.assay("expect", *words, "--dry-run")
    assert "transactions/london/day_20" in shown.stdout
    assert "Contents" not in stack.client("s3").list_objects_v2(Bucket=NAMES["BronzeBucket"])
    result = stack.assay("expect", *words, "--yes")

    assert result.exit_code == 0, result.output
    body = stack.client("s3").get_object(Bucket=NAMES["BronzeBucket"], Key=KEY)["Body"].read()
    days = ["mon", "tue", "wed", "thu", "fri"]
    entry = {"name": "day_{date}.csv", "days": days, "by": "07:30", "zone": "Europe/London"}
    assert json.loads(body) == {"expected": [entry]}
    expected = conform("status", stack.assay("status", "--expected", "--json").stdout)
    assert {each["state"] for each in expected} == {"due"}
    assert 4 <= len(expected) <= 6
    assert "transactions/london/day_20" in stack.assay("status", "--expected").stdout


def test_expect_takes_a_calendar_of_a_file__and_refuses_one_that_is_none(
    stack: DeployedStack, function: Function
) -> None:
    Path("good.json").write_text('{"expected": [{"name": "{yyyymmdd}.csv", "by": "23:59"}]}')
    Path("bad.json").write_text('{"expected": [{"name": "a.csv", "by": "23:59"}]}')

    bad = stack.assay("expect", "transactions/london/", "--from", "bad.json", "--yes")
    assert (bad.exit_code, "this is no calendar: the name 'a.csv' says no day" in bad.stderr) == (2, True)
    assert stack.assay("expect", "transactions/london/", "--from", "good.json", "--yes").exit_code == 0
    assert stack.assay("expect", "elsewhere/", "{date}", "--yes").exit_code == 2
    assert stack.assay("expect", "transactions/", "--yes").exit_code == 2
    assert stack.assay("expect", "transactions/", "{date}", "--days", "monday", "--yes").exit_code == 2


@pytest.mark.parametrize(
    ("text", "days"),
    [("mon-wed", ["mon", "tue", "wed"]), ("sat-mon", ["sat", "sun", "mon"]), ("Mon, fri", ["mon", "fri"])],
)
def test_days_are_read__spans_and_lists(text: str, days: list[str]) -> None:
    assert sweeping.weekdays(text) == days
