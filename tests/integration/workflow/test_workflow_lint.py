"""The linter of CloudFormation takes the definition, which it would not open behind a DefinitionUri."""

from __future__ import annotations

import json
import re
from typing import Any

from pipeline import DEFINITION


def linted(machine: dict[str, Any]) -> list[str]:
    """Lint the definition as part of a template; the linters don't open the file behind a DefinitionUri."""
    from cfnlint.api import lint  # takes seconds, and every worker imports this module
    from cfnlint.config import ManualArgs

    role = {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/workflow"}
    properties = {"RoleArn": role, "Definition": machine}
    workflow = {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}
    found = lint(json.dumps({"Resources": {"Workflow": workflow}}), config=ManualArgs(regions=["us-east-1"]))
    return [f"{match.rule.id}: {match.message}" for match in found]


def substituted() -> dict[str, Any]:
    text = DEFINITION.read_text().replace("${Partition}", "aws")
    machine: dict[str, Any] = json.loads(re.sub(r"\$\{\w+\}", "1", text))
    return machine


def test_definition_passes_the_linter() -> None:
    assert linted(substituted()) == []


def test_linter_opens_the_definition__state_without_successor() -> None:
    machine = substituted()
    del machine["States"]["Count the poll"]["Next"]

    assert {found.partition(":")[0] for found in linted(machine)} == {"E3601"}
