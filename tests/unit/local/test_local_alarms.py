"""Alarms as CloudFormation declares them: nothing goes off, but what refers to one can be deployed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from devcloud.local.alarm_resources import Alarm

REGION = "us-east-1"
TEMPLATE = {
    "Resources": {
        "Errors": {"Type": Alarm.cloudformation_type(), "Properties": {"AlarmName": "errors", "Threshold": 1}},
        "Page": {
            "Type": "AWS::CloudWatch::Dashboard",
            "Properties": {"DashboardName": "page", "DashboardBody": {"Fn::Sub": '{"alarms": ["${Errors.Arn}"]}'}},
        },
    }
}


@pytest.fixture
def region(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield REGION


def test_dashboard_names_the_alarm_by_its_arn__both_in_one_stack(region: str) -> None:
    cloudformation = boto3.client("cloudformation", region)
    cloudformation.create_stack(StackName="watched", TemplateBody=json.dumps(TEMPLATE))

    body = boto3.client("cloudwatch", region).get_dashboard(DashboardName="page")["DashboardBody"]

    assert json.loads(body) == {"alarms": [f"arn:aws:cloudwatch:{REGION}:123456789012:alarm:errors"]}
    cloudformation.delete_stack(StackName="watched")
