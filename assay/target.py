"""Which cloud a command works on: one rule, and the same clients for the local cloud and for AWS."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from assay.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

    from devcloud.local.lifecycle import Cloud

DEPLOY = "deploy it: assay deploy (local cloud), or sam deploy --guided (AWS); or name another one: --stack"
LOCAL_STACK = "assay-local"
AWS_STACK = "assay-dev"
"""The names that `samconfig.toml` gives; production is always named, so that nobody works on it by accident."""


@dataclass(frozen=True)
class Stack:
    """What the deployed stack says about itself in its outputs."""

    bronze_bucket: str
    cards_key: str
    lake_bucket: str
    ledger_table: str
    kpi_function: str
    sweep_function: str
    mail_topic: str
    workflow: str
    silver_job: str
    gold_job: str
    silver_database: str
    gold_database: str
    notebook_role: str
    replay_ledger_table: str
    replay_silver_job: str
    replay_gold_job: str
    replay_silver_database: str
    replay_gold_database: str
    signing_key: str
    report_pages: str


OUTPUTS = {
    field: "".join(part.capitalize() for part in field.split("_")) for field in Stack.__dataclass_fields__
}  # bronze_bucket -> BronzeBucket


@dataclass(frozen=True)
class Target:
    """A deployed stack, in the local cloud of a project or in AWS."""

    stack_name: str
    session: boto3.Session
    endpoint: str | None
    project: Path

    @property
    def is_local(self) -> bool:
        return self.endpoint is not None

    @cached_property
    def s3(self) -> S3Client:
        return self.session.client("s3", endpoint_url=self.endpoint)

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        return self.session.client("dynamodb", endpoint_url=self.endpoint)

    @cached_property
    def glue(self) -> GlueClient:
        return self.session.client("glue", endpoint_url=self.endpoint)

    @cached_property
    def stepfunctions(self) -> SFNClient:
        return self.session.client("stepfunctions", endpoint_url=self.endpoint)

    @cached_property
    def functions(self) -> LambdaClient:
        """Calls functions, each once: a sweep takes up to a quarter of an hour."""
        once = Config(read_timeout=910, retries={"max_attempts": 0})
        return self.session.client("lambda", endpoint_url=self.endpoint, config=once)

    @cached_property
    def athena(self) -> AthenaClient:
        return self.session.client("athena", endpoint_url=self.endpoint)

    @cached_property
    def stack(self) -> Stack:
        """Read the outputs of the stack."""
        outputs = self._outputs()
        missing = [name for name in OUTPUTS.values() if name not in outputs]
        if missing:
            raise UserError(f"the stack {self.stack_name} has no output {', '.join(missing)}", DEPLOY)
        return Stack(**{field: outputs[name] for field, name in OUTPUTS.items()})

    def _outputs(self) -> dict[str, str]:
        client = self.session.client("cloudformation", endpoint_url=self.endpoint)
        try:
            stacks = client.describe_stacks(StackName=self.stack_name)["Stacks"]
        except ClientError as error:
            # CloudFormation reports a stack that does not exist as an invalid argument.
            if error.response.get("Error", {}).get("Code") != "ValidationError":
                raise
            where = "in the local cloud" if self.is_local else f"in AWS, region {self.session.region_name}"
            raise UserError(f"there is no stack {self.stack_name} {where}", DEPLOY) from None
        return {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}

    def operator(self) -> str:
        """Name who works on it: by the caller's identity in AWS, by the account of this machine in a local cloud."""
        if self.is_local:
            from getpass import getuser

            return getuser()
        return str(self.session.client("sts").get_caller_identity()["Arn"])

    def logs(self) -> list[str]:
        """Return where the log of each stage is."""
        if self.is_local:
            return [str(self.project / ".assay" / "logs")]
        function = self.stack.kpi_function
        named = function.removesuffix("-kpi")
        of_glue = [f"/aws-glue/{named}/{stream}" for stream in ("output", "error")]
        groups = [f"/aws/lambda/{function}", f"/aws/vendedlogs/states/{named}", *of_glue]
        return [f"CloudWatch log group {group}" for group in groups]


def find_project(start: Path) -> Path:
    """Return the nearest folder, from `start` upwards, that holds template.yaml; else `start` itself."""
    return next((folder for folder in (start, *start.parents) if (folder / "template.yaml").is_file()), start)


def running_cloud(project: Path) -> Cloud | None:
    """Return the local cloud of a project, if it runs."""
    from devcloud.local import lifecycle

    return lifecycle.running(project)


def find_target(*, stack: str | None, region: str | None, profile: str | None, project: Path) -> Target:
    """Return the stack to work on: by a named profile, else the running local cloud, else the AWS environment.

    Without a name it is the stack of the local environment or, in AWS, that of the environment `dev`.
    """
    profile = profile or os.environ.get("AWS_PROFILE")
    if profile:
        return Target(stack or AWS_STACK, boto3.Session(profile_name=profile, region_name=region), None, project)
    cloud = running_cloud(project)
    if cloud:
        return local_target(cloud, stack=stack or LOCAL_STACK, project=project)
    session = boto3.Session(region_name=region)
    if session.get_credentials() is None:
        raise UserError(
            "no local cloud is running here, and no AWS credentials were found",
            "start one (assay up, then assay deploy), or name an AWS profile (--profile)",
        )
    return Target(stack or AWS_STACK, session, None, project)


def local_target(cloud: Cloud, *, project: Path, stack: str = LOCAL_STACK) -> Target:
    """Return a stack of a local cloud, with a session of the cloud's own variables instead of the AWS environment."""
    environment = cloud.environment()
    session = boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
    )
    return Target(stack, session, cloud.endpoint, project)


def describe(target: Target) -> str:
    if target.is_local:
        return f"local cloud at {target.endpoint}, stack {target.stack_name}"
    profile = f", profile {target.session.profile_name}" if target.session.profile_name != "default" else ""
    return f"AWS, region {target.session.region_name}{profile}, stack {target.stack_name}"
