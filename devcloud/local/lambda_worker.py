"""Runs one Lambda function as its runtime does: imported once, then called for one event after the other.

Started as `python -P lambda_worker.py <package folder> <handler> <result descriptor>`. Reads one JSON object per line
from stdin (request_id, event, log, deadline, arn), writes one per line to the result descriptor. Whatever the handler
prints goes to the log file of its invocation. Ends when stdin ends, so it cannot outlive the local cloud. Imports
nothing of the project: the function must find in its package what it needs.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

Handler = Callable[[Any, Any], Any]


class Context:
    """What the runtime hands to the handler beside the event."""

    identity = None
    client_context = None

    def __init__(self, invocation: dict[str, Any]) -> None:
        self.aws_request_id = invocation["request_id"]
        self.invoked_function_arn = invocation["arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self._deadline = invocation["deadline"]

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._deadline - time.time()) * 1000))


def serve(package: str, handler_name: str, results: int) -> None:
    sys.path.insert(0, package)
    handler: Handler | None = None
    with os.fdopen(results, "w") as out:
        for line in sys.stdin:
            invocation = json.loads(line)
            _redirect_output(invocation["log"])
            try:
                handler = handler or _load(handler_name)
                answer = {"payload": handler(invocation["event"], Context(invocation))}
                text = json.dumps(answer)
            except Exception as error:
                traceback.print_exc()
                text = json.dumps({"error": _described(error)})
            sys.stdout.flush()
            sys.stderr.flush()
            out.write(text + "\n")
            out.flush()


def _load(handler_name: str) -> Handler:
    module, function = handler_name.rsplit(".", 1)
    handler: Handler = getattr(importlib.import_module(module.replace("/", ".")), function)
    return handler


def _redirect_output(log: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _described(error: BaseException) -> dict[str, Any]:
    """Return an error as the runtime reports it."""
    return {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "stackTrace": traceback.format_tb(error.__traceback__),
    }


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))
