"""Which permissions a call takes; the lists are those of AWS's Service Authorization Reference."""

from __future__ import annotations

from typing import Any

import pytest

from devcloud.local.permissions import Request, permissions, s3_operation

ACCOUNT = "us-east-1:123456789012"
UPLOAD = "arn:aws:s3:::b/k/a.csv"


def needed(service: str, operation: str, **rest: Any) -> list[tuple[str, str]]:
    found = permissions(Request(service, operation, "us-east-1", **rest))
    return [(each["action"], each["resource"]) for each in found]


@pytest.mark.parametrize(
    ("method", "path", "query", "operation"),
    [
        ("GET", "/", "", "ListBuckets"),
        ("HEAD", "/b", "", "HeadBucket"),
        ("PUT", "/b/", "", "CreateBucket"),
        ("GET", "/b", "list-type prefix", "ListObjectsV2"),
        ("GET", "/b/", "prefix", "ListObjects"),
        ("GET", "/b", "versions", "ListObjectVersions"),
        ("GET", "/b", "uploads", "ListMultipartUploads"),
        ("POST", "/b/", "delete", "DeleteObjects"),
        ("DELETE", "/b", "", "DELETEBucket"),
        ("GET", "/b/k/x", "versionId", "GetObject"),
        ("GET", "/b/k", "tagging versionId", "GetObjectTagging"),
        ("GET", "/b/k", "uploadId", "ListParts"),
        ("HEAD", "/b/k", "", "HeadObject"),
        ("PUT", "/b/k", "x-id", "PutObject"),
        ("PUT", "/b/k", "partNumber uploadId", "UploadPart"),
        ("POST", "/b/k", "uploads", "CreateMultipartUpload"),
        ("POST", "/b/k", "uploadId", "CompleteMultipartUpload"),
        ("DELETE", "/b/k", "uploadId", "AbortMultipartUpload"),
        ("DELETE", "/b/k", "versionId", "DeleteObject"),
    ],
)
def test_operation_of_s3_has_the_sdks_name(method: str, path: str, query: str, operation: str) -> None:
    assert s3_operation(method, path, dict.fromkeys(query.split(), ""), {}) == operation


def test_operation_of_s3_is_a_copy__header_names_a_source() -> None:
    assert s3_operation("PUT", "/b/k", {}, {"x-amz-copy-source": "b/other"}) == "CopyObject"


@pytest.mark.parametrize(
    ("operation", "action"),
    [
        ("GetObject", "GetObject"),
        ("HeadObject", "GetObject"),
        ("PutObject", "PutObject"),
        ("UploadPart", "PutObject"),
        ("CompleteMultipartUpload", "PutObject"),
        ("AbortMultipartUpload", "AbortMultipartUpload"),
        ("ListParts", "ListMultipartUploadParts"),
        ("DeleteObject", "DeleteObject"),
    ],
)
def test_call_on_an_object_takes_one_action(operation: str, action: str) -> None:
    assert needed("s3", operation, path="/b/k/a.csv") == [(f"s3:{action}", UPLOAD)]


@pytest.mark.parametrize("operation", ["GetObject", "HeadObject"])
def test_read_of_a_version_takes_the_action_of_versions(operation: str) -> None:
    found = needed("s3", operation, path="/b/k/a.csv", query={"versionId": "1"})

    assert found == [("s3:GetObjectVersion", UPLOAD)]


@pytest.mark.parametrize("operation", ["DeleteMessage", "DeleteMessageBatch"])
def test_messages_take_one_action_on_their_queue(operation: str) -> None:
    given = {"QueueUrl": "http://localhost:1/123456789012/digest"}

    assert needed("sqs", operation, given=given) == [("sqs:DeleteMessage", f"arn:aws:sqs:{ACCOUNT}:digest")]


@pytest.mark.parametrize("operation", ["Sign", "GetPublicKey"])
def test_use_of_a_key_takes_its_action_on_it(operation: str) -> None:
    key = f"arn:aws:kms:{ACCOUNT}:key/of-evidence"

    assert needed("kms", operation, given={"KeyId": key}) == [(f"kms:{operation}", key)]


@pytest.mark.parametrize(("operation", "action"), [("GetObject", "Decrypt"), ("PutObject", "GenerateDataKey")])
def test_call_on_an_object_under_a_key_takes_the_key_too__through_s3(operation: str, action: str) -> None:
    key = f"arn:aws:kms:{ACCOUNT}:key/of-cards"
    found = permissions(Request("s3", operation, "us-east-1", path="/b/k/a.csv", key_arn=key))[-1]

    context = {"kms:ViaService": "s3.us-east-1.amazonaws.com"}
    assert found == {"action": f"kms:{action}", "resource": key, "context": context}


