"""Deploys a project to its local cloud by the real `sam build` and `sam deploy`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import boto3

from assay.errors import UserError
from devcloud.local import resources
from devcloud.local.environment import DEPLOYER, aws_environment, inherited_environment
from devcloud.local.lifecycle import Cloud

# `sam deploy --resolve-s3` would make a stack of its own for it, from a template that moto cannot deploy.
ARTEFACT_BUCKET = "assay-local-artefacts"
DEPLOYED_PARTS = (
    "template.yaml",
    "samconfig.toml",
    "functions",
    "glue/scripts",
    "statemachine",
    # The function of the report pages is built of the command line.
    "assay",
    "pyproject.toml",
)
"""What of a project `sam` reads: a copy of it needs no more to be deployed."""


# `sam` looks every five seconds how far CloudFormation is; here it is done at once.
_SAM = {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "0.2"}


class DeployError(UserError):
    """A command of the deployment failed; its output was handed on line by line."""

    def __init__(self, *, command: list[str], code: int) -> None:
        super().__init__(
            f"`{' '.join(command)}` exited with code {code}",
            "fix what the lines above name, then try again: assay deploy",
        )
        self.code = code


def refuse_stale_scripts(project: Path) -> None:
    """Raise UserError where the jobs' scripts are not what notebooks, packages and contract make now.

    Such a job has another contract than the KPI function, and refuses the files that the function accepts.
    """
    exporter = project / "tools" / "export_notebooks.py"
    if not exporter.exists():
        return
    checked = subprocess.run([sys.executable, exporter, "--check"], stdout=subprocess.PIPE, text=True, check=False)
    if checked.returncode:
        raise UserError(checked.stdout.strip(), "write the scripts, then deploy them: make export && assay deploy")


def deploy(
    project: Path, cloud: Cloud, *, on_line: Callable[[str], None], parameters: dict[str, str] | None = None
) -> None:
    """Build and deploy, handing each line of output to `on_line`; parameters override those of `samconfig.toml`."""
    _make_artefact_bucket(cloud)
    _run_sam(["build"], project, cloud, on_line=on_line)
    command = ["deploy", "--config-env", "local", "--s3-bucket", ARTEFACT_BUCKET]
    if parameters:
        command += ["--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())]
    _run_sam(command, project, cloud, on_line=on_line)
    missing = resources.not_emulated(project / "template.yaml")
    for kind, reason in dict.fromkeys((kind, reason) for _, kind, reason in missing):
        names = ", ".join(name for name, other, _ in missing if other == kind)
        on_line(f"not emulated: {kind} ({names}): {reason}")


def _make_artefact_bucket(cloud: Cloud) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=cloud.endpoint,
        region_name="us-east-1",
        aws_access_key_id=DEPLOYER,
        aws_secret_access_key="local",  # noqa: S106 (the emulator takes any)
    )
    if not any(bucket["Name"] == ARTEFACT_BUCKET for bucket in s3.list_buckets()["Buckets"]):
        s3.create_bucket(Bucket=ARTEFACT_BUCKET)


def _run_sam(words: list[str], project: Path, cloud: Cloud, *, on_line: Callable[[str], None]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "devcloud.local.sam", *words],
        cwd=project,
        env=_environment(cloud),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            on_line(line.rstrip("\n"))
    if process.returncode:
        raise DeployError(command=["sam", *words], code=process.returncode)


def _environment(cloud: Cloud) -> dict[str, str]:
    inherited = inherited_environment()
    scripts = str(Path(sys.executable).parent)
    path = os.pathsep.join([scripts, inherited.get("PATH", "")])
    return {**inherited, **aws_environment(cloud.endpoint, key_id=DEPLOYER), "PATH": path, **_SAM}
