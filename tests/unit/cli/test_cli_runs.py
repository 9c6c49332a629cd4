"""A job run that a command starts: awaited to its end, stopped with the command."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from assay import runs
from assay.errors import UserError


class FakeGlue:
    """Answers each look at a run with the next state."""

    def __init__(self, *states: str, message: str | None = None) -> None:
        self.states, self.message = list(states), message
        self.started: list[tuple[str, dict[str, str]]] = []
        self.stopped: list[str] = []

    def start_job_run(self, *, JobName: str, Arguments: dict[str, str]) -> dict[str, str]:  # noqa: N803
        self.started.append((JobName, Arguments))
        return {"JobRunId": "run 1"}

    def get_job_run(self, *, JobName: str, RunId: str) -> dict[str, Any]:  # noqa: N803
        said = {"ErrorMessage": self.message} if self.message else {}
        state = self.states.pop(0)
        if state == "interrupted":
            raise KeyboardInterrupt
        return {"JobRun": {"JobRunState": state, **said}}

    def batch_stop_job_run(self, *, JobName: str, JobRunIds: list[str]) -> None:  # noqa: N803
        self.stopped += JobRunIds


class FakeTarget:
    is_local = True

    def __init__(self, glue: Any) -> None:
        self.glue = glue
        self.project = Path()

    def logs(self) -> list[str]:
        return ["the logs"]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "LOCAL_POLL_S", 0)


def run(glue: Any, **arguments: str) -> None:
    runs.run(FakeTarget(glue), "silver", arguments)  # type: ignore[arg-type]


def test_run_returns_when_the_job_has_succeeded__some_looks_later() -> None:
    glue = FakeGlue("STARTING", "RUNNING", "SUCCEEDED")

    run(glue, a="b")

    assert (glue.started, glue.states, glue.stopped) == ([("silver", {"a": "b"})], [], [])


@pytest.mark.parametrize("state", ["FAILED", "TIMEOUT", "STOPPED", "ERROR"])
def test_run_tells_state_and_message__job_ended_otherwise(state: str) -> None:
    with pytest.raises(runs.RunFailedError, match=f"the job silver ended {state}: two cents") as failed:
        run(FakeGlue("RUNNING", state, message="two cents"))

    assert failed.value.do == "see the logs"


def test_run_stops_the_job__interrupted() -> None:
    glue = FakeGlue("RUNNING", "interrupted")

    with pytest.raises(KeyboardInterrupt):
        run(glue)

    assert glue.stopped == ["run 1"]


def test_run_says_what_to_do__job_is_busy_and_not_only_just_over() -> None:
    class Busy(FakeGlue):
        refusals = 1
        active = "RUNNING"

        def start_job_run(self, **arguments: Any) -> dict[str, str]:
            self.refusals -= 1
            if self.refusals < 0:
                return super().start_job_run(**arguments)
            raise ClientError({"Error": {"Code": "ConcurrentRunsExceededException", "Message": "x"}}, "StartJobRun")

        def get_job_runs(self, **_: Any) -> dict[str, Any]:
            return {"JobRuns": [{"JobRunState": self.active}, {"JobRunState": "SUCCEEDED"}]}

    with pytest.raises(UserError, match="is running already"):
        run(Busy())
    ended = Busy("SUCCEEDED")
    ended.refusals, ended.active = 3, "SUCCEEDED"
    run(ended)
    assert ended.started == [("silver", {})]
