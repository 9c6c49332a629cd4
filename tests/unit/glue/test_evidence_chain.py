"""The chain of evidence that a layer's runs leave: one link a run, the same after kills, signed if there is a key."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from contract.evidence import item_sha256, sha256
from fake_layer import Fake, Killed

from assay.evidence.chain import Evidence, Fault, walk
from assay.evidence.signature import is_signed
from glue.lake import failures
from glue.lake.ledger import plain


def reports() -> dict[str, bytes]:
    s3 = boto3.client("s3")
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket="lake").get("Contents", [])]
    return {key: s3.get_object(Bucket="lake", Key=key)["Body"].read() for key in keys}


def evidence(fake: Fake, **more: Any) -> Evidence:
    items = {item["file_id"]: plain(item) for item in fake.items()}
    layers = {"silver": plain(fake.item("layer#silver"))}
    return Evidence(layers, items, reports(), {}, {}, {}, {}, **more)


def die_at(step: str) -> Any:
    def look(name: str) -> None:
        if name == step:
            raise Killed

    return look


def test_report_names_the_run_before_and_what_was_taken(fake: Fake) -> None:
    checksum = {"algorithm": "SHA256", "value": "x"}
    fake.wait("a", bucket="bronze", version_id="1", etag="e", size=3, checksum=checksum)
    fake.run()
    fake.wait("b")
    fake.run()
    first, second = (json.loads(body) for _, body in sorted(reports().items()))
    identity = {"bucket": "bronze", "version_id": "1", "etag": "e", "size": 3, "checksum": checksum}
    came = {"key": "transactions/a.csv", "came_at": "2024-01-01T00:00:00.000000Z"}
    known = {**identity, **came, "item_sha256": item_sha256(plain(fake.item("a")))}
    assert (first["taken"], "previous" in first) == ({"a": known}, False)
    assert second["previous"] == {"run_seq": 1, "sha256": sha256(reports()[sorted(reports())[0]])}
    assert plain(fake.item("layer#silver"))["head"] == {"run_seq": 2, "sha256": sha256(reports()[sorted(reports())[1]])}


@pytest.mark.parametrize("step", ["begun", "proved", "before_intent", "after_intent", "files_advanced", "published"])
def test_chain_is_the_same__a_run_is_killed(fake: Fake, step: str) -> None:
    fake.wait("a")
    fake.run()
    fake.wait("b")
    with pytest.raises(Killed):
        fake.run(die_at(step))
    fake.run()
    fake.wait("c")
    fake.run()
    chain = walk("silver", evidence(fake))
    assert (chain.faults, [sorted(run.report["taken"]) for run in chain.runs]) == ([], [["a"], ["b"], ["c"]])
    files = json.dumps({"b": {}})
    totals = {"row_count": 0, "total_amount": "0.00"}
    undisturbed = {"layer": "silver", "run_seq": 2, "previous": {"run_seq": 1, "sha256": chain.runs[0].sha256}}
    undisturbed |= {"taken": chain.runs[1].report["taken"], "files": json.loads(files), "totals": totals}
    assert chain.runs[1].sha256 == sha256(json.dumps(undisturbed, sort_keys=True).encode())


def test_chain_begins_with_the_next_run__the_layer_has_run_before(fake: Fake) -> None:
    published = {"run_seq": 7, "snapshots": {}, "row_count": 0, "total_amount": "0.00"}
    fake.table.put_item(Item={"file_id": "layer#silver", "kind": "layer", "run_seq": 7, "published": published})
    assert walk("silver", evidence(fake)).faults == []
    fake.wait("a")
    fake.run()
    chain = walk("silver", evidence(fake))
    assert (chain.faults, [run.number for run in chain.runs]) == ([], [8])


def test_run_that_an_earlier_version_committed_is_rolled_forward__without_a_head(fake: Fake) -> None:
    fake.wait("a")
    with pytest.raises(Killed):
        fake.run(die_at("after_intent"))
    fake.table.update_item(Key={"file_id": "layer#silver"}, UpdateExpression="REMOVE head, intent.head")
    fake.run()
    item = plain(fake.item("layer#silver"))
    assert (item["published"]["run_seq"], "head" in item, "report_sha256" in item["published"]) == (1, False, False)


def test_run_is_not_published__its_report_was_changed_after_the_commit(fake: Fake) -> None:
    fake.wait("a")
    with pytest.raises(Killed):
        fake.run(die_at("after_intent"))
    ((key, body),) = reports().items()
    boto3.client("s3").put_object(Bucket="lake", Key=key, Body=body + b" ")
    with pytest.raises(failures.AuditFailed, match="SHA-256 of reports/silver/run_00000001"):
        fake.run()
    assert fake.item("a")["status"] == "accepted"


def test_heads_are_signed__the_stack_has_a_key(fake: Fake) -> None:
    kms = boto3.client("kms")
    key = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec="RSA_2048")["KeyMetadata"]["Arn"]
    public = kms.get_public_key(KeyId=key)["PublicKey"]
    for name in "ab":
        fake.wait(name)
        fake.run(signing_key=key)
    found = evidence(fake, keys={key: public}, signing_key=key)
    assert walk("silver", found).faults == []
    head = dict(found.layers["silver"]["head"])

    def faults_with(**changed: Any) -> list[Fault]:
        layer = {**found.layers["silver"], "head": {**head, **changed}}
        return list(walk("silver", Evidence(**{**vars(found), "layers": {"silver": layer}})).faults)

    name = "signature of silver run 2"
    first = json.loads(found.reports[min(found.reports)])
    other = json.loads(found.reports[max(found.reports)])["previous"]["signature"]
    assert "previous" not in first
    assert faults_with(signature=other) == [Fault(name, "it does not fit")]
    stranger = {**head["signature"], "key": key + "0"}
    assert faults_with(signature=stranger) == [Fault(name, f"it is of the key {key}0, not of the stack's")]
    del head["signature"]
    assert faults_with() == [Fault("ledger item layer#silver", "its head is not signed")]


def test_signature_is_checked_as_kms_checks_it(fake: Fake) -> None:
    kms = boto3.client("kms")
    for size in ("RSA_2048", "RSA_4096"):
        key = kms.create_key(KeyUsage="SIGN_VERIFY", KeySpec=size)["KeyMetadata"]["KeyId"]
        public = kms.get_public_key(KeyId=key)["PublicKey"]
        how = {"KeyId": key, "MessageType": "RAW", "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256"}
        signature = kms.sign(Message=b"text", **how)["Signature"]
        assert is_signed(b"text", signature, public)
        assert not is_signed(b"texT", signature, public)
        assert not is_signed(b"text", signature[:-1] + bytes([signature[-1] ^ 1]), public)
        assert not is_signed(b"text", b"", public)
