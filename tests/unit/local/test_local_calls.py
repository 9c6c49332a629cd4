"""What the recorder writes down of a request, and that the application gets the request as it came."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from devcloud.local.calls import KEY_HEADER, Call, Recorder, recorded

Ask = Callable[..., tuple[bytes, list[Call]]]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Send a request through a recorder to an application that answers with the body; return that and the calls."""

    @Request.application
    def application(request: Request) -> Response:
        answer = {KEY_HEADER: request.headers["key"]} if "key" in request.headers else {}
        return Response(request.get_data(), status=int(request.headers.get("answer", 200)), headers=answer)

    def send(method: str, path: str, *, key: str = "SilverRole", service: str = "s3", **rest: Any) -> Any:
        file = tmp_path / "logs" / "calls.jsonl"
        recorder = Recorder(application, file)
        scope = f"AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host"
        headers = {**({"Authorization": scope} if key else {}), **rest.pop("headers", {})}
        answer = Client(recorder).open(path, method=method, headers=headers, **rest)
        recorder.close()
        return answer.get_data(), list(recorded(file))

    return send


def test_recorder_tells_who_called_what__object_of_s3(ask: Ask) -> None:
    _, calls = ask("GET", "/lake/k/gr%C3%B6%C3%9Fe%20%2B1.csv?versionId=7", headers={"answer": "206"})

    resource = "arn:aws:s3:::lake/k/größe +1.csv"
    context = {"s3:ResourceAccount": "123456789012"}
    assert calls == [
        {
            "role": "SilverRole",
            "service": "s3",
            "operation": "GetObject",
            "status": 206,
            "permissions": [{"action": "s3:GetObjectVersion", "resource": resource, "context": context}],
        }
    ]


def test_recorder_tells_the_key_under_which_an_object_lies__by_the_answer(ask: Ask) -> None:
    _, (call,) = ask("GET", "/bronze/cards/1.csv", headers={"key": "arn:of-cards"})

    assert [(each["action"], each["resource"]) for each in call["permissions"]][1:] == [("kms:Decrypt", "arn:of-cards")]


def test_recorder_leaves_the_body_to_the_application__json(ask: Ask) -> None:
    given = {"TableName": "ledger", "Key": {"id": {"S": "1"}}}
    headers = {"X-Amz-Target": "DynamoDB_20120810.GetItem"}

    body, (call,) = ask("POST", "/", service="dynamodb", headers=headers, data=json.dumps(given))

    assert json.loads(body) == given
    assert (call["operation"], call["permissions"][0]["resource"]) == (
        "GetItem",
        "arn:aws:dynamodb:us-east-1:123456789012:table/ledger",
    )


def test_recorder_leaves_the_body_to_the_application__form(ask: Ask) -> None:
    form = {"Action": "Publish", "TopicArn": "arn:aws:sns:us-east-1:123456789012:mail", "Message": "a&b"}

    body, (call,) = ask("POST", "/", service="sns", data=form)

    assert b"a%26b" in body
    assert [each["resource"] for each in call["permissions"]] == [form["TopicArn"]]


def test_recorder_leaves_the_body_to_the_application__deletion_of_objects(ask: Ask) -> None:
    given = b"<Delete><Object><Key>k/1</Key></Object></Delete>"

    body, (call,) = ask("POST", "/lake?delete", data=given)

    assert body == given
    assert [each["resource"] for each in call["permissions"]] == ["arn:aws:s3:::lake/k/1"]


def test_recorder_knows_an_invocation_by_its_path(ask: Ask) -> None:
    _, (call,) = ask("POST", "/2015-03-31/functions/kpi/invocations", service="lambda", data=b"{}")

    assert (call["operation"], call["permissions"][0]["action"]) == ("Invoke", "lambda:InvokeFunction")


def test_recorder_passes_on_what_nobody_signed(ask: Ask) -> None:
    assert ask("POST", "/lake/k", key="", data=b"x") == (b"x", [])
