from __future__ import annotations

import re
import tomllib
from itertools import combinations
from typing import Any

import pytest
from sam_template import ROOT, written

from assay.target import AWS_STACK, LOCAL_STACK

ENVIRONMENTS = {"default": "dev", "dev": "dev", "prod": "prod", "local": "local"}


def section(environment: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))[environment]
    return found


def stack_name(environment: str) -> str:
    found: str = section(environment)["global"]["parameters"]["stack_name"]
    return found


def overrides(environment: str) -> dict[str, str]:
    text = section(environment)["deploy"]["parameters"]["parameter_overrides"]
    return dict(pair.split("=", 1) for pair in text.split())


@pytest.mark.parametrize(("environment", "stage"), ENVIRONMENTS.items())
def test_environment_deploys_its_stage_under_a_stack_name_of_its_own(environment: str, stage: str) -> None:
    assert stack_name(environment) == f"assay-{stage}"
    assert section(environment)["deploy"]["parameters"]["capabilities"] == "CAPABILITY_IAM"
    assert overrides(environment)["Stage"] == stage


def test_environments_share_no_stack__unless_they_deploy_the_same() -> None:
    sharing = {pair for pair in combinations(ENVIRONMENTS, 2) if len({stack_name(each) for each in pair}) == 1}

    # `sam deploy` without --config-env means the environment `dev`, and asks before it changes anything.
    assert sharing == {("default", "dev")}
    assert overrides("default") == overrides("dev")


def test_command_line_works_on_the_stacks_of_the_environments__none_named() -> None:
    assert stack_name("local") == LOCAL_STACK
    assert stack_name("dev") == AWS_STACK


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
        assert "AllowedValues" not in bounds or value in map(str, bounds["AllowedValues"]), f"{name}={value}"
        assert bounds["Type"] != "Number" or int(value) >= bounds.get("MinValue", 0), f"{name}={value}"


def test_production_alone_protects_its_ledger() -> None:
    protected = {environment for environment in ENVIRONMENTS if overrides(environment).get("ProtectLedger") == "true"}

    assert protected == {"prod"}
    assert written()["Parameters"]["ProtectLedger"]["Default"] == "false"


def test_local_environment_leaves_the_bucket_to_the_local_cloud() -> None:
    deploy = section("local")["deploy"]["parameters"]

    assert "resolve_s3" not in deploy
    assert "s3_bucket" not in deploy
    assert deploy["confirm_changeset"] is False
