"""How a Glue job's arguments, settings and failures are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from devcloud.local.glue import parse_conf
from devcloud.local.glue_resources import job_settings
from devcloud.local.job_run import JobProcess, Order, command_line, failure

TRACEBACK = "Traceback (most recent call last):"


def _order(arguments: dict[str, str]) -> Order:
    return Order(
        job="job",
        run_id="jr_1",
        script=lambda: "",
        caller="JobRole",
        announce=lambda state: None,
        arguments=arguments,
        spark_conf={},
        timeout_seconds=1,
        log=Path("unused"),
    )


def test_parse_conf_splits_all_settings__glues_one_string() -> None:
    assert parse_conf("a.b=1 --conf c=x=y  --conf d = z ") == {"a.b": "1", "c": "x=y", "d": "z"}


def test_parse_conf_is_empty__no_argument() -> None:
    assert parse_conf("") == {}


def test_command_line_hands_on_the_jobs_own_arguments__glues_own_among_them() -> None:
    arguments = {"--conf": "a=1", "--enable-metrics": "true", "--job-bookmark-option": "x", "--key": "--odd value"}
    assert command_line(_order(arguments)) == ["--JOB_NAME", "job", "--JOB_RUN_ID", "jr_1", "--key", "--odd value"]


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (f"before\n{TRACEBACK}\n  File x\nValueError: bad\nafter\n", "ValueError: bad"),
        (
            f"{TRACEBACK}\n  x\nKeyError: 'a'\n\nDuring handling:\n\n{TRACEBACK}\n  y\nown.LayerError: two cents\n",
            "own.LayerError: two cents",
        ),
        ("killed without a word\n", "the script ended with exit code 3, see run.log"),
    ],
)
def test_failure_is_the_last_exceptions_line__script_ended(tmp_path: Path, log: str, message: str) -> None:
    path = tmp_path / "run.log"
    path.write_text(log)
    assert failure(path, code=3) == message


def test_job_settings_become_numbers__template_gives_text() -> None:
    properties = {
        "Name": "j",
        "Role": "r",
        "Command": {"Name": "glueetl"},
        "Timeout": "120",
        "NumberOfWorkers": "2",
        "ExecutionProperty": {"MaxConcurrentRuns": "1"},
        "DefaultArguments": {"--count": 3},
    }
    settings = job_settings(properties)
    assert (settings["timeout"], settings["number_of_workers"]) == (120, 2)
    assert settings["execution_property"] == {"MaxConcurrentRuns": 1}
    assert settings["default_arguments"] == {"--count": "3"}
    assert "name" not in settings


def test_end_of_a_run_is_announced__once_it_can_be_seen() -> None:
    def refuse() -> str:
        raise OSError("no such object")

    told: list[tuple[str, bool]] = []
    announced = Event()

    def announce(state: str) -> None:
        told.append((state, run.ended.is_set()))
        announced.set()

    no_jvms: Any = None  # without a script none is asked for
    run = JobProcess(replace(_order({}), script=refuse, announce=announce), no_jvms)
    run.start()
    assert announced.wait(10)
    assert told == [("FAILED", True)]
