"""What runs is held against what is allowed: each role's recorded calls against the policies that were deployed.

The local cloud forbids nothing and misses no permission; here one that is missing fails, and so does one that nothing
uses. Roles know each other's names only by the stack's: `assay-local-SilverRole-…`.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

import pytest
from deployed_app import ROOT, TESTER, DeployedApp
from ended_batch import EndedBatch
from iam import Statement, allows, matches, statements
from operations import operate

from assay.target import LOCAL_STACK
from devcloud.local.calls import Call, recorded
from devcloud.local.environment import DEPLOYER, OPERATOR
from devcloud.local.state_folder import StateFolder

JOB_ROLES = ("SilverRole", "GoldRole", "ReplaySilverRole", "ReplayGoldRole")
FUNCTION_ROLES = ("KpiFunctionRole", "SweepFunctionRole", "WatchFunctionRole", "ReportFunctionRole")
ROLES = (*FUNCTION_ROLES, "WorkflowRole", *JOB_ROLES)


class Grant(NamedTuple):
    """Patterns of a role's name, an action and a resource."""

    role: str
    action: str
    resource: str

    def covers(self, other: Grant) -> bool:
        return all(matches(pattern, value) for pattern, value in zip(self, other, strict=True))


class Needed(NamedTuple):
    """A permission that a call of a role took."""

    role: str
    action: str
    resource: str
    context: tuple[tuple[str, str], ...]

    @property
    def asked(self) -> tuple[str, str, dict[str, str]]:
        return self.action, self.resource, dict(self.context)


# What no call here uses, each with who uses it.
UNUSED = {
    Grant("*", "logs:*", "*"): "AWS's services write the logs",
    Grant("*", "cloudwatch:PutMetricData", "*"): "Glue's observer writes the metrics",
    Grant("*", "s3:GetObject", "*samclisourcebucket*"): "Glue fetches a job's script; here the cloud has it at hand",
    Grant("KpiFunctionRole", "sqs:SendMessage", "*"): "Lambda puts lost events into the dead-letter queue",
    Grant("WorkflowRole", "sns:Publish", "*DigestTopic*"): "mails publications there where MailDigest is on",
    Grant("SweepFunctionRole", "states:*Execution", "*"): "looks at executions that take hours, and resumes dead ones",
    Grant("SweepFunctionRole", "s3:ListBucket", "*-bronze-*"): "S3 answers 404 by it for a calendar that was deleted",
    Grant("WorkflowRole", "glue:GetJobRuns", "*"): "Step Functions waits for a job with it",
    Grant("WorkflowRole", "glue:BatchStopJobRun", "*"): "Step Functions stops a stopped execution's job with it",
    Grant("*", "s3:ListBucketVersions", "*-bronze-*"): "S3 answers 404 by it for a version that was deleted",
    Grant("*SilverRole", "s3:ListBucket", "*-bronze-*"): "S3 answers 404 by it for an upload that was deleted",
    Grant("*SilverRole", "s3:GetObjectVersionTagging", "*"): "S3 asks for it where an upload has tags",
    Grant("*SilverRole", "s3:PutObjectTagging", "*/staging/*"): "S3 asks for it where an upload has tags",
    Grant("*SilverRole", "s3:AbortMultipartUpload", "*/staging/*"): "boto3 gives up a large copy that failed",
    Grant("*", "s3:AbortMultipartUpload", "*/warehouse/*"): "Iceberg and S3A give up a large file that failed",
    Grant("*", "s3:ListMultipartUploadParts", "*/warehouse/*"): "S3A's committers on AWS end uploads that failed",
    Grant("*", "s3:ListBucketMultipartUploads", "*-lake-*"): "S3A's committers on AWS look for uploads that failed",
    Grant("*SilverRole", "s3:GetObject", "*/cuts.json"): "a compaction reads it once snapshots are to expire",
    Grant("*", "glue:GetDatabase", "*:table/*"): "a database is above its tables, and they stand in one list",
    Grant("ReplaySilverRole", "s3:PutObject", "*/replay/passports/*"): "Silver refuses a load; none is in a replay",
    Grant(OPERATOR, "s3:AbortMultipartUpload", "*-bronze-*"): "`assay upload` gives up a large file that failed",
    Grant(OPERATOR, "lambda:InvokeFunction", "*"): "`assay resume` has it examined again; none fails here",
    Grant(OPERATOR, "glue:GetJobRuns", "*"): "`assay replay` and `maintain` ask whether a job is busy",
    Grant(OPERATOR, "glue:BatchStopJobRun", "*"): "`assay replay` and `maintain`, interrupted, stop the job",
}
# What is used or not by how the files fell into runs.
VARYING = {
    Grant("*", "s3:DeleteObject", "*/warehouse/*"): "compactions delete, and so do commits that lost a race",
    Grant("ReplayGoldRole", "s3:ListBucket", "*-lake-*"): "S3A lists when it reads files of deletes",
}
# What is refused, and may be.
REFUSED = {
    Grant("*", "s3:DeleteObject", "*/warehouse/"): "S3A clears away empty parents of a new file, and ignores a refusal",
}


