"""Records each call to the local cloud as a line of JSON: who called which operation, and the permissions it takes."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any, TypedDict
from urllib.parse import parse_qsl

from devcloud.local.permissions import Permission, Request, permissions, s3_operation

_CREDENTIAL = re.compile(r"Credential=(?P<caller>[^/]+)/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/")
_LAMBDA_INVOCATION = re.compile(r"/functions/[^/]+/invocations$")
KEY_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Call(TypedDict):
    """A recorded call; `role` is the access key id: a role's name, or that of someone who needs none."""

    role: str
    service: str
    operation: str
    status: int
    permissions: list[Permission]


class Recorder:
    """Stands before the cloud's application and writes down what comes in. An unsigned request is nobody's call."""

    def __init__(self, application: Wsgi, file: Path) -> None:
        self._application = application
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file.open("w", buffering=1)
        self._lock = Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        if signed is None:
            return self._application(environ, start_response)
        request = _request(environ, service=signed["service"], region=signed["region"])

        def answer(status: str, headers: list[tuple[str, str]], *rest: Any, **more: Any) -> Any:
            self._note(
                signed["caller"],
                request,
                int(status.split()[0]),
                {name.lower(): value for name, value in headers}.get(KEY_HEADER, ""),
            )
            return start_response(status, headers, *rest, **more)

        return self._application(environ, answer)

    def _note(self, caller: str, request: Request, status: int, key_arn: str) -> None:
        answered = Request(**{**vars(request), "status": status, "key_arn": key_arn})
        call: Call = {
            "role": caller,
            "service": request.service,
            "operation": request.operation,
            "status": status,
            "permissions": permissions(answered),
        }
        with self._lock:
            self._file.write(json.dumps(call) + "\n")

    def close(self) -> None:
        self._file.close()


def recorded(file: Path) -> Iterator[Call]:
    """Read the calls of a file."""
    with file.open() as lines:
        yield from map(json.loads, lines)


def _request(environ: dict[str, Any], *, service: str, region: str) -> Request:
    # The server hands a path on as bytes that are written as Latin-1 (PEP 3333).
    path = environ.get("PATH_INFO", "/").encode("latin-1").decode(errors="replace")
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_X_AMZ_")
    }
    if service == "s3":
        operation = s3_operation(environ["REQUEST_METHOD"], path, query, headers)
        body = _body(environ) if operation == "DeleteObjects" else b""
        return Request(service, operation, region, path=path, query=query, headers=headers, body=body)
    return _request_of_rpc(environ, service, region, path=path, target=headers.get("x-amz-target", ""))


def _request_of_rpc(environ: dict[str, Any], service: str, region: str, *, path: str, target: str) -> Request:
    """Read a call whose header names the operation (JSON), or else its form, or else its path."""
    if target:
        given = json.loads(_body(environ) or b"{}")
        return Request(service, target.rpartition(".")[2], region, path=path, given=given)
    if _LAMBDA_INVOCATION.search(path):
        return Request(service, "Invoke", region, path=path)
    if "x-www-form-urlencoded" in environ.get("CONTENT_TYPE", ""):
        given = dict(parse_qsl(_body(environ).decode()))
        return Request(service, given.get("Action", ""), region, path=path, given=given)
    return Request(service, f"{environ['REQUEST_METHOD']} {path}", region, path=path)


def _body(environ: dict[str, Any]) -> bytes:
    """Read the body, and leave it there for the application."""
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body
