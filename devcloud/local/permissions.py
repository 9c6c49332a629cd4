"""Says which permissions a call takes: the IAM actions, each with its resource and the keys that conditions look at.

The source is AWS's Service Authorization Reference, for the services and operations that this application uses. An
operation that is not known here takes the action of its own name on any resource.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict
from urllib.parse import parse_qs, unquote

ACCOUNT = "123456789012"
PARTITION = "aws"
_NOT_FOUND = 404


class Permission(TypedDict):
    """An action on a resource; `context` holds the condition keys of the request."""

    action: str
    resource: str
    context: dict[str, str]


@dataclass(frozen=True)
class Request:
    """What permissions are derived from; `given` are the parameters of a service other than S3."""

    service: str
    operation: str
    region: str
    path: str = "/"
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    body: bytes = b""
    status: int = 200
    key_arn: str = ""  # of the KMS key under which S3 answers that the object lies

    def arn(self, resource: str, *, service: str | None = None) -> str:
        return f"arn:{PARTITION}:{service or self.service}:{self.region}:{ACCOUNT}:{resource}"


def permissions(request: Request) -> list[Permission]:
    """Return all that a role must be allowed for this call to succeed, and to be answered as it was."""
    return list(_OF_SERVICE.get(request.service, _by_name)(request))


def s3_operation(method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """Name the operation of S3 as the SDKs do."""
    bucket, key = _place(path)
    if not bucket:
        return "ListBuckets"
    names = _OF_OBJECTS if key else _OF_BUCKETS
    for sign, operation in names.get(method, {}).items():
        if sign in query or sign in headers:
            return operation
    return names.get(method, {}).get("", f"{method}{'Object' if key else 'Bucket'}")


# By method: the query's parameter (the later ones are more general) or header that tells an operation from the others.
_OF_OBJECTS = {
    "GET": {"uploadId": "ListParts", "tagging": "GetObjectTagging", "": "GetObject"},
    "HEAD": {"": "HeadObject"},
    "PUT": {
        "tagging": "PutObjectTagging",
        "uploadId": "UploadPart",
        "x-amz-copy-source": "CopyObject",
        "": "PutObject",
    },
    "POST": {"uploads": "CreateMultipartUpload", "uploadId": "CompleteMultipartUpload"},
    "DELETE": {"uploadId": "AbortMultipartUpload", "tagging": "DeleteObjectTagging", "": "DeleteObject"},
}
_OF_BUCKETS = {
    "GET": {
        "list-type": "ListObjectsV2",
        "versions": "ListObjectVersions",
        "uploads": "ListMultipartUploads",
        "location": "GetBucketLocation",
        "": "ListObjects",
    },
    "HEAD": {"": "HeadBucket"},
    "PUT": {"": "CreateBucket"},
    "POST": {"delete": "DeleteObjects"},
}
_S3_ACTIONS = {
    "HeadObject": "GetObject",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListParts": "ListMultipartUploadParts",
    "ListBuckets": "ListAllMyBuckets",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "DeleteObjects": "DeleteObject",
}
# What a call takes of KMS where the object lies under a key; to send a part would take Decrypt, too.
_OF_KMS = {"GetObject": "Decrypt", "PutObject": "GenerateDataKey"}
_OF_ONE_VERSION = {"GetObject", "DeleteObject", "GetObjectTagging"}
_DELETED_KEY = re.compile(rb"<Key>(.*?)</Key>", re.DOTALL)


def _s3(request: Request) -> Iterator[Permission]:
    bucket, key = _place(request.path)
    action = _S3_ACTIONS.get(request.operation, request.operation)
    if not key:
        yield from _of_bucket(request, bucket, action)
        return
    versioned = "versionId" in request.query
    yield _on_s3(_of_version(action, versioned=versioned), f"{bucket}/{key}")
    if request.key_arn and request.operation in _OF_KMS:
        through = {"kms:ViaService": f"s3.{request.region}.amazonaws.com"}
        yield {"action": f"kms:{_OF_KMS[request.operation]}", "resource": request.key_arn, "context": through}
    if request.status == _NOT_FOUND:
        # Who may not list is answered 403 instead.
        yield _on_s3("ListBucketVersions" if versioned else "ListBucket", bucket)
    if "x-amz-tagging" in request.headers:
        yield _on_s3("PutObjectTagging", f"{bucket}/{key}")
    if source := request.headers.get("x-amz-copy-source"):
        yield _of_source(source)


def _of_bucket(request: Request, bucket: str, action: str) -> Iterator[Permission]:
    if request.operation == "DeleteObjects":
        for key in _DELETED_KEY.findall(request.body):
            yield _on_s3("DeleteObject", f"{bucket}/{key.decode()}")
        return
    listed = {f"s3:{name}": request.query[name] for name in ("prefix", "delimiter") if name in request.query}
    yield _on_s3(action, bucket or "*", **listed)


def _of_source(source: str) -> Permission:
    """Return what a copy takes of its source. Tags of it would take more; a call does not tell whether it has any."""
    name, _, query = source.partition("?")
    return _on_s3(_of_version("GetObject", versioned="versionId" in parse_qs(query)), unquote(name).lstrip("/"))


def _of_version(action: str, *, versioned: bool) -> str:
    return action.replace("Object", "ObjectVersion", 1) if versioned and action in _OF_ONE_VERSION else action


def _on_s3(action: str, name: str, **context: str) -> Permission:
    resource = name if name == "*" else f"arn:{PARTITION}:s3:::{name}"
    return {"action": f"s3:{action}", "resource": resource, "context": {"s3:ResourceAccount": ACCOUNT, **context}}


def _place(path: str) -> tuple[str, str]:
    bucket, _, key = path.lstrip("/").partition("/")
    return bucket, key


def _dynamodb(request: Request) -> Iterator[Permission]:
    given = request.given
    tables = list(given["RequestItems"]) if "RequestItems" in given else [given["TableName"]] if given else []
    for table in tables:
        arn = table if table.startswith("arn:") else request.arn(f"table/{table}")
        index = f"/index/{given['IndexName']}" if "IndexName" in given else ""
        yield _on(request, arn + index)
    if not tables:
        yield _on(request, "*")


def _glue(request: Request) -> Iterator[Permission]:
    given = request.given
    if job := given.get("JobName"):
        yield _on(request, request.arn(f"job/{job}"))
        return
    if not request.operation.endswith(("Database", "Databases", "Table", "Tables")):
        yield _on(request, "*")
        return
    of_table = request.operation.endswith(("Table", "Tables"))
    database = given.get("DatabaseName") if of_table else given.get("Name")
    # The catalog asks for each level down to the resource.
    resources = ["catalog", f"database/{database or '*'}"]
    if of_table:
        table = given.get("Name") or given.get("TableInput", {}).get("Name") or "*"
        resources.append(f"table/{database}/{table}")
    for resource in resources:
        yield _on(request, request.arn(resource))


def _by_parameter(*names: str) -> Any:
    """Return a rule: the resource is the first of these parameters that is given."""

    def rule(request: Request) -> Iterator[Permission]:
        yield _on(request, next((str(request.given[name]) for name in names if name in request.given), "*"))

    return rule


def _lambda(request: Request) -> Iterator[Permission]:
    _, found, rest = request.path.partition("/functions/")
    name = unquote(rest.partition("/")[0])
    arn = name if name.startswith("arn:") or not found else request.arn(f"function:{name}")
    yield {
        "action": f"lambda:{_LAMBDA_ACTIONS.get(request.operation, request.operation)}",
        "resource": arn,
        "context": {},
    }


def _sqs(request: Request) -> Iterator[Permission]:
    queue = str(request.given.get("QueueUrl", "")).rpartition("/")[2]
    action = f"sqs:{request.operation.removesuffix('Batch')}"
    yield {"action": action, "resource": request.arn(queue) if queue else "*", "context": {}}


def _cloudformation(request: Request) -> Iterator[Permission]:
    stack = request.given.get("StackName")
    yield _on(request, request.arn(f"stack/{stack}/*") if stack else "*")


def _by_name(request: Request) -> Iterator[Permission]:
    yield _on(request, "*")


def _on(request: Request, resource: str) -> Permission:
    return {"action": f"{request.service}:{request.operation}", "resource": resource, "context": {}}


_LAMBDA_ACTIONS = {"Invoke": "InvokeFunction"}
_OF_SERVICE = {
    "s3": _s3,
    "dynamodb": _dynamodb,
    "glue": _glue,
    "lambda": _lambda,
    "cloudformation": _cloudformation,
    "states": _by_parameter("stateMachineArn", "executionArn"),
    "sns": _by_parameter("TopicArn", "TargetArn"),
    "sqs": _sqs,
    "secretsmanager": _by_parameter("SecretId"),
    "kms": _by_parameter("KeyId"),
}
