"""Card numbers and security codes never leave Bronze: numbers planted in every way in are nowhere else afterwards."""

from __future__ import annotations

import gzip
import io
import json
import logging
import re
import traceback
from collections.abc import Iterator
from contextlib import redirect_stderr
from unittest.mock import patch

import app
import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from glue_pipeline import SILVER, Pipeline, csv
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends

from glue.lake.failures import FileBroken, JobFailed
from glue.reading.masking import CardKey

CARDS = "op,id,client_id,card_brand,card_type,card_number,cvv,credit_limit"
PAID = "dms_id,amount,date,use_chip,merchant_city,merchant_state,errors"
AT = "2023-05-06 07:08:09"
COMMIT = "2023-12-01 10:00:00.000001"
SECURITY_CODE = "code-of-card-2"  # three digits would be found in any snapshot id


def number(place: int) -> str:
    """Return a card number of 16 digits that no other place has."""
    digits = f"4{place:02}8731946025{place:02}"
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-1::-2])
    return f"{digits}{-(doubled + sum(map(int, digits[-2::-2]))) % 10}"


def grouped(digits: str, sign: str = " ") -> str:
    return sign.join(digits[at : at + 4] for at in range(0, len(digits), 4))


WAYS = {
    way: number(place)
    for place, way in enumerate(
        (
            *("other_table", "card_id", "client_id", "credit_limit", "op", "between_words", "card_number"),
            *("broken_card", "parquet_card_id", "parquet_credit_limit", "parquet_brand", "address", "income"),
            *("description", "json_description", "city", "errors", "unreadable_channel", "amount", "broken_quotes"),
            *("column_name", "object_key", "object_key_of_dms", "rejected_row", "rejected_date", "parquet_city"),
            *("unread_column", "folder", "behind_a_date", "gzip_state"),
            *("broken_file", "unreadable_file", "failed_run"),
        )
    )
}


def cards(**changed: str) -> str:
    """Write a row of cards with one value of its own."""
    row = {"op": "I", "id": "1", "client_id": "7", "brand": "Visa", "type": "", "number": "", "cvv": "", "limit": "$5"}
    return ",".join({**row, **changed}.values())


def in_parquet(**columns: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def transactions(cities: int) -> bytes:
    """Write transactions of which every second one has a card number in its city, none among the first thousand."""
    plain = [f"{row},1.00,{AT},chip,Beulah,ND," for row in range(1_001)]
    found = ("Beulah", f"VISA {grouped(WAYS['city'])} 12/27")
    half = [f"{2_000 + row},1.00,{AT},chip,{found[row % 2]},ND," for row in range(cities)]
    others = [
        f"5001,1.00,{AT},chip,Beulah,ND,Bad {grouped(WAYS['errors'], '-')}",
        f"5002,1.00,{AT},{WAYS['unreadable_channel']},Beulah,ND,",
        f"5003,{WAYS['amount']}.00,{AT},chip,Beulah,ND,",
        f'5004,1.00,{AT},chip,"Beul{WAYS["broken_quotes"]}"ah,ND,',
        f"5005,1.00,{AT},chip,{COMMIT[:10]} {grouped(WAYS['behind_a_date'])},ND,",
    ]
    return csv(*plain, *half, *others, header=PAID)


FILES: dict[str, bytes] = {
    "transactions/CDC_TXN-20231201100000000.csv": csv(
        f"I,bank,cards,{COMMIT},1,825,Visa,Debit,{WAYS['other_table']},12/2022,{SECURITY_CODE},YES",
        f"D,bank,transactions,{COMMIT},3,,,,,,,,,,,",
        header=f"I,bank,transactions,{COMMIT},1,{AT},825,2972,$10.00,chip,59935,Beulah,ND,58523.0,5499,",
    ),
    "transactions/half.csv": transactions(2_000),
    "transactions/named.csv": csv(f"1,1.00,{AT},x", header=f"dms_id,amount,date,Card {grouped(WAYS['column_name'])}"),
    "transactions/unread.csv": csv(f"2,1.00,{AT},{WAYS['unread_column']}", header="dms_id,amount,date,note"),
    "transactions/states.csv.gz": gzip.compress(csv(f"4,1.00,{AT},chip,,x{WAYS['gzip_state']}x,", header=PAID)),
    "transactions/cities.parquet": in_parquet(
        dms_id=[6001, None], amount=["1.00", "1.00"], date=[AT, AT], merchant_city=[WAYS["parquet_city"]] * 2
    ),
    "transactions/rejected.csv": csv(
        *[f"1,1.00,31.12.2023 {grouped(WAYS['rejected_row'])},chip,,," for _ in range(9)],
        f"1,1.00,13/2/2023 {WAYS['rejected_date']},chip,,,",
        header=PAID,
    ),
    f"transactions/card {WAYS['object_key']}.csv": csv(f"3,1.00,{AT}", header="dms_id,amount,date"),
    f"transactions/{grouped(WAYS['folder'], '-')}/a.csv": csv(f"3,1.00,{AT}", header="dms_id,amount,date"),
    f"cards/{WAYS['object_key_of_dms']}/LOAD00000001.csv": csv("3,8,Visa", header="card_id,client_id,card_brand"),
    "cards/1.csv": csv(
        cards(),
        cards(id=WAYS["card_id"]),
        cards(id="2", client_id=WAYS["client_id"]),
        cards(id="3", limit=WAYS["credit_limit"]),
        cards(id="4", op=WAYS["op"]),
        cards(id="5", brand=f"VISA {grouped(WAYS['between_words'])} 12/27"),
        cards(id="6", number=WAYS["card_number"], cvv=SECURITY_CODE),
        f'{cards(id="7")},"{WAYS["broken_card"]}"',
        header=CARDS,
    ),
    "cards/2.parquet": in_parquet(
        id=[21, int(WAYS["parquet_card_id"]), 23],
        client_id=[7, 7, 7],
        card_brand=["Visa", "Visa", f"No{WAYS['parquet_brand']}"],
        credit_limit=pa.array([500, 100, int(WAYS["parquet_credit_limit"])], pa.int64()),
    ),
    "users/1.csv": csv(
        f"1,462 Rose Lane {grouped(WAYS['address'])} B,$10,",
        f"2,,{WAYS['income']},",
        header="id,address,yearly_income,x",
    ),
    "mcc_codes/1.csv": csv(f"5411,Pay {grouped(WAYS['description'])}", header="mcc,description"),
    "mcc_codes/2.json": json.dumps({"5412": f"Pay {WAYS['json_description']} now"}).encode(),
}


@pytest.fixture(scope="module")
def written(empty: Pipeline, at_the_server_for_module: None) -> dict[str, str]:
    """Send all files from Bronze to Gold; return what was written anywhere else, by the place."""
    logs, pipeline = io.StringIO(), empty.fork()
    handlers = [logging.StreamHandler(logs)]
    handlers[0].setFormatter(app.logger.registered_formatter)
    topic = sns_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].topics[f"arn:aws:sns:us-east-1:{DEFAULT_ACCOUNT_ID}:notices"]
    before = len(topic.sent_notifications)
    with patch.object(CardKey, "_key", b"a key of the tests"), patch.object(app.logger._logger, "handlers", handlers):
        for key, body in FILES.items():
            pipeline.upload(key, body, as_of="2023-12-31T00:00:00Z")
        pipeline.silver()
        pipeline.gold()
        glue = failures(pipeline)
    found = {"glue": glue, "ledger": pipeline.items(), "mails": topic.sent_notifications[before:], **pipeline.tables()}
    return {name: str(value) for name, value in found.items()} | {"logs": logs.getvalue()} | objects(pipeline)


