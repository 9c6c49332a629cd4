"""Makes moto's CloudFormation deploy a SAM application: transform, parameters in `Fn::Sub`, failures that are told."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.models import CloudFormationBackend, Stack
from samtranslator.translator.transform import transform  # type: ignore[import-untyped]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from devcloud.local.patching import Function, wrap

_LOG = logging.getLogger(__name__)
_SUB_REFERENCE = re.compile(r"\$\{([^!.}]+)[.}]")


def install() -> None:
    wrap(CloudFormationBackend, "create_change_set", _transforming)
    wrap(CloudFormationBackend, "execute_change_set", _reporting_failures)
    wrap(parsing, "get_references_from_template", _including_sub)
    wrap(parsing, "parse_and_update_resource", _keeping_what_cannot_change)


def translate(template: str, *, parameters: dict[str, str]) -> str:
    """Return a template with its SAM resources written out, as CloudFormation's own transform does it."""
    document = yaml_parse(template)
    if "Transform" in document:
        document = transform(document, dict(parameters), _NoManagedPolicies())
    for resource in document["Resources"].values():
        # moto adds them to its copy, and the next update then sees a difference and replaces the resource.
        resource.setdefault("Properties", {})
    # `default=str`: YAML reads an unquoted policy version such as 2012-10-17 as a date.
    return json.dumps(document, default=str)


class _NoManagedPolicies:
    """Stands in for SAM's list of AWS managed policies, which it would fetch from IAM."""

    def load(self) -> dict[str, str]:
        return {}


def _transforming(original: Function) -> Function:
    # Until moto knows the transform AWS::Serverless-2016-10-31.
    def create_change_set(backend: Any, **kwargs: Any) -> Any:
        kwargs["template"] = translate(kwargs["template"], parameters=kwargs["parameters"])
        return original(backend, **kwargs)

    return create_change_set


def _reporting_failures(original: Function) -> Function:
    # Until moto ends a failed change set in a failed stack: it answers 500, and the client tries the whole again.
    def execute_change_set(backend: Any, change_set_name: str, stack_name: str | None = None) -> None:
        change_set = backend.describe_change_set(change_set_name)
        stack = backend.stacks[change_set.stack_id]
        try:
            original(backend, change_set_name, stack_name)
        except Exception as error:
            _LOG.exception("change set failed: %s", change_set_name)
            _fail(stack, change_set.change_set_type, reason=repr(error))
        else:
            _take_over(stack, change_set)

    return execute_change_set


def _take_over(stack: Stack, change_set: Any) -> None:
    # Until moto does this for change sets too: without it there are no outputs, and parameters never change again.
    stack._parse_template()
    stack.parameters = change_set.parameters
    stack.output_map = stack._create_output_map()


def _fail(stack: Stack, kind: str, *, reason: str) -> None:
    stack._add_stack_event(f"{kind}_FAILED", resource_status_reason=reason)
    # What was made before the failure stays: `assay down` and `up` begin afresh.
    stack.status = "ROLLBACK_COMPLETE" if kind == "CREATE" else "UPDATE_ROLLBACK_COMPLETE"
    stack._add_stack_event(stack.status)


def _including_sub(original: Function) -> Function:
    # Until moto sees that a changed parameter changes a resource that names it inside Fn::Sub.
    def get_references_from_template(template: Any) -> list[str]:
        return [*original(template), *_SUB_REFERENCE.findall(json.dumps(template, default=str))]

    return get_references_from_template


def _keeping_what_cannot_change(original: Function) -> Function:
    # Until moto keeps a changed resource that it has no update for: it replaces it by None in the stack's list.
    def parse_and_update_resource(logical_id: str, resource_json: Any, resources_map: Any, **kwargs: Any) -> Any:
        existing = resources_map._parsed_resources.get(logical_id)
        if existing is None:
            # Until moto sees that a condition has kept the resource away so far: it would update nothing, and fail.
            resources_map._parsed_resources.pop(logical_id, None)
            return resources_map[logical_id]
        changed = original(logical_id, resource_json, resources_map, **kwargs)
        return existing if changed is None else changed

    return parse_and_update_resource
