from __future__ import annotations

import re
from typing import Any

import pytest
from layer_notebooks import GOLD, SILVER
from sam_template import ROOT, properties, resources

from devcloud.local.spark import catalog_conf
from glue.lake.run import arguments

JOBS = {"SilverJob": "silver", "GoldJob": "gold", "ReplaySilverJob": "silver", "ReplayGoldJob": "gold"}
REPLAYS = {"SilverJob": "ReplaySilverJob", "GoldJob": "ReplayGoldJob"}
# Given by who starts a run: the workflow, or `assay replay`; what the replay's own jobs are given always.
OF_A_RUN = {"--file_id", "--start", "--rebuild_from", "--expected_run_seq", "--maintain"}
OF_A_REBUILD = {
    "silver": {"--expected_row_count", "--expected_total_amount"},
    "gold": {"--expected_silver_run"},
}
PREFIX = {"--prefix"}
# Where a replay works, each as the template names it in production.
ELSEWHERE = {
    "--ledger_table": ("LedgerTable", "ReplayLedgerTable"),
    "--silver_database": ("SilverDatabase", "ReplaySilverDatabase"),
    "--gold_database": ("GoldDatabase", "ReplayGoldDatabase"),
}
# Arguments whose values a script checks, or reads as numbers.
VALUES = {
    "--maximum_missing_share": "0.1",
    "--run_rows": "7",
    "--workers": "7",
    "--expected_run_seq": "7",
    "--expected_row_count": "7",
    "--expected_silver_run": "7",
    "--maintain": "true",
}
# Read by Glue itself, not by the script.
GLUES_OWN = {
    *("--job-language", "--datalake-formats", "--conf", "--enable-metrics"),
    *("--enable-continuous-cloudwatch-log", "--custom-logGroup-prefix"),
}


OF_A_REPLAY = {"--prefix": "replay/", "--signing_key": "none"}


def arguments_of(job: str) -> dict[str, Any]:
    found: dict[str, Any] = properties(job)["DefaultArguments"]
    return found


def parsed_by_job(name: str, argv: list[str]) -> dict[str, Any]:
    return vars(arguments({"silver": SILVER, "gold": GOLD}[name].LAYER, argv))


@pytest.mark.parametrize(("job", "name"), JOBS.items())
def test_job_arguments_are_those_that_its_script_reads(job: str, name: str) -> None:
    given = {*(set(arguments_of(job)) - GLUES_OWN), *OF_A_RUN, *OF_A_REBUILD[name]}
    argv = [word for argument in sorted(given | PREFIX) for word in (argument, VALUES.get(argument, argument[2:]))]

    parsed = parsed_by_job(name, [*argv, "--JOB_NAME", "added by Glue"])

    assert {f"--{argument}": str(value) for argument, value in parsed.items()} == {
        argument: VALUES.get(argument, argument[2:]) for argument in given | PREFIX
    }


@pytest.mark.parametrize(("job", "replay"), REPLAYS.items())
def test_replay_job_differs_in_role_place_and_prefix_only(job: str, replay: str) -> None:
    production, replayed = dict(properties(job)), dict(properties(replay))

    changed = {argument: {"Ref": ELSEWHERE[argument][1]} for argument in ELSEWHERE if argument in arguments_of(job)}
    assert replayed.pop("DefaultArguments") == production.pop("DefaultArguments") | changed | OF_A_REPLAY
    assert replayed.pop("Name") == {"Fn::Sub": production.pop("Name")["Fn::Sub"] + "-replay"}
    assert replayed.pop("Role") == {"Fn::GetAtt": [f"{replay.removesuffix('Job')}Role", "Arn"]}
    assert production.pop("Role") == {"Fn::GetAtt": [f"{job.removesuffix('Job')}Role", "Arn"]}
    assert replayed.pop("Description") != production.pop("Description")
    assert replayed == production


def test_production_jobs_work_on_production() -> None:
    for job in REPLAYS:
        places = {argument: value for argument, value in arguments_of(job).items() if argument in ELSEWHERE}
        assert places == {argument: {"Ref": ELSEWHERE[argument][0]} for argument in places}
        assert "--prefix" not in arguments_of(job)


@pytest.mark.parametrize("job", JOBS)
def test_job_conf_sets_the_local_catalog_conf(job: str) -> None:
    text = arguments_of(job)["--conf"]["Fn::Sub"].replace("${LakeBucket}", "lake")

    settings = dict(setting.split("=", 1) for setting in text.split(" --conf "))

    assert settings == catalog_conf(warehouse="s3://lake/warehouse/")


@pytest.mark.parametrize("job", JOBS)
def test_job_arguments_are_put_in_by_reference__names_differ_by_stage(job: str) -> None:
    given = {argument: value for argument, value in arguments_of(job).items() if argument not in GLUES_OWN | PREFIX}
    given.pop("--signing_key")  # of the stack's own parameter, where it is given

    assert [argument for argument, value in given.items() if set(value) != {"Ref"}] == []


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


@pytest.mark.parametrize(
    ("database", "name", "role"),
    [
        ("SilverDatabase", "silver", "SilverRole"),
        ("GoldDatabase", "gold", "GoldRole"),
        ("ReplaySilverDatabase", "replay_silver", "ReplaySilverRole"),
        ("ReplayGoldDatabase", "replay_gold", "ReplayGoldRole"),
    ],
)
def test_database_lies_where_its_role_may_write(database: str, name: str, role: str) -> None:
    declared = properties(database)["DatabaseInput"]
    [write] = [s for s in properties(role)["Policies"][0]["PolicyDocument"]["Statement"] if s["Sid"] == "WriteTables"]

    assert declared["Name"] == {"Fn::Sub": f"${{Stage}}_{name}"}
    assert declared["LocationUri"] == {"Fn::Sub": f"s3://${{LakeBucket}}/warehouse/${{Stage}}_{name}.db"}
    assert {"Fn::Sub": f"${{LakeBucket.Arn}}/warehouse/${{Stage}}_{name}.db/*"} == write["Resource"]
    assert declared["CreateTableDefaultPermissions"] == [
        {"Permissions": ["ALL"], "Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}}
    ]


def test_page_grants_lake_formation_on_each_database() -> None:
    page = (ROOT / "docs" / "aws.md").read_text(encoding="utf-8").partition("## Lake Formation")[2]
    [listed] = re.findall(r"for database in ([a-z_ ]+); do", page)
    named = {
        body["Properties"]["DatabaseInput"]["Name"]["Fn::Sub"] for body in resources("AWS::Glue::Database").values()
    }

    assert {f"${{Stage}}_{database}" for database in listed.split()} == named
