"""What the notifications of the local cloud's S3 say."""

from __future__ import annotations

from datetime import datetime

import boto3
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3 import notifications
from moto.s3.models import s3_backends

from devcloud.local.s3 import complete_event


@mock_aws
def test_event_says_when_the_object_was_put__to_the_millisecond_and_the_same_each_time() -> None:
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="bronze")
    s3.put_object(Bucket="bronze", Key="k", Body=b"x")
    bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].get_bucket("bronze")
    key = bucket.keys["k"]
    key.last_modified = datetime(2024, 1, 1, 12, 0, 7, 123_999)
    event_of = complete_event(notifications._get_s3_event)
    events = [event_of("s3:ObjectCreated:Put", bucket, key, "n")["Records"][0] for _ in range(2)]
    assert [event["eventTime"] for event in events] == ["2024-01-01T12:00:07.123Z"] * 2
    assert events[0]["s3"]["object"]["sequencer"] == events[1]["s3"]["object"]["sequencer"]
