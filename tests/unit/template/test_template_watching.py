"""What a stack watches of itself: every alarm mails, has its section in the runbook, and is on the dashboard."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from moto.events.models import EventPattern
from sam_template import properties, resources, written

# Alarm → what it counts, and when it goes off.
ALARMS = {
    "KpiErrorsAlarm": ("AWS/Lambda", "Errors", "Sum", 1),
    "KpiThrottlesAlarm": ("AWS/Lambda", "Throttles", "Sum", 1),
    "KpiDurationAlarm": ("AWS/Lambda", "Duration", "Maximum", 720_000),
    "KpiDeadLetterAlarm": ("AWS/SQS", "NumberOfMessagesSent", "Sum", 1),
    "KpiDeadLetterAgeAlarm": ("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", 1800),
    "SweepErrorsAlarm": ("AWS/Lambda", "Errors", "Sum", 1),
    "WorkflowFailedAlarm": ("AWS/States", "ExecutionsFailed", "Sum", 1),
    "BreakerOpenAlarm": ("Assay", "BreakerOpen", "Sum", 1),
    "WatchErrorsAlarm": ("AWS/Lambda", "Errors", "Sum", 1),
    "ReportErrorsAlarm": ("AWS/Lambda", "Errors", "Sum", 1),
    "WaitingAlarm": ("Assay", "WaitingSeconds", "Maximum", 14_400),
}
DIMENSIONS = {
    "AWS/Lambda": [{"Name": "FunctionName", "Value": {"Ref": "KpiFunction"}}],
    "AWS/SQS": [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["KpiDeadLetterQueue", "QueueName"]}}],
    "Assay": [{"Name": "stage", "Value": {"Ref": "Stage"}}],
    "AWS/States": [{"Name": "StateMachineArn", "Value": {"Ref": "Workflow"}}],
}
OTHER_DIMENSIONS = {
    "SweepErrorsAlarm": [{"Name": "FunctionName", "Value": {"Ref": "SweepFunction"}}],
    "WatchErrorsAlarm": [{"Name": "FunctionName", "Value": {"Ref": "WatchFunction"}}],
    "ReportErrorsAlarm": [{"Name": "FunctionName", "Value": {"Ref": "ReportFunction"}}],
    "WaitingAlarm": [{"Name": "service", "Value": "watch"}, {"Name": "stage", "Value": {"Ref": "Stage"}}],
}
JOBS = ("SilverJob", "GoldJob", "ReplaySilverJob", "ReplayGoldJob")


def dashboard() -> list[dict[str, Any]]:
    """Return the widgets as they are written, with the names of resources in the place of theirs."""
    widgets: list[dict[str, Any]] = json.loads(properties("Dashboard")["DashboardBody"]["Fn::Sub"])["widgets"]
    return widgets


@pytest.mark.parametrize("name", ALARMS)
def test_alarm_mails_at_the_first_event(name: str) -> None:
    alarm = properties(name)

    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"], alarm["Threshold"]) == ALARMS[name]
    assert alarm["Dimensions"] == OTHER_DIMENSIONS.get(name, DIMENSIONS[alarm["Namespace"]])
    assert (alarm["EvaluationPeriods"], alarm["ComparisonOperator"]) == (1, "GreaterThanOrEqualToThreshold")
    assert alarm["TreatMissingData"] == "notBreaching"
    assert alarm["AlarmActions"] == [{"Ref": "MailTopic"}]
    told = alarm["AlarmDescription"]
    assert re.search(r"\bmoney( of it)? moved\b", told)
    assert re.search(r" What to do next[^`]*: [^`]*`assay [^`]+`, then docs/runbook\.md, section .+\.$", told)


def test_duration_alarm_goes_off_before_the_timeout() -> None:
    timeout = properties("KpiFunction")["Timeout"] * 1000

    assert timeout / 2 < properties("KpiDurationAlarm")["Threshold"] < timeout


def test_breaker_alarm_lasts_from_one_probe_to_the_next() -> None:
    probes = properties("Workflow")["DefinitionSubstitutions"]["ProbeSeconds"]

    assert properties("BreakerOpenAlarm")["Period"] > 2 * probes


def test_waiting_alarm_leaves_time_for_two_runs__the_one_in_progress_and_the_files_own() -> None:
    minutes = properties("SilverJob")["Timeout"]

    assert properties("WaitingAlarm")["Threshold"] == 2 * minutes * 60


def test_watch_function_is_called_by_the_clock__for_both_tasks() -> None:
    rules = {
        rule["ScheduleExpression"]: json.loads(target["Input"])["task"]
        for name, rule in ((name, body["Properties"]) for name, body in resources("AWS::Events::Rule").items())
        if name.startswith("WatchFunction")
        for target in rule["Targets"]
    }

    assert rules == {"rate(5 minutes)": "waiting", "rate(1 hour)": "digest"}


def test_publications_wait_in_a_queue_that_outlives_a_call_of_the_digest() -> None:
    queue, [subscription] = properties("DigestQueue"), properties("DigestTopic")["Subscription"]
    [statement] = properties("DigestQueuePolicy")["PolicyDocument"]["Statement"]

    assert queue["VisibilityTimeout"] > properties("WatchFunction")["Timeout"]
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    # Not raw: the digest reads the subject, too.
    assert subscription == {"Protocol": "sqs", "Endpoint": {"Fn::GetAtt": ["DigestQueue", "Arn"]}}
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Ref": "DigestTopic"}}}


def test_topic_lets_every_alarm_publish() -> None:
    [statement] = [s for s in properties("MailTopicPolicy")["PolicyDocument"]["Statement"] if s["Sid"] == "Alarms"]

    allowed = [source["Fn::GetAtt"][0] for source in statement["Condition"]["ArnEquals"]["aws:SourceArn"]]
    assert allowed == list(resources("AWS::CloudWatch::Alarm"))


def test_dashboard_shows_every_alarm() -> None:
    [widget] = [each for each in dashboard() if each["type"] == "alarm"]

    shown = [arn.removeprefix("${").removesuffix(".Arn}") for arn in widget["properties"]["alarms"]]
    assert shown == list(resources("AWS::CloudWatch::Alarm"))


def test_dashboard_shows_the_metrics_of_the_alarms_and_of_the_files() -> None:
    text = json.dumps(dashboard())

    counted = {metric for _, metric, _, _ in ALARMS.values()} - {"ApproximateAgeOfOldestMessage"}
    assert {metric for metric in counted if f'"{metric}"' not in text} == set()
    searched = set(re.findall(r'MetricName=\\"(\w+)', text))
    assert searched == {
        f"{unit}{decision}" for unit in ("Rows", "Cents") for decision in ("Accepted", "Rejected", "Published")
    }
    assert "{Assay,service,stage,subject}" in text


def test_dashboard_names_no_resource_that_is_not_there() -> None:
    named = set(re.findall(r"\$\{(\w+)", properties("Dashboard")["DashboardBody"]["Fn::Sub"])) - {"AWS", "Stage"}

    assert named <= set(written()["Resources"])
    assert {"KpiFunction", "Workflow", "SilverJob", "GoldJob"} <= named


def test_dashboard_has_a_name_of_its_own__in_each_region() -> None:
    assert properties("Dashboard")["DashboardName"] == {"Fn::Sub": "assay-${Stage}-${AWS::Region}"}


@pytest.mark.parametrize(
    ("job", "state", "mailed"),
    [
        ("SilverJob", "FAILED", True),
        ("ReplayGoldJob", "TIMEOUT", True),
        ("GoldJob", "SUCCEEDED", False),
        ("GoldJob", "STOPPED", False),
        ("a job of others", "FAILED", False),
    ],
)
def test_rule_mails_runs_that_failed__of_the_own_jobs(job: str, state: str, mailed: bool) -> None:
    pattern = json.dumps(properties("JobFailedRule")["EventPattern"])
    for name in JOBS:
        pattern = pattern.replace(f'{{"Ref": "{name}"}}', f'"{name}"')
    event = {"source": "aws.glue", "detail-type": "Glue Job State Change", "detail": {"jobName": job, "state": state}}

    assert EventPattern.load(pattern).matches_event(event) is mailed


@pytest.mark.parametrize("rule", ["WorkflowEndedRule", "JobFailedRule"])
def test_rule_fills_in_what_its_mail_shows(rule: str) -> None:
    [target] = properties(rule)["Targets"]
    template = target["InputTransformer"]["InputTemplate"]["Fn::Sub"]

    assert target["Arn"] == {"Ref": "MailTopic"}
    assert set(re.findall(r"<(\w+)>", template)) == set(target["InputTransformer"]["InputPathsMap"])
    assert "money moved" in template
    assert template.count("`assay ") == 1, "one command"
    # EventBridge takes a text of several lines only as one quoted string a line.
    assert [line for line in template.splitlines() if not re.fullmatch(r'"([^"\\]|\\")*"', line)] == []


def test_concurrency_is_reserved__a_number_is_given() -> None:
    parameter = written()["Parameters"]["KpiConcurrency"]

    assert (parameter["Default"], parameter["MinValue"]) == (0, 0)
    assert written()["Conditions"]["ReservesConcurrency"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "KpiConcurrency"}, 0]}]
    }
    assert properties("KpiFunction")["ReservedConcurrentExecutions"] == {
        "Fn::If": ["ReservesConcurrency", {"Ref": "KpiConcurrency"}, {"Ref": "AWS::NoValue"}]
    }
