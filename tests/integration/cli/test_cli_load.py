"""`assay load declare` against a stack in moto: what it lists, writes, and refuses."""

import json
from typing import Any

import pytest
from deployed_stack import NAMES, DeployedStack, file_item

from assay.load import declare as declaring

BUCKET = NAMES["BronzeBucket"]
MARKER = "transactions/full/_load.json"
START = ("--start", "2026-11-22T06:00:00+02:00")
FIRST, SECOND = "transactions/full/LOAD00000001.csv", "transactions/full/LOAD00000002.csv"


def put(stack: DeployedStack, key: str) -> str:
    version: str = stack.client("s3").put_object(Bucket=BUCKET, Key=key, Body=b"1,x")["VersionId"]
    return version


def marker(stack: DeployedStack) -> dict[str, Any]:
    answer = stack.client("s3").get_object(Bucket=BUCKET, Key=MARKER)
    return {**json.loads(answer["Body"].read()), "version of the marker": answer["VersionId"]}


def markers(stack: DeployedStack) -> int:
    return stack.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=MARKER)["KeyCount"]  # type: ignore[no-any-return]


def test_declare_lists_the_current_versions__of_load_files_only(stack: DeployedStack) -> None:
    put(stack, FIRST)
    versions = {key: put(stack, key) for key in (SECOND, FIRST)}
    gone = "transactions/full/LOAD00000003.csv"
    put(stack, gone)
    stack.client("s3").delete_object(Bucket=BUCKET, Key=gone)
    for other in (f"{FIRST}.control.json", "transactions/full/20260101-000000001.csv", "transactions/LOAD00000009.csv"):
        put(stack, other)

    result = stack.assay("load", "declare", "full", *START, "--name", "my load")

    assert result.exit_code == 0, result.output
    written = marker(stack)
    assert f"{MARKER}  version {written.pop('version of the marker')}" in result.stdout
    assert written == {
        "load": "my load",
        "start": "2026-11-22T04:00:00.000000Z",
        "files": [{"key": key, "version": versions[key]} for key in (FIRST, SECOND)],
    }
    assert FIRST in result.stdout


def test_declare_takes_the_named_files__by_key_or_name(stack: DeployedStack) -> None:
    for key in (FIRST, SECOND, "transactions/other/dump.csv"):
        put(stack, key)

    result = stack.assay(
        "load", "declare", "full", *START, "--file", "LOAD00000002.csv", "--file", "transactions/other/dump.csv"
    )

    assert result.exit_code == 0, result.output
    assert [file["key"] for file in marker(stack)["files"]] == [SECOND, "transactions/other/dump.csv"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (START, "no load files"),
        (("--start", "2999-01-01"), "lies in the future"),
        (("--start", "soon"), "--start soon is no instant"),
        ((*START, "--file", "LOAD00000001.csv"), f"there is no object {FIRST}"),
    ],
)
def test_declare_refuses_and_writes_nothing__cannot_be_a_load(
    stack: DeployedStack, arguments: tuple[str, ...], words: str
) -> None:
    result = stack.assay("load", "declare", "full", *arguments)

    assert (result.exit_code, words in result.stderr) == (2, True), result.output
    assert markers(stack) == 0


@pytest.mark.parametrize(
    ("state", "end"),
    [
        ({"status": "rejected"}, "rejected"),
        ({"status": "accepted", "failed": {"stage": "silver", "reason": "x", "attempts": 1, "at": "x"}}, "failed"),
    ],
)
def test_declare_refuses__a_file_cannot_come_into_silver(stack: DeployedStack, state: dict[str, Any], end: str) -> None:
    put(stack, SECOND)
    stack.put(file_item("full/LOAD00000001.csv", version=put(stack, FIRST)) | state)

    result = stack.assay("load", "declare", "full", *START)

    assert (result.exit_code, f"{FIRST} ({end})" in result.stderr) == (2, True), result.output
    assert markers(stack) == 0


def test_declare_refuses__file_was_taken_for_something_else_than_a_full_load(stack: DeployedStack) -> None:
    other = "transactions/full/dump.csv"
    shape = {"format": {"is_full_load": False}}
    stack.put(file_item("full/dump.csv", version=put(stack, other)) | shape)

    result = stack.assay("load", "declare", "full", *START, "--file", "dump.csv")

    assert (result.exit_code, "not a full load" in result.stderr, "full_load" in result.stderr) == (2, True, True)
    assert markers(stack) == 0


def test_declare_refuses__more_files_than_a_load_may_have(
    stack: DeployedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(declaring, "MOST_FILES", 1)
    for key in (FIRST, SECOND):
        put(stack, key)

    assert "2 files are more than a load may have (1)" in stack.assay("load", "declare", "full", *START).stderr


def test_declare_follows_the_marker__wait(stack: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = [{"code": "would_delete", "text": "too many rows would go"}]
    send = declaring.send_bytes

    def send_and_reject(*arguments: Any, **more: Any) -> Any:
        sent = send(*arguments, **more)
        stack.put(file_item("full/_load.json", version=sent.version_id) | {"status": "rejected", "reasons": reasons})
        return sent

    monkeypatch.setattr(declaring, "send_bytes", send_and_reject)
    put(stack, FIRST)

    result = stack.assay("load", "declare", "full", *START, "--wait")

    assert result.exit_code == 1
    assert f"rejected: {MARKER}: too many rows would go" in result.stderr
