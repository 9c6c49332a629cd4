from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from sam_template import ROOT, written

ENVIRONMENTS = {"default": "dev", "dev": "dev", "prod": "prod", "local": "local"}


def section(environment: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))[environment]
    return found


def overrides(environment: str) -> dict[str, str]:
    text = section(environment)["deploy"]["parameters"]["parameter_overrides"]
    return dict(pair.split("=", 1) for pair in text.split())


@pytest.mark.parametrize(("environment", "stage"), ENVIRONMENTS.items())
def test_environment_deploys_its_stage_under_the_one_stack_name(environment: str, stage: str) -> None:
    assert section(environment)["global"]["parameters"]["stack_name"] == "assay"
    assert section(environment)["deploy"]["parameters"]["capabilities"] == "CAPABILITY_IAM"
    assert overrides(environment)["Stage"] == stage


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_environment_uploads_below_the_stacks_name__where_jobs_may_read(environment: str) -> None:
    stack = section(environment)["global"]["parameters"]["stack_name"]
    assert section(environment)["deploy"]["parameters"]["s3_prefix"] == stack


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_environment_overrides_parameters_within_their_bounds(environment: str) -> None:
    parameters = written()["Parameters"]

    for name, value in overrides(environment).items():
        bounds = parameters[name]
        assert re.search(bounds.get("AllowedPattern", ""), value), f"{name}={value}"
        assert "AllowedValues" not in bounds or int(value) in bounds["AllowedValues"], f"{name}={value}"
        assert bounds["Type"] != "Number" or int(value) >= bounds.get("MinValue", 0), f"{name}={value}"


def test_local_environment_leaves_the_bucket_to_the_local_cloud() -> None:
    deploy = section("local")["deploy"]["parameters"]

    assert "resolve_s3" not in deploy
    assert "s3_bucket" not in deploy
    assert deploy["confirm_changeset"] is False
