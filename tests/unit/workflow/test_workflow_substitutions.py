"""The template and the definition must agree; no linter opens both."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

from samtranslator.yaml_helper import yaml_parse
from state_machine import ROOT, states, text

PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


def workflow() -> dict[str, Any]:
    return properties("Workflow")


@functools.cache
def template() -> dict[str, Any]:
    written: dict[str, Any] = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))
    return written


def properties(name: str) -> dict[str, Any]:
    found: dict[str, Any] = template()["Resources"][name]["Properties"]
    return found


def test_definition_is_json_before_substitution_with_placeholders_in_texts_only() -> None:
    def texts(node: Any) -> list[str]:
        if isinstance(node, dict):
            return [found for value in node.values() for found in texts(value)]
        if isinstance(node, list):
            return [found for item in node for found in texts(item)]
        return [node] if isinstance(node, str) else []

    inside = sum(len(PLACEHOLDER.findall(value)) for value in texts(json.loads(text())))

    assert inside == len(PLACEHOLDER.findall(text()))
    assert inside > 0


def test_template_substitutes_what_the_definition_names_and_no_more() -> None:
    assert set(workflow()["DefinitionSubstitutions"]) == set(PLACEHOLDER.findall(text()))
    assert workflow()["DefinitionUri"] == "statemachine/workflow.asl.json"


def test_substituted_limits_become_numbers() -> None:
    counts = states()["Start the counts"]["Parameters"]

    assert counts["limits"] == {
        "polls.$": "States.MathAdd(${MaximumPolls}, 0)",
        "gather.$": "States.MathAdd(${GatherSeconds}, 0)",
        "probe.$": "States.MathAdd(${ProbeSeconds}, 0)",
    }
    assert counts["polls"] == {
        "made": 0,
        "pause.$": "States.MathAdd(${PollSeconds}, 0)",
        "at.$": "$$.State.EnteredTime",
    }


def test_each_pause_is_a_second_longer_than_the_one_before() -> None:
    assert states()["Wait before the next look"]["SecondsPath"] == "$.polls.pause"
    assert states()["Count the poll"]["Parameters"]["pause.$"] == "States.MathAdd($.polls.pause, 1)"


def test_polls_fit_into_an_executions_history() -> None:
    # Between two polls lie at the most a run that fails, ten other states and four calls of services: at most 50 events
    # of 25,000.
    assert workflow()["DefinitionSubstitutions"]["MaximumPolls"] * 50 < 20_000


def test_publications_alone_go_to_the_digest__where_the_stack_says_so() -> None:
    topics = {
        name: state["Parameters"]["topic"] for name, state in states().items() if name.startswith("Compose the mail")
    }

    assert {name for name, topic in topics.items() if topic == "${PublishedTopic}"} == {"Compose the mail: published"}
    assert set(topics.values()) == {"${PublishedTopic}", "${MailTopic}"}
    assert states()["Send the mail"]["Parameters"]["TopicArn.$"] == "$.mail.topic"
    chosen = workflow()["DefinitionSubstitutions"]["PublishedTopic"]
    assert chosen == {"Fn::If": ["Digests", {"Ref": "DigestTopic"}, {"Ref": "MailTopic"}]}


def test_workflow_may_do_what_its_states_call() -> None:
    needed = {"dynamodb:GetItem", "dynamodb:UpdateItem", "glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns"}
    needed |= {"glue:BatchStopJobRun"}
    [policy] = properties("WorkflowRole")["Policies"]
    mails, metrics, *statements = policy["PolicyDocument"]["Statement"]

    granted = {action for s in statements if s["Sid"] != "DeliverLogs" for action in s["Action"]}

    assert granted == needed
    assert metrics["Action"] == "cloudwatch:PutMetricData"
    assert metrics["Condition"] == {"StringEquals": {"cloudwatch:namespace": "Assay"}}
    assert (mails["Action"], mails["Resource"]) == ("sns:Publish", [{"Ref": "MailTopic"}, {"Ref": "DigestTopic"}])
    assert workflow()["Role"] == {"Fn::GetAtt": ["WorkflowRole", "Arn"]}


def test_workflow_is_standard_logs_everything_but_data_and_traces() -> None:
    assert workflow()["Type"] == "STANDARD"
    assert (workflow()["Logging"]["Level"], workflow()["Logging"]["IncludeExecutionData"]) == ("ALL", False)
    assert workflow()["Tracing"] == {"Enabled": True}
