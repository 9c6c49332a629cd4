"""The template as it is written, and as the SAM transform turns it into CloudFormation."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parents[3]
TEMPLATE = ROOT / "template.yaml"


class NoManagedPolicies:
    """SAM asks AWS for the ARNs of managed policies that a template names; this one names none."""

    def load(self) -> dict[str, str]:
        return {}


@cache
def written() -> dict[str, Any]:
    """Return the template with short tags such as !Ref as plain mappings."""
    template: dict[str, Any] = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
    return template


@cache
def transformed() -> dict[str, Any]:
    """Return what CloudFormation gets to see, built artefacts in place of local paths."""
    template = json.loads(json.dumps(written()))
    for name in ("KpiFunction", "SweepFunction", "WatchFunction", "ReportFunction"):
        template["Resources"][name]["Properties"]["CodeUri"] = f"s3://artefacts/{name}.zip"
    template["Resources"]["Workflow"]["Properties"]["DefinitionUri"] = "s3://artefacts/workflow.asl.json"
    translated: dict[str, Any] = transform(template, {}, NoManagedPolicies())
    return translated


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """Return the transformed resources of one type."""
    return {name: body for name, body in transformed()["Resources"].items() if body["Type"] == kind}


def properties(name: str) -> dict[str, Any]:
    """Return the properties of a resource as written."""
    found: dict[str, Any] = written()["Resources"][name]["Properties"]
    return found
