"""A local cloud with the small application deployed to it, once for all tests of the folder."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import boto3
import pytest

from devcloud.local import deploy, lifecycle
from devcloud.local.lifecycle import Cloud
from devcloud.local.mail import Mail, mails

APP = Path(__file__).with_name("app")


@dataclass(frozen=True)
class SmallApp:
    """The deployed application and what a test asks of it."""

    project: Path
    cloud: Cloud
    outputs: dict[str, str]

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.cloud.endpoint,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def deploy(self, **parameters: str) -> list[str]:
        lines: list[str] = []
        deploy.deploy(self.project, self.cloud, on_line=lines.append, parameters=parameters or None)
        return lines

    def upload(self, key: str) -> str:
        """Put an object and return its version."""
        put = self.client("s3").put_object(Bucket=self.outputs["Inbox"], Key=key, Body=b"x")
        return str(put["VersionId"])

    def ledger(self, key: str) -> dict[str, Any] | None:
        found = self.client("dynamodb").get_item(TableName=self.outputs["Ledger"], Key={"id": {"S": key}})
        item: dict[str, Any] | None = found.get("Item")
        return item

    def mail(self, subject: str) -> Mail | None:
        return next((mail for mail in mails(self.cloud.state_folder) if mail.subject == subject), None)


def until(ask: Callable[[], Any], *, seconds: float = 90) -> Any:
    """Ask until there is an answer."""
    pause, end = Event(), time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > end:
            pytest.fail(f"no answer within {seconds} s")
        pause.wait(0.1)
    return answer


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallApp]:
    project = tmp_path_factory.mktemp("small") / "app"
    shutil.copytree(APP, project)
    # Where calls are recorded each role has a JVM of its own, which nothing warms: these jobs need none of that.
    cloud = lifecycle.start(project, parent=os.getpid(), record_calls=True)
    try:
        lines: list[str] = []
        deploy.deploy(project, cloud, on_line=lines.append)
        made = SmallApp(project, cloud, {})
        stack = made.client("cloudformation").describe_stacks(StackName="small")["Stacks"][0]
        made.outputs.update({each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]})
        yield made
    finally:
        lifecycle.stop(project)
