"""The alarm type that moto's CloudFormation does not know; importing this module declares it to moto."""

from __future__ import annotations

from typing import Any

from moto.core.common_models import CloudFormationModel


class Alarm(CloudFormationModel):
    """AWS::CloudWatch::Alarm, until moto has it: a name and an ARN, to which policies and dashboards refer."""

    def __init__(self, name: str, arn: str) -> None:
        self.physical_resource_id = name
        self.arn = arn

    @staticmethod
    def cloudformation_name_type() -> str:
        return "AlarmName"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::CloudWatch::Alarm"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        return self.arn

    def is_created(self) -> bool:
        return True

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> Alarm:
        return cls(resource_name, f"arn:aws:cloudwatch:{region_name}:{account_id}:alarm:{resource_name}")

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: Alarm,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> Alarm:
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> None:
        """Nothing but the stack knows of an alarm."""
