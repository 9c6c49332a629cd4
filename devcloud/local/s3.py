"""Makes moto's S3 take bucket settings from CloudFormation and send the notifications that S3 sends."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any
from urllib.parse import quote_plus

from moto.core.utils import iso_8601_datetime_with_milliseconds
from moto.s3 import notifications
from moto.s3.models import FakeBucket, s3_backends
from moto.s3.responses import S3Response

from devcloud.local.awslambda import Functions
from devcloud.local.patching import Function, wrap, wrap_classmethod

# S3 leaves these characters of a key as they are; moto also encodes the slash.
_KEY_SAFE = "/*-_."
_counter = itertools.count(int(time.time() * 1000) << 16)


def install(functions: Functions) -> None:
    wrap_classmethod(FakeBucket, "create_from_cloudformation_json", _with_settings)
    wrap_classmethod(FakeBucket, "update_from_cloudformation_json", lambda original: _with_settings(_named(original)))
    wrap(notifications, "_get_s3_event", complete_event)
    wrap(S3Response, "head_object", with_number_of_parts)
    wrap(notifications, "_invoke_awslambda", lambda original: _asynchronous(functions))


def _with_settings(original: Function) -> Function:
    # Until moto reads these properties of AWS::S3::Bucket.
    def from_cloudformation(cls: type, *args: Any, **kwargs: Any) -> FakeBucket:
        bucket: FakeBucket = original(cls, *args, **kwargs)
        document = kwargs.get("cloudformation_json") or args[1]
        properties = document.get("Properties", {})
        if versioning := properties.get("VersioningConfiguration"):
            bucket.versioning_status = versioning["Status"]
        bucket.set_notification_configuration(_notifications(properties.get("NotificationConfiguration", {})))
        return bucket

    return from_cloudformation


def _named(original: Function) -> Function:
    # Until moto updates a bucket without a BucketName: it looks for the property as soon as there are tags.
    def update_from_cloudformation_json(cls: type, **kwargs: Any) -> FakeBucket:
        kwargs["cloudformation_json"]["Properties"].setdefault("BucketName", kwargs["original_resource"].name)
        updated: FakeBucket = original(cls, **kwargs)
        return updated

    return update_from_cloudformation_json


def _notifications(properties: dict[str, Any]) -> dict[str, Any]:
    """Translate from CloudFormation's words into those of S3's own interface."""
    kinds = [
        ("LambdaConfigurations", "Function", "CloudFunctionConfiguration", "CloudFunction"),
        ("QueueConfigurations", "Queue", "QueueConfiguration", "Queue"),
        ("TopicConfigurations", "Topic", "TopicConfiguration", "Topic"),
    ]
    return {
        theirs: [_notification(item, arn=item[target], name=name) for item in properties[ours]]
        for ours, target, theirs, name in kinds
        if ours in properties
    }


def _notification(item: dict[str, Any], *, arn: str, name: str) -> dict[str, Any]:
    translated: dict[str, Any] = {"Event": [item["Event"]], name: arn}
    if "Filter" in item:
        rules = item["Filter"]["S3Key"]["Rules"]
        translated["Filter"] = {"S3Key": {"FilterRule": [{**rule, "Name": rule["Name"].lower()} for rule in rules]}}
    return translated


def complete_event(original: Function) -> Function:
    """Return a maker of events that say what those of S3 say."""

    # Until moto sends version, sequencer, a key with its slashes, and when the object was put.
    def _get_s3_event(event_name: str, bucket: FakeBucket, key: Any, notification_id: str) -> dict[str, Any]:
        event: dict[str, Any] = original(event_name, bucket, key, notification_id)
        record = event["Records"][0]
        record["eventTime"] = iso_8601_datetime_with_milliseconds(key.last_modified)
        described = record["s3"]["object"]
        described["key"] = quote_plus(key.name, safe=_KEY_SAFE)
        described["sequencer"] = sequencer(key)
        if bucket.versioning_status:
            described["versionId"] = key.version_id
        return event

    return _get_s3_event


def with_number_of_parts(original: Function) -> Function:
    """Return a HEAD that says of a checksum over those of parts that it is one, and over how many."""

    # Until moto says so: its GET does.
    def head_object(self: Any, bucket_name: str, query: Any, key_name: str, headers: Any) -> Any:
        status, found, body = original(self, bucket_name, query, key_name, headers)
        if headers.get("x-amz-checksum-mode") == "ENABLED" and "x-amz-sdk-checksum-algorithm" in found:
            version_id = query.get("versionId", [None])[0]
            key = self.backend.head_object(bucket_name, key_name, version_id=version_id)
            found["x-amz-checksum-type"] = key.checksum_type or "FULL_OBJECT"
            if key.checksum_type == "COMPOSITE":
                found[f"x-amz-checksum-{key.checksum_algorithm.lower()}"] += f"-{key.checksum_parts}"
        return status, found, body

    return head_object


def sequencer(key: Any) -> str:
    """Return the sequencer of one object version: hexadecimal, rising, and the same in every event about it."""
    if not hasattr(key, "sequencer"):
        key.sequencer = f"{next(_counter):018X}"
    return str(key.sequencer)


def _asynchronous(functions: Functions) -> Function:
    # Until moto invokes functions asynchronously: it makes the uploader wait, and swallows failures.
    def _invoke_awslambda(account_id: str, event_body: Any, fn_arn: str, region_name: str) -> None:
        functions.submit(fn_arn, json.dumps(event_body))

    return _invoke_awslambda


def object_text(bucket: str, key: str, *, account_id: str) -> str:
    """Return an object of the emulated S3 as text."""
    found = s3_backends[account_id]["aws"].get_object(bucket, key)
    if found is None:
        raise FileNotFoundError(f"s3://{bucket}/{key}")
    return found.value.decode()
