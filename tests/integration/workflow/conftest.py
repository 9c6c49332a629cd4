"""Each test gets the state machine with its services, in moto and in this process."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from moto import mock_aws
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_glue import (
    StateTaskServiceGlue,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval.environment import Environment
from pipeline import REGION, Pipeline
from scripted_glue import ScriptedGlue, wait_for_run


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    glue = ScriptedGlue()
    monkeypatch.setattr(StateTaskServiceGlue, "_get_glue_client", lambda *_, **__: glue)
    monkeypatch.setattr(StateTaskServiceGlue, "_eval_integration_pattern", wait_for_run)
    # What a test scripts is there at once: a task is repeated without the seconds that it leaves a service to recover.
    monkeypatch.setattr(retrier_decl, "time", SimpleNamespace(sleep=lambda _: None))
    names = {"Partition": "aws", "Stage": "test", "SilverJob": "silver", "GoldJob": "gold"}
    names |= {"GatherSeconds": "0", "PollSeconds": "0", "MaximumPolls": "250", "ProbeSeconds": "0"}
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        made = Pipeline(glue=glue, substitutions=names)

        def wait(_: WaitFunction, env: Environment, wait_seconds: int) -> None:
            """Wait for hundredths of the seconds: an execution looks again and again, ever later."""
            made.while_waiting()
            env.program_state_event.wait(wait_seconds / 100)

        monkeypatch.setattr(WaitFunction, "_wait_interval", wait)
        yield made
