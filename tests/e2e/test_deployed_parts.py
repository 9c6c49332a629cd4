"""What is deployed is what was built from: scripts, definition and function, byte for byte."""

import hashlib
import io
import json
import zipfile
import zlib
from base64 import b64encode

import pytest
from deployed_app import DeployedApp

from devcloud.local.deploy import ARTEFACT_BUCKET


@pytest.mark.parametrize("layer", ["silver", "gold"])
def test_deployed_job_runs_the_script_of_the_project(app: DeployedApp, layer: str) -> None:
    job = app.target.glue.get_job(JobName=getattr(app.target.stack, f"{layer}_job"))["Job"]
    assert app.object(job["Command"]["ScriptLocation"]) == (app.project / f"glue/scripts/{layer}.py").read_bytes()


def test_deployed_workflow_is_the_definition_of_the_project__substituted(app: DeployedApp) -> None:
    stack = app.target.stack
    definition = (app.project / "statemachine/workflow.asl.json").read_text()
    values = {
        "Partition": "aws",
        "Stage": "local",
        "LedgerTable": stack.ledger_table,
        "SilverJob": stack.silver_job,
        "GoldJob": stack.gold_job,
        "MailTopic": stack.mail_topic,
        "PublishedTopic": stack.mail_topic,
        "GatherSeconds": "0",
        "PollSeconds": "3",
        "MaximumPolls": "250",
        "ProbeSeconds": "900",
    }
    for name, value in values.items():
        definition = definition.replace(f"${{{name}}}", value)
    found = app.target.stepfunctions.describe_state_machine(stateMachineArn=stack.workflow)["definition"]
    assert json.loads(found) == json.loads(definition)


def test_deployed_function_holds_the_modules_of_the_project(app: DeployedApp) -> None:
    function = app.client("lambda").get_function(FunctionName=app.target.stack.kpi_function)["Configuration"]
    folder = app.project / "functions/kpi"
    modules = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.py")}
    with zipfile.ZipFile(io.BytesIO(_package(app, function["CodeSha256"]))) as package:
        assert {name: package.read(name) for name in modules} == modules


def test_deployed_package_was_compressed_quickly(app: DeployedApp) -> None:
    function = app.client("lambda").get_function(FunctionName=app.target.stack.kpi_function)["Configuration"]
    with zipfile.ZipFile(io.BytesIO(_package(app, function["CodeSha256"]))) as package:
        content, size = package.read("app.py"), package.getinfo("app.py").compress_size
    sizes = {level: len(zlib.compress(content, level, wbits=-15)) for level in (zlib.Z_BEST_SPEED, 6)}
    assert sizes[zlib.Z_BEST_SPEED] == size > sizes[6]


def test_deployed_report_function_holds_the_command_line__in_less_than_lambda_takes(app: DeployedApp) -> None:
    function = app.client("lambda").get_function(FunctionName="assay-local-report")["Configuration"]
    modules = {
        str(path.relative_to(app.project)): path.read_bytes()
        for path in (app.project / "assay").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(io.BytesIO(_package(app, function["CodeSha256"]))) as package:
        assert {name: package.read(name) for name in modules} == modules
        unzipped = sum(each.file_size for each in package.infolist())
    assert unzipped < 250 * 1024 * 1024
    print(f"{unzipped:,} bytes unzipped")


def _package(app: DeployedApp, sha256: str) -> bytes:
    """Find by its digest, among the uploaded artefacts, the package that the function runs."""
    uploaded = app.target.s3.list_objects_v2(Bucket=ARTEFACT_BUCKET)["Contents"]
    contents = (app.object(f"s3://{ARTEFACT_BUCKET}/{each['Key']}") for each in uploaded)
    return next(content for content in contents if b64encode(hashlib.sha256(content).digest()).decode() == sha256)
