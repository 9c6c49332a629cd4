"""Commands that change something ask in one way: after they have shown it, and no longer where nobody can answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from deployed_stack import NAMES, DeployedStack, file_item
from typer.testing import CliRunner

from assay import cli, sweeping
from assay.undo import cli as undo

FAILED = {"stage": "silver", "reason": "x", "attempts": 3, "at": "2026-11-24T09:00:00.000000Z"}
FOUND = {"found": [{"key": "transactions/b.csv", "version_id": "v", "what": "x"}], "notices": [], "complete": True}
COMMANDS = {
    "resume": ("resume", "a.csv"),
    "sweep": ("sweep",),
    "expect": ("expect", "transactions/london", "{date}.csv"),
    "undo": ("undo", "b.csv"),
}


@pytest.fixture
def waiting(stack: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> DeployedStack:
    """A stack with something for each command to change, which would be found out."""
    stack.put(file_item("a.csv", version="v2") | {"status": "accepted", "failed": FAILED}, file_item("b.csv"))
    stack.put({"file_id": "layer#gold", "kind": "layer", "published": {"run_seq": 1}})
    monkeypatch.setattr(sweeping, "ask", lambda _, event: FOUND if event.get("dry_run") else pytest.fail("swept"))
    monkeypatch.setattr(undo, "_shown", lambda *given, **_: SimpleNamespace(file=given[2]))
    return stack


def items(stack: DeployedStack) -> list[Any]:
    found: list[Any] = stack.client("dynamodb").scan(TableName=NAMES["LedgerTable"])["Items"]
    return sorted(found, key=lambda item: str(item["file_id"]))


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_no_ends_with_code_1_and_changes_nothing(
    waiting: DeployedStack, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    before = items(waiting)
    monkeypatch.setattr("assay.options.sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))

    result = CliRunner().invoke(cli.app, list(command), input="n\n")

    assert result.exit_code == 1, result.output
    assert result.stderr.endswith("Nothing was changed.\n")
    assert items(waiting) == before


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_command_ends_with_code_2_and_changes_nothing__nobody_can_be_asked(
    waiting: DeployedStack, command: tuple[str, ...]
) -> None:
    before = items(waiting)

    result = waiting.assay(*command)

    assert result.exit_code == 2, result.output
    assert "do: look first with --dry-run, then add --yes" in result.stderr
    assert items(waiting) == before
