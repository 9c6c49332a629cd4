from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sam_template import ROOT, properties, resources

# Statements whose service knows no resource level, each bounded otherwise.
WITHOUT_RESOURCE_LEVEL = {
    "DeliverLogs": "delivery of vended logs",
    "PutMetrics": "metrics, bounded by their namespace",
}
# What AWS itself attaches through SAM: writing logs and traces.
MANAGED = {
    "service-role/AWSLambdaBasicExecutionRole",
    "service-role/AWSLambdaSQSQueueExecutionRole",
    "AWSXRayDaemonWriteAccess",
    "AWSXrayWriteOnlyAccess",
}

# Calls in the jobs' scripts, each with the permission that it needs; the local cloud would not miss one.
CALLS = {
    "SHOW TABLES": "glue:GetTables",
    "CREATE TABLE": "glue:CreateTable",
    "DROP TABLE": "glue:DeleteTable",
    ".put_object(": "s3:PutObject",
    ".get_object(": "s3:GetObject",
    ".copy(": "s3:GetObjectVersion",
    ".delete_object": "s3:DeleteObject",
    ".list_objects": "s3:ListBucket",
    ".get_item(": "dynamodb:GetItem",
    ".batch_get_item(": "dynamodb:BatchGetItem",
    ".put_item(": "dynamodb:PutItem",
    ".update_item(": "dynamodb:UpdateItem",
    ".delete_item(": "dynamodb:DeleteItem",
    ".query(": "dynamodb:Query",
    ".scan(": "dynamodb:Scan",
    "sns.publish(": "sns:Publish",
    ".get_secret_value(": "secretsmanager:GetSecretValue",
}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each role's statements, those that SAM generates included."""
    for name, role in resources("AWS::IAM::Role").items():
        for policy in role["Properties"].get("Policies", []):
            for statement in as_list(policy["PolicyDocument"]["Statement"]):
                yield name, statement


def allowed(role: str) -> dict[str, list[str]]:
    """Return what a role may do: action → resources."""
    granted: dict[str, list[str]] = {}
    for name, statement in statements():
        if name == role:
            for action in as_list(statement["Action"]):
                granted.setdefault(action, []).extend(str(r) for r in as_list(statement["Resource"]))
    return granted


def test_roles_name_every_action() -> None:
    wild = [(role, action) for role, s in statements() for action in as_list(s["Action"]) if "*" in action]

    assert wild == []


def test_roles_name_every_resource__service_has_a_resource_level() -> None:
    open_ended = {s.get("Sid", role) for role, s in statements() if "*" in as_list(s["Resource"])}

    assert open_ended == set(WITHOUT_RESOURCE_LEVEL)


def test_metrics_are_bounded_by_their_namespace() -> None:
    conditions = [s.get("Condition") for _, s in statements() if s.get("Sid") == "PutMetrics"]

    assert conditions == [{"StringEquals": {"cloudwatch:namespace": "Glue"}}] * 2


def test_scripts_are_read_in_this_account_only() -> None:
    conditions = [s.get("Condition") for _, s in statements() if s.get("Sid") == "ReadTheScript"]

    assert conditions == [{"StringEquals": {"s3:ResourceAccount": {"Ref": "AWS::AccountId"}}}] * 2


def test_roles_take_managed_policies_for_logs_traces_and_the_dead_letter_queue_only() -> None:
    attached = {
        str(arn).rpartition("policy/")[2].rstrip("'}")
        for role in resources("AWS::IAM::Role").values()
        for arn in role["Properties"].get("ManagedPolicyArns", [])
    }

    assert attached <= MANAGED


def test_gold_role_cannot_write_silver() -> None:
    written = {
        action: r
        for action, r in allowed("GoldRole").items()
        if "Put" in action or "Delete" in action or "Update" in action
    }

    assert written["s3:PutObject"]
    touching = [(a, r) for a, names in written.items() for r in names if "_silver" in r or "reports/silver" in r]
    assert touching == []


def test_card_key_is_read_by_silver_only() -> None:
    readers = {role: s["Resource"] for role, s in statements() if "secretsmanager" in str(s["Action"])}

    assert readers == {"SilverRole": {"Ref": "CardKeySecret"}}


def test_silver_role_cannot_touch_gold_or_write_bronze() -> None:
    granted = allowed("SilverRole")

    assert [r for names in granted.values() for r in names if "_gold" in r] == []
    writing = [
        a
        for a, names in granted.items()
        if any("-bronze-" in r for r in names) and not a.startswith(("s3:Get", "s3:List"))
    ]
    assert writing == []


def test_nobody_deletes_but_tables_of_a_replay__ledger_bronze_and_catalog() -> None:
    deleting = {
        (role, action, resource)
        for role in resources("AWS::IAM::Role")
        for action, names in allowed(role).items()
        for resource in names
        if "Delete" in action and not action.startswith("logs:") and ("LakeBucket" not in resource)
    }

    tables = "table/${Stage}_replay_"
    assert {(role, action) for role, action, _ in deleting} == {
        ("SilverRole", "glue:DeleteTable"),
        ("GoldRole", "glue:DeleteTable"),
    }
    # Deleting a table, Glue also asks for its database and the catalog.
    assert {r for _, _, r in deleting if "table/" in r and tables not in r} == set()
    assert {r for _, _, r in deleting if "database/" in r and "_replay_" not in r} == set()


def test_kpi_function_reads_bronze_and_writes_passports_only() -> None:
    granted = allowed("KpiFunctionRole")

    assert all("-bronze-" in r for r in granted["s3:GetObject"] + granted["s3:GetObjectVersion"])
    assert granted["s3:PutObject"] == ["{'Fn::Sub': '${LakeBucket.Arn}/passports/*'}"]
    assert granted["sqs:SendMessage"], "without it a lost event would not reach the dead-letter queue"


def test_notebook_role_reads_packages_and_layers__and_changes_nothing() -> None:
    granted = allowed("NotebookRole")
    changing = {action for action in granted if not action.startswith(("s3:Get", "s3:List", "glue:Get"))}
    assert changing == {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
    assert any("/notebooks/*" in resource for resource in granted["s3:GetObject"])


def test_jobs_have_roles_of_their_own() -> None:
    assert properties("SilverJob")["Role"] == {"Fn::GetAtt": ["SilverRole", "Arn"]}
    assert properties("GoldJob")["Role"] == {"Fn::GetAtt": ["GoldRole", "Arn"]}


@pytest.mark.parametrize("name", ["silver", "gold"])
def test_role_allows_what_its_script_calls(name: str) -> None:
    script = (ROOT / "glue" / "scripts" / f"{name}.py").read_text(encoding="utf-8")
    granted = allowed(f"{name.title()}Role")

    needed = {action for call, action in CALLS.items() if call in script}
    assert {"glue:GetTables", "s3:PutObject", "dynamodb:UpdateItem"} <= needed
    assert needed - set(granted) == set()
