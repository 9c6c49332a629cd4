from __future__ import annotations

from typing import Any

import pytest
from sam_template import properties, resources, transformed

BUCKETS = ["BronzeBucket", "LakeBucket"]


def lifecycle(bucket: str) -> dict[str, dict[str, Any]]:
    return {rule["Id"]: rule for rule in properties(bucket)["LifecycleConfiguration"]["Rules"]}


@pytest.mark.parametrize("name", [*BUCKETS, "LedgerTable", "SilverDatabase", "GoldDatabase"])
def test_template_retains__data(name: str) -> None:
    body = transformed()["Resources"][name]

    assert (body["DeletionPolicy"], body["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_template_has_two_buckets_and_one_trigger() -> None:
    triggers = {
        name: "NotificationConfiguration" in body["Properties"] for name, body in resources("AWS::S3::Bucket").items()
    }

    assert triggers == {"BronzeBucket": True, "LakeBucket": False}


def test_template_triggers_the_function__objects_under_transactions() -> None:
    bronze = transformed()["Resources"]["BronzeBucket"]["Properties"]

    [trigger] = bronze["NotificationConfiguration"]["LambdaConfigurations"]
    assert trigger["Event"] == "s3:ObjectCreated:*"
    assert trigger["Filter"]["S3Key"]["Rules"] == [{"Name": "prefix", "Value": "transactions/"}]
    assert trigger["Function"] == {"Fn::GetAtt": ["KpiFunction", "Arn"]}


@pytest.mark.parametrize("bucket", BUCKETS)
def test_template_encrypts_and_closes__bucket(bucket: str) -> None:
    declared = properties(bucket)

    [rule] = declared["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert declared["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert set(declared["PublicAccessBlockConfiguration"].items()) == {
        ("BlockPublicAcls", True),
        ("BlockPublicPolicy", True),
        ("IgnorePublicAcls", True),
        ("RestrictPublicBuckets", True),
    }


@pytest.mark.parametrize("bucket", BUCKETS)
def test_template_denies_requests_without_tls__bucket(bucket: str) -> None:
    [policy] = [
        p["Properties"]
        for p in resources("AWS::S3::BucketPolicy").values()
        if p["Properties"]["Bucket"] == {"Ref": bucket}
    ]

    [statement] = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == [{"Fn::GetAtt": [bucket, "Arn"]}, {"Fn::Sub": f"${{{bucket}.Arn}}/*"}]


def test_template_keeps_every_version_and_makes_old_ones_cheaper__bronze() -> None:
    assert properties("BronzeBucket")["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = lifecycle("BronzeBucket")
    steps = rules["old-versions-grow-cheaper"]["NoncurrentVersionTransitions"]
    assert [step["StorageClass"] for step in steps] == ["STANDARD_IA", "GLACIER_IR"]
    expiring = {key for rule in rules.values() for key in rule if "Expiration" in key}
    assert expiring == set()


@pytest.mark.parametrize("bucket", BUCKETS)
def test_template_ends_broken_uploads__bucket(bucket: str) -> None:
    assert lifecycle(bucket)["broken-uploads-end"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


def test_template_expires_staging_and_nothing_else__lake() -> None:
    expiring = {
        rule.get("Prefix"): rule["ExpirationInDays"]
        for rule in lifecycle("LakeBucket").values()
        if "ExpirationInDays" in rule
    }

    assert expiring == {"staging/": 1}


def test_template_declares_the_ledger_as_in_the_contract() -> None:
    ledger = properties("LedgerTable")

    assert ledger["BillingMode"] == "PAY_PER_REQUEST"
    assert ledger["KeySchema"] == [{"AttributeName": "file_id", "KeyType": "HASH"}]
    [index] = ledger["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "waiting"
    assert [(key["AttributeName"], key["KeyType"]) for key in index["KeySchema"]] == [
        ("waiting_for", "HASH"),
        ("waiting_since", "RANGE"),
    ]
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert {a["AttributeType"] for a in ledger["AttributeDefinitions"]} == {"S"}
    assert ledger["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert ledger["SSESpecification"] == {"SSEEnabled": True}


def test_template_keeps_logs_for_a_bounded_time() -> None:
    groups = resources("AWS::Logs::LogGroup")

    assert {body["Properties"]["RetentionInDays"]["Ref"] for body in groups.values()} == {"LogDays"}
    assert properties("KpiFunction")["LoggingConfig"]["LogGroup"] == {"Ref": "KpiLogGroup"}
    [destination] = properties("Workflow")["Logging"]["Destinations"]
    assert destination == {"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": ["WorkflowLogGroup", "Arn"]}}}
    prefix = properties("SilverJob")["DefaultArguments"]["--custom-logGroup-prefix"]["Fn::Sub"]
    glue_groups = {properties(name)["LogGroupName"]["Fn::Sub"] for name in ("GlueOutputLogGroup", "GlueErrorLogGroup")}
    assert glue_groups == {f"{prefix}/output", f"{prefix}/error"}
