from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sam_template import ROOT, properties, resources, transformed, written

# Statements whose service knows no resource level, each bounded otherwise.
WITHOUT_RESOURCE_LEVEL = {
    "DeliverLogs": "delivery of vended logs",
    "PutMetrics": "metrics, bounded by their namespace",
    "ShowOpenBreakers": "a metric, bounded by its namespace",
}
SUBJECTS = ("transactions", "cards", "users", "mcc_codes")
JOB_ROLES = ("SilverRole", "GoldRole", "ReplaySilverRole", "ReplayGoldRole")
# What AWS itself attaches through SAM: writing logs and traces.
MANAGED = {
    "service-role/AWSLambdaBasicExecutionRole",
    "service-role/AWSLambdaSQSQueueExecutionRole",
    "AWSXRayDaemonWriteAccess",
    "AWSXrayWriteOnlyAccess",
}

CHANGING = ("s3:Put", "s3:Delete", "s3:Abort", "glue:Create", "glue:Update", "glue:Delete", "dynamodb:Update")
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

    assert conditions == [{"StringEquals": {"cloudwatch:namespace": "Glue"}}] * len(JOB_ROLES)


def test_scripts_are_read_in_this_account_only() -> None:
    conditions = [s.get("Condition") for _, s in statements() if s.get("Sid") == "ReadTheScript"]

    assert conditions == [{"StringEquals": {"s3:ResourceAccount": {"Ref": "AWS::AccountId"}}}] * len(JOB_ROLES)


def test_scripts_are_read_below_the_stacks_name__where_sam_puts_them() -> None:
    places = {str(s["Resource"]) for _, s in statements() if s.get("Sid") == "ReadTheScript"}

    assert places == {"{'Fn::Sub': 'arn:${AWS::Partition}:s3:::${ArtefactBucket}/${AWS::StackName}/*'}"}


def test_roles_take_managed_policies_for_logs_traces_and_the_dead_letter_queue_only() -> None:
    attached = {
        str(arn).rpartition("policy/")[2].rstrip("'}")
        for role in resources("AWS::IAM::Role").values()
        for arn in role["Properties"].get("ManagedPolicyArns", [])
    }

    assert attached <= MANAGED


def test_senders_key_decrypts_uploads__for_those_who_read_them__where_it_is_given() -> None:
    policy = resources("AWS::IAM::Policy")["BronzeKeyPolicy"]
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]

    assert policy["Condition"] == "HasBronzeKey"
    decrypting = {role["Ref"] for role in policy["Properties"]["Roles"]}
    assert (statement["Action"], statement["Resource"]) == ("kms:Decrypt", {"Ref": "BronzeKeyArn"})
    assert statement["Condition"] == {
        "StringEquals": {"kms:ViaService": {"Fn::Sub": "s3.${AWS::Region}.${AWS::URLSuffix}"}}
    }
    reads = "s3:GetObjectVersion"
    readers = {role for role in resources("AWS::IAM::Role") if "-bronze-" in str(allowed(role).get(reads))}
    assert decrypting == readers | {"SweepFunctionRole"}, "the sweep reads calendars"
    assert [role for role, each in statements() if "kms" in str(each["Action"])] == []


def test_signing_key_signs__for_both_jobs_and_no_replay__where_it_is_given() -> None:
    policy = resources("AWS::IAM::Policy")["SigningKeyPolicy"]
    [statement] = policy["Properties"]["PolicyDocument"]["Statement"]

    assert policy["Condition"] == "SignsHeads"
    assert [role["Ref"] for role in policy["Properties"]["Roles"]] == ["SilverRole", "GoldRole"]
    assert (statement["Action"], statement["Resource"]) == ("kms:Sign", {"Ref": "SigningKeyArn"})
    given = {"Fn::If": ["SignsHeads", {"Ref": "SigningKeyArn"}, "none"]}
    jobs = {name: job["Properties"]["DefaultArguments"] for name, job in resources("AWS::Glue::Job").items()}
    assert {name: found["--signing_key"] for name, found in jobs.items()} == {
        "SilverJob": given,
        "GoldJob": given,
        "ReplaySilverJob": "none",
        "ReplayGoldJob": "none",
    }
    assert written()["Outputs"]["SigningKey"]["Value"] == given


