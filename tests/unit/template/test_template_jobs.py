from __future__ import annotations

import argparse
import ast
import sys
from typing import Any

import pytest
from sam_template import ROOT, properties

from assay.local.spark import catalog_conf

JOBS = {"SilverJob": "silver", "GoldJob": "gold"}
# Read by Glue itself, not by the script.
GLUES_OWN = {
    *("--job-language", "--datalake-formats", "--conf", "--enable-metrics"),
    *("--enable-continuous-cloudwatch-log", "--custom-logGroup-prefix"),
}


def arguments_of(job: str) -> dict[str, Any]:
    found: dict[str, Any] = properties(job)["DefaultArguments"]
    return found


def parsed_by_script(name: str, argv: list[str]) -> dict[str, Any]:
    """Run the script's own `arguments` function, without the script: importing it would start Spark."""
    source = (ROOT / "glue" / "scripts" / f"{name}.py").read_text(encoding="utf-8")
    [function] = [
        node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == "arguments"
    ]
    defaults = dict.fromkeys((word.removeprefix("--") for word in argv if word.startswith("--")), "")
    scope: dict[str, Any] = defaults | {"argparse": argparse, "sys": sys}
    exec(compile(ast.Module([function], []), name, "exec"), scope)  # noqa: S102 - the project's own script
    return vars(scope["arguments"](argv))


@pytest.mark.parametrize(("job", "name"), JOBS.items())
def test_job_arguments_are_those_that_its_script_reads(job: str, name: str) -> None:
    given = [*(set(arguments_of(job)) - GLUES_OWN), "--file_id"]
    argv = [word for argument in given for word in (argument, f"the {argument}")]

    parsed = parsed_by_script(name, [*argv, "--JOB_NAME", "added by Glue"])

    assert parsed == {argument.removeprefix("--"): f"the {argument}" for argument in given}


@pytest.mark.parametrize("job", JOBS)
def test_job_conf_sets_the_local_catalog_conf(job: str) -> None:
    text = arguments_of(job)["--conf"]["Fn::Sub"].replace("${LakeBucket}", "lake")

    settings = dict(setting.split("=", 1) for setting in text.split(" --conf "))

    assert settings == catalog_conf(warehouse="s3://lake/warehouse/")


@pytest.mark.parametrize(("job", "name"), JOBS.items())
def test_job_is_pinned_and_runs_once_at_a_time(job: str, name: str) -> None:
    declared = properties(job)

    assert declared["GlueVersion"] == "5.1"
    assert declared["Command"] == {
        "Name": "glueetl",
        "PythonVersion": "3",
        "ScriptLocation": f"glue/scripts/{name}.py",
    }
    assert (declared["WorkerType"], declared["NumberOfWorkers"]) == ("G.1X", {"Ref": "GlueWorkers"})
    assert declared["ExecutionProperty"] == {"MaxConcurrentRuns": 1}
    assert declared["MaxRetries"] == 0
    assert arguments_of(job)["--datalake-formats"] == "iceberg"


@pytest.mark.parametrize(("database", "name"), [("SilverDatabase", "silver"), ("GoldDatabase", "gold")])
def test_database_lies_where_its_role_may_write(database: str, name: str) -> None:
    declared = properties(database)["DatabaseInput"]
    role = properties(f"{name.title()}Role")
    [write] = [s for s in role["Policies"][0]["PolicyDocument"]["Statement"] if s["Sid"] == f"Write{name.title()}"]

    assert declared["Name"] == {"Fn::Sub": f"${{Stage}}_{name}"}
    assert declared["LocationUri"] == {"Fn::Sub": f"s3://${{LakeBucket}}/warehouse/${{Stage}}_{name}.db"}
    assert {"Fn::Sub": f"${{LakeBucket.Arn}}/warehouse/${{Stage}}_{name}.db/*"} in write["Resource"]
    assert declared["CreateTableDefaultPermissions"] == [
        {"Permissions": ["ALL"], "Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}}
    ]