def failures(pipeline: Pipeline) -> str:
    """Let runs fail by errors that quote a number; return all that Glue shows of them: steps, log, the run's error."""
    told, log = list[str](), io.StringIO()

    def upload(name: str) -> str:
        return pipeline.upload(f"transactions/failing {name}.csv", csv(f"1,1.00,{AT}", header="dms_id,amount,date"))

    def run(started_for: str, *errors: Exception) -> None:
        with redirect_stderr(log), patch.object(SILVER, "read_subjects", side_effect=errors):
            pipeline.run("silver", started_for, at_step=lambda step, **facts: told.append(f"{step} {facts}"))

    broken, unreadable = upload("1"), upload("2")
    cannot_read = OSError(f"cannot read {WAYS['unreadable_file']}")
    run(broken, FileBroken(broken, f"cannot read {WAYS['broken_file']}"), cannot_read, cannot_read)
    reasons = [pipeline.item(file_id)["failed"]["reason"] for file_id in (broken, unreadable)]
    of_two = [upload("3"), upload("4")]
    with pytest.raises(JobFailed) as end:
        run(of_two[0], *[OSError(f"lost {WAYS['failed_run']}")] * 3)
    told += [*reasons, *traceback.format_exception(end.value), log.getvalue()]
    for way, place in {"broken_file": reasons[0], "unreadable_file": reasons[1], "failed_run": told[-1]}.items():
        assert WAYS[way][-4:] in place  # it was told, and masked
    return "\n".join(told)


def objects(pipeline: Pipeline) -> dict[str, str]:
    """Return the keys and contents of the lake bucket's objects as text."""
    s3, found = boto3.client("s3"), {}
    for listed in s3.list_objects_v2(Bucket=pipeline.lake_bucket)["Contents"]:
        body = s3.get_object(Bucket=pipeline.lake_bucket, Key=listed["Key"])["Body"].read()
        if body.startswith(b"PAR1"):
            body = str(pq.read_table(io.BytesIO(body)).to_pylist()).encode()
        text = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        found[listed["Key"]] = f"{listed['Key']} {text.decode(errors='replace')}"
    return found


@pytest.fixture(autouse=True)
def _secret() -> Iterator[None]:
    with patch.object(CardKey, "_key", b"a key of the tests"):
        yield


@pytest.mark.parametrize("way", WAYS)
def test_card_number_never_leaves_bronze__planted(way: str, written: dict[str, str]) -> None:
    places = [place for place, text in written.items() if WAYS[way] in re.sub("[ -]", "", text)]
    assert places == []


def test_security_code_never_leaves_bronze__in_its_column_and_in_another_table(written: dict[str, str]) -> None:
    assert [place for place, text in written.items() if SECURITY_CODE in text] == []
