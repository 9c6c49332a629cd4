"""The documented policies allow what the bridge and the sink call; each permission is needed, no other is given."""

import json
from pathlib import Path

import pytest
from iam import Statement, allows, statements

from assay.kafka.objects import Place
from assay.upload import Bronze
from devcloud.local.permissions import Request, permissions, s3_operation

DOCS = Path(__file__).parents[3] / "docs"
BUCKET = "assay-dev-bronze-123456789012-us-east-1"
KEY = Place(Bronze(None, BUCKET, ""), "transactions/london", "orders").key(0, 7)  # type: ignore[arg-type]
OF_SINK = "transactions/topics/orders/partition=0/orders+0+00000000000000000007.json"
STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/assay-dev/one"


def policy(name: str) -> list[Statement]:
    return statements(json.loads((DOCS / name).read_text()))


def of_s3(method: str, key: str, **query: str) -> set[tuple[str, str]]:
    """Return the actions and resources of a request to S3."""
    path = f"/{BUCKET}/{key}" if key else f"/{BUCKET}"
    request = Request("s3", s3_operation(method, path, query, {}), "us-east-1", path=path, query=query)
    return {(each["action"], each["resource"]) for each in permissions(request)}


BRIDGE = {("cloudformation:DescribeStacks", STACK), *of_s3("PUT", KEY), *of_s3("GET", KEY)}
SINK = {
    ("s3:GetBucketLocation", f"arn:aws:s3:::{BUCKET}"),
    ("s3:ListBucket", f"arn:aws:s3:::{BUCKET}"),
    ("s3:ListBucketMultipartUploads", f"arn:aws:s3:::{BUCKET}"),
    ("s3:ListMultipartUploadParts", f"arn:aws:s3:::{BUCKET}/{OF_SINK}"),
    *of_s3("POST", OF_SINK, uploads=""),
    *of_s3("PUT", OF_SINK, partNumber="1", uploadId="u"),
    *of_s3("DELETE", OF_SINK, uploadId="u"),
    *of_s3("GET", OF_SINK),
}


@pytest.mark.parametrize(
    ("name", "needed"), [("kafka-bridge-policy.json", BRIDGE), ("kafka-sink-policy.json", SINK)], ids=["bridge", "sink"]
)
def test_policy_allows_what_is_called_and_no_more(name: str, needed: set[tuple[str, str]]) -> None:
    given = policy(name)
    assert {each for each in needed if not allows(given, *each, {})} == set()
    for grant in (each for statement in given for each in statement.grants()):
        assert any(grant.applies_to(*each, {}) for each in needed), f"nothing needs {grant}"
    for key in ("cards/topics/t/t+0+0.json", "transactions/a.csv", "users/topics/t/t+0+0.json"):
        for action in ("s3:PutObject", "s3:GetObject"):
            assert not allows(given, action, f"arn:aws:s3:::{BUCKET}/{key}", {})
    for action in ("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObjectVersion", "s3:PutBucketPolicy"):
        assert not allows(given, action, f"arn:aws:s3:::{BUCKET}/{OF_SINK}", {})
