"""Runs Lambda functions from their real packages: in warm processes, with retries and dead-letter queues."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock, Timer
from typing import Any

from moto.awslambda.models import LambdaBackend, LambdaFunction
from moto.awslambda.utils import get_backend
from moto.sns.models import sns_backends
from moto.sqs.models import Message, sqs_backends

from devcloud.local.environment import aws_environment, caller
from devcloud.local.lambda_pool import Definition, Outcome, Pool
from devcloud.local.patching import Function, wrap, wrap_classmethod
from devcloud.local.state_folder import StateFolder

_LOG = logging.getLogger(__name__)
# AWS retries an asynchronous event twice, after one and two minutes; nobody waits that long locally.
RETRIES = 2
RETRY_SECONDS = float(os.environ.get("ASSAY_LAMBDA_RETRY_SECONDS", "1"))
CONCURRENCY = 2
# What a process needs of the machine; everything else of the developer's environment stays outside, as on AWS.
_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "LD_LIBRARY_PATH")


class Functions:
    """All functions of the local cloud: their worker pools and their queues of asynchronous events."""

    def __init__(self, folder: StateFolder, *, endpoint: str) -> None:
        self._folder = folder
        self._endpoint = endpoint
        self._pools: dict[str, Pool] = {}
        self._queues: dict[str, ThreadPoolExecutor] = {}
        self._timers: set[Timer] = set()
        self._lock = Lock()
        self._closed = False

    def invoke(self, function: LambdaFunction, event: Any) -> Outcome:
        """Call a function and wait for its answer."""
        outcome = self._pool(function).invoke(event)
        function.logs_backend.ensure_log_group(function.logs_group_name)
        function.save_logs(outcome.log.read_text(errors="replace") if outcome.log.exists() else "")
        return outcome

    def submit(self, arn: str, body: str, *, attempt: int = 0) -> None:
        """Queue an event, as S3 and `InvocationType=Event` do."""
        with self._lock:
            if self._closed:
                return
            queue = self._queues.setdefault(arn, ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="lambda"))
            queue.submit(self._deliver, arn, body, attempt)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for timer in self._timers:
                timer.cancel()
            for queue in self._queues.values():
                queue.shutdown(wait=False, cancel_futures=True)
            for pool in self._pools.values():
                pool.close()

    def _deliver(self, arn: str, body: str, attempt: int) -> None:
        function = get_backend(_account(arn), _region(arn)).get_function(arn)
        try:
            outcome = self.invoke(function, json.loads(body))
        except Exception:
            # Nobody waits for this thread's result: without the log the event would vanish without a word.
            _LOG.exception("event lost: %s", arn)
            raise
        if outcome.error is None:
            return
        if attempt < RETRIES:
            self._retry_later(arn, body, attempt + 1)
        else:
            _to_dead_letters(function, body, outcome)

    def _retry_later(self, arn: str, body: str, attempt: int) -> None:
        def again() -> None:
            self._timers.discard(timer)
            self.submit(arn, body, attempt=attempt)

        timer = Timer(RETRY_SECONDS * attempt, again)
        timer.daemon = True
        self._timers.add(timer)
        timer.start()

    def _pool(self, function: LambdaFunction) -> Pool:
        with self._lock:
            definition = self._definition(function)
            pool = self._pools.get(definition.arn)
            if pool is None or pool.definition != definition:
                if pool is not None:
                    pool.close()
                pool = self._pools[definition.arn] = Pool(definition, self._folder, size=CONCURRENCY)
            return pool

    def _definition(self, function: LambdaFunction) -> Definition:
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        environment |= aws_environment(self._endpoint, key_id=caller(function.role)) | _runtime_environment(function)
        package = self._unpack(function)
        environment |= {"LAMBDA_TASK_ROOT": str(package)}
        # The function's own variables win, as on AWS.
        environment |= {name: str(value) for name, value in (function.environment_vars or {}).items()}
        name, arn = function.function_name, function.function_arn
        return Definition(name, arn, package, str(function.handler), int(function.timeout), environment)

    def _unpack(self, function: LambdaFunction) -> Path:
        digest = function.code_digest.removeprefix("sha256:")[:16]
        target = self._folder.functions / f"{function.function_name}-{digest}"
        if not target.exists():
            part = target.with_name(target.name + ".part")
            with zipfile.ZipFile(io.BytesIO(function.code_bytes)) as package:
                package.extractall(part)
            part.rename(target)
        return target


def install(functions: Functions) -> None:
    wrap(LambdaFunction, "invoke", lambda original: _in_processes(functions))
    wrap(LambdaBackend, "_send_sqs_message", _with_attributes)
    wrap_classmethod(LambdaFunction, "create_from_cloudformation_json", _with_dead_letters)
    wrap_classmethod(LambdaFunction, "update_from_cloudformation_json", _with_dead_letters)


def _in_processes(functions: Functions) -> Function:
    # Until moto runs functions without Docker and keeps them warm.
    def invoke(function: LambdaFunction, body: Any, headers: Any, response_headers: Any) -> bytes:
        text = body.decode() if isinstance(body, bytes) else body or "{}"
        if headers.get("X-Amz-Invocation-Type") == "Event":
            functions.submit(function.function_arn, text)
            return b""
        outcome = functions.invoke(function, json.loads(text))
        response_headers["x-amz-log-result"] = base64.b64encode(outcome.log.read_bytes()[-4096:]).decode()
        if outcome.error is not None:
            response_headers["x-amz-function-error"] = "Unhandled"
            return json.dumps(outcome.error).encode()
        return json.dumps(outcome.payload).encode()

    return invoke


def _with_attributes(_: Function) -> Function:
    # Until moto hands a message's attributes to the function: those of a dead letter tell the error. What it has
    # received here are copies without them.
    def send(backend: LambdaBackend, function_arn: str, message: Message, queue_arn: str) -> bool:
        queue = sqs_backends[_account(queue_arn)][_region(queue_arn)].queues[queue_arn.split(":")[-1]]
        stored = next(each for each in queue._messages if each.id == message.id)
        attributes = {
            name: {"stringValue": value["StringValue"], "dataType": value["DataType"]}
            for name, value in stored.message_attributes.items()
        }
        record = {"messageId": message.id, "body": message.body, "messageAttributes": attributes}
        event = {"Records": [{**record, "eventSource": "aws:sqs", "eventSourceARN": queue_arn}]}
        answer: dict[str, str] = {}
        backend.invoke(function_arn, None, json.dumps(event), {}, answer)
        return "x-amz-function-error" not in answer

    return send


def _with_dead_letters(original: Function) -> Function:
    # Until moto keeps the property DeadLetterConfig.
    def from_cloudformation(cls: type, *args: Any, **kwargs: Any) -> LambdaFunction:
        function: LambdaFunction = original(cls, *args, **kwargs)
        document = kwargs.get("cloudformation_json") or args[1]
        target = document["Properties"].get("DeadLetterConfig", {}).get("TargetArn")
        function.dead_letter_arn = target  # type: ignore[attr-defined]
        return function

    return from_cloudformation


def _to_dead_letters(function: LambdaFunction, body: str, outcome: Outcome) -> None:
    target = getattr(function, "dead_letter_arn", None)
    message = (outcome.error or {}).get("errorMessage", "")
    _LOG.error("event failed for good: %s %s", function.function_name, outcome.request_id)
    if target is None:
        return
    values = {"RequestID": outcome.request_id, "ErrorCode": "200", "ErrorMessage": str(message)[:1024] or "-"}
    account, region, name = _account(target), _region(target), target.split(":")[-1]
    if ":sqs:" in target:
        attributes = {key: {"DataType": "String", "StringValue": value} for key, value in values.items()}
        sqs_backends[account][region].send_message(name, body, message_attributes=attributes)
    else:
        sns_backends[account][region].publish(body, arn=target)


def _runtime_environment(function: LambdaFunction) -> dict[str, str]:
    return {
        "_HANDLER": str(function.handler),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
        "AWS_LAMBDA_LOG_GROUP_NAME": function.logs_group_name,
        "AWS_LAMBDA_LOG_STREAM_NAME": "local",
        "TZ": "UTC",
    }


def _account(arn: str) -> str:
    return arn.split(":")[4]


def _region(arn: str) -> str:
    return arn.split(":")[3]
