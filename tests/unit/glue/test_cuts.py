"""The readers' cut in the lake: which one is current, which ones are kept, and what a second writer may do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from contract.runs import Cut
from moto import mock_aws

from glue.lake import cuts
from glue.lake.cuts import MOST_CUTS, kept, put_cut, snapshots_named

START = datetime(2026, 1, 1, tzinfo=UTC)


def cut(run_seq: int, *, minutes: int = 0) -> Cut:
    """Return the cut of a run that was published so many minutes after the start."""
    at = (START + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    snapshots: Any = {"silver": {"transactions": 100 + run_seq}, "gold": {"fact_transactions": 200 + run_seq}}
    return {"run_seq": run_seq, "silver_run_seq": run_seq + 5, "at": at, "snapshots": snapshots}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="lake")
        yield client


def current(s3: Any) -> Any:
    return json.loads(s3.get_object(Bucket="lake", Key="replay/current.json")["Body"].read())


def test_cut_is_current_and_its_snapshots_are_named(s3: Any) -> None:
    for run_seq in (1, 2, 2):
        put_cut("lake", "replay/", cut(run_seq))
    assert current(s3) == cut(2)
    assert snapshots_named("lake", "replay/", "gold") == {201, 202}
    assert snapshots_named("lake", "replay/", "silver") == {101, 102}
    assert snapshots_named("lake", "", "silver") == set()


def test_later_cut_stays__a_slow_process_finishes_an_earlier_run(s3: Any) -> None:
    for run_seq in (1, 3, 2):
        put_cut("lake", "replay/", cut(run_seq))
    assert current(s3) == cut(3)
    assert snapshots_named("lake", "replay/", "gold") == {201, 203}


def test_later_cut_stays__it_came_between_look_and_write(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    put_cut("lake", "replay/", cut(1))
    look, others = cuts._read, [cut(3)]

    def look_before_another_writes(bucket: str, key: str) -> tuple[Any, str]:
        found = look(bucket, key)
        if others:
            put_cut("lake", "replay/", others.pop())
        return found

    monkeypatch.setattr(cuts, "_read", look_before_another_writes)
    put_cut("lake", "replay/", cut(2))
    assert current(s3) == cut(3)


def test_kept_cuts_are_the_last_ones_and_one_an_hour_of_seven_days() -> None:
    every = [cut(number, minutes=5 * number) for number in range(9 * 24 * 12)]
    found: list[Cut] = []
    for each in every:
        found = kept([*found, each])
    assert found[-MOST_CUTS:] == every[-MOST_CUTS:]
    hours = [each["at"][:13] for each in found[:-MOST_CUTS]]
    assert len(hours) == len(set(hours)) == 7 * 24 - MOST_CUTS // 12
    assert all(each["at"][14:16] == "55" for each in found[:-MOST_CUTS])
