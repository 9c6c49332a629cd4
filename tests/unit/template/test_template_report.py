"""The function that keeps the months' pages: when it is called, what it may touch, and what it is built of."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import Any

import pytest
from moto.events.models import EventPattern
from sam_template import ROOT, properties, resources, written

RULE = "ReportFunctionPublication"
REQUIREMENTS = ROOT / "functions" / "report" / "requirements.txt"
PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([^ ;\\]+)", re.MULTILINE)


def granted() -> dict[str, list[str]]:
    """Return what the function's role may do: action → resources."""
    found: dict[str, list[str]] = {}
    for policy in resources("AWS::IAM::Role")["ReportFunctionRole"]["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            for each in ("Action", "Resource"):
                statement[each] = statement[each] if isinstance(statement[each], list) else [statement[each]]
            for action in statement["Action"]:
                found.setdefault(action, []).extend(map(str, statement["Resource"]))
    return found


@pytest.mark.parametrize(
    ("job", "state", "called"),
    [("GoldJob", "SUCCEEDED", True), ("GoldJob", "FAILED", False), ("SilverJob", "SUCCEEDED", False)],
)
def test_function_is_called_once_a_run_of_gold__after_its_end(job: str, state: str, called: bool) -> None:
    pattern = json.dumps(resources("AWS::Events::Rule")[RULE]["Properties"]["EventPattern"])
    event = {"source": "aws.glue", "detail-type": "Glue Job State Change", "detail": {"jobName": job, "state": state}}

    assert EventPattern.load(pattern.replace('{"Ref": "GoldJob"}', '"GoldJob"')).matches_event(event) is called


def test_no_publication_waits_for_the_page__nor_fails_with_it() -> None:
    workflow = (ROOT / "statemachine" / "workflow.asl.json").read_text(encoding="utf-8")

    assert "lambda" not in workflow
    [permission] = [each for name, each in resources("AWS::Lambda::Permission").items() if name.startswith(RULE)]
    assert permission["Properties"]["Principal"] == "events.amazonaws.com"


def test_parameter_switches_the_pages_off__and_mails_then_name_none() -> None:
    rule = resources("AWS::Events::Rule")[RULE]["Properties"]
    place = {"Fn::If": ["KeepsPages", {"Fn::Sub": "s3://${LakeBucket}/reports/"}, "none"]}

    assert rule["State"] == {"Fn::If": ["KeepsPages", "ENABLED", "DISABLED"]}
    assert written()["Parameters"]["ReportPages"]["Default"] == "true"
    assert properties("KpiFunction")["Environment"]["Variables"]["REPORT_PAGES"] == place
    assert written()["Outputs"]["ReportPages"]["Value"] == place


def test_function_writes_pages_alone__no_evidence_no_table_no_item() -> None:
    changing = {action for action in granted() if re.search("Put|Update|Delete|Create|Write|Start", action)}
    pages = [re.sub(r"^\{'Fn::Sub': '\$\{LakeBucket.Arn\}/|'\}$", "", each) for each in granted()["s3:PutObject"]]

    assert changing == {"s3:PutObject"}
    assert pages == ["reports/*.html", "reports/months.json"]
    evidence = "reports/gold/run_00000001_ab.json"
    assert not any(fnmatchcase(evidence, page) for page in pages)


def test_function_reads_the_tables_of_a_page_alone() -> None:
    tables = re.findall(r"warehouse/\$\{Stage\}_(\w+)\.db/(\w+)/\*", " ".join(granted()["s3:GetObject"]))

    assert tables == [
        ("gold", "daily_totals"),
        ("silver", "quarantine"),
        ("silver", "transaction_effects"),
        ("silver", "transaction_history"),
    ]


def test_function_has_the_packages_of_the_command_line__the_same_versions() -> None:
    packaged, locked = (
        dict(PIN.findall(path.read_text(encoding="utf-8"))) for path in (REQUIREMENTS, ROOT / "requirements.lock")
    )

    assert {name: locked.get(name) for name in packaged} == packaged
    assert {"duckdb", "jinja2", "pyarrow", "pyiceberg", "rich", "typer"} <= set(packaged)


def test_function_is_built_from_the_project__which_holds_what_it_runs() -> None:
    function: dict[str, Any] = written()["Resources"]["ReportFunction"]

    assert function["Metadata"] == {"BuildMethod": "makefile", "WorkingDirectory": "."}
    made = (ROOT / "functions" / "report" / "Makefile").read_text(encoding="utf-8")
    assert "-cf - assay |" in made
    assert "-C functions/kpi -cf - contract reading |" in made