@pytest.fixture(scope="module")
def calls_of_batch(app: DeployedApp, ended: EndedBatch) -> list[Call]:
    """All that was called until the batch had ended."""
    assert ended.items
    return list(recorded(StateFolder(app.cloud.state_folder).calls))


@pytest.fixture(scope="module")
def calls(app: DeployedApp, calls_of_batch: list[Call]) -> list[Call]:
    """All that was called until an operator had done after it what there is to do, which takes minutes."""
    assert operate(app) == []
    found = list(recorded(StateFolder(app.cloud.state_folder).calls))
    assert len(found) > len(calls_of_batch)
    return found


@pytest.fixture(scope="module")
def policies(app: DeployedApp) -> dict[str, list[Statement]]:
    """The statements of each role, as they were deployed: with the names of this stack."""
    iam, of_key, found = app.client("iam"), _key_policy(app), {}
    for role in ROLES:
        ((name, arn),) = [
            (each["RoleName"], each["Arn"]) for each in iam.list_roles()["Roles"] if _logical(each["RoleName"]) == role
        ]
        documents = [
            iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
        ]
        # moto keeps a role's own documents as Python writes them, those of AWS::IAM::Policy as they are.
        read = (ast.literal_eval(each) if isinstance(each, str) else each for each in documents)
        found[role] = [statement for document in read for statement in statements(document)]
        found[role] += statements({"Statement": of_key.get(arn, [])})
    return found | {OPERATOR: _of_operators()}


def _key_policy(app: DeployedApp) -> dict[str, list[dict[str, Any]]]:
    """Read what the policy of the cards' key allows, by the ARN of whom it names."""
    document = app.client("kms").get_key_policy(KeyId=app.target.stack.cards_key, PolicyName="default")["Policy"]
    found: dict[str, list[dict[str, Any]]] = {}
    for statement in document["Statement"]:
        named = statement.pop("Principal")["AWS"]
        for arn in named if isinstance(named, list) else [named]:
            found.setdefault(arn, []).append(statement)
    return found


def _of_operators() -> list[Statement]:
    """Read the documented policy of who runs the command line, for this stage."""
    return statements(json.loads((ROOT / "docs/operator-policy.json").read_text().replace("dev", "local")))


def test_roles_are_allowed_all_that_they_call__batch(
    calls_of_batch: list[Call], policies: dict[str, list[Statement]]
) -> None:
    assert {"KpiFunctionRole", "WorkflowRole", "SilverRole", "GoldRole"} <= {
        each.role for each in _needed(calls_of_batch)
    }
    assert _not_allowed(calls_of_batch, policies) == set()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_call_is_somebodys(calls: list[Call]) -> None:
    assert {_logical(call["role"]) for call in calls} == {*ROLES, OPERATOR, DEPLOYER, TESTER}


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_roles_are_allowed_all_that_they_call__operations(
    calls: list[Call], policies: dict[str, list[Statement]]
) -> None:
    assert _not_allowed(calls, policies) == set()


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_roles_call_all_that_they_are_allowed(calls: list[Call], policies: dict[str, list[Statement]]) -> None:
    needed = _needed(calls)

    unused = {
        Grant(role, *grant.actions, *grant.resources)
        for role, given in policies.items()
        for statement in given
        for grant in statement.grants()
        if not any(each.role == role and grant.applies_to(*each.asked) for each in needed)
    }

    assert {each for each in unused if not _is_among(UNUSED | VARYING, each)} == set()
    assert [known for known in UNUSED if not any(known.covers(each) for each in unused)] == []


def _not_allowed(calls: Iterable[Call], policies: dict[str, list[Statement]]) -> set[Grant]:
    """Return what calls took that their roles' policies do not allow."""
    missing = {
        Grant(each.role, each.action, each.resource)
        for each in _needed(calls)
        if each.role in policies and not allows(policies[each.role], *each.asked)
    }
    return {each for each in missing if not _is_among(REFUSED, each)}


def _needed(calls: Iterable[Call]) -> set[Needed]:
    return {
        Needed(_logical(call["role"]), each["action"], each["resource"], tuple(sorted(each["context"].items())))
        for call in calls
        for each in call["permissions"]
    }


def _logical(role: str) -> str:
    """Return the name that the template gives a role; others keep theirs."""
    return role.removeprefix(f"{LOCAL_STACK}-").rpartition("-")[0] or role


def _is_among(known: Iterable[Grant], grant: Grant) -> bool:
    return any(each.covers(grant) for each in known)
