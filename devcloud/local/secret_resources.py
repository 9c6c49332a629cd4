"""The secret type that moto's CloudFormation does not know; importing this module declares it to moto."""

from __future__ import annotations

from typing import Any

from moto.core.common_models import CloudFormationModel
from moto.secretsmanager.models import secretsmanager_backends
from moto.secretsmanager.utils import random_password

_GENERATED = {
    "PasswordLength": "password_length",
    "ExcludeCharacters": "exclude_characters",
    "ExcludeNumbers": "exclude_numbers",
    "ExcludePunctuation": "exclude_punctuation",
    "ExcludeUppercase": "exclude_uppercase",
    "ExcludeLowercase": "exclude_lowercase",
    "IncludeSpace": "include_space",
    "RequireEachIncludedType": "require_each_included_type",
}
_DEFAULTS = {
    "password_length": 32,
    "exclude_characters": "",
    "exclude_numbers": False,
    "exclude_punctuation": False,
    "exclude_uppercase": False,
    "exclude_lowercase": False,
    "include_space": False,
    "require_each_included_type": True,
}


class Secret(CloudFormationModel):
    """AWS::SecretsManager::Secret, until moto has it: generated or given, and never changed by an update.

    AWS too keeps the value of a secret whose declaration to generate it stays the same.
    """

    def __init__(self, arn: str) -> None:
        self.physical_resource_id = arn

    @staticmethod
    def cloudformation_name_type() -> str:
        return "Name"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::SecretsManager::Secret"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Id"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        return self.physical_resource_id

    def is_created(self) -> bool:
        return True

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Secret:
        properties = cloudformation_json["Properties"]
        secret, _ = secretsmanager_backends[account_id][region_name]._add_secret(
            resource_name, secret_string=secret_text(properties), description=properties.get("Description")
        )
        return cls(secret.arn)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Secret,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> Secret:
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> None:
        secretsmanager_backends[account_id][region_name].secrets.pop(resource_name)


def secret_text(properties: dict[str, Any]) -> str:
    """Return the given text, or a random one as `GenerateSecretString` asks for it."""
    if "SecretString" in properties:
        return str(properties["SecretString"])
    asked = properties["GenerateSecretString"]
    return random_password(**{**_DEFAULTS, **{_GENERATED[name]: value for name, value in asked.items()}})
