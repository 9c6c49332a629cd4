"""The Glue resource types that moto's CloudFormation does not know: jobs and databases.

moto finds them as subclasses of its CloudFormationModel, so importing this module is what declares them.
"""

from __future__ import annotations

from typing import Any

from moto.core.common_models import CloudFormationModel
from moto.glue.models import FakeDatabase, FakeJob, glue_backends

_JOB_DEFAULTS = {
    "description": "",
    "log_uri": "",
    "execution_property": {"MaxConcurrentRuns": 1},
    "default_arguments": {},
    "non_overridable_arguments": {},
    "connections": {},
    "max_retries": 0,
    "allocated_capacity": None,
    "timeout": None,
    "max_capacity": None,
    "security_configuration": None,
    "notification_property": None,
    "glue_version": "",
    "number_of_workers": None,
    "worker_type": None,
    "code_gen_configuration_nodes": None,
    "execution_class": None,
    "source_control_details": None,
}
# Numbers that a template may hold as text, through a parameter.
_JOB_NUMBERS = ("timeout", "number_of_workers", "max_retries")


class GlueJob(CloudFormationModel):
    """AWS::Glue::Job, until moto has it."""

    def __init__(self, name: str) -> None:
        self.physical_resource_id = name

    @staticmethod
    def cloudformation_name_type() -> str:
        return "Name"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::Glue::Job"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return False

    def is_created(self) -> bool:
        return True

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> GlueJob:
        backend = glue_backends[account_id][region_name]
        backend.create_job(name=resource_name, **job_settings(cloudformation_json["Properties"]))
        return cls(resource_name)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: GlueJob,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> GlueJob:
        name = original_resource.physical_resource_id
        backend = glue_backends[account_id][region_name]
        runs = backend.get_job(name).job_runs
        backend.create_job(name=name, **job_settings(cloudformation_json["Properties"]))
        # Runs go on with what they began with, and still count against MaxConcurrentRuns.
        updated: FakeJob = backend.get_job(name)
        updated.job_runs = runs
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> None:
        glue_backends[account_id][region_name].delete_job(resource_name)


class GlueDatabase(CloudFormationModel):
    """AWS::Glue::Database, until moto has it."""

    def __init__(self, database: FakeDatabase) -> None:
        self.physical_resource_id = database.name

    @staticmethod
    def cloudformation_name_type() -> str:
        # The name is inside DatabaseInput, where moto does not look.
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::Glue::Database"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return False

    def is_created(self) -> bool:
        return True

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **kwargs: Any
    ) -> GlueDatabase:
        given = cloudformation_json["Properties"]["DatabaseInput"]
        name = given.get("Name", resource_name).lower()
        return cls(glue_backends[account_id][region_name].create_database(name, {**given, "Name": name}))

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: GlueDatabase,
        new_resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> GlueDatabase:
        name = original_resource.physical_resource_id
        given = cloudformation_json["Properties"]["DatabaseInput"]
        glue_backends[account_id][region_name].update_database(name, {**given, "Name": name})
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> None:
        glue_backends[account_id][region_name].delete_database(resource_name)


def job_settings(properties: dict[str, Any]) -> dict[str, Any]:
    """Translate the properties of the resource into the arguments of moto's create_job."""
    given = {_snake(name): value for name, value in properties.items() if name != "Name"}
    settings = {**_JOB_DEFAULTS, **{name: given[name] for name in _JOB_DEFAULTS if name in given}}
    settings |= {name: int(settings[name]) for name in _JOB_NUMBERS if settings[name] is not None}
    concurrency = settings["execution_property"].get("MaxConcurrentRuns", 1)
    settings["execution_property"] = {"MaxConcurrentRuns": int(concurrency)}
    settings["default_arguments"] = {name: str(value) for name, value in settings["default_arguments"].items()}
    tags = {name: str(value) for name, value in given.get("tags", {}).items()}
    return {**settings, "role": given["role"], "command": given["command"], "tags": tags}


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
