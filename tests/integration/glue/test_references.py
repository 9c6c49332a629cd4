"""Reference files: versions of cards and clients, descriptions of codes, and card numbers that stay in Bronze."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from glue_pipeline import Pipeline, csv

from glue.reading.masking import CardKey

CARDS = "id,client_id,card_brand,card_number,cvv,credit_limit"
NUMBER, OTHER_NUMBER = "4111111111111111", "5500005555555559"
SECURITY_CODE = "code-of-card-2"  # three digits would be found in any snapshot id
KEY = b"a key of the tests"
TRANSACTIONS = "dms_id,amount,date,client_id,card_id,mcc"
BEGINNING, NO_END = datetime(1800, 1, 1), datetime(9999, 12, 31)
FIRST = csv(
    f"1,7,Visa,{NUMBER},123,$100.00",
    f"2,8,Amex,{OTHER_NUMBER},{SECURITY_CODE},$5",
    "x,9,Visa,,,",
    "3,9,Visa,,,1.234",
    header=CARDS,
)
SECOND = csv(f"1,7,Mastercard,{NUMBER},123,$100.00", f"2,8,Amex,{OTHER_NUMBER},{SECURITY_CODE},$5", header=CARDS)


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with patch.object(CardKey, "_key", KEY):
        yield


@pytest.fixture
def paid(pipeline: Pipeline) -> Pipeline:
    """Three transactions whose cards no file has named yet."""
    rows = ("10,1.00,2023-01-01,7,1,5411", "11,2.00,2023-06-01,7,1,5411", "12,3.00,2023-06-01,8,9,742")
    pipeline.upload("transactions/1.csv", csv(*rows, header=TRANSACTIONS), as_of="2023-07-01T00:00:00Z")
    pipeline.silver()
    pipeline.gold()
    return pipeline


def brands(pipeline: Pipeline) -> dict[int, Any]:
    """Return the brand that each fact's version of its card has; None for the member `unknown`."""
    versions = {row["card_key"]: row for row in pipeline.rows("gold.dim_card")}
    return {row["dms_id"]: versions[row["card_key"]]["card_brand"] for row in pipeline.rows("gold.fact_transactions")}


def test_facts_join_the_valid_version__snapshots_come_late_and_out_of_order(paid: Pipeline) -> None:
    assert brands(paid) == {10: None, 11: None, 12: None}
    paid.upload("cards/b.csv", SECOND, as_of="2023-03-01T00:00:00Z")
    paid.silver()
    paid.gold()
    assert brands(paid) == {10: "Mastercard", 11: "Mastercard", 12: None}, "the first known version is always valid"
    paid.upload("cards/a.csv", FIRST, as_of="2022-01-01T00:00:00Z")
    paid.silver()
    paid.gold()
    assert brands(paid) == {10: "Visa", 11: "Mastercard", 12: None}
    card = [row for row in paid.rows("gold.dim_card") if row["card_id"] == 1]
    spans = {(row["card_brand"], row["valid_from"], row["valid_to"], row["is_current"]) for row in card}
    assert spans == {
        ("Visa", BEGINNING, datetime(2023, 3, 1), False),
        ("Mastercard", datetime(2023, 3, 1), NO_END, True),
    }
    assert [row["valid_from"] for row in paid.rows("gold.dim_card") if row["card_id"] == 2] == [BEGINNING]
    totals = {row["client_id"]: row["total_amount"] for row in paid.rows("gold.monthly_client_totals")}
    assert totals == {7: Decimal("2.00"), 8: Decimal("3.00")}, "no money moves when a card is known"


def test_card_numbers_stay_in_bronze__in_every_table_and_object(paid: Pipeline) -> None:
    file_id = paid.upload("cards/a.csv.gz", gzip.compress(FIRST), as_of="2022-01-01T00:00:00Z")
    paid.silver()
    item = paid.item(file_id)
    assert item["silver"]["outcomes"] | {"inserted": 2, "quarantined": 2} == item["silver"]["outcomes"]
    (card,) = [row for row in paid.rows("silver.cards") if row["card_id"] == 1]
    assert card["card_last_four"] == "1111"
    assert card["card_number_hash"] == hmac.new(KEY, NUMBER.encode(), hashlib.sha256).hexdigest()
    assert card["credit_limit"] == Decimal("100.00")
    written = json.dumps([paid.tables("silver"), paid.items()], default=str)
    s3 = boto3.client("s3")
    for found in s3.list_objects_v2(Bucket=paid.lake_bucket)["Contents"]:
        body = s3.get_object(Bucket=paid.lake_bucket, Key=found["Key"])["Body"].read()
        written += (gzip.decompress(body) if found["Key"].endswith(".gz") else body).decode(errors="replace")
    for secret_text in (NUMBER, OTHER_NUMBER, SECURITY_CODE):
        assert secret_text not in written


