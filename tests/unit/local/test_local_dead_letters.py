"""A function that takes the messages of its own dead-letter queue gets event and error of each, as on AWS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.awslambda.utils import get_backend
from moto.core import DEFAULT_ACCOUNT_ID

from devcloud.local.awslambda import _to_dead_letters, _with_attributes
from devcloud.local.lambda_pool import Outcome

REGION = "us-east-1"
EVENT = {"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "transactions/march.csv"}}}]}
TEMPLATE: dict[str, Any] = {
    "Resources": {
        "Dead": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "dead"}},
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": []}}},
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "examiner",
                "Handler": "index.handler",
                "Runtime": "python3.13",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": "def handler(event, context): pass"},
            },
        },
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "BatchSize": 1,
                "FunctionName": {"Ref": "Function"},
                "EventSourceArn": {"Fn::GetAtt": ["Dead", "Arn"]},
            },
        },
    }
}


@pytest.mark.parametrize(("fails", "left"), [(False, 0), (True, 1)])
def test_message_reaches_the_function_with_its_error__and_stays_if_that_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, fails: bool, left: int
) -> None:
    taken: list[dict[str, Any]] = []

    def invoke(_: LambdaFunction, body: str, headers: Any, answer: dict[str, str]) -> bytes:
        taken.append(json.loads(body))
        answer |= {"x-amz-function-error": "Unhandled"} if fails else {}
        return b"{}"

    monkeypatch.setattr(LambdaFunction, "invoke", invoke)
    monkeypatch.setattr(LambdaBackend, "_send_sqs_message", _with_attributes(LambdaBackend._send_sqs_message))
    with mock_aws():
        boto3.client("cloudformation", REGION).create_stack(StackName="small", TemplateBody=json.dumps(TEMPLATE))
        function = get_backend(DEFAULT_ACCOUNT_ID, REGION).get_function("examiner")
        function.dead_letter_arn = f"arn:aws:sqs:{REGION}:{DEFAULT_ACCOUNT_ID}:dead"
        outcome = Outcome("request-1", tmp_path / "log", error={"errorMessage": "Task timed out"})
        _to_dead_letters(function, json.dumps(EVENT), outcome)

        queues = boto3.client("sqs", REGION)
        url = queues.get_queue_url(QueueName="dead")["QueueUrl"]
        lying = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    [record] = taken[0]["Records"]
    assert record["eventSource"] == "aws:sqs"
    assert json.loads(record["body"]) == EVENT
    assert record["messageAttributes"]["ErrorMessage"] == {"stringValue": "Task timed out", "dataType": "String"}
    assert int(lying["ApproximateNumberOfMessages"]) == left
