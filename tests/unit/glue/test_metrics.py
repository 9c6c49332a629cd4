"""What CloudWatch is told of published files."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from contract.items import FileItem

from glue.lake.metrics import published_lines, tell_published

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def file(subject: str, rows: int = 0, amount: str = "0.00") -> FileItem:
    return cast(FileItem, {"subject": subject, "kpis": {"row_count": rows, "total_amount": amount}})


@pytest.mark.parametrize(("prefix", "lines"), [("", 1), ("replay/", 0)])
def test_log_tells_of_what_is_published__not_of_a_replay(
    prefix: str, lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    tell_published([file("users", 7)], argparse.Namespace(prefix=prefix, stage="test"))

    assert len(capsys.readouterr().out.splitlines()) == lines


def test_rows_and_cents_are_summed_by_subject__markers_have_none() -> None:
    files = [file("transactions", 3, "10.10"), file("transactions", 2, "-0.05"), file("users", 7), file("load")]

    lines: list[dict[str, Any]] = [json.loads(line) for line in published_lines(files, "test", AT)]

    told = {line["subject"]: {name: value for name, value in line.items() if name[0].isupper()} for line in lines}
    assert told == {"transactions": {"RowsPublished": 5, "CentsPublished": 1005}, "users": {"RowsPublished": 7}}
    [directive] = lines[0]["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("Assay", [["service", "stage", "subject"]])
    assert [metric["Name"] for metric in directive["Metrics"]] == ["RowsPublished", "CentsPublished"]
    assert lines[0]["_aws"]["Timestamp"] == 1_795_435_200_000
