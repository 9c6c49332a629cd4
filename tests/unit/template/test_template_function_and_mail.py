from __future__ import annotations

import json
from dataclasses import fields

import pytest
from cloud.settings import SweepSettings
from contract.limits import OBJECT_BYTES
from moto.events.models import EventPattern
from sam_template import properties, resources, transformed, written

ENVIRONMENT = {
    "LEDGER_TABLE": {"Ref": "LedgerTable"},
    "LAKE_BUCKET": {"Ref": "LakeBucket"},
    "STATE_MACHINE_ARN": {"Ref": "Workflow"},
    "TOPIC_ARN": {"Ref": "MailTopic"},
    "STAGE": {"Ref": "Stage"},
    "MAXIMUM_BAD_SHARE": {"Ref": "MaximumBadShare"},
    "MINIMUM_ROWS": {"Ref": "MinimumRows"},
    "HOLD_WARNINGS": {"Ref": "HoldWarnings"},
    "CARD_SECURITY_CODES": {"Ref": "CardSecurityCodes"},
    "GLUE_WORKERS": {"Ref": "GlueWorkers"},
    "REPORT_PAGES": {"Fn::If": ["KeepsPages", {"Fn::Sub": "s3://${LakeBucket}/reports/"}, "none"]},
    "POWERTOOLS_SERVICE_NAME": "kpi",
}


def test_function_is_built_by_make_for_its_runtime() -> None:
    function = written()["Resources"]["KpiFunction"]
    shared = written()["Globals"]["Function"]

    assert function["Metadata"] == {"BuildMethod": "makefile"}
    assert (function["Properties"]["CodeUri"], function["Properties"]["Handler"]) == ("functions/kpi", "app.handler")
    assert (shared["Runtime"], shared["Architectures"], shared["Tracing"]) == ("python3.13", ["x86_64"], "Active")


def test_sweep_is_of_the_same_package_and_called_every_hour() -> None:
    function = written()["Resources"]["SweepFunction"]

    assert function["Metadata"] == {"BuildMethod": "makefile"}
    assert (function["Properties"]["CodeUri"], function["Properties"]["Handler"]) == ("functions/kpi", "sweep.handler")
    [rule] = [rule for name, rule in resources("AWS::Events::Rule").items() if name.startswith("SweepFunction")]
    assert rule["Properties"]["ScheduleExpression"] == "rate(1 hour)"
    given = {field.name.upper() for field in fields(SweepSettings)}
    assert properties("SweepFunction")["Environment"]["Variables"].keys() - given == {"POWERTOOLS_SERVICE_NAME"}


def test_function_gets_its_environment() -> None:
    assert properties("KpiFunction")["Environment"]["Variables"] == ENVIRONMENT


def test_largest_parquet_file_fits_the_disk__beside_the_keys_of_its_rows() -> None:
    key, row = 8, 18  # bytes: a key on disk, a row of the sample in Parquet
    largest = OBJECT_BYTES["parquet"]

    assert largest + key * largest // row < properties("KpiFunction")["EphemeralStorage"]["Size"] << 20


def test_files_with_warnings_are_published__unless_the_stack_says_otherwise() -> None:
    parameter = written()["Parameters"]["HoldWarnings"]

    assert (parameter["Default"], parameter["AllowedValues"]) == ("false", ["true", "false"])


def test_lost_events_go_to_the_dead_letter_queue() -> None:
    function = transformed()["Resources"]["KpiFunction"]["Properties"]

    assert function["DeadLetterConfig"] == {"TargetArn": {"Fn::GetAtt": ["KpiDeadLetterQueue", "Arn"]}}


def test_function_takes_lost_events_from_its_dead_letter_queue__one_at_a_time() -> None:
    [mapping] = [body["Properties"] for body in resources("AWS::Lambda::EventSourceMapping").values()]
    queue = properties("KpiDeadLetterQueue")

    assert mapping["EventSourceArn"] == {"Fn::GetAtt": ["KpiDeadLetterQueue", "Arn"]}
    assert mapping["BatchSize"] == 1
    # Lambda refuses a queue whose messages come back while the function may still work on them.
    assert queue["VisibilityTimeout"] == 6 * properties("KpiFunction")["Timeout"]


@pytest.mark.parametrize(
    ("status", "error", "mailed"),
    [
        ("TIMED_OUT", None, True),
        ("ABORTED", None, True),
        ("FAILED", "States.Runtime", True),
        ("FAILED", "States.DataLimitExceeded", True),
        ("FAILED", "Assay.NotMailed", True),
        # Some events of AWS do not name the error: better a second mail than none.
        ("FAILED", None, True),
        ("FAILED", "Assay.FileFailed", False),
        ("FAILED", "Assay.FileRejected", False),
        ("SUCCEEDED", None, False),
    ],
)
def test_rule_mails_executions_that_did_not_mail_for_themselves(status: str, error: str | None, mailed: bool) -> None:
    written_pattern = json.dumps(properties("WorkflowEndedRule")["EventPattern"])
    pattern = EventPattern.load(written_pattern.replace('{"Ref": "Workflow"}', '"the workflow"'))
    detail = {"stateMachineArn": "the workflow", "status": status} | ({"error": error} if error else {})
    event = {"source": "aws.states", "detail-type": "Step Functions Execution Status Change", "detail": detail}

    assert pattern.matches_event(event) is mailed


def test_topic_lets_the_rule_and_the_alarms_publish_and_no_one_else() -> None:
    policy = properties("MailTopicPolicy")["PolicyDocument"]["Statement"]

    conditions = {s["Principal"]["Service"]: list(s.get("Condition", {}).get("ArnEquals", {})) for s in policy}
    assert conditions == {
        "events.amazonaws.com": [],  # EventBridge cannot publish to a topic whose policy has a condition for it
        "cloudwatch.amazonaws.com": ["aws:SourceArn"],
    }


def test_subscription_exists__an_address_is_given() -> None:
    assert written()["Resources"]["MailSubscription"]["Condition"] == "HasMailAddress"
    assert written()["Conditions"]["HasMailAddress"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "MailAddress"}, ""]}],
    }
