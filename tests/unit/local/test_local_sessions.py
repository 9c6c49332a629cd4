"""What a Glue session does with its statements, how it ends, what it can import, and which sessions are refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from devcloud.local import session_process
from devcloud.local.glue_sessions import refusal
from devcloud.local.session_process import ExtraFileError, SessionOrder, SessionProcess, SessionStateError, Statement

PROGRAM = (str(Path(__file__).with_name("session_without_spark.py")),)
SECONDS = 20.0


class Pool:
    """A pool of JVMs that records how each came back."""

    def __init__(self) -> None:
        self.given_back: list[bool] = []

    def take(self, conf: Any) -> Any:
        return SimpleNamespace(environment=dict)

    def give_back(self, jvm: Any, *, healthy: bool) -> None:
        self.given_back.append(healthy)

    def environment(self) -> dict[str, str]:
        return dict(os.environ)


Start = Callable[..., SessionProcess]


@pytest.fixture
def pool() -> Pool:
    return Pool()


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pool: Pool) -> Iterator[Start]:
    monkeypatch.setattr(session_process, "_PROGRAM", PROGRAM)
    started = []

    def start_one(*, idle_seconds: float = 60, extra: list[Path] | None = None) -> SessionProcess:
        order = SessionOrder("s", lambda folder: extra or [], {}, idle_seconds, tmp_path / "log")
        session = SessionProcess(order, pool)  # type: ignore[arg-type]
        session.start()
        session.await_change(lambda: session.state == "PROVISIONING", seconds=SECONDS)
        started.append(session)
        return session

    yield start_one
    for session in started:
        if session.state not in session_process.ENDED:
            session.stop(at_once=True)
            ended(session)


def ended(session: SessionProcess) -> str:
    session.await_change(lambda: session.state not in session_process.ENDED, seconds=SECONDS)
    return session.state


def settled(session: SessionProcess, number: int) -> Statement:
    statement = session.statements[number - 1]
    session.await_change(lambda: statement.state not in session_process.FINAL, seconds=SECONDS)
    return statement


def shown(session: SessionProcess, code: str) -> Any:
    output = settled(session, session.run(code)).output
    return output["Data"]["TextPlain"] if output["Status"] == "ok" else f"{output['ErrorName']}: {output['ErrorValue']}"


def test_statement_shows_what_it_prints_and_its_last_value__state_is_kept_between_statements(start: Start) -> None:
    session = start()
    assert shown(session, "print('hello')\nn = 41\nn + 1") == "hello\n42"
    assert shown(session, "n\nNone") == ""
    assert shown(session, "spark.sparkContext, sc") == "('sc', 'sc')"


def test_statement_tells_its_exception__the_session_goes_on(start: Start) -> None:
    session = start()
    statement = settled(session, session.run("def half(x):\n    return x / 0\nhalf(1)"))
    assert (statement.state, statement.output["ErrorName"]) == ("AVAILABLE", "ZeroDivisionError")
    assert statement.output["Traceback"][0] == "Traceback (most recent call last):"
    assert any("return x / 0" in line for line in statement.output["Traceback"])
    assert not any("session_main" in line for line in statement.output["Traceback"])
    assert shown(session, "raise SystemExit(3)") == "SystemExit: 3"
    assert shown(session, "1 +") == "SyntaxError: invalid syntax (<statement-3>, line 1)"
    assert shown(session, "'still here'") == "'still here'"


def test_statements_run_one_after_another__the_second_waits(start: Start) -> None:
    session = start()
    session.run("import time\nat = []\ntime.sleep(0.3)\nat.append(1)")
    second = session.run("at.append(2)\nat")
    assert session.statements[1].state == "WAITING"
    assert settled(session, second).output["Data"] == {"TextPlain": "[1, 2]"}


def test_cancel_interrupts_the_running_and_drops_the_waiting__the_session_goes_on(start: Start) -> None:
    session = start()
    session.run("import time\ntime.sleep(60)")
    session.run("print('never')")
    session.cancel(session.statements[1])
    session.cancel(session.statements[0])
    assert (settled(session, 1).state, settled(session, 2).state) == ("CANCELLED", "CANCELLED")
    assert session.statements[1].output == {}
    assert shown(session, "'still here'") == "'still here'"


def test_stop_ends_an_idle_session__its_jvm_can_serve_again(start: Start, pool: Pool) -> None:
    session = start()
    session.stop()
    assert ended(session) == "STOPPED"
    assert pool.given_back == [True]
    with pytest.raises(SessionStateError, match="STOPPED"):
        session.run("1")
    with pytest.raises(SessionStateError, match="STOPPED"):
        session.stop()


def test_stop_during_a_statement_ends_stopped__not_failed(start: Start) -> None:
    session = start()
    session.run("import time\ntime.sleep(60)")
    session.await_change(lambda: not session.statements[0].begun, seconds=SECONDS)
    session.stop()
    assert (ended(session), session.error) == ("STOPPED", None)
    assert session.statements[0].state == "CANCELLED"


def test_idle_session_times_out__after_its_last_statement(start: Start) -> None:
    session = start(idle_seconds=0.2)
    assert shown(session, "import time\ntime.sleep(0.4)\n1") == "1"
    assert ended(session) == "TIMEOUT"


def test_lost_process_fails_the_session__its_statement_is_an_error(start: Start, pool: Pool) -> None:
    session = start()
    session.run("import os\nos._exit(3)")
    session.run("print('never')")
    assert (ended(session), session.error) == ("FAILED", "the session's process ended")
    assert [statement.state for statement in session.statements] == ["ERROR", "CANCELLED"]
    assert pool.given_back == [False]


def test_process_lost_between_statements_is_found__by_the_next(start: Start) -> None:
    session = start()
    os.kill(int(shown(session, "import os\nos.getpid()")), signal.SIGKILL)
    assert settled(session, session.run("1")).state == "ERROR"
    assert ended(session) == "FAILED"


def test_process_ends_with_its_server__in_the_middle_of_a_statement() -> None:
    their_orders, orders = os.pipe()
    answers, their_answers = os.pipe()
    command = [sys.executable, *PROGRAM, str(their_orders), str(their_answers)]
    with subprocess.Popen(command, pass_fds=(their_orders, their_answers)) as process, open(answers) as told:
        os.close(their_orders)
        os.close(their_answers)
        assert json.loads(told.readline()) == {"ready": True}
        os.write(orders, b'{"number": 1, "code": "import time; time.sleep(60)"}\n')
        assert json.loads(told.readline()) == {"begun": 1}
        os.close(orders)  # as the end of the server does
        assert process.wait(SECONDS) == 1


def test_session_imports_its_extra_files_and_glues_modules__not_the_project(start: Start, tmp_path: Path) -> None:
    (tmp_path / "py").mkdir()
    (tmp_path / "py" / "helper.py").write_text("A = 1\n")
    with zipfile.ZipFile(tmp_path / "packages.zip", "w") as packages:
        packages.writestr("contract/__init__.py", "")
        packages.writestr("contract/limits.py", "LINES = 64\n")
    session = start(extra=[tmp_path / "py", tmp_path / "packages.zip"])
    assert shown(session, "import helper, contract.limits\nhelper.A, contract.limits.LINES") == "(1, 64)"
    assert shown(session, "import json, decimal, boto3, pyspark") == ""
    for module in ("assay", "devcloud.local.jvm", "moto", "polars", "glue.lake"):
        name = module.partition(".")[0]
        assert shown(session, f"import {module}") == f"ModuleNotFoundError: No module named '{name}'"


def test_session_fails__an_extra_file_cannot_be_had(tmp_path: Path, pool: Pool) -> None:
    def fetch(folder: Path) -> list[Path]:
        raise ExtraFileError("s3://lib/missing.py does not exist")

    session = SessionProcess(SessionOrder("s", fetch, {}, 60, tmp_path / "log"), pool)  # type: ignore[arg-type]
    session.start()
    assert ended(session) == "FAILED"
    assert session.error == "ExtraFileError: s3://lib/missing.py does not exist"
    assert pool.given_back == []


GOOD = {
    "Role": "arn:aws:iam::123456789012:role/assay-notebook",
    "Command": {"Name": "glueetl", "PythonVersion": "3"},
    "GlueVersion": "5.1",
    "WorkerType": "G.1X",
    "NumberOfWorkers": 2,
    "DefaultArguments": {"--conf": "a=1", "--datalake-formats": "iceberg", "--glue_kernel_version": "1.0.9"},
}


def test_session_is_not_refused__all_is_as_glue_wants_it() -> None:
    assert refusal(GOOD) is None
    assert refusal(GOOD | {"IdleTimeout": 1}) is None


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"Role": None}, "None is not the ARN of a role"),
        ({"Role": "assay"}, "assay is not the ARN of a role"),
        ({"GlueVersion": "4.0"}, "Glue version 4.0 is not emulated, only 5.1 is"),
        ({"GlueVersion": None}, "Glue version None is not emulated, only 5.1 is"),
        ({"Command": {"Name": "gluestreaming"}}, "command gluestreaming is not emulated, only glueetl is"),
        ({"Command": {"Name": "glueetl", "PythonVersion": "2"}}, "Python version 2 is not 3"),
        ({"WorkerType": None}, "WorkerType and NumberOfWorkers must be set together"),
        ({"NumberOfWorkers": None}, "WorkerType and NumberOfWorkers must be set together"),
        ({"NumberOfWorkers": 1}, "a session needs two workers at the least"),
        ({"WorkerType": "G.3X"}, "worker type G.3X is unknown"),
        ({"MaxCapacity": 5.0}, "MaxCapacity is not for a session with workers"),
        ({"IdleTimeout": 0}, "IdleTimeout is at least one minute"),
        ({"DefaultArguments": {"--datalake-format": "iceberg"}}, "argument --datalake-format is unknown"),
        ({"DefaultArguments": {"--extra-jars": "s3://a/b.jar"}}, "argument --extra-jars is not emulated"),
        ({"DefaultArguments": {"--conf": "a" * 4097}}, "argument --conf is longer than 4096 characters"),
    ],
)
def test_session_is_refused__as_glue_does(changed: dict[str, Any], reason: str) -> None:
    assert refusal(GOOD | changed) == reason
