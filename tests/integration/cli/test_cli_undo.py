"""`assay undo` and `assay redo` against a stack in moto: what they refuse, and what they leave in the ledger."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from contract.items import FileItem
from deployed_stack import NAMES, DeployedStack, file_item
from item_types import differences

from assay.ledger import Ledger
from assay.target import LOCAL_STACK, Target
from assay.undo import actions

AT = datetime(2026, 11, 24, 8, tzinfo=UTC)
FAILED = {"stage": "silver", "reason": "x", "attempts": 3, "at": "2026-11-24T09:00:00.000000Z"}
UNDONE = {"action": "d" * 64, "in_effect": False, "who": "ann", "at": "x", "reason": "", "run_seq": 2}
MACHINE = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}


def in_ledger(stack: DeployedStack, **attributes: Any) -> dict[str, Any]:
    item = file_item() | {"subject": "transactions", "etag": "e"} | attributes
    stack.put(item)
    return item


@pytest.mark.parametrize(
    ("command", "attributes", "words"),
    [
        ("undo", {"status": "accepted"}, "transactions/a.csv is not in Silver yet"),
        ("undo", {"status": "rejected"}, "transactions/a.csv was rejected"),
        ("undo", {"in_effect": False, "decisions": [UNDONE]}, "transactions/a.csv is undone already"),
        ("redo", {}, "transactions/a.csv is in effect already"),
        ("redo", {"status": "accepted", "failed": FAILED}, "transactions/a.csv is not in Silver yet"),
    ],
)
def test_undo_refuses_and_changes_nothing__file_is_not_as_it_must_be(
    stack: DeployedStack, command: str, attributes: dict[str, Any], words: str
) -> None:
    item = in_ledger(stack, **attributes)

    result = stack.assay(command, "a.csv", "--yes")

    assert (result.exit_code, words in result.stderr) == (2, True), result.output
    assert items(stack) == [item]


def test_undo_lists_the_versions__several_are_in_effect(stack: DeployedStack) -> None:
    for version in ("v1", "v2"):
        stack.put(file_item(version=version) | {"subject": "transactions"})

    result = stack.assay("undo", "a.csv", "--yes")

    assert result.exit_code == 2
    assert "has 2 versions in effect: v" in result.stderr
    assert "name one: --version" in result.stderr


def test_undo_refuses__unknown_version(stack: DeployedStack) -> None:
    in_ledger(stack)
    result = stack.assay("undo", "a.csv", "--version", "v9", "--yes")
    assert (result.exit_code, "has no version v9" in result.stderr) == (2, True)


@pytest.fixture
def target(stack: DeployedStack, tmp_path: Any) -> Target:
    role = "arn:aws:iam::123456789012:role/workflow"
    stack.client("stepfunctions").create_state_machine(
        name="assay-workflow", definition=json.dumps(MACHINE), roleArn=role
    )
    return Target(LOCAL_STACK, boto3.Session(), stack.endpoint, tmp_path)


def items(stack: DeployedStack) -> list[dict[str, Any]]:
    return Ledger(stack.client("dynamodb"), NAMES["LedgerTable"]).whole()


def executions(stack: DeployedStack) -> list[str]:
    found = stack.client("stepfunctions").list_executions(stateMachineArn=NAMES["Workflow"])["executions"]
    return sorted(each["name"] for each in found)


def test_place_puts_one_item_and_starts_one_execution__two_operators_at_once(
    stack: DeployedStack, target: Target
) -> None:
    file, ledger = in_ledger(stack), Ledger(target.dynamodb, NAMES["LedgerTable"])
    first, second = (actions.item_of(file, who=who, reason="amounts x 10", at=AT) for who in ("ann", "bob"))
    actions.place(target, ledger, first, file)

    with pytest.raises(actions.UserError, match=r"ann has decided to undo transactions/a\.csv at 2026-11-24T08:00:00Z"):
        actions.place(target, ledger, second, file)

    (held,) = ledger.whole("action")
    assert (held["decides"]["who"], held["waiting_for"], held["subject"]) == ("ann", "silver", "undo")
    assert list(differences(held, FileItem)) == []
    assert executions(stack) == [f"undo-{held['file_id'][:32]}"]
    assert held["execution_arn"].endswith(executions(stack)[0])


def test_place_takes_a_failed_action_up_again__same_command(stack: DeployedStack, target: Target) -> None:
    file, ledger = in_ledger(stack), Ledger(target.dynamodb, NAMES["LedgerTable"])
    action = actions.place(target, ledger, actions.item_of(file, who="ann", reason="", at=AT), file)
    failed = {**ledger.get([action["file_id"]])[action["file_id"]], "failed": FAILED}
    stack.put({name: value for name, value in failed.items() if not name.startswith("waiting")})

    actions.place(target, ledger, actions.item_of(file, who="bob", reason="", at=AT), file)

    held = ledger.get([action["file_id"]])[action["file_id"]]
    assert ("failed" in held, held["waiting_for"], held["decides"]["who"]) == (False, "silver", "ann")
    assert len(executions(stack)) == 2


def test_sweep_knows_of_an_action__command_killed_before_it_started_the_execution(
    stack: DeployedStack, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, ledger = in_ledger(stack), Ledger(target.dynamodb, NAMES["LedgerTable"])
    monkeypatch.setattr(actions, "start_execution", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        actions.place(target, ledger, actions.item_of(file, who="ann", reason="", at=AT), file)

    (held,) = ledger.whole("action")
    announced = ledger.get(["actions"])["actions"]
    assert announced == {"file_id": "actions", "kind": "actions", "ids": {held["file_id"]}}
    assert executions(stack) == []
