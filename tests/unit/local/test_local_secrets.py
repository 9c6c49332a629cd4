"""Secrets as CloudFormation declares them."""

from __future__ import annotations

import string
from collections.abc import Iterator
from typing import Any

import pytest
from moto.secretsmanager.models import secretsmanager_backends

from devcloud.local.secret_resources import Secret

ACCOUNT, REGION = "123456789012", "us-east-1"
GENERATED = {"GenerateSecretString": {"PasswordLength": 64, "ExcludePunctuation": True}}


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    yield
    secretsmanager_backends[ACCOUNT][REGION].reset()


def create(name: str, properties: dict[str, Any]) -> Secret:
    return Secret.create_from_cloudformation_json(name, {"Properties": properties}, ACCOUNT, REGION)


def value_of(arn: str) -> str:
    found = secretsmanager_backends[ACCOUNT][REGION].get_secret_value(arn, None, None)
    text: str = found["SecretString"]
    return text


def test_secret_is_random_text_of_the_wished_form__generated() -> None:
    first, second = (value_of(create(name, GENERATED).physical_resource_id) for name in "ab")

    assert (len(first), set(first) - set(string.ascii_letters + string.digits)) == (64, set())
    assert first != second


def test_secret_is_known_by_its_arn__of_its_account_and_region() -> None:
    arn = create("key", GENERATED).physical_resource_id

    assert arn.startswith(f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:key-")


def test_secret_keeps_its_text__given_or_updated() -> None:
    secret = create("key", {"SecretString": "given"})

    updated = Secret.update_from_cloudformation_json(secret, "key", {"Properties": GENERATED}, ACCOUNT, REGION)

    assert value_of(updated.physical_resource_id) == "given"


def test_secret_is_gone__deleted_by_its_arn() -> None:
    arn = create("key", GENERATED).physical_resource_id

    Secret.delete_from_cloudformation_json(arn, {}, ACCOUNT, REGION)

    assert not secretsmanager_backends[ACCOUNT][REGION].secrets
