"""A small application, deployed to the local cloud by the real `sam`, from upload to mail.

What these tests cannot catch: permissions, delays and limits of AWS.
"""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
from botocore.exceptions import ClientError

from devcloud.local import lifecycle
from tests.integration.local.conftest import SmallApp, until

KEY = "in/a b+c%=[1].csv"


def _notice(app: SmallApp, key: str) -> dict[str, dict[str, str]]:
    item = until(lambda: app.ledger(key))
    notice: dict[str, dict[str, str]] = json.loads(item["notice"]["S"])["s3"]["object"]
    return notice


def test_upload_ends_in_a_mail__function_execution_job_and_topic(app: SmallApp) -> None:
    app.upload(KEY)
    assert until(lambda: app.mail(f"done: {KEY}")).body == "SUCCEEDED"
    assert app.ledger("job") == {"id": {"S": "job"}, "rows": {"N": "1"}, "mode": {"S": "default"}}


def test_notification_says_what_s3_says__two_versions_of_a_key(app: SmallApp) -> None:
    key = "in/fail twice+.csv"
    first = app.upload(key)
    before = _notice(app, key)
    second = app.upload(key)
    after = until(lambda: (found := _notice(app, key))["versionId"] == second and found)
    assert (before["versionId"], after["versionId"]) == (first, second)
    assert re.fullmatch("[0-9A-F]+", after["sequencer"])
    assert before["sequencer"] < after["sequencer"]
    assert after["key"] == "in/fail+twice%2B.csv"
    assert unquote_plus(after["key"]) == key


def test_event_lies_in_the_dead_letter_queue__after_three_failures(app: SmallApp) -> None:
    key = "in/fail.csv"
    app.upload(key)
    queue = app.client("sqs")

    def dead() -> dict[str, str] | None:
        url = app.outputs["Undelivered"]
        got = queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        return next((each for each in got.get("Messages", []) if '"in/fail.csv"' in each["Body"]), None)

    message = until(dead)
    assert message["MessageAttributes"]["ErrorMessage"]["StringValue"] == "told to fail"
    item = app.ledger(key)
    assert item is not None
    assert item["deliveries"] == {"N": "3"}


def test_job_failure_is_mailed_with_its_reason__script_raises(app: SmallApp) -> None:
    app.upload("in/break.csv")
    cause = json.loads(until(lambda: app.mail("failed: in/break.csv")).body)
    assert cause["JobRunState"] == "FAILED"
    assert cause["ErrorMessage"] == "ValueError: cannot read in/break.csv"
    log = app.cloud.state_folder / "logs" / "glue" / "small-job" / f"{cause['Id']}.log"
    assert "cannot read in/break.csv" in log.read_text()


def test_job_takes_the_runs_arguments__and_refuses_a_second_run(app: SmallApp) -> None:
    glue = app.client("glue")
    run = until(lambda: _start(app, {"--key": "direct", "--mode": "of the run"}))
    with pytest.raises(ClientError) as refused:
        glue.start_job_run(JobName="small-job")
    assert refused.value.response["Error"]["Code"] == "ConcurrentRunsExceededException"
    assert _ended(app, run)["JobRunState"] == "SUCCEEDED"
    item = app.ledger("job")
    assert item is not None
    assert item["mode"] == {"S": "of the run"}


def test_job_run_stops__batch_stop(app: SmallApp) -> None:
    run = until(lambda: _start(app, {"--key": "stopped"}))
    stopped = app.client("glue").batch_stop_job_run(JobName="small-job", JobRunIds=[run])
    assert [each["JobRunId"] for each in stopped["SuccessfulSubmissions"]] == [run]
    assert _ended(app, run)["JobRunState"] == "STOPPED"


def test_aborted_execution_is_mailed_by_its_rule__and_stops_its_job(app: SmallApp) -> None:
    machines, glue = app.client("stepfunctions"), app.client("glue")
    started = machines.start_execution(stateMachineArn=app.outputs["Machine"], name="abort", input='{"key": "abort"}')
    run = until(lambda: _run_of(app, "abort"))
    machines.stop_execution(executionArn=started["executionArn"])
    assert _ended(app, run)["JobRunState"] == "STOPPED"
    assert until(lambda: app.mail("")).body == '"abort ended ABORTED"'
    assert glue.get_job_run(JobName="small-job", RunId=run)["JobRun"]["Arguments"]["--key"] == "abort"


def test_function_keeps_its_process_warm__called_twice(app: SmallApp) -> None:
    calls = [_invoke(app) for _ in range(2)]
    assert calls[1]["made"] == int(str(calls[0]["made"])) + 1


def test_deploy_updates_function_definition_and_script__then_finds_nothing_to_do(app: SmallApp) -> None:
    _replace(app.project / "function" / "receiver.py", '"made": CALLS["made"],', '"made": CALLS["made"], "new": True,')
    _replace(app.project / "statemachine" / "machine.asl.json", "done: {}", "well done: {}")
    _replace(
        app.project / "jobs" / "job.py", '"greeting", arguments.greeting', '"changed greeting", arguments.greeting'
    )
    app.deploy(Greeting="moin")
    answer = _invoke(app)
    assert (answer["greeting"], answer["new"]) == ("moin", True)
    app.upload("in/after.csv")
    until(lambda: app.mail("well done: in/after.csv"))
    log = app.cloud.state_folder / "logs" / "glue" / "small-job" / f"{_run_of(app, 'in/after.csv')}.log"
    assert "changed greeting moin" in log.read_text()
    assert any("No changes to deploy" in line for line in app.deploy(Greeting="moin"))


def test_server_leaves_nothing_behind__killed(tmp_path: Path) -> None:
    cloud = lifecycle.start(tmp_path, parent=os.getpid())
    os.kill(cloud.pid, signal.SIGKILL)
    os.waitpid(cloud.pid, 0)
    assert lifecycle.running(tmp_path) is None
    assert lifecycle.stop(tmp_path) is False


def _start(app: SmallApp, arguments: dict[str, str]) -> str | None:
    glue = app.client("glue")
    try:
        return str(glue.start_job_run(JobName="small-job", Arguments=arguments)["JobRunId"])
    except glue.exceptions.ConcurrentRunsExceededException:
        return None


def _run_of(app: SmallApp, key: str) -> str | None:
    runs = app.client("glue").get_job_runs(JobName="small-job")["JobRuns"]
    return next((run["Id"] for run in runs if run["Arguments"].get("--key") == key), None)


def _ended(app: SmallApp, run_id: str) -> dict[str, str]:
    def ended() -> dict[str, str] | None:
        run: dict[str, str] = app.client("glue").get_job_run(JobName="small-job", RunId=run_id)["JobRun"]
        return run if "CompletedOn" in run else None

    answer: dict[str, str] = until(ended)
    return answer


def _invoke(app: SmallApp) -> dict[str, object]:
    answer = app.client("lambda").invoke(FunctionName=app.outputs["Receiver"], Payload=b"{}")
    payload: dict[str, object] = json.loads(answer["Payload"].read())
    return payload


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
