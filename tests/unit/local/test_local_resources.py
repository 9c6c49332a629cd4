"""What a deployment says it does not emulate."""

from __future__ import annotations

from pathlib import Path

from devcloud.local.resources import not_emulated

TEMPLATE = """
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties: { LifecycleConfiguration: {}, BucketName: !Sub "a-${AWS::Region}" }
  Alarm: { Type: AWS::CloudWatch::Alarm }
  Odd: { Type: "AWS::Nobody::Knows" }
  Queue: { Type: "AWS::SQS::Queue" }
  Function:
    Type: AWS::Serverless::Function
    Properties: { Events: { Hour: { Type: Schedule }, Upload: { Type: S3 } } }
"""


def test_not_emulated_names_types_and_properties__mixed_template(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    assert not_emulated(path) == [
        ("Alarm", "AWS::CloudWatch::Alarm", "no metrics are collected, so no alarm goes off"),
        ("Odd", "AWS::Nobody::Knows", "unknown to the local cloud, nothing is created"),
        ("Bucket", "AWS::S3::Bucket.LifecycleConfiguration", "objects neither move nor expire"),
        ("Function", "AWS::Serverless::Function.Events.Hour", "no clock runs, so nothing is called by a schedule"),
    ]
