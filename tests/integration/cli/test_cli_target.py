"""Which cloud a command works on, and what it says when there is none."""

from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from deployed_stack import KEYS, REGION, DeployedStack

from assay import target
from assay.aws_errors import explain


@pytest.fixture
def no_cloud(bare: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> DeployedStack:
    """The account is there, as AWS; no local cloud runs."""
    monkeypatch.setattr(target, "running_cloud", lambda project: None)
    monkeypatch.setenv("AWS_ENDPOINT_URL", bare.endpoint)
    return bare


def test_target_is_the_local_cloud__whatever_the_environment_says(
    stack: DeployedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")

    found = target.find_target(stack=None, region=None, profile=None, project=Path())

    credentials = found.session.get_credentials()
    assert credentials is not None
    assert (found.endpoint, credentials.access_key, found.stack_name) == (stack.endpoint, "test", "assay-local")
    assert found.stack.silver_database == "assay_silver"


def test_target_is_aws_and_says_so__no_local_cloud(no_cloud: DeployedStack) -> None:
    result = no_cloud.assay("status", "--region", REGION)

    assert f"target: AWS, region {REGION}, stack assay-dev" in result.stderr


@pytest.mark.parametrize("by", ["option", "variable"])
def test_target_is_aws__profile_named_and_local_cloud_running(
    bare: DeployedStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, by: str
) -> None:
    (tmp_path / "config").write_text(
        f"[profile work]\nregion = {REGION}\naws_access_key_id = {KEYS['AWS_ACCESS_KEY_ID']}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    if by == "variable":
        monkeypatch.setenv("AWS_PROFILE", "work")

    found = target.find_target(stack=None, region=None, profile="work" if by == "option" else None, project=Path())

    assert (found.is_local, found.session.profile_name, found.stack_name) == (False, "work", "assay-dev")


@pytest.mark.parametrize("by", ["option", "variable"])
def test_target_is_the_stack_that_is_named__in_aws(
    no_cloud: DeployedStack, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    if by == "variable":
        monkeypatch.setenv("ASSAY_STACK", "assay-prod")

    result = no_cloud.assay("status", "--region", REGION, *(["--stack", "assay-prod"] if by == "option" else []))

    assert f"target: AWS, region {REGION}, stack assay-prod" in result.stderr
    assert "there is no stack assay-prod in AWS" in result.stderr


def test_target_is_missing__no_cloud_and_no_credentials(
    no_cloud: DeployedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")

    result = no_cloud.assay("status")

    assert result.exit_code == 2
    assert "assay up" in result.stderr
    assert "--profile" in result.stderr


def test_target_names_the_profiles__profile_does_not_exist(bare: DeployedStack) -> None:
    result = bare.assay("status", "--profile", "nobody")

    assert result.exit_code == 2
    assert "nobody" in result.stderr


def test_stack_is_missing__nothing_deployed(bare: DeployedStack) -> None:
    result = bare.assay("status", "--stack", "other")

    assert result.exit_code == 2
    assert "there is no stack other in the local cloud" in result.stderr
    assert "assay deploy" in result.stderr


def test_ledger_is_missing__stack_half_deleted(stack: DeployedStack) -> None:
    stack.client("dynamodb").delete_table(TableName="assay-ledger")

    result = stack.assay("status")

    assert result.exit_code == 2
    assert "assay deploy" in result.stderr


def test_find_project_is_the_folder_with_the_template__from_below(tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text("")
    (tmp_path / "a/b").mkdir(parents=True)

    assert target.find_project(tmp_path / "a/b") == tmp_path


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ExpiredTokenException", "the AWS credentials have expired"),
        ("UnrecognizedClientException", "AWS does not know these credentials"),
        ("AccessDenied", "not allowed: PutObject: no"),
        ("NoSuchBucket", "PutObject: no"),
    ],
)
def test_explain_gives_words__known_refusal(code: str, words: str) -> None:
    error = explain(ClientError({"Error": {"Code": code, "Message": "no"}}, "PutObject"))

    assert error is not None
    assert error.what == words


def test_explain_keeps_silent__unknown_refusal() -> None:
    assert explain(ClientError({"Error": {"Code": "InternalError", "Message": "no"}}, "PutObject")) is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ACCESS_DENIED", "not allowed: HeadObject: s3://assay-lake/warehouse/assay_silver.db/t/a.parquet"),
        ("NETWORK_CONNECTION", "no connection: HeadObject: s3://assay-lake/warehouse/assay_silver.db/t/a.parquet"),
    ],
)
def test_explain_gives_words__arrow_could_not_read_a_table(code: str, words: str) -> None:
    where = "When reading information for key 'warehouse/assay_silver.db/t/a.parquet' in bucket 'assay-lake'"
    error = explain(OSError(f"{where}: AWS Error {code} during HeadObject operation: No response body."))

    assert error is not None
    assert error.what == words


def test_explain_keeps_silent__other_error_of_the_system() -> None:
    assert explain(OSError("No space left on device")) is None