def test_codes_are_described__json_object_and_delete(paid: Pipeline) -> None:
    codes = json.dumps({"5411": "Grocery Stores", "742": "Veterinary", "9999": "Nobody"}).encode()
    paid.upload("mcc_codes/mcc.json", codes, as_of="2022-01-01T00:00:00Z")
    paid.silver()
    paid.gold()
    described = {row["mcc"]: row["description"] for row in paid.rows("gold.dim_mcc")}
    assert described == {None: None, "5411": "Grocery Stores", "0742": "Veterinary", "9999": "Nobody"}
    change = csv("D,0742,", "U,5411,Groceries", header="Op,mcc,description")
    paid.upload("mcc_codes/20240101-000000001.csv", change, as_of="2024-01-01T00:00:00Z")
    paid.silver()
    paid.gold()
    described = {row["mcc"]: row["description"] for row in paid.rows("gold.dim_mcc")}
    assert described == {None: None, "5411": "Groceries", "0742": None, "9999": "Nobody"}


def test_reference_rows_get_outcomes__repeated_older_and_deleted(pipeline: Pipeline) -> None:
    def outcomes(key: str, body: bytes, as_of: str) -> dict[str, int]:
        file_id = pipeline.upload(key, body, as_of=as_of)
        pipeline.silver()
        return {name: count for name, count in pipeline.item(file_id)["silver"]["outcomes"].items() if count}

    users = "id,gender,yearly_income"
    assert outcomes("users/1.csv", csv("7,F,$10", "8,M,$20", "7,M,$11", header=users), "2023-01-01T00:00:00Z") == {
        "inserted": 2,
        "superseded": 1,
    }
    assert outcomes("users/2.csv", csv("7,M,$11", "8,M,$21", header=users), "2022-01-01T00:00:00Z") == {
        "unchanged": 1,
        "stale": 1,
    }
    gone = csv("D,8,,", "D,99,,", "U,7,M,$12", header=f"op,{users}")
    assert outcomes("users/3.csv", gone, "2024-01-01T00:00:00Z") == {"deleted": 1, "unchanged": 1, "updated": 1}
    pipeline.gold()
    clients = {(row["client_id"], row["is_current"]) for row in pipeline.rows("gold.dim_client")}
    assert clients == {(None, True), (7, False), (7, True), (8, False)}


def test_only_the_last_row_of_an_instant_is_a_version__first_known_ones(paid: Pipeline) -> None:
    def brings(name: str, *rows: str, as_of: str) -> list[tuple[str | None, datetime, datetime]]:
        paid.upload(f"users/{name}.csv", csv(*rows, header="op,id,gender"), as_of=f"{as_of}T00:00:00Z")
        paid.silver()
        paid.gold()
        found = [row for row in paid.rows("gold.dim_client") if row["client_id"] == 7]
        return sorted((row["gender"], row["valid_from"], row["valid_to"]) for row in found)

    first, second, third = (datetime(2023, 3, day) for day in (1, 2, 3))
    assert brings("20230301-000000001", "I,7,F", "U,7,M", as_of="2023-03-01") == [("M", BEGINNING, NO_END)]
    assert brings("20230302-000000001", "U,7,F", "D,7,", as_of="2023-03-02") == [("M", BEGINNING, second)]
    found = brings("20230303-000000001", "I,7,X", as_of="2023-03-03")
    assert found == [("M", BEGINNING, second), ("X", third, NO_END)]
    facts = paid.rows("gold.fact_transactions")
    assert [row["dms_id"] for row in facts] == [10, 11, 12], "no fact twice"
    keys = {row["client_key"]: row["gender"] for row in paid.rows("gold.dim_client")}
    assert [keys[row["client_key"]] for row in facts] == ["M", "X", None]
    earlier = brings("20230228-000000001", "I,7,A", "D,7,", "I,7,B", as_of="2023-02-28")
    assert earlier == [("B", BEGINNING, first), ("M", first, second), ("X", third, NO_END)]


@pytest.mark.parametrize("delete_first", [True, False])
def test_code_is_a_member_when_a_row_gives_it__deleted_before_or_after(pipeline: Pipeline, delete_first: bool) -> None:
    given = ("mcc_codes/a.csv", csv("9998,Nobody", header="mcc,description"), "2022-01-01T00:00:00Z")
    gone = (
        "mcc_codes/20230101-000000001.csv",
        csv("D,9998,", "D,9997,", header="Op,mcc,description"),
        "2023-01-01T00:00:00Z",
    )
    for key, body, as_of in (gone, given) if delete_first else (given, gone):
        pipeline.upload(key, body, as_of=as_of)
        pipeline.silver()
        pipeline.gold()
    assert [(row["mcc"], row["description"]) for row in pipeline.rows("gold.dim_mcc") if row["mcc"]] == [("9998", None)]
