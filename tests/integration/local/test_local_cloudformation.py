"""Updates of stacks: what a condition has kept away is made once the condition holds, and is no fault before."""

from __future__ import annotations

import json
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.cloudformation import parsing

from devcloud.local.cloudformation import _keeping_what_cannot_change

ALLOW = {"Effect": "Allow", "Action": "kms:Sign", "Resource": {"Ref": "Key"}}
TEMPLATE = {
    "Parameters": {"Key": {"Type": "String"}, "Name": {"Type": "String"}},
    "Conditions": {"HasKey": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Key"}, ""]}]}},
    "Resources": {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": "runner", "AssumeRolePolicyDocument": {}}},
        "Policy": {
            "Type": "AWS::IAM::Policy",
            "Condition": "HasKey",
            "Properties": {
                "PolicyName": {"Ref": "Name"},
                "Roles": [{"Ref": "Role"}],
                "PolicyDocument": {"Version": "2012-10-17", "Statement": [ALLOW]},
            },
        },
    },
}


@mock_aws
def test_conditional_resource_is_made_by_an_update__its_condition_holds_from_then_on() -> None:
    cloudformation, iam = (boto3.client(name, region_name="us-east-1") for name in ("cloudformation", "iam"))

    def policies_after(key: str, name: str) -> list[str]:
        values = {"Key": key, "Name": name}
        parameters = [{"ParameterKey": each, "ParameterValue": value} for each, value in values.items()]
        act = (
            cloudformation.update_stack
            if cloudformation.list_stacks()["StackSummaries"]
            else cloudformation.create_stack
        )
        act(StackName="one", TemplateBody=json.dumps(TEMPLATE), Parameters=parameters)
        names: list[str] = iam.list_role_policies(RoleName="runner")["PolicyNames"]
        return names

    quick = _keeping_what_cannot_change(parsing.parse_and_update_resource)
    with patch.object(parsing, "parse_and_update_resource", quick):
        assert policies_after("", "first") == []
        assert policies_after("", "second") == []
        assert policies_after("arn:aws:kms:us-east-1:123456789012:key/one", "second") == ["second"]
