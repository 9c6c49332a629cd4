"""A file that no attempt can examine ends failed in the ledger, with one mail; a new event takes it up again."""

import io
import json
from typing import Any

import admission
import app
import pytest
from kpi_cloud import Cloud, handle
from polars.exceptions import PanicException
from reading import csv_blocks

GOOD = b"dms_id,amount,date\n1,1.00,2023-05-06\n"
KEY = "transactions/march.csv"


def dead_letter(event: dict[str, Any], *, error: str = "Task timed out after 900.00 seconds") -> dict[str, Any]:
    """Return an event as the queue delivers it, with the attributes that Lambda gives to dead letters."""
    attributes = {"ErrorMessage": {"stringValue": error, "dataType": "String"}}
    message = {"messageId": "1", "body": json.dumps(event), "messageAttributes": attributes}
    return {"Records": [{**message, "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:1:dead"}]}


def breaking(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(admission, "count_kpis", fail)


@pytest.mark.parametrize(
    "error", [PanicException("index out of bounds"), MemoryError(), RecursionError(), ValueError("unexpected")]
)
def test_call_fails_so_that_lambda_repeats_it__whatever_a_reader_raises(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    event = cloud.put(KEY, GOOD)
    breaking(monkeypatch, error)
    with pytest.raises(ExceptionGroup, match="1 of 1 files"):
        handle(event)
    assert cloud.item(KEY)["status"] == "received"


def test_panic_of_one_file_does_not_hold_up_another__in_one_event(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [cloud.put(KEY, b"broken"), cloud.put("transactions/good.csv", GOOD)]
    real = csv_blocks.CsvRows.frames

    def frames(rows: csv_blocks.CsvRows) -> Any:
        if rows.stream.read(6) == b"broken":
            raise PanicException("index out of bounds")
        rows.stream = io.BytesIO(GOOD)
        return real(rows)

    monkeypatch.setattr(csv_blocks.CsvRows, "frames", frames)
    with pytest.raises(ExceptionGroup):
        handle({"Records": [record for event in events for record in event["Records"]]})
    assert cloud.item("transactions/good.csv")["status"] == "accepted"


def test_file_ends_failed_with_a_mail__its_event_came_through_the_dead_letter_queue(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = cloud.put(KEY, GOOD)
    breaking(monkeypatch, PanicException("index out of bounds"))
    with pytest.raises(ExceptionGroup):
        handle(event)
    assert handle(dead_letter(event)) == {"handled": 1}

    failed = cloud.item(KEY)["failed"]
    assert (failed["stage"], failed["attempts"]) == ("kpi", 3)
    assert failed["reason"] == "The KPI function could not examine the file: Task timed out after 900.00 seconds"
    [(subject, body)] = cloud.mails()
    assert subject == "[assay test] failed: march.csv"
    assert "Task timed out" in body
    assert 'docs/runbook.md, section "File that could not be examined"' in body
    assert cloud.differences_from_contract() == []


def test_mail_comes_once__the_queue_delivers_twice(cloud: Cloud) -> None:
    event = cloud.put(KEY, GOOD)
    handle(dead_letter(event))
    handle(dead_letter(event))
    assert len(cloud.mails()) == 1


def test_file_has_an_item__no_attempt_came_as_far_as_the_ledger(cloud: Cloud) -> None:
    handle(dead_letter(cloud.put(KEY, GOOD), error=""))
    item = cloud.item(KEY)
    assert (item["status"], item["key"]) == ("received", KEY)
    assert item["failed"]["reason"].endswith("the last attempt left no message")


def test_file_is_examined_after_all__its_event_is_sent_again(cloud: Cloud) -> None:
    event = cloud.put(KEY, GOOD, as_of="2023-05-07T00:00:00Z")
    handle(dead_letter(event))
    handle(event)
    item = cloud.item(KEY)
    assert item["status"] == "accepted"
    assert "failed" not in item
    assert item["as_of_at"] == "2023-05-07T00:00:00.000000Z"


def test_what_is_left_is_finished__of_a_file_that_was_decided(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    event = cloud.put(KEY, GOOD)
    with monkeypatch.context() as broken:
        broken.setattr(app, "start_execution", lambda *_: (_ for _ in ()).throw(OSError("no connection")))
        with pytest.raises(ExceptionGroup):
            handle(event)
    handle(dead_letter(event))
    assert len(cloud.executions()) == 1
    assert "failed" not in cloud.item(KEY)
    assert cloud.mails() == []
