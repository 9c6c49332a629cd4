"""What the local cloud's S3 says of objects, by its notifications and by itself."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime
from hashlib import sha256

import boto3
import pytest
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3 import notifications
from moto.s3.models import s3_backends
from moto.s3.responses import S3Response

from devcloud.local.s3 import complete_event, with_number_of_parts


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


@mock_aws
def test_checksum_of_an_object_in_parts_names_their_number__head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(S3Response, "head_object", with_number_of_parts(S3Response.head_object))
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="bronze")
    s3.put_object(Bucket="bronze", Key="whole", Body=b"x", ChecksumAlgorithm="SHA256")
    upload = {"Bucket": "bronze", "Key": "parts"}
    upload |= {"UploadId": s3.create_multipart_upload(**upload, ChecksumAlgorithm="SHA256")["UploadId"]}
    sent = s3.upload_part(**upload, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA256")
    part = {"PartNumber": 1, "ETag": sent["ETag"], "ChecksumSHA256": sent["ChecksumSHA256"]}
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})
    told = {key: s3.head_object(Bucket="bronze", Key=key, ChecksumMode="ENABLED") for key in ("whole", "parts")}
    of_byte = sha256(b"x").digest()
    assert told["whole"]["ChecksumSHA256"] == b64encode(of_byte).decode()
    assert told["parts"]["ChecksumSHA256"] == b64encode(sha256(of_byte).digest()).decode() + "-1"
    assert [told[key]["ChecksumType"] for key in ("whole", "parts")] == ["FULL_OBJECT", "COMPOSITE"]
