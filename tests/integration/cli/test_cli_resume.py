"""`assay resume`: who may go on, in which place, and what two operators or a kill do to it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.client import BaseClient
from cloud.uploads import data_records, object_version
from deployed_stack import NAMES, REGION, DeployedStack, file_item
from iam import allows, statements

from assay.ledger import plain
from assay.resume import resuming
from assay.resume.resuming import Resumer
from assay.target import LOCAL_STACK, Target
from devcloud.local.permissions import Request, permissions

ROOT = Path(__file__).parents[3]

FAILED = {"stage": "silver", "reason": "its page is damaged", "attempts": 1, "at": "2026-11-23T06:05:00.000000Z"}
OPEN = {"kind": "breaker", "failures": {"a", "b", "c"}, "opened_at": "2026-11-23T06:00:00.000000Z", "prober": "arn"}


@pytest.fixture
def stack(stack: DeployedStack) -> DeployedStack:
    """A deployed stack with a state machine, whose executions run until somebody stops them."""
    role = "arn:aws:iam::123456789012:role/workflow"
    stack.client("stepfunctions").create_state_machine(name="assay-workflow", definition="{}", roleArn=role)
    return stack


def item_of(name: str, status: str = "accepted", *, version: str = "v1", **more: Any) -> dict[str, Any]:
    item = file_item(name, version=version)
    for later in {"accepted": ("silver", "gold"), "in_silver": ("gold",)}.get(status, ()):
        del item[later]
    return item | {"status": status, "execution_arn": arn_of(name)} | more


def waiting(name: str, layer: str = "silver", **more: Any) -> dict[str, Any]:
    status = {"silver": "accepted", "gold": "in_silver"}[layer]
    return item_of(name, status, waiting_for=layer, waiting_since="2026-11-23T06:00:02.000000Z", **more)


def arn_of(name: str) -> str:
    return f"{NAMES['Workflow'].replace(':stateMachine:', ':execution:')}:{name.replace('.', '-')}"


def start(stack: DeployedStack, name: str) -> str:
    client = stack.client("stepfunctions")
    found = client.start_execution(stateMachineArn=NAMES["Workflow"], name=name.replace(".", "-"), input="{}")
    return str(found["executionArn"])


def read(stack: DeployedStack, item: dict[str, Any]) -> dict[str, Any]:
    answer = stack.client("dynamodb").get_item(TableName=NAMES["LedgerTable"], Key={"file_id": {"S": item["file_id"]}})
    return plain(answer["Item"])


def started(stack: DeployedStack) -> set[str]:
    found = stack.client("stepfunctions").list_executions(stateMachineArn=NAMES["Workflow"])["executions"]
    return {str(each["name"]) for each in found}


@pytest.mark.parametrize(("status", "layer"), [("accepted", "silver"), ("in_silver", "gold")])
def test_resume_gives_a_failed_file_its_place_back__with_its_own_order(
    stack: DeployedStack, status: str, layer: str
) -> None:
    item = item_of("a.csv", status, failed=FAILED)
    stack.put(item)

    shown = stack.assay("resume", "a.csv", "--dry-run")
    assert (shown.exit_code, read(stack, item), started(stack)) == (0, item, set())
    assert "its page is damaged" in shown.output

    assert stack.assay("resume", "a.csv", "--yes").exit_code == 0
    found = read(stack, item)
    assert found.pop("waiting_since") > item["last_modified_at"]
    expected = {name: value for name, value in item.items() if name != "failed"}
    assert found == expected | {"waiting_for": layer, "resumes": 1, "execution_arn": f"{arn_of('a.csv')}-r1"}
    execution = stack.client("stepfunctions").describe_execution(executionArn=found["execution_arn"])
    assert json.loads(execution["input"]) == {name: item[name] for name in ("file_id", "bucket", "key", "version_id")}


def test_resume_counts__file_fails_again(stack: DeployedStack) -> None:
    item = item_of("a.csv", failed=FAILED, resumes=1, execution_arn=f"{arn_of('a.csv')}-r1")
    stack.put(item)
    assert stack.assay("resume", item["file_id"], "--yes").exit_code == 0
    assert (read(stack, item)["resumes"], started(stack)) == (2, {"a-csv-r2"})


def test_resume_takes_all_failed_files(stack: DeployedStack) -> None:
    stack.put(item_of("a.csv", failed=FAILED), item_of("b.csv", "in_silver", failed=FAILED), waiting("c.csv"))
    start(stack, "c.csv")
    assert stack.assay("resume", "--failed", "--yes").exit_code == 0
    assert started(stack) == {"a-csv-r1", "b-csv-r1", "c-csv"}


def test_resume_leaves_a_failed_file_to_its_execution__until_that_has_ended(stack: DeployedStack) -> None:
    item = item_of("a.csv", failed=FAILED)
    stack.put(item)
    arn = start(stack, "a.csv")
    for words, code, told in ((("a.csv",), 2, "its execution still runs"), (("--failed",), 0, "nothing to resume")):
        left = stack.assay("resume", *words, "--yes")
        assert (left.exit_code, told in left.output) == (code, True), left.output
        assert (read(stack, item), started(stack)) == (item, {"a-csv"})

    stack.client("stepfunctions").stop_execution(executionArn=arn)
    assert stack.assay("resume", "a.csv", "--yes").exit_code == 0
    assert started(stack) == {"a-csv", "a-csv-r1"}


def test_resume_starts_a_new_execution_and_keeps_the_place__file_waits_and_its_execution_has_ended(
    stack: DeployedStack,
) -> None:
    item = waiting("a.csv")
    stack.put(item)
    arn = start(stack, "a.csv")
    running = stack.assay("resume", "a.csv", "--yes")
    assert (running.exit_code, started(stack)) == (2, {"a-csv"})
    assert "is on its way, and its execution runs" in running.output

    stack.client("stepfunctions").stop_execution(executionArn=arn)
    assert stack.assay("resume", "a.csv", "--yes").exit_code == 0
    assert started(stack) == {"a-csv", "a-csv-r1"}
    assert read(stack, item)["waiting_since"] == item["waiting_since"]


@pytest.mark.parametrize("layer", ["silver", "gold"])
def test_resume_closes_the_breaker_and_starts_what_it_parked(stack: DeployedStack, layer: str) -> None:
    other = {"silver": "gold", "gold": "silver"}[layer]
    stack.put(waiting("parked.csv", layer), waiting("runs.csv", layer), waiting("other.csv", other))
    stack.put({"file_id": f"breaker#{layer}", **OPEN}, {"file_id": f"breaker#{other}", **OPEN})
    start(stack, "runs.csv")

    shown = stack.assay("resume", "--layer", layer, "--dry-run")
    assert f"The failed starts of {layer} are forgotten and its breaker is closed" in shown.output
    assert "prober" in read(stack, {"file_id": f"breaker#{layer}"})
    assert stack.assay("resume", "--layer", layer, "--yes").exit_code == 0

    assert read(stack, {"file_id": f"breaker#{layer}"}) == {"file_id": f"breaker#{layer}", "kind": "breaker"}
    assert "prober" in read(stack, {"file_id": f"breaker#{other}"})
    assert started(stack) == {"runs-csv", "parked-csv-r1"}


def test_resume_says_that_there_is_nothing__no_file_waits_and_no_breaker_is_open(stack: DeployedStack) -> None:
    done = stack.assay("resume", "--layer", "silver", "--yes")
    assert (done.exit_code, done.output.strip()) == (0, "nothing to resume")


def test_resume_lets_runs_start__execution_of_the_third_run_was_stopped(stack: DeployedStack) -> None:
    stack.put({"file_id": "breaker#gold", "kind": "breaker", "starts": {"a", "b", "c"}})
    assert stack.assay("resume", "--layer", "gold", "--yes").exit_code == 0
    assert read(stack, {"file_id": "breaker#gold"}) == {"file_id": "breaker#gold", "kind": "breaker"}


def test_resume_names_the_command_that_closes_the_breaker__file_would_meet_it(stack: DeployedStack) -> None:
    stack.put(item_of("a.csv", failed=FAILED), {"file_id": "breaker#silver", **OPEN})
    for which in ("a.csv", "--failed"):
        refused = stack.assay("resume", which, "--yes")
        assert refused.exit_code == 2
        assert "assay resume --layer silver" in refused.output
    assert started(stack) == set()


def test_status_names_the_open_breaker(stack: DeployedStack) -> None:
    stack.put(waiting("a.csv"), {"file_id": "breaker#gold", **OPEN})
    shown = stack.assay("status")
    assert "The breaker of gold is open since 2026-11-23 06:00:00" in shown.output
    assert "assay resume --layer gold" in shown.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("published.csv",), "it is published"),
        (("rejected.csv",), "it was rejected"),
        (("received.csv",), "it is being examined"),
        (("twice.csv",), "2 versions of twice.csv can be resumed"),
        (("unknown.csv",), "the ledger knows no file unknown.csv"),
        ((), "say which files to resume"),
        (("published.csv", "--failed"), "say which files to resume"),
    ],
    ids=lambda value: " ".join(value) or "nothing" if isinstance(value, tuple) else "",
)
def test_resume_refuses_and_changes_nothing(stack: DeployedStack, words: tuple[str, ...], told: str) -> None:
    twice = [item_of("twice.csv", version=version, failed=FAILED) for version in ("v1", "v2")]
    stack.put(
        *twice, file_item("published.csv"), item_of("rejected.csv", "rejected"), item_of("received.csv", "received")
    )
    before = [read(stack, item) for item in twice]

    refused = stack.assay("resume", *words, "--yes")

    assert refused.exit_code == 2
    assert told in refused.output
    assert ([read(stack, item) for item in twice], started(stack)) == (before, set())


def test_resume_asks__nobody_can_answer(stack: DeployedStack) -> None:
    item = item_of("a.csv", failed=FAILED)
    stack.put(item)
    refused = stack.assay("resume", "a.csv")
    assert (refused.exit_code, read(stack, item)) == (2, item)
    assert "add --yes" in refused.output


def test_second_operator_is_told__first_one_was_quicker(stack: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    item = item_of("a.csv", failed=FAILED)
    stack.put(item)
    resume = Resumer.resume

    def after_another(self: Resumer, file: Any) -> bool:
        assert resume(self, file)
        return resume(self, file)

    monkeypatch.setattr(Resumer, "resume", after_another)
    done = stack.assay("resume", "a.csv", "--yes")
    assert done.exit_code == 1
    assert "somebody else has resumed it" in done.output
    assert (read(stack, item)["resumes"], started(stack)) == (1, {"a-csv-r1"})


def test_resume_can_be_repeated__killed_before_the_execution_was_started(
    stack: DeployedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = item_of("a.csv", failed=FAILED)
    stack.put(item)
    with monkeypatch.context() as patch:
        patch.setattr(resuming, "start_execution", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        stack.assay("resume", "a.csv", "--yes")
    assert started(stack) == set()
    assert stack.assay("resume", "a.csv", "--yes").exit_code == 0
    assert (read(stack, item)["resumes"], started(stack)) == (2, {"a-csv-r2"})


def test_resume_sends_the_files_own_event_to_the_function__it_could_not_be_examined(
    stack: DeployedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = FAILED | {"stage": "kpi"}
    item = item_of("a b+ä.csv", "received", failed=failed, etag="e", sequencer="0A".ljust(32, "0"))
    stack.put(item)
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(Target, "functions", SimpleNamespace(invoke=lambda **call: calls.append(call)))

    assert stack.assay("resume", item["file_id"], "--yes").exit_code == 0

    [call] = calls
    assert (call["FunctionName"], call["InvocationType"]) == (NAMES["KpiFunction"], "Event")
    [version] = [object_version(record) for record in data_records(json.loads(call["Payload"]))]
    assert (version.file_id, version.sequencer) == (item["file_id"], item["sequencer"])
    assert version.event_at.isoformat() == "2026-11-23T06:00:00+00:00"


def test_operator_policy_allows_what_resume_calls(stack: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"assay-dev-LedgerTable-*": NAMES["LedgerTable"], "stateMachine:assay-dev": "stateMachine:assay-workflow"}
    names |= {"execution:assay-dev:": "execution:assay-workflow:", "stack/assay-dev/": f"stack/{LOCAL_STACK}/"}
    names |= {"function:assay-dev-kpi": f"function:{NAMES['KpiFunction']}", "us-east-1": REGION}
    policy = (ROOT / "docs/operator-policy.json").read_text()
    for given, here in names.items():
        policy = policy.replace(given, here)
    received = item_of("c.csv", "received", failed=FAILED | {"stage": "kpi"}, etag="e")
    stack.put(item_of("a.csv", failed=FAILED), waiting("b.csv"), received, {"file_id": "breaker#gold", **OPEN})
    calls: list[tuple[str, str, dict[str, Any]]] = []
    make = BaseClient._make_api_call

    def record(self: Any, operation: str, given: dict[str, Any]) -> Any:
        calls.append((self.meta.service_model.signing_name, operation, given))
        return {} if operation == "Invoke" else make(self, operation, given)

    monkeypatch.setattr(BaseClient, "_make_api_call", record)
    for words in (("a.csv",), ("b.csv",), ("--failed",), ("--layer", "gold")):
        assert stack.assay("resume", *words, "--yes").exit_code == 0

    needed = {
        (each["action"], each["resource"])
        for service, operation, given in calls
        for each in permissions(
            Request(service, operation, REGION, path=f"/functions/{given.get('FunctionName')}/", given=given)
        )
    }
    allowed = statements(json.loads(policy))
    assert {call for call in needed if not allows(allowed, *call, {})} == set()
    assert {action for action, _ in needed} == {
        "cloudformation:DescribeStacks",
        "dynamodb:BatchGetItem",
        "dynamodb:Scan",
        "dynamodb:UpdateItem",
        "lambda:InvokeFunction",
        "states:DescribeExecution",
        "states:StartExecution",
    }
