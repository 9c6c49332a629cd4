"""Start the workflow of a file, once for each name: the name stands for the file, whatever event asks for it."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

SLUG_CHARACTERS = 40
AT_WORK = ("RUNNING", "PENDING_REDRIVE")
_NO_EXECUTION = {"ExecutionDoesNotExist", "InvalidArn"}


def execution_name(key: str, file_id: str) -> str:
    """Return a name that is the same for every event about a file: a slug to read, and the identity."""
    ascii_name = unicodedata.normalize("NFKD", key.rpartition("/")[2]).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^0-9A-Za-z_-]+", "-", ascii_name).strip("-")[:SLUG_CHARACTERS]
    return f"{slug or 'file'}-{file_id[:32]}"


def execution_arn(machine: str, name: str) -> str:
    """Return the ARN that an execution of this name has."""
    return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


def next_execution_arn(machine: str, item: Mapping[str, Any]) -> str:
    """Return the ARN of a file's execution after the last one: the first one's name, and how often it is resumed."""
    last = str(item.get("execution_arn", "")).rpartition(":")[2]
    first = re.sub(r"-r\d+$", "", last) or execution_name(item["key"], item["file_id"])
    return execution_arn(machine, f"{first}-r{int(item.get('resumes', 0)) + 1}")


def start_execution(workflows: SFNClient, machine: str, item: Mapping[str, Any], name: str) -> str:
    """Start a file's workflow unless an execution of this name was started before; return the execution's ARN."""
    given = {each: item[each] for each in ("file_id", "bucket", "key", "version_id")}
    try:
        return workflows.start_execution(stateMachineArn=machine, name=name, input=json.dumps(given, sort_keys=True))[
            "executionArn"
        ]
    except ClientError as error:
        # An execution of that name, also a closed one, is this file's.
        if error.response["Error"]["Code"] != "ExecutionAlreadyExists":
            raise
        return execution_arn(machine, name)


def status_of(workflows: SFNClient, arn: str) -> str | None:
    """Return the status of an execution; None if Step Functions does not know it, or knows it no more."""
    try:
        return workflows.describe_execution(executionArn=arn)["status"]
    except ClientError as error:
        if error.response["Error"]["Code"] in _NO_EXECUTION:
            return None
        raise


def goes_on(workflows: SFNClient, arn: str) -> bool:
    """Return whether an execution is still at work; one that Step Functions knows no more is not."""
    return status_of(workflows, arn) in AT_WORK
