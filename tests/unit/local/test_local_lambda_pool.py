"""Lambda functions in warm worker processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from devcloud.local.lambda_pool import Definition, Pool
from devcloud.local.state_folder import StateFolder

FUNCTION = """
import os, time
CALLS = []

def handle(event, context):
    CALLS.append(event)
    print("call", len(CALLS))
    if event.get("sleep"):
        time.sleep(event["sleep"])
    if event.get("exit"):
        os._exit(1)
    if event.get("fail"):
        raise ValueError("told to fail")
    return {"calls": len(CALLS), "pid": os.getpid(), "variable": os.environ["VARIABLE"]}
"""


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    package = tmp_path / "package"
    package.mkdir()
    (package / "receiver.py").write_text(FUNCTION)
    environment = {
        "PATH": os.environ["PATH"],
        "VARIABLE": "value",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "g",
        "AWS_LAMBDA_LOG_STREAM_NAME": "s",
    }
    definition = Definition("f", "arn:f", package, "receiver.handle", 2, environment)
    made = Pool(definition, StateFolder(tmp_path / "state"), size=1)
    yield made
    made.close()


def test_invoke_keeps_the_process_warm__called_twice(pool: Pool) -> None:
    first, second = pool.invoke({}), pool.invoke({})
    assert (first.payload["calls"], second.payload["calls"]) == (1, 2)
    assert first.payload["pid"] == second.payload["pid"]
    assert first.payload["variable"] == "value"


def test_invoke_logs_each_call_apart__called_twice(pool: Pool) -> None:
    assert [pool.invoke({}).log.read_text() for _ in range(2)] == ["call 1\n", "call 2\n"]


def test_invoke_describes_the_error__handler_raises(pool: Pool) -> None:
    outcome = pool.invoke({"fail": True})
    assert outcome.error is not None
    assert (outcome.error["errorType"], outcome.error["errorMessage"]) == ("ValueError", "told to fail")
    assert "ValueError: told to fail" in outcome.log.read_text()


@pytest.mark.parametrize(
    ("event", "error"), [({"sleep": 60}, "Sandbox.Timedout"), ({"exit": True}, "Runtime.ExitError")]
)
def test_invoke_starts_a_fresh_process__after_one_was_lost(pool: Pool, event: dict[str, object], error: str) -> None:
    before = pool.invoke({})
    lost = pool.invoke(event)
    after = pool.invoke({})
    assert lost.error is not None
    assert lost.error["errorType"] == error
    assert after.payload["calls"] == 1
    assert after.payload["pid"] != before.payload["pid"]


def test_invoke_is_refused__pool_closed(pool: Pool) -> None:
    pool.close()
    outcome = pool.invoke({})
    assert outcome.error is not None
    assert outcome.error["errorType"] == "Runtime.Replaced"
