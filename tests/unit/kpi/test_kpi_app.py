"""The handler against S3, DynamoDB, SNS and Step Functions in memory: decisions, repetitions, crash points."""

import gzip
import io
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import app
import pytest
from botocore.exceptions import ClientError
from kpi_cloud import BRONZE, LAKE, Cloud, event_of, handle

GOOD = b"dms_id,amount,date\n1,$-77.00,2023-05-06 07:08:09\n2,12.34,2023-05-06\n"
EVENTS = Path(__file__).parents[3] / "events"


def breaks_once(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, *, after: bool = False) -> None:
    """Make a method fail on its first call, before or after it has done its work."""
    real, calls = getattr(owner, name), []

    def broken(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        result = real(*args, **kwargs) if after or len(calls) > 1 else None
        if len(calls) == 1:
            raise ConnectionError("crashed")
        return result

    monkeypatch.setattr(owner, name, broken, raising=True)


def test_good_file_is_accepted_and_its_workflow_started__csv(cloud: Cloud) -> None:
    assert handle(cloud.put("transactions/Mai 2023/größe+1.csv", GOOD)) == {"handled": 1}
    item = cloud.item("transactions/Mai 2023/größe+1.csv")
    assert item["status"] == "accepted"
    assert item["in_effect"] is True
    assert item["waiting_for"] == "silver"
    assert item["waiting_since"] == item["changes"][1]["at"]
    assert [change["status"] for change in item["changes"]] == ["received", "accepted"]
    assert item["sequencer"] == "000001".ljust(32, "0")
    assert item["kpis"]["total_amount"] == "-64.66"
    assert item["control"] == {"source": "none", "proven": False}
    execution = cloud.executions()[0]
    assert item["execution_arn"] == execution["executionArn"]
    assert execution["name"] == f"groe-1-csv-{item['file_id'][:32]}"
    assert execution["input"] == json.dumps(
        {
            "bucket": BRONZE,
            "file_id": item["file_id"],
            "key": "transactions/Mai 2023/größe+1.csv",
            "version_id": item["version_id"],
        }
    )
    assert cloud.mails() == []


def test_item_has_the_contracts_attributes__accepted(cloud: Cloud) -> None:
    handle(cloud.put("transactions/a.csv", GOOD, as_of="2023-05-06T12:00:00+02:00"))
    item = cloud.item("transactions/a.csv")
    assert set(item) == {
        *(
            "file_id",
            "kind",
            "bucket",
            "key",
            "version_id",
            "sequencer",
            "etag",
            "checksum",
            "size",
            "last_modified_at",
            "as_of_at",
        ),
        *("status", "in_effect", "waiting_for", "waiting_since", "format", "kpis", "control", "warnings"),
        *("execution_arn", "changes", "subject", "notice"),
    }
    assert item["as_of_at"] == "2023-05-06T10:00:00.000000Z"
    assert item["size"] == len(GOOD)
    assert item["etag"] == cloud.s3.head_object(Bucket=BRONZE, Key="transactions/a.csv")["ETag"].strip('"')
    assert item["checksum"] == {"algorithm": "CRC32", "value": b64encode(crc32(GOOD).to_bytes(4, "big")).decode()}
    assert item["format"] == {
        "kind": "csv",
        "dialect": "upload",
        "has_header": True,
        "columns": ["dms_id", "amount", "date"],
        "places": {"dms_id": 0, "amount": 1, "date": 2},
        "is_full_load": False,
        "blank_lines_before_header": 0,
        "odd_quote_lines": 0,
    }


REJECTIONS = [
    ("empty_file", b"", {}),
    ("no_rows", b"dms_id,amount,date\n", {}),
    ("missing_column", b"dms_id,amount\n1,1.00\n", {}),
    ("duplicate_column", b"dms_id,amount,date,id\n1,1.00,2023-05-06,1\n", {}),
    ("not_utf8", GOOD + b"\xff", {}),
    ("missing_column", GOOD.replace(b"\n", b"\r"), {}),
    ("truncated_gzip", gzip.compress(GOOD, mtime=0)[:-9], {}),
    ("truncated_gzip", gzip.compress(GOOD, mtime=0) + bytes(512), {}),
    ("unreadable_parquet", b"PAR1" + b"\0" * 100, {}),
    ("unreadable_control", GOOD, {"row_count": "two"}),
    ("unreadable_control", GOOD, {"as_of": "yesterday"}),
    ("unreadable_control", GOOD, {"as_of": "0001-01-01T00:00:00Z"}),
    ("row_count_mismatch", GOOD, {"row_count": "3"}),
    ("total_amount_mismatch", GOOD, {"total_amount": "-64.65"}),
    ("too_many_bad_rows", GOOD + b"x,1.00,2023-05-06\ny,z\nz\n", {}),
]


@pytest.mark.parametrize(("code", "body", "metadata"), REJECTIONS)
def test_bad_file_is_rejected_with_mail_and_passport__each_reason(
    cloud: Cloud, code: str, body: bytes, metadata: dict[str, str]
) -> None:
    handle(cloud.put("transactions/a.csv", body, **metadata))
    item = cloud.item("transactions/a.csv")
    assert item["status"] == "rejected"
    assert {reason["code"] for reason in item["reasons"]} == {code}
    assert item["in_effect"] is False
    assert "waiting_for" not in item
    assert cloud.executions() == []
    [(subject, body_text)] = cloud.mails()
    assert subject == "[assay test] rejected: a.csv"
    assert f"{code}: {item['reasons'][0]['text']}" in body_text
    passport = cloud.s3.get_object(Bucket=LAKE, Key=f"passports/{item['file_id']}.json")["Body"].read()
    assert json.loads(passport)["reasons"] == item["reasons"]


def test_object_deleted_before_it_is_read_is_rejected__version_gone(cloud: Cloud) -> None:
    event = cloud.put("transactions/a.csv", GOOD)
    cloud.s3.delete_object(Bucket=BRONZE, Key="transactions/a.csv", VersionId=cloud.versions["transactions/a.csv"])
    handle(event)
    item = cloud.item("transactions/a.csv")
    assert [reason["code"] for reason in item["reasons"]] == ["object_gone"]
    assert item["last_modified_at"] == "2023-05-06T07:08:09.123000Z"
    assert len(cloud.mails()) == 1


def test_each_version_is_read_with_its_own_bytes__key_uploaded_again(cloud: Cloud) -> None:
    first = cloud.put("transactions/a.csv", GOOD)
    second = cloud.put("transactions/a.csv", GOOD.replace(b"12.34", b"99.99"))
    handle(second)
    handle(first)
    totals = {
        item["sequencer"][:6]: item["kpis"]["total_amount"] for item in cloud.table.scan()["Items"] if "kpis" in item
    }
    assert totals == {"000001": "-64.66", "000002": "22.99"}
    assert len(cloud.executions()) == 2


@pytest.mark.parametrize("body", [GOOD, b""])
def test_repeated_event_has_one_effect__five_deliveries(cloud: Cloud, body: bytes) -> None:
    event = cloud.put("transactions/a.csv", body)
    for number in range(5):
        handle(event, f"request-{number}")
    assert len(cloud.executions()) + len(cloud.mails()) == 1
    assert len(cloud.item("transactions/a.csv")["changes"]) == 2


def test_control_totals_prove_a_file__metadata_wins_over_side_car(cloud: Cloud) -> None:
    cloud.s3.put_object(Bucket=BRONZE, Key="transactions/a.csv.control.json", Body=b'{"row_count": 7}')
    handle(cloud.put("transactions/a.csv", GOOD, row_count="2", total_amount="-64.66"))
    control = cloud.item("transactions/a.csv")["control"]
    assert control == {"source": "metadata", "row_count": 2, "total_amount": "-64.66", "proven": True}


def test_side_car_is_compared__one_cent_off(cloud: Cloud) -> None:
    totals = b'{"row_count": 2, "total_amount": "-64.67"}'
    cloud.s3.put_object(Bucket=BRONZE, Key="transactions/a.csv.control.json", Body=totals)
    handle(cloud.put("transactions/a.csv", GOOD))
    item = cloud.item("transactions/a.csv")
    assert item["control"] == {"source": "side-car", "row_count": 2, "total_amount": "-64.67", "proven": False}
    assert "the difference is 0.01" in item["reasons"][0]["text"]


def test_unproven_file_outside_of_the_learned_range_is_warned_of__third_file(cloud: Cloud) -> None:
    handle(cloud.put("transactions/a.csv", GOOD))
    handle(cloud.put("transactions/b.csv", GOOD))
    handle(cloud.put("transactions/c.csv", GOOD + b"3,900.00,2023-05-06\n"))
    assert len(cloud.item("transactions/b.csv")["warnings"]) == 1
    warnings = cloud.item("transactions/c.csv")["warnings"]
    assert "Its 3 rows are outside of the range of 2 earlier files, 2 to 2." in warnings
    assert "Its mean amount 278.45 is outside of the range of 2 earlier files, -32.33 to -32.33." in warnings
    learned = cloud.table.get_item(Key={"file_id": "range#transactions"})["Item"]
    assert learned == {
        "file_id": "range#transactions",
        "kind": "range",
        "files": 2,
        "min_rows": 2,
        "max_rows": 2,
        "min_mean": "-32.33",
        "max_mean": "-32.33",
        "pending": [
            {
                "file_id": cloud.item("transactions/c.csv")["file_id"],
                "accepted_at": learned["pending"][0]["accepted_at"],
                "row_count": 3,
                "mean": "278.45",
            }
        ],
    }


def test_bucket_without_versions_is_refused__other_records_are_handled(cloud: Cloud) -> None:
    good = cloud.put("transactions/a.csv", GOOD)
    event = {"Records": [*event_of("transactions/b.csv", None)["Records"], *good["Records"]]}
    with pytest.raises(ExceptionGroup, match="1 of 2 files") as raised:
        handle(event)
    assert "not versioned" in str(raised.value.exceptions[0])
    assert cloud.item("transactions/a.csv")["status"] == "accepted"


@pytest.mark.parametrize("name", ["test_event", "delete_marker", "folder", "side_car", "pin"])
def test_event_without_data_changes_nothing__each_kind(cloud: Cloud, name: str) -> None:
    assert handle(json.loads((EVENTS / f"{name}.json").read_text())) == {"handled": 0}
    assert cloud.table.scan()["Items"] == []


def test_crash_before_the_decision_is_made_good__file_read_again(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    event = cloud.put("transactions/a.csv", GOOD)
    breaks_once(monkeypatch, app, "inspect_file")
    with pytest.raises(ExceptionGroup):
        handle(event)
    assert cloud.item("transactions/a.csv")["status"] == "received"
    handle(event)
    assert cloud.item("transactions/a.csv")["status"] == "accepted"
    assert len(cloud.executions()) == 1


@pytest.mark.parametrize("after", [False, True])
def test_crash_around_the_start_is_made_good__one_execution(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    event = cloud.put("transactions/a.csv", GOOD)
    breaks_once(monkeypatch, app.services().workflows, "start_execution", after=after)
    with pytest.raises(ExceptionGroup):
        handle(event)
    assert "execution_arn" not in cloud.item("transactions/a.csv")
    handle(event)
    [execution] = cloud.executions()
    assert cloud.item("transactions/a.csv")["execution_arn"] == execution["executionArn"]


@pytest.mark.parametrize(("step", "mails"), [("s3.put_object", 1), ("sns.publish", 1), ("ledger.mark_mailed", 2)])
def test_crash_around_the_mail_is_made_good__lost_never_twice_only_after_sending(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, step: str, mails: int
) -> None:
    event = cloud.put("transactions/a.csv", b"")
    service, name = step.split(".")
    breaks_once(monkeypatch, getattr(app.services(), service), name)
    with pytest.raises(ExceptionGroup):
        handle(event)
    handle(event)
    handle(event, "another")
    assert len(cloud.mails()) == mails


def test_claim_of_a_dead_call_is_taken_over__when_it_is_old(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    event = cloud.put("transactions/a.csv", b"")
    breaks_once(monkeypatch, app.services().sns, "publish")
    with pytest.raises(ExceptionGroup):
        handle(event)
    handle(event, "another, at once")
    assert cloud.mails() == []
    later = datetime.now(UTC) + app.CLAIM_LIFETIME + timedelta(minutes=1)
    monkeypatch.setattr(app, "_now", lambda: later)
    handle(event, "another, later")
    assert len(cloud.mails()) == 1


def test_execution_that_is_closed_counts_as_started__name_taken(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def exists(**_: object) -> None:
        raise ClientError({"Error": {"Code": "ExecutionAlreadyExists", "Message": ""}}, "StartExecution")

    event = cloud.put("transactions/a.csv", GOOD)
    monkeypatch.setattr(app.services().workflows, "start_execution", exists)
    handle(event)
    item = cloud.item("transactions/a.csv")
    name = app.execution_name(item["key"], item["file_id"])
    assert item["execution_arn"] == cloud.machine_arn.replace(":stateMachine:", ":execution:") + f":{name}"


def test_file_beyond_accepted_is_left_alone__late_repetition(cloud: Cloud) -> None:
    event = cloud.put("transactions/a.csv", GOOD)
    handle(event)
    file_id = cloud.item("transactions/a.csv")["file_id"]
    cloud.table.update_item(
        Key={"file_id": file_id},
        UpdateExpression="SET #status = :published REMOVE waiting_for",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":published": "published"},
    )
    before = cloud.item("transactions/a.csv")
    handle(event)
    assert cloud.item("transactions/a.csv") == before
    assert len(cloud.executions()) == 1


def test_object_is_read_as_a_stream__large_file(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            sizes.append(size)
            return super().read(size)

    monkeypatch.setattr(app, "open_version", lambda *_: Watched(GOOD))
    handle(cloud.put("transactions/a.csv", GOOD))
    assert all(0 < size <= 8 << 20 for size in sizes)
    assert cloud.item("transactions/a.csv")["status"] == "accepted"


NUMBER = "4111111111111111"


def test_key_with_a_card_number_is_shown_nowhere__rejected_file(cloud: Cloud) -> None:
    key = f"transactions/card {NUMBER}.csv"
    handle(cloud.put(key, b"dms_id,amount,date\n1,1.00,2023-05-06\n"))
    item, [(subject, body)] = cloud.item(key), cloud.mails()
    assert (item["status"], item["key"]) == ("rejected", "transactions/card ************1111.csv")
    passport = cloud.s3.get_object(Bucket=LAKE, Key=f"passports/{item['file_id']}.json")["Body"].read().decode()
    assert NUMBER not in str(item) + subject + body + passport
    assert cloud.executions() == []


def test_error_is_logged_without_card_numbers__row_in_its_message(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError(f"cannot read {NUMBER}")

    monkeypatch.setattr("app.inspect_file", fail)
    logged: list[dict[str, object]] = []
    monkeypatch.setattr(app.logger, "error", lambda _, extra: logged.append(extra))
    with pytest.raises(ExceptionGroup):
        handle(cloud.put("transactions/a.csv", b"dms_id,amount,date\n1,1.00,2023-05-06\n"))
    [told] = logged
    assert told["exception_name"] == "ValueError"
    assert "cannot read ************1111" in str(told["exception"])