@pytest.mark.parametrize(
    ("arn", "is_key"),
    [
        ("", True),
        ("arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab", True),
        ("arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab", True),
        ("arn:aws:kms:eu-central-1:123456789012:alias/senders", False),
        ("1234abcd-12ab-34cd-56ef-1234567890ab", False),
        ("*", False),
    ],
)
def test_senders_key_is_the_arn_of_a_key_or_nothing(arn: str, is_key: bool) -> None:
    pattern = written()["Parameters"]["BronzeKeyArn"]["AllowedPattern"]

    assert bool(re.search(pattern, arn)) is is_key


def test_workflow_role_is_taken_for_this_account_only() -> None:
    assert transformed()["Resources"]["Workflow"]["Properties"]["RoleArn"] == {"Fn::GetAtt": ["WorkflowRole", "Arn"]}
    [trust] = properties("WorkflowRole")["AssumeRolePolicyDocument"]["Statement"]

    assert trust["Principal"] == {"Service": "states.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


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

    assert readers == {key: {"Ref": "CardKeySecret"} for key in ("SilverRole", "ReplaySilverRole")}


def is_of_a_replay(resource: str) -> bool:
    return any(part in resource for part in ("_replay_", "/replay/", "ReplayLedgerTable"))


@pytest.mark.parametrize("role", JOB_ROLES)
def test_job_role_changes_its_own_side_only__production_or_replay(role: str) -> None:
    granted = {action: names for action, names in allowed(role).items() if action.startswith(CHANGING)}
    of_a_side = {name for names in granted.values() for name in names if not name.endswith(":catalog'}")}

    assert {action.partition(":")[0] for action in granted} == {"s3", "glue", "dynamodb"}
    assert {is_of_a_replay(name) for name in of_a_side} == {role.startswith("Replay")}


@pytest.mark.parametrize("role", ["ReplaySilverRole", "ReplayGoldRole"])
def test_replay_role_does_not_even_read_production(role: str) -> None:
    kinds = ("warehouse", "reports", "passports", "staging", "database/", "table/", "Ledger")
    found = {name for names in allowed(role).values() for name in names if any(kind in name for kind in kinds)}

    assert found
    assert {name for name in found if not is_of_a_replay(name)} == set()


def test_silver_role_cannot_touch_gold_or_write_bronze() -> None:
    granted = allowed("SilverRole")

    assert [r for names in granted.values() for r in names if "_gold" in r] == []
    writing = [
        a
        for a, names in granted.items()
        if any("-bronze-" in r for r in names) and not a.startswith(("s3:Get", "s3:List"))
    ]
    assert writing == []


def test_nobody_deletes_but_files_of_tables_and_copies_in_staging() -> None:
    deleting = {
        (role, action, resource)
        for role in resources("AWS::IAM::Role")
        for action, names in allowed(role).items()
        for resource in names
        if "Delete" in action and not action.startswith(("logs:", "sqs:"))
    }

    assert {(role, action) for role, action, _ in deleting} == {(role, "s3:DeleteObject") for role in JOB_ROLES}
    of_tables = {each for each in deleting if "${LakeBucket.Arn}/warehouse/${Stage}_" in each[2]}
    assert {(role, resource) for role, _, resource in deleting - of_tables} == {
        ("SilverRole", "{'Fn::Sub': '${LakeBucket.Arn}/staging/*'}"),
        ("ReplaySilverRole", "{'Fn::Sub': '${LakeBucket.Arn}/replay/staging/*'}"),
    }


def test_kpi_function_reads_bronze_and_writes_passports_only() -> None:
    granted = allowed("KpiFunctionRole")

    subjects = [f"-bronze-${{AWS::AccountId}}-${{AWS::Region}}/{subject}/*'}}" for subject in SUBJECTS]
    for action in ("s3:GetObject", "s3:GetObjectVersion"):
        assert [name[-len(subject) :] for name, subject in zip(granted[action], subjects, strict=True)] == subjects
    assert granted["s3:PutObject"] == ["{'Fn::Sub': '${LakeBucket.Arn}/passports/*'}"]
    assert granted["sqs:SendMessage"], "without it a lost event would not reach the dead-letter queue"


def test_sweep_reads_calendars_of_bronze_and_writes_the_ledger_only() -> None:
    granted = allowed("SweepFunctionRole")

    calendars = [f"{{'Fn::Sub': '${{BronzeBucket.Arn}}/{subject}/*_expect.json'}}" for subject in SUBJECTS]
    assert granted["s3:GetObject"] == [name for name in calendars if "/cards/" not in name]
    changing = {
        action for action in granted if action.startswith(("s3:Put", "s3:Delete", "dynamodb:Put", "dynamodb:Up"))
    }
    assert changing == {"dynamodb:PutItem", "dynamodb:UpdateItem"}
    assert granted["lambda:InvokeFunction"], "what was left behind is handed to the KPI function"


def test_notebook_role_reads_packages_and_layers__and_changes_nothing() -> None:
    granted = allowed("NotebookRole")
    changing = {action for action in granted if not action.startswith(("s3:Get", "s3:List", "glue:Get"))}
    assert changing == {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
    assert any("/notebooks/*" in resource for resource in granted["s3:GetObject"])


def test_jobs_have_roles_of_their_own() -> None:
    roles = {name: job["Properties"]["Role"] for name, job in resources("AWS::Glue::Job").items()}

    assert roles == {role.replace("Role", "Job"): {"Fn::GetAtt": [role, "Arn"]} for role in JOB_ROLES}


@pytest.mark.parametrize("role", JOB_ROLES)
def test_role_allows_what_its_script_calls(role: str) -> None:
    name = role.removeprefix("Replay").removesuffix("Role").lower()
    script = (ROOT / "glue" / "scripts" / f"{name}.py").read_text(encoding="utf-8")
    granted = allowed(role)

    needed = {action for call, action in CALLS.items() if call in script}
    assert {"glue:GetTables", "s3:PutObject", "dynamodb:UpdateItem"} <= needed
    assert needed - set(granted) == set()


def test_analysts_read_gold_and_write_nothing_but_results__where_there_are_any() -> None:
    policy, group = (transformed()["Resources"][name] for name in ("AnalystPolicy", "AnalystWorkGroup"))
    by_sid = {each["Sid"]: each for each in policy["Properties"]["PolicyDocument"]["Statement"]}

    assert policy["Condition"] == group["Condition"] == "HasAnalysts"
    actions = {
        action
        for each in by_sid.values()
        for action in (each["Action"] if isinstance(each["Action"], list) else [each["Action"]])
    }
    writing = {action for action in actions if not re.match(r"\w+:(Get|List)", action)}
    assert writing == {
        "athena:StartQueryExecution",
        "athena:StopQueryExecution",
        "s3:PutObject",
        "s3:AbortMultipartUpload",
    }
    written_to = [each["Resource"] for each in by_sid.values() if "s3:PutObject" in each["Action"]]
    assert written_to == [{"Fn::Sub": "${LakeBucket.Arn}/staging/analysts/*"}]
    assert not re.search("silver|bronze|Bronze|reports|passports", str(by_sid))
    assert not any(each["Resource"] == "*" for each in by_sid.values())
    configured = group["Properties"]["WorkGroupConfiguration"]
    assert configured["EnforceWorkGroupConfiguration"] is True
    assert configured["ResultConfiguration"]["OutputLocation"] == {"Fn::Sub": "s3://${LakeBucket}/staging/analysts/"}
