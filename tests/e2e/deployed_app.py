"""The real application in a local cloud of its own, and what a test asks of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import quote_plus

import boto3
import pytest
from contract.tables import GOLD_TABLES

from assay.ledger import Item, Ledger
from assay.query import lake
from assay.target import Target, local_target
from devcloud.local import deploy, lifecycle
from devcloud.local.environment import REGION
from devcloud.local.lifecycle import Cloud
from devcloud.local.mail import Mail, mails

ROOT = Path(__file__).resolve().parents[2]
TESTER = "tester"
PARAMETERS = {"Stage": "local", "PollSeconds": "3"}
WITHIN_SECONDS = 420


@dataclass(frozen=True)
class DeployedApp:
    """The deployed stack."""

    project: Path
    cloud: Cloud

    @cached_property
    def target(self) -> Target:
        found = local_target(self.cloud, project=self.project)
        # Under a key of its own: what a test asks is no call of the command line.
        return replace(found, session=boto3.Session(TESTER, "local", region_name=REGION))

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.target.dynamodb, self.target.stack.ledger_table)

    def client(self, service: str) -> Any:
        return self.target.session.client(service, endpoint_url=self.target.endpoint)

    def object(self, uri: str) -> bytes:
        """Read an object named like s3://bucket/key."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        content: bytes = self.target.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def executions(self) -> list[dict[str, Any]]:
        pages = self.target.stepfunctions.get_paginator("list_executions")
        machine = self.target.stack.workflow
        return [dict(each) for page in pages.paginate(stateMachineArn=machine) for each in page["executions"]]

    def job_runs(self, job: str) -> list[dict[str, Any]]:
        pages = self.target.glue.get_paginator("get_job_runs").paginate(JobName=job)
        return [dict(each) for page in pages for each in page["JobRuns"]]

    def mails_about(self, item: Item) -> list[Mail]:
        return [mail for mail in mails(self.cloud.state_folder) if item["file_id"] in mail.body]

    def deliver_again(self, item: Item) -> Any:
        """Call the function with the event of a file that it knows; return its answer."""
        event = json.dumps(s3_event(item)).encode()
        answer = self.client("lambda").invoke(FunctionName=self.target.stack.kpi_function, Payload=event)
        return json.load(answer["Payload"])

    def assay(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the operator's, and wait until it ends."""
        command = [str(Path(sys.executable).with_name("assay")), *words]
        return subprocess.run(command, cwd=self.project, capture_output=True, text=True, check=False)

    def cells(self) -> dict[str, list[dict[str, Any]]]:
        """Return all rows of Gold, but for the row that gave a member its attributes: it is named by its version."""
        with lake(self.target) as tables:
            return {
                name: [
                    {column: value for column, value in row.items() if column != "row_order"}
                    for row in tables.ask(f"FROM gold.{name} ORDER BY ALL").read_all().to_pylist()
                ]
                for name in GOLD_TABLES
            }

    def all_mails(self) -> list[Mail]:
        return mails(self.cloud.state_folder)


def open_breaker(app: DeployedApp, layer: str) -> None:
    """Open the breaker of a layer, as if its job did not work."""
    texts = {
        "file_id": f"breaker#{layer}",
        "kind": "breaker",
        "prober": "x",
        "opened_at": "2020-06-01T00:00:00.000000Z",
    }
    item = {name: {"S": value} for name, value in texts.items()}
    app.client("dynamodb").put_item(TableName=app.target.stack.ledger_table, Item=item)


def await_parking(app: DeployedApp, key: str) -> Item:
    """Wait until the execution of a file has met an open breaker and has ended; return the item of the file."""

    def met() -> Item:
        return next((item for item in app.ledger.whole() if item["key"] == key and "parked" in item), {})

    item: Item = until(met, seconds=WITHIN_SECONDS, what=f"{key} parked")
    describe = app.target.stepfunctions.describe_execution
    until(
        lambda: describe(executionArn=item["parked"])["status"] == "FAILED",
        seconds=WITHIN_SECONDS,
        what=f"the end of the execution of {key}",
    )
    return item


@contextmanager
def dropped_events(app: DeployedApp) -> Iterator[None]:
    """Have the cloud lose all events of Bronze."""
    s3, bucket = app.target.s3, app.target.stack.bronze_bucket
    before = s3.get_bucket_notification_configuration(Bucket=bucket)
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    try:
        yield
    finally:
        kept = {"LambdaFunctionConfigurations": before["LambdaFunctionConfigurations"]}
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=kept)  # type: ignore[arg-type]


def s3_event(item: Item) -> dict[str, Any]:
    """Make the event that S3 sent for the object version of a ledger item."""
    changed = {
        "key": quote_plus(item["key"], safe="/"),
        "versionId": item["version_id"],
        "sequencer": item["sequencer"],
        "eTag": item["etag"],
        "size": item["size"],
    }
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": item["last_modified_at"],
        "eventName": "ObjectCreated:Put",
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": item["bucket"]}, "object": changed},
    }
    return {"Records": [record]}


def until(ask: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """Ask until there is an answer."""
    pause, end = Event(), time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > end:
            pytest.fail(f"{what}: not within {seconds:g} s")
        pause.wait(0.5)
    return answer


def _signing_key(cloud: Cloud) -> dict[str, str]:
    """Make a key of the account's, outside of the stack, with which the jobs sign."""
    session = boto3.Session(TESTER, "local", region_name=REGION)
    made = session.client("kms", endpoint_url=cloud.endpoint).create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")
    return {"SigningKeyArn": made["KeyMetadata"]["Arn"]}


@contextmanager
def deployed(project: Path) -> Iterator[DeployedApp]:
    """Build and deploy a copy of the project, so that the developer's own local cloud is not touched."""
    for part in deploy.DEPLOYED_PARTS:
        source, copy = ROOT / part, project / part
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, copy)
    cloud = lifecycle.start(project, parent=os.getpid(), record_calls=True)
    try:
        lines: list[str] = []
        try:
            deploy.deploy(project, cloud, on_line=lines.append, parameters=PARAMETERS | _signing_key(cloud))
        except deploy.DeployError as error:
            pytest.fail("\n".join([str(error), *lines[-30:]]))
        yield DeployedApp(project, cloud)
    finally:
        lifecycle.stop(project)
