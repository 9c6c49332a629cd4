"""Ranges of large objects: what S3 would send, without reading the rest."""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.s3.models import FakeKey
from moto.server import ThreadedMotoServer

from devcloud.local import environment as variables
from devcloud.local import object_ranges
from devcloud.local.patching import wrap_property

SIZE = 17 << 20  # moto keeps up to 16 MB in memory
BODY = random.Random(7).randbytes(SIZE)


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    object_ranges.install()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    environment = variables.aws_environment(f"http://localhost:{server.get_host_and_port()[1]}")
    client = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id="local",
        aws_secret_access_key="local",
        region_name=environment["AWS_REGION"],
    )
    client.create_bucket(Bucket="lake")
    client.put_object(Bucket="lake", Key="large", Body=BODY)
    client.put_object(Bucket="lake", Key="small", Body=BODY[:1000])
    try:
        yield client
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-3", BODY[:4]),
        ("bytes=1000000-1500000", BODY[1_000_000:1_500_001]),
        (f"bytes={SIZE - 5}-", BODY[-5:]),
        ("bytes=-8", BODY[-8:]),
        (f"bytes=5-{SIZE * 2}", BODY[5:]),
    ],
)
def test_range_is_what_was_asked_for__large_object(s3: Any, asked: str, expected: bytes) -> None:
    found = s3.get_object(Bucket="lake", Key="large", Range=asked)

    assert found["Body"].read() == expected
    assert found["ContentRange"].endswith(f"/{SIZE}")


@pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "bytes=x-y"])
def test_object_is_sent_whole__range_not_understood(s3: Any, asked: str) -> None:
    assert s3.get_object(Bucket="lake", Key="large", Range=asked)["Body"].read() == BODY


def test_request_fails__range_beyond_the_end(s3: Any) -> None:
    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(Bucket="lake", Key="large", Range=f"bytes={SIZE}-")


def test_object_is_sent_whole__no_range(s3: Any) -> None:
    assert s3.get_object(Bucket="lake", Key="large")["Body"].read() == BODY


def test_small_object_comes_from_memory__range(s3: Any) -> None:
    assert s3.get_object(Bucket="lake", Key="small", Range="bytes=10-19")["Body"].read() == BODY[10:20]


def test_rest_is_not_read__range_of_a_large_object(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    returned = []

    def noting(original: Any) -> Any:
        def value(key: FakeKey) -> Any:
            returned.append(original(key))
            return returned[-1]

        return value

    monkeypatch.setattr(FakeKey, "value", inspect.getattr_static(FakeKey, "value"))  # to be put back
    wrap_property(FakeKey, "value", noting)
    s3.get_object(Bucket="lake", Key="large", Range="bytes=0-3")["Body"].read()

    assert [type(body).__name__ for body in returned] == ["mmap"]
