"""Says which parts of a template the local cloud does not emulate, so that nobody believes they were exercised."""

from __future__ import annotations

from pathlib import Path

from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

EMULATED = frozenset(
    {
        "AWS::DynamoDB::Table",
        "AWS::Events::Rule",
        "AWS::Glue::Database",
        "AWS::Glue::Job",
        "AWS::KMS::Key",
        "AWS::Lambda::Function",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::SNS::Topic",
        "AWS::SQS::Queue",
        "AWS::SecretsManager::Secret",
        "AWS::Serverless::Function",
        "AWS::Serverless::StateMachine",
        "AWS::StepFunctions::StateMachine",
    }
)
_UNKNOWN = "unknown to the local cloud, nothing is created"
_REASONS = {
    "AWS::CloudWatch::Alarm": "no metrics are collected, so no alarm goes off",
    "AWS::CloudWatch::Dashboard": "no metrics are collected, so there is nothing to show",
    "AWS::IAM::Role": "the role is created, but nothing is ever forbidden",
    "AWS::IAM::Policy": "the policy is created, but nothing is ever forbidden",
    "AWS::IAM::ManagedPolicy": "the policy is created, but nothing is ever forbidden",
    "AWS::Lambda::Permission": "anyone may invoke a function",
    "AWS::S3::BucketPolicy": "anyone may use a bucket, without TLS too",
    "AWS::SNS::Subscription": "mails are kept as files instead of being sent",
    "AWS::SNS::TopicPolicy": "anyone may publish to a topic",
    "AWS::SQS::QueuePolicy": "anyone may use a queue",
}
_PROPERTIES = {
    ("AWS::DynamoDB::Table", "PointInTimeRecoverySpecification"): "there are no backups",
    ("AWS::KMS::Key", "KeyPolicy"): "anyone may use a key, and nothing is encrypted",
    ("AWS::Logs::LogGroup", "DataProtectionPolicy"): "what Spark logs is not masked",
    ("AWS::Logs::LogGroup", "RetentionInDays"): "logs are kept as files until the folder is deleted",
    ("AWS::S3::Bucket", "LifecycleConfiguration"): "objects neither move nor expire",
    ("AWS::S3::Bucket", "BucketEncryption"): "objects are kept in memory, unencrypted",
    ("AWS::S3::Bucket", "PublicAccessBlockConfiguration"): "anyone may use a bucket",
    ("AWS::Serverless::Function", "Policies"): "nothing is ever forbidden",
    ("AWS::Serverless::Function", "ReservedConcurrentExecutions"): "calls are limited by the machine alone",
    ("AWS::Serverless::Function", "Tracing"): "there are no traces",
    ("AWS::Serverless::StateMachine", "Logging"): "there is no log beside the execution's history",
    ("AWS::Serverless::StateMachine", "Policies"): "nothing is ever forbidden",
    ("AWS::Serverless::StateMachine", "Tracing"): "there are no traces",
}


def not_emulated(template: Path) -> list[tuple[str, str, str]]:
    """Return logical id, type (or type and property) and reason of all that is not emulated."""
    resources = yaml_parse(template.read_text())["Resources"]
    types = [
        (logical_id, resource["Type"], _REASONS.get(resource["Type"], _UNKNOWN))
        for logical_id, resource in resources.items()
        if resource["Type"] not in EMULATED
    ]
    properties = [
        (logical_id, f"{kind}.{name}", reason)
        for logical_id, resource in resources.items()
        for (kind, name), reason in _PROPERTIES.items()
        if resource["Type"] == kind and name in resource.get("Properties", {})
    ]
    schedules = [
        (logical_id, f"{resource['Type']}.Events.{name}", "no clock runs, so nothing is called by a schedule")
        for logical_id, resource in resources.items()
        for name, event in resource.get("Properties", {}).get("Events", {}).items()
        if event["Type"] == "Schedule"
    ]
    return types + properties + schedules
