from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

import pytest
from sam_template import properties, resources, transformed, written

BUCKETS = ["BronzeBucket", "LakeBucket"]
POLICIES = ["BronzeBucketPolicy", "LakeBucketPolicy"]
ENCRYPTION = "s3:x-amz-server-side-encryption"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/known"
CARDS_KEY = "arn:aws:kms:eu-central-1:123456789012:key/of-cards"


def tables() -> dict[str, dict[str, Any]]:
    return resources("AWS::DynamoDB::Table")


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def lifecycle(bucket: str) -> dict[str, dict[str, Any]]:
    return {rule["Id"]: rule for rule in properties(bucket)["LifecycleConfiguration"]["Rules"]}


@pytest.mark.parametrize(
    "name", [*BUCKETS, *POLICIES, "LedgerTable", "SilverDatabase", "GoldDatabase", "CardKeySecret", "CardsKey"]
)
def test_template_retains__data(name: str) -> None:
    body = transformed()["Resources"][name]

    assert (body["DeletionPolicy"], body["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


@pytest.mark.parametrize("name", ["ReplayLedgerTable", "ReplaySilverDatabase", "ReplayGoldDatabase"])
def test_template_keeps_nothing__scratch_of_a_replay(name: str) -> None:
    body = transformed()["Resources"][name]

    assert (body["DeletionPolicy"], body["UpdateReplacePolicy"]) == ("Delete", "Delete")


def test_template_has_two_buckets_and_one_trigger() -> None:
    triggers = {
        name: "NotificationConfiguration" in body["Properties"] for name, body in resources("AWS::S3::Bucket").items()
    }

    assert triggers == {"BronzeBucket": True, "LakeBucket": False}


def test_template_triggers_the_function__objects_of_each_subject() -> None:
    bronze = transformed()["Resources"]["BronzeBucket"]["Properties"]

    triggers = bronze["NotificationConfiguration"]["LambdaConfigurations"]
    prefixes = [rule for trigger in triggers for rule in trigger["Filter"]["S3Key"]["Rules"]]
    subjects = ("transactions", "cards", "users", "mcc_codes")
    assert sorted(rule["Value"] for rule in prefixes) == sorted(f"{subject}/" for subject in subjects)
    assert {rule["Name"] for rule in prefixes} == {"prefix"}
    assert {trigger["Event"] for trigger in triggers} == {"s3:ObjectCreated:*"}
    assert [trigger["Function"] for trigger in triggers] == [{"Fn::GetAtt": ["KpiFunction", "Arn"]}] * 4


@pytest.mark.parametrize("bucket", BUCKETS)
def test_template_encrypts_and_closes__bucket(bucket: str) -> None:
    declared = properties(bucket)

    [rule] = declared["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert declared["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert set(declared["PublicAccessBlockConfiguration"].items()) == {
        ("BlockPublicAcls", True),
        ("BlockPublicPolicy", True),
        ("IgnorePublicAcls", True),
        ("RestrictPublicBuckets", True),
    }


def test_template_denies_to_read_cards__all_but_the_function_and_the_silver_jobs() -> None:
    [statement] = [each for each in bucket_statements("BronzeBucket") if each["Sid"] == "CardsAreReadByTheJobs"]
    roles = ["KpiFunctionRole", "SilverRole", "ReplaySilverRole"]
    readers = [{"Fn::GetAtt": [role, "Arn"]} for role in roles]

    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Action"] == ["s3:GetObject", "s3:GetObjectVersion"]
    assert statement["Resource"] == {"Fn::Sub": "${BronzeBucket.Arn}/cards/*"}
    assert statement["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": readers}}
    assert [properties(job)["Role"]["Fn::GetAtt"][0] for job in ("SilverJob", "ReplaySilverJob")] == roles[1:]
    assert transformed()["Resources"]["KpiFunction"]["Properties"]["Role"] == readers[0]


@pytest.mark.parametrize("bucket", BUCKETS)
def test_template_denies_requests_without_tls__bucket(bucket: str) -> None:
    [statement] = [each for each in bucket_statements(bucket) if each["Sid"] == "OnlyTls"]

    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == [{"Fn::GetAtt": [bucket, "Arn"]}, {"Fn::Sub": f"${{{bucket}.Arn}}/*"}]


def bucket_statements(bucket: str) -> list[dict[str, Any]]:
    [policy] = [
        p["Properties"]
        for p in resources("AWS::S3::BucketPolicy").values()
        if p["Properties"]["Bucket"] == {"Ref": bucket}
    ]
    statements: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return statements


def holds(operator: str, expected: list[str], given: str | None) -> bool:
    """Evaluate a condition as IAM does: a negated one holds where the request has none of the values."""
    if operator == "Null":
        return (given is None) is (expected == ["true"])
    if operator == "StringNotEquals":
        return given not in expected
    assert operator == "StringLike"
    return given is not None and any(fnmatchcase(given, pattern) for pattern in expected)


def refused(upload: dict[str, str], known_key: str | None, *, key: str = "transactions/a.csv") -> set[str]:
    """Return the statements of Bronze's policy that refuse an upload, by the values that S3 sees of it."""

    def value(written: Any) -> str:
        if written == {"Fn::GetAtt": ["CardsKey", "Arn"]}:
            return CARDS_KEY
        if isinstance(written, dict):
            condition, given, otherwise = written["Fn::If"]
            assert (condition, given) == ("HasBronzeKey", {"Ref": "BronzeKeyArn"})
            return known_key or str(otherwise)
        return str(written)

    return {
        statement["Sid"]
        for statement in bucket_statements("BronzeBucket")
        if statement["Action"] == "s3:PutObject" and statement["Effect"] == "Deny"
        if fnmatchcase(f"${{BronzeBucket.Arn}}/{key}", statement["Resource"]["Fn::Sub"])
        if all(
            holds(operator, [value(each) for each in listed(expected)], upload.get(name))
            for operator, conditions in statement["Condition"].items()
            for name, expected in conditions.items()
        )
    }


@pytest.mark.parametrize(
    ("upload", "without_a_key", "with_the_key"),
    [
        ({}, set(), set()),
        ({ENCRYPTION: "AES256"}, set(), set()),
        ({ENCRYPTION: "aws:kms"}, {"NoUnknownKey"}, {"NoUnknownKey"}),
        ({ENCRYPTION: "aws:kms", f"{ENCRYPTION}-aws-kms-key-id": f"{KEY}n"}, {"NoUnknownKey"}, {"NoUnknownKey"}),
        ({ENCRYPTION: "aws:kms", f"{ENCRYPTION}-aws-kms-key-id": KEY}, {"NoUnknownKey"}, set()),
        ({ENCRYPTION: "aws:kms:dsse", f"{ENCRYPTION}-aws-kms-key-id": KEY}, {"NoUnknownKey"}, set()),
        ({f"{ENCRYPTION}-customer-algorithm": "AES256"}, {"NoKeyOfTheSenderAlone"}, {"NoKeyOfTheSenderAlone"}),
    ],
    ids=["as the bucket", "by S3", "AWS's key", "another key", "the key", "the key twice", "customer's key"],
)
def test_template_refuses_uploads_that_nobody_here_can_read__encrypted_under_a_key(
    upload: dict[str, str], without_a_key: set[str], with_the_key: set[str]
) -> None:
    assert refused(upload, None) == without_a_key
    assert refused(upload, KEY) == with_the_key


@pytest.mark.parametrize(
    ("key_id", "refusals"),
    [(CARDS_KEY, set()), (KEY, {"CardsUnderTheirKey"}), (None, {"CardsUnderTheirKey"})],
    ids=["their key", "the senders' key", "no key"],
)
def test_template_takes_cards_under_their_key_alone(key_id: str | None, refusals: set[str]) -> None:
    upload = {ENCRYPTION: "aws:kms", f"{ENCRYPTION}-aws-kms-key-id": key_id} if key_id else {}

    assert refused(upload, KEY, key="cards/a.csv") == refusals  # type: ignore[arg-type]
    assert key_id is None or refused(upload, KEY, key="users/a.csv") == set()


def test_template_lets_nobody_use_the_key_of_cards__but_through_s3_and_who_reads_them() -> None:
    key = properties("CardsKey")
    [administer, encrypt, decrypt] = key["KeyPolicy"]["Statement"]
    root = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
    [reading] = [each for each in bucket_statements("BronzeBucket") if each["Sid"] == "CardsAreReadByTheJobs"]
    through_s3 = {"StringEquals": {"kms:ViaService": {"Fn::Sub": "s3.${AWS::Region}.${AWS::URLSuffix}"}}}

    assert key["EnableKeyRotation"] is True
    assert (administer["Principal"], "Condition" in administer) == (root, False)
    uses = ("Encrypt", "Decrypt", "GenerateDataKey", "CreateGrant", "*", "Sign", "Mac")
    assert [action for action in administer["Action"] if any(use in action for use in uses)] == []
    assert (encrypt["Principal"], encrypt["Action"], encrypt["Condition"]) == (root, "kms:GenerateDataKey", through_s3)
    assert (decrypt["Action"], decrypt["Condition"]) == ("kms:Decrypt", through_s3)
    assert decrypt["Principal"]["AWS"] == reading["Condition"]["ArnNotEquals"]["aws:PrincipalArn"]


def test_template_keeps_every_version_and_makes_old_ones_cheaper__bronze() -> None:
    assert properties("BronzeBucket")["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = lifecycle("BronzeBucket")
    steps = rules["old-versions-grow-cheaper"]["NoncurrentVersionTransitions"]
    assert [step["StorageClass"] for step in steps] == ["STANDARD_IA", "GLACIER_IR"]
    expiring = {key for rule in rules.values() for key in rule if "Expiration" in key}
    assert expiring == set()


@pytest.mark.parametrize("bucket", BUCKETS)
def test_template_ends_broken_uploads__bucket(bucket: str) -> None:
    assert lifecycle(bucket)["broken-uploads-end"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


def test_template_expires_staging_and_nothing_else__lake() -> None:
    expiring = {
        rule.get("Prefix"): rule["ExpirationInDays"]
        for rule in lifecycle("LakeBucket").values()
        if "ExpirationInDays" in rule
    }

    assert expiring == {"staging/": 1, "replay/staging/": 1}


@pytest.mark.parametrize("table", ["LedgerTable", "ReplayLedgerTable"])
def test_template_declares_the_ledger_as_in_the_contract(table: str) -> None:
    ledger = properties(table)

    assert ledger["BillingMode"] == "PAY_PER_REQUEST"
    assert ledger["KeySchema"] == [{"AttributeName": "file_id", "KeyType": "HASH"}]
    indexes = {
        index["IndexName"]: [(key["AttributeName"], key["KeyType"]) for key in index["KeySchema"]]
        for index in ledger["GlobalSecondaryIndexes"]
    }
    assert indexes == {
        "waiting": [("waiting_for", "HASH"), ("waiting_since", "RANGE")],
        "arrivals": [("kind", "HASH"), ("last_modified_at", "RANGE")],
    }
    assert all(index["Projection"] == {"ProjectionType": "KEYS_ONLY"} for index in ledger["GlobalSecondaryIndexes"])
    assert {a["AttributeType"] for a in ledger["AttributeDefinitions"]} == {"S"}
    assert "SSESpecification" not in ledger  # DynamoDB's own key, without charges; `SSEEnabled` means one of KMS


def test_template_keeps_backups_of_the_ledger_and_of_no_replay() -> None:
    backups = {name: body["Properties"].get("PointInTimeRecoverySpecification") for name, body in tables().items()}

    assert backups == {"LedgerTable": {"PointInTimeRecoveryEnabled": True}, "ReplayLedgerTable": None}


def test_template_protects_the_ledger_from_deletion__where_the_stack_says_so() -> None:
    protected = {name: body["Properties"].get("DeletionProtectionEnabled") for name, body in tables().items()}

    assert protected == {"LedgerTable": {"Fn::If": ["ProtectsLedger", True, False]}, "ReplayLedgerTable": None}
    assert transformed()["Conditions"]["ProtectsLedger"] == {"Fn::Equals": [{"Ref": "ProtectLedger"}, "true"]}


def test_template_generates_the_key_of_the_card_numbers() -> None:
    secret = properties("CardKeySecret")

    assert secret["GenerateSecretString"] == {"PasswordLength": 64, "ExcludePunctuation": True}
    assert "SecretString" not in secret


def test_template_hides_what_may_be_card_numbers__in_the_log_of_spark() -> None:
    policy = properties("GlueErrorLogGroup")["DataProtectionPolicy"]
    [identifier] = policy["Configuration"]["CustomDataIdentifier"]

    assert re.fullmatch(identifier["Regex"], "4111111111111111")
    operations = {name for each in policy["Statement"] for name in each["Operation"]}
    assert operations == {"Audit", "Deidentify"}
    assert [each["DataIdentifier"] for each in policy["Statement"]] == [[identifier["Name"]]] * 2


def test_template_keeps_logs_for_a_bounded_time() -> None:
    groups = resources("AWS::Logs::LogGroup")

    assert {body["Properties"]["RetentionInDays"]["Ref"] for body in groups.values()} == {"LogDays"}
    assert properties("KpiFunction")["LoggingConfig"]["LogGroup"] == {"Ref": "KpiLogGroup"}
    [destination] = properties("Workflow")["Logging"]["Destinations"]
    assert destination == {"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": ["WorkflowLogGroup", "Arn"]}}}
    prefix = properties("SilverJob")["DefaultArguments"]["--custom-logGroup-prefix"]["Fn::Sub"]
    glue_groups = {properties(name)["LogGroupName"]["Fn::Sub"] for name in ("GlueOutputLogGroup", "GlueErrorLogGroup")}
    assert glue_groups == {f"{prefix}/output", f"{prefix}/error"}


def test_template_locks_bronze__where_it_is_asked_for() -> None:
    bucket, parameters = properties("BronzeBucket"), written()["Parameters"]
    nothing = {"Ref": "AWS::NoValue"}
    retention = {"Mode": {"Ref": "BronzeLock"}, "Years": {"Ref": "BronzeLockYears"}}
    rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": retention}}

    assert bucket["ObjectLockEnabled"] == {"Fn::If": ["LocksBronze", True, nothing]}
    assert bucket["ObjectLockConfiguration"] == {"Fn::If": ["LocksBronze", rule, nothing]}
    assert written()["Conditions"]["LocksBronze"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "BronzeLock"}, "none"]}]}
    assert (parameters["BronzeLock"]["Default"], parameters["BronzeLock"]["AllowedValues"]) == (
        "none",
        ["none", "GOVERNANCE", "COMPLIANCE"],
    )
