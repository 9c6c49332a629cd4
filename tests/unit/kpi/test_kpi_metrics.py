"""What CloudWatch gets to count: each file once, by subject, with its rows and cents."""

import json
from typing import Any

import pytest
from kpi_cloud import Cloud, handle

GOOD = b"dms_id,amount,date\n1,$-77.00,2023-05-06 07:08:09\n2,12.34,2023-05-06\n"
CODES = b"mcc,description\n5411,Grocery Stores\n"


def counted(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return what the function has logged in the embedded metric format."""
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith('{"_aws"')]
    return [json.loads(line) for line in lines]


def figures(logged: dict[str, Any]) -> dict[str, Any]:
    [described] = logged["_aws"]["CloudWatchMetrics"]
    assert described["Namespace"] == "Assay"
    assert [set(dimensions) for dimensions in described["Dimensions"]] == [{"service", "stage", "subject"}]
    named = {metric["Name"] for metric in described["Metrics"]}
    return {name: value for name, value in logged.items() if name in named | {"stage", "subject"}}


@pytest.mark.parametrize(
    ("key", "body", "metadata", "expected"),
    [
        ("transactions/a.csv", GOOD, {}, {"subject": "transactions", "RowsAccepted": [2], "CentsAccepted": [-6466]}),
        (
            "transactions/a.csv",
            GOOD,
            {"row_count": "3"},
            {"subject": "transactions", "RowsRejected": [2], "CentsRejected": [-6466]},
        ),
        ("transactions/a.csv", b"", {}, {"subject": "transactions", "RowsRejected": [0], "CentsRejected": [0]}),
        ("mcc_codes/a.csv", CODES, {}, {"subject": "mcc_codes", "RowsAccepted": [1]}),
    ],
    ids=["accepted", "rejected", "unreadable", "without money"],
)
def test_file_is_counted_with_its_rows_and_cents__by_stage_and_subject(
    cloud: Cloud,
    capsys: pytest.CaptureFixture[str],
    key: str,
    body: bytes,
    metadata: dict[str, str],
    expected: dict[str, Any],
) -> None:
    handle(cloud.put(key, body, **metadata))

    assert [figures(logged) for logged in counted(capsys)] == [{"stage": "test", **expected}]


def test_file_is_counted_once__event_arrives_again(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    event = cloud.put("transactions/a.csv", GOOD)

    handle(event)
    handle(event)

    assert len(counted(capsys)) == 1


def test_marker_is_not_counted__it_has_no_rows(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    handle(cloud.put("transactions/june/_load.json", b"{}"))

    assert cloud.item("transactions/june/_load.json")["status"] == "rejected"
    assert counted(capsys) == []
