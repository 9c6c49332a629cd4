"""What checkov finds in the template must be accepted with a reason, and what is accepted must be found."""

from __future__ import annotations

import json

import pytest
from sam_template import TEMPLATE

from tools.check_security import ACCEPTED, ANY_REGION, accepted, differences, of_report, written_out

KNOWN = {("CKV_1", "Bucket"), ("CKV_2", "Table")}


def test_differences_are_none__all_is_accepted_and_found() -> None:
    assert differences(KNOWN, KNOWN) == []


def test_differences_tell_both__a_new_finding_and_one_that_is_gone() -> None:
    found = {("CKV_1", "Bucket"), ("CKV_1", "Other")}

    assert differences(found, KNOWN) == [
        "Other fails CKV_1: mend it, or accept it with a reason",
        "Table passes CKV_2: it need not be accepted",
    ]


def test_a_finding_names_the_resource_as_the_template_does() -> None:
    failed = [{"check_id": "CKV_AWS_18", "resource": "AWS::S3::Bucket.BronzeBucket"}]

    assert of_report(failed) == {("CKV_AWS_18", "BronzeBucket")}


def test_nothing_is_accepted__without_a_reason() -> None:
    entry = '[[accepted]]\ncheck = "CKV_1"\nresources = ["Bucket"]\nreason = "{}"\n'

    assert (accepted(entry.format("why")), accepted(entry.format(""))) == ({("CKV_1", "Bucket")}, set())


def test_accepted_findings_name_resources_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ANY_REGION.items():
        monkeypatch.setenv(name, value)
    resources = json.loads(written_out(TEMPLATE.read_text(encoding="utf-8")))["Resources"]

    assert {name for _, name in accepted(ACCEPTED.read_text(encoding="utf-8"))} <= set(resources)
    assert all(not resource["Type"].startswith("AWS::Serverless") for resource in resources.values())
