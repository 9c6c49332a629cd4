"""`assay query --engine athena` on a stack in AWS, played by moto, which gives the results that a test prepares."""

import json
import urllib.request
from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from deployed_stack import NAMES, REGION, DeployedStack
from moto.moto_api import state_manager

from assay import athena, target

IN_AWS = ("--stack", target.LOCAL_STACK, "--region", REGION)
STATEMENT = "SELECT channel, total_amount FROM gold.daily_totals"
COLUMNS = [
    {"Name": "channel", "Type": "varchar"},
    {"Name": "total_amount", "Type": "decimal", "Precision": 38, "Scale": 2},
]


@pytest.fixture
def aws(stack: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> DeployedStack:
    """The stack is in AWS; no local cloud runs."""
    monkeypatch.setattr(target, "running_cloud", lambda project: None)
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.endpoint)
    stack.write("gold.daily_totals", (date(2010, 1, 1), "chip", 1, Decimal("1234.50")))
    return stack


def prepare_result(stack: DeployedStack, *rows: tuple[str, ...]) -> None:
    texts = [{"Data": [{"VarCharValue": text} for text in row]} for row in rows]
    body = {"region": REGION, "results": [{"rows": texts, "column_info": COLUMNS}]}
    address = f"{stack.endpoint}/moto-api/static/athena/query-results"
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310
    urllib.request.urlopen(request).close()  # noqa: S310


def executions(stack: DeployedStack) -> list[dict[str, Any]]:
    client = stack.client("athena")
    ids = client.list_query_executions()["QueryExecutionIds"]
    return [client.get_query_execution(QueryExecutionId=id_)["QueryExecution"] for id_ in ids]


def test_query_runs_in_athena__stack_in_aws(aws: DeployedStack) -> None:
    prepare_result(aws, ("channel", "total_amount"), ("chip", "1234.50"))

    result = aws.assay("query", STATEMENT, "--engine", "athena", "--format", "json", *IN_AWS)

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == [{"channel": "chip", "total_amount": "1234.50"}]
    assert "Athena scanned 0.0 MB: about $0.00005" in result.stderr
    [ran] = executions(aws)
    assert ran["Query"] == 'SELECT channel, total_amount FROM "assay_gold"."daily_totals"'
    assert ran["QueryExecutionContext"]["Database"] == NAMES["GoldDatabase"]
    assert ran["ResultConfiguration"]["OutputLocation"].startswith(f"s3://{NAMES['LakeBucket']}/staging/athena/")


def test_query_stops_in_athena_and_ends_130__interrupted(aws: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(athena, "Event", lambda: SimpleNamespace(wait=interrupt))
    state_manager.set_transition("athena::execution", {"progression": "manual", "times": 9})

    try:
        result = aws.assay("query", STATEMENT, "--engine", "athena", *IN_AWS)
    finally:
        state_manager.unset_transition("athena::execution")

    assert result.exit_code == 130
    assert [ran["Status"]["State"] for ran in executions(aws)] == ["CANCELLED"]


def test_query_refuses_athena__local_cloud(stack: DeployedStack) -> None:
    result = stack.assay("query", STATEMENT, "--engine", "athena")

    assert (result.exit_code, "the local cloud has no Athena" in result.stderr) == (2, True)
