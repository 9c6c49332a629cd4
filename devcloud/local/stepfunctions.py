"""Makes moto run the state machine that was deployed: its uploaded definition, `.sync` on Glue, its end as an event."""

from __future__ import annotations

import functools
import json
from threading import Event
from typing import Any

from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from moto.core import config
from moto.glue.models import glue_backends
from moto.stepfunctions import models
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison_operator_type import (
    ComparisonOperatorType,
)
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison_variable import ComparisonVariable
from moto.stepfunctions.parser.asl.component.state.choice.comparison.variable import NoSuchVariable
from moto.stepfunctions.parser.asl.component.state.exec.state_task.credentials import StateCredentials
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_dynamodb,
    state_task_service_glue,
    state_task_service_sns,
)
from moto.stepfunctions.parser.asl.utils import json_path
from moto.stepfunctions.parser.asl.utils.boto_client import boto_client_for
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication
from moto.stepfunctions.parser.models import StepFunctionsParserBackend, stepfunctions_parser_backends

from devcloud.local import events
from devcloud.local.environment import caller
from devcloud.local.glue import is_busy
from devcloud.local.patching import Function, serialise, wrap, wrap_classmethod
from devcloud.local.s3 import object_text

_POLL_SECONDS = 0.2


def install() -> None:
    # CloudFormation takes the backend that only records executions; the other one runs them.
    config.default_user_config["stepfunctions"] = {"execute_state_machine": True}
    models.stepfunctions_backends = stepfunctions_parser_backends  # type: ignore[assignment]
    wrap_classmethod(models.StateMachine, "create_from_cloudformation_json", _with_definition)
    wrap_classmethod(models.StateMachine, "update_from_cloudformation_json", _with_definition)
    wrap_classmethod(models.StateMachine, "has_cfn_attr", _knowing_arn)
    wrap(models.StateMachine, "get_cfn_attribute", _giving_arn)
    # Until moto does what AWS does: a stopped run has not done its work.
    state_task_service_glue._JOB_RUN_STATE_ABNORMAL_TERMINAL_VALUE.add("STOPPED")
    wrap(state_task_service_glue.StateTaskServiceGlue, "_eval_integration_pattern", lambda original: _await_job_run)
    wrap(state_task_service_glue.StateTaskServiceGlue, "_handle_start_job_run", _unless_busy)
    # Until moto keeps the paths that it has parsed: it builds a parser for each comparison of a choice.
    wrap(json_path, "parse", functools.cache)
    # Until moto calls as the state machine's role, and keeps its clients: it makes one for each task, which takes
    # longer than the call.
    for module in (state_task_service_dynamodb, state_task_service_glue, state_task_service_sns):
        wrap(module, "boto_client_for", lambda original: _client_of_role)
    wrap(ComparisonVariable, "_eval_body", lambda original: _strict_comparison)
    wrap(BaseExecutionWorkerCommunication, "terminated", _announcing)
    # Until moto stops logging each IsPresent that finds nothing, with the whole state machine, as an error.
    wrap(EvalComponent, "_log_exception", lambda original: lambda component, exception: None)
    # The name is checked first and taken then: two deliveries of one event would both start.
    serialise(StepFunctionsParserBackend, "start_execution")


def _with_definition(original: Function) -> Function:
    # Until moto reads DefinitionS3Location and DefinitionSubstitutions.
    def from_cloudformation(cls: type, *args: Any, **kwargs: Any) -> Any:
        document = kwargs.get("cloudformation_json") or args[1]
        account_id = kwargs.get("account_id") or args[2]
        properties = document["Properties"]
        if place := properties.pop("DefinitionS3Location", None):
            text = object_text(place["Bucket"], place["Key"], account_id=account_id)
            properties["DefinitionString"] = substitute(text, properties.get("DefinitionSubstitutions", {}))
        return original(cls, *args, **kwargs)

    return from_cloudformation