def test_look_at_an_object_takes_no_key() -> None:
    found = permissions(Request("s3", "HeadObject", "us-east-1", path="/b/k/a.csv", key_arn="arn"))

    assert [each["action"] for each in found] == ["s3:GetObject"]


@pytest.mark.parametrize(("query", "action"), [({}, "ListBucket"), ({"versionId": "1"}, "ListBucketVersions")])
def test_answer_that_nothing_is_there_takes_the_right_to_list(query: dict[str, str], action: str) -> None:
    found = needed("s3", "HeadObject", path="/b/k/a.csv", query=query, status=404)

    assert found[1:] == [(f"s3:{action}", "arn:aws:s3:::b")]


def test_listing_takes_the_bucket__with_its_prefix_as_a_key() -> None:
    (found,) = permissions(
        Request("s3", "ListObjectsV2", "us-east-1", path="/b", query={"prefix": "a/", "list-type": ""})
    )

    assert (found["action"], found["resource"]) == ("s3:ListBucket", "arn:aws:s3:::b")
    assert found["context"] == {"s3:ResourceAccount": "123456789012", "s3:prefix": "a/"}


def test_copy_takes_both_sides() -> None:
    headers = {"x-amz-copy-source": "/bronze/k/%C3%BC%20x.csv?versionId=7"}
    assert needed("s3", "CopyObject", path="/b/k/a.csv", headers=headers) == [
        ("s3:PutObject", UPLOAD),
        ("s3:GetObjectVersion", "arn:aws:s3:::bronze/k/ü x.csv"),
    ]


def test_deletion_of_many_takes_each_object() -> None:
    body = b"<Delete><Object><Key>k/1</Key></Object><Object><Key>k/2</Key></Object></Delete>"

    found = needed("s3", "DeleteObjects", path="/b", body=body)
    assert found == [("s3:DeleteObject", f"arn:aws:s3:::b/k/{n}") for n in (1, 2)]


@pytest.mark.parametrize(
    ("operation", "given", "resources"),
    [
        ("GetItem", {"TableName": "t"}, ["table/t"]),
        ("Query", {"TableName": "t", "IndexName": "i"}, ["table/t/index/i"]),
        ("BatchGetItem", {"RequestItems": {"t": {}, "u": {}}}, ["table/t", "table/u"]),
    ],
)
def test_call_of_dynamodb_takes_its_tables(operation: str, given: dict[str, Any], resources: list[str]) -> None:
    expected = [(f"dynamodb:{operation}", f"arn:aws:dynamodb:{ACCOUNT}:{resource}") for resource in resources]
    assert needed("dynamodb", operation, given=given) == expected


@pytest.mark.parametrize(
    ("operation", "given", "resources"),
    [
        ("GetDatabase", {"Name": "d"}, ["catalog", "database/d"]),
        ("GetTable", {"DatabaseName": "d", "Name": "t"}, ["catalog", "database/d", "table/d/t"]),
        ("CreateTable", {"DatabaseName": "d", "TableInput": {"Name": "t"}}, ["catalog", "database/d", "table/d/t"]),
        ("GetTables", {"DatabaseName": "d"}, ["catalog", "database/d", "table/d/*"]),
        ("StartJobRun", {"JobName": "j"}, ["job/j"]),
    ],
)
def test_call_of_glue_takes_each_level_of_the_catalog(
    operation: str, given: dict[str, Any], resources: list[str]
) -> None:
    expected = [(f"glue:{operation}", f"arn:aws:glue:{ACCOUNT}:{resource}") for resource in resources]
    assert needed("glue", operation, given=given) == expected


@pytest.mark.parametrize(
    ("service", "operation", "given", "resource"),
    [
        ("states", "StartExecution", {"stateMachineArn": "arn:m", "name": "x"}, "arn:m"),
        ("states", "DescribeExecution", {"executionArn": "arn:e"}, "arn:e"),
        ("sns", "Publish", {"TopicArn": "arn:t"}, "arn:t"),
        ("secretsmanager", "GetSecretValue", {"SecretId": "arn:s"}, "arn:s"),
        ("cloudformation", "DescribeStacks", {"StackName": "a"}, f"arn:aws:cloudformation:{ACCOUNT}:stack/a/*"),
        ("sts", "GetCallerIdentity", {}, "*"),
    ],
)
def test_call_takes_the_resource_that_it_names(
    service: str, operation: str, given: dict[str, Any], resource: str
) -> None:
    assert needed(service, operation, given=given) == [(f"{service}:{operation}", resource)]