def substitute(definition: str, substitutions: dict[str, Any]) -> str:
    """Put the values of DefinitionSubstitutions in the place of their `${Name}`."""
    for name, value in substitutions.items():
        definition = definition.replace(f"${{{name}}}", str(value))
    return definition


def _knowing_arn(original: Function) -> Function:
    # Until moto has the attribute Arn of a state machine.
    def has_cfn_attr(cls: type, attr: str) -> bool:
        return attr == "Arn" or original(cls, attr)

    return has_cfn_attr


def _giving_arn(original: Function) -> Function:
    def get_cfn_attribute(machine: models.StateMachine, attribute_name: str) -> Any:
        return machine.arn if attribute_name == "Arn" else original(machine, attribute_name)

    return get_cfn_attribute


def _client_of_role(region: str, service: str, state_credentials: StateCredentials) -> Any:
    return _client(region, service, caller(state_credentials.role_arn))


@functools.cache
def _client(region: str, service: str, key_id: str) -> Any:
    client: Any = boto_client_for(region, service)
    client._request_signer._credentials = Credentials(key_id, "local")
    return client


def _unless_busy(original: Function) -> Function:
    # A crowd of executions asks again and again whether a job is free. Each HTTP call of this process to itself would
    # slow down the very run that they wait for, so the refusal is known here.
    def _handle_start_job_run(
        task: Any, env: Any, resource_runtime_part: Any, normalised_parameters: dict[str, Any], credentials: Any
    ) -> None:
        backend = glue_backends[resource_runtime_part.account][resource_runtime_part.region]
        job = backend.jobs.get(normalised_parameters["JobName"])
        if job is not None and is_busy(job):
            message = f"Job with name {job.name} is running already"
            raise ClientError({"Error": {"Code": "ConcurrentRunsExceededException", "Message": message}}, "StartJobRun")
        original(task, env, resource_runtime_part, normalised_parameters, credentials)

    return _handle_start_job_run


def _await_job_run(
    task: Any, env: Any, resource_runtime_part: Any, normalised_parameters: Any, state_credentials: Any
) -> None:
    """Wait for a Glue job run, until moto does: it fails on a callback that Glue does not have."""
    started = env.stack[-1]
    resolve = task._build_sync_resolver(env, resource_runtime_part, normalised_parameters, state_credentials)
    pause = Event()
    while env.is_running():
        job_run = resolve()
        if job_run is not None:
            # Instants become text: the next state's input is JSON.
            env.stack.append(json.loads(to_json_str(job_run)))
            return
        pause.wait(_POLL_SECONDS)
    # The state timed out or the execution was stopped; Step Functions then stops the run that it started.
    glue = task._get_glue_client(resource_runtime_part, state_credentials)
    glue.batch_stop_job_run(JobName=started["JobName"], JobRunIds=[started["JobRunId"]])


def _strict_comparison(comparison: ComparisonVariable, env: Any) -> None:
    # Until moto ends an execution, as AWS does, whose Choice compares what is not there: it takes the rule as false.
    comparison.variable.eval(env)
    is_presence = comparison.comparison_function.operator_type == ComparisonOperatorType.IsPresent
    if isinstance(env.stack[-1], NoSuchVariable) and not is_presence:
        raise RuntimeError(f"Invalid path '{env.stack[-1].path}': the choice's variable references an invalid value")
    comparison.comparison_function.eval(env)


def _announcing(original: Function) -> Function:
    # Until moto sends an event to EventBridge when an execution ends.
    def terminated(communication: BaseExecutionWorkerCommunication) -> None:
        original(communication)
        execution = communication.execution
        detail = {
            "executionArn": execution.exec_arn,
            "stateMachineArn": execution.state_machine.arn,
            "name": execution.name,
            "status": execution.status,
            "error": execution.error,
            "cause": execution.cause,
        }
        told = {name: value for name, value in detail.items() if value is not None}
        events.publish(
            source="aws.states",
            detail_type="Step Functions Execution Status Change",
            detail=told,
            resource=execution.exec_arn,
        )

    return terminated
