"""Reference files: versions of cards and clients, descriptions of codes, and card numbers that stay in Bronze."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import itertools
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


CODES = "Op,mcc,description"
USERS = "op,id,gender"
INCOMES = "id,gender,yearly_income"
HOLDERS = "id,client_id,card_brand"
TWINS = ["50,7,Discover", "50,87766,6pSUC5eF"]  # rows of equal hash
# Each test has cards, clients or codes of its own; the files of all tests come in the same three rounds.
ROUNDS: list[dict[str, tuple[bytes, str]]] = [
    {
        "cards/b.csv": (SECOND, "2023-03-01"),
        "mcc_codes/mcc.json": (
            json.dumps({"5411": "Grocery Stores", "742": "Veterinary", "9999": "Nobody"}).encode(),
            "2022-01-01",
        ),
        "mcc_codes/given.csv": (csv("9998,Nobody", header="mcc,description"), "2022-01-01"),
        "mcc_codes/20230101-000000001.csv": (csv("D,9996,", "D,9995,", header=CODES), "2023-01-01"),
        "users/20230301-000000001.csv": (csv("I,7,F", "U,7,M", "I,8,M", header=USERS), "2023-03-01"),
        "cards/twin 1.csv": (csv(TWINS[0], header=HOLDERS), "2023-01-01"),
        "users/1.csv": (csv("70,F,$10", "80,M,$20", "70,M,$11", header=INCOMES), "2023-01-01"),
    },
    {
        "cards/a.csv.gz": (gzip.compress(FIRST), "2022-01-01"),
        "mcc_codes/20240101-000000001.csv": (csv("D,0742,", "U,5411,Groceries", header=CODES), "2024-01-01"),
        "mcc_codes/20230101-000000002.csv": (csv("D,9998,", "D,9997,", header=CODES), "2023-01-01"),
        "mcc_codes/given late.csv": (csv("9996,Nobody", header="mcc,description"), "2022-01-01"),
        "users/20230302-000000001.csv": (csv("U,7,F", "D,7,", "D,8,", header=USERS), "2023-03-02"),
        "cards/twin 2.csv": (csv(TWINS[1], header=HOLDERS), "2023-02-01"),
        "users/2.csv": (csv("70,M,$11", "80,M,$21", header=INCOMES), "2022-01-01"),
    },
    {
        "users/20230303-000000001.csv": (csv("I,7,X", header=USERS), "2023-03-03"),
        "users/20230228-000000001.csv": (csv("I,8,A", "D,8,", "I,8,B", header=USERS), "2023-02-28"),
        "users/3.csv": (csv("D,80,,", "D,99,,", "U,70,M,$12", header=f"op,{INCOMES}"), "2024-01-01"),
    },
]


@pytest.fixture(scope="module", autouse=True)
def secret() -> Iterator[None]:
    with patch.object(CardKey, "_key", KEY):
        yield


@pytest.fixture(scope="module")
def rounds(empty: Pipeline, at_the_server_for_module: None, secret: None) -> list[Pipeline]:
    """The pipeline with three transactions whose cards no file has named yet, and after each round of files."""
    rows = ("10,1.00,2023-01-01,7,1,5411", "11,2.00,2023-06-01,7,1,5411", "12,3.00,2023-06-01,8,9,742")
    paid = {"transactions/1.csv": (csv(*rows, header=TRANSACTIONS), "2023-07-01")}
    found, current = [], empty
    for files in (paid, *ROUNDS):
        current = current.fork()
        for key, (body, as_of) in files.items():
            current.upload(key, body, as_of=f"{as_of}T00:00:00Z")
        current.silver()
        current.gold()
        found.append(current)
    return found


def brands(pipeline: Pipeline) -> dict[int, Any]:
    """Return the brand that each fact's version of its card has; None for the member `unknown`."""
    versions = {row["card_key"]: row for row in pipeline.rows("gold.dim_card")}
    return {row["dms_id"]: versions[row["card_key"]]["card_brand"] for row in pipeline.rows("gold.fact_transactions")}


def test_facts_join_the_valid_version__snapshots_come_late_and_out_of_order(rounds: list[Pipeline]) -> None:
    assert [brands(pipeline) for pipeline in rounds[:3]] == [
        {10: None, 11: None, 12: None},
        {10: "Mastercard", 11: "Mastercard", 12: None},  # the first known version is always valid
        {10: "Visa", 11: "Mastercard", 12: None},
    ]
    card = [row for row in rounds[2].rows("gold.dim_card") if row["card_id"] == 1]
    spans = {(row["card_brand"], row["valid_from"], row["valid_to"], row["is_current"]) for row in card}
    assert spans == {
        ("Visa", BEGINNING, datetime(2023, 3, 1), False),
        ("Mastercard", datetime(2023, 3, 1), NO_END, True),
    }
    assert [row["valid_from"] for row in rounds[2].rows("gold.dim_card") if row["card_id"] == 2] == [BEGINNING]


def test_no_money_moves__cards_and_clients_are_known(rounds: list[Pipeline]) -> None:
    for pipeline in rounds:
        totals = {
            (row["client_id"], row["month"].month): row["total_amount"]
            for row in pipeline.rows("gold.monthly_client_totals")
        }
        assert totals == {(7, 1): Decimal("1.00"), (7, 6): Decimal("2.00"), (8, 6): Decimal("3.00")}


def test_card_numbers_stay_in_bronze__in_every_table_and_object(rounds: list[Pipeline]) -> None:
    pipeline = rounds[2]
    (item,) = [item for item in pipeline.items() if item.get("key") == "cards/a.csv.gz"]
    outcomes = {name: count for name, count in item["silver"]["outcomes"].items() if count}
    assert outcomes == {"unchanged": 1, "stale": 1, "quarantined": 2}
    cards = [row for row in pipeline.rows("silver.cards") if row["card_id"] == 1]
    assert sorted(row["card_brand"] for row in cards) == ["Mastercard", "Visa"]
    for card in cards:
        assert card["card_last_four"] == "1111"
        assert card["card_number_hash"] == hmac.new(KEY, NUMBER.encode(), hashlib.sha256).hexdigest()
        assert card["credit_limit"] == Decimal("100.00")
    written = json.dumps([pipeline.tables("silver"), pipeline.items()], default=str)
    s3 = boto3.client("s3")
    for found in s3.list_objects_v2(Bucket=pipeline.lake_bucket)["Contents"]:
        body = s3.get_object(Bucket=pipeline.lake_bucket, Key=found["Key"])["Body"].read()
        written += (gzip.decompress(body) if found["Key"].endswith(".gz") else body).decode(errors="replace")
    for secret_text in (NUMBER, OTHER_NUMBER, SECURITY_CODE):
        assert secret_text not in written


@pytest.mark.parametrize("layer", ["silver", "gold"])
def test_run_commits_each_table_twice_at_most__members_versions_and_facts(rounds: list[Pipeline], layer: str) -> None:
    counts = [pipeline.commits(layer) for pipeline in rounds]
    made = [
        {table: count - before[table] for table, count in after.items()} for before, after in itertools.pairwise(counts)
    ]
    changed = {"silver": "cards", "gold": "dim_card"}[layer]
    assert made[1][changed] == 2
    assert max(count for run in made for count in run.values()) == 2, made


def described(pipeline: Pipeline, *codes: str | None) -> dict[str | None, str | None]:
    return {row["mcc"]: row["description"] for row in pipeline.rows("gold.dim_mcc") if row["mcc"] in codes}


def test_codes_are_described__json_object_and_delete(rounds: list[Pipeline]) -> None:
    codes = (None, "5411", "0742", "742", "9999")
    first, then = (described(pipeline, *codes) for pipeline in rounds[1:3])
    assert first == {None: None, "5411": "Grocery Stores", "0742": "Veterinary", "9999": "Nobody"}
    assert then == {None: None, "5411": "Groceries", "0742": None, "9999": "Nobody"}


@pytest.mark.parametrize(("deleted_first", "code", "never_given"), [(True, "9996", "9995"), (False, "9998", "9997")])
def test_code_is_a_member_when_a_row_gives_it__deleted_before_or_after(
    rounds: list[Pipeline], deleted_first: bool, code: str, never_given: str
) -> None:
    first, then = (described(pipeline, code, never_given) for pipeline in rounds[1:3])
    assert first == ({} if deleted_first else {code: "Nobody"})
    assert then == {code: None}


def test_dimension_of_codes_holds_no_other__all_rounds(rounds: list[Pipeline]) -> None:
    codes = {row["mcc"] for row in rounds[-1].rows("gold.dim_mcc")}
    assert codes == {None, "5411", "0742", "9999", "9998", "9996"}


def test_reference_rows_get_outcomes__repeated_older_and_deleted(rounds: list[Pipeline]) -> None:
    items = {item["key"]: item for item in rounds[-1].items() if "key" in item}
    found = [
        {name: count for name, count in items[f"users/{number}.csv"]["silver"]["outcomes"].items() if count}
        for number in (1, 2, 3)
    ]
    assert found == [
        {"inserted": 2, "superseded": 1},
        {"unchanged": 1, "stale": 1},
        {"deleted": 1, "unchanged": 1, "updated": 1},
    ]
    clients = {(row["client_id"], row["is_current"]) for row in rounds[-1].rows("gold.dim_client")}
    assert clients - {(7, False), (7, True), (8, False)} == {(None, True), (70, False), (70, True), (80, False)}


def test_only_the_last_row_of_an_instant_is_a_version__first_known_ones(rounds: list[Pipeline]) -> None:
    def versions(pipeline: Pipeline, client_id: int) -> list[tuple[str | None, datetime, datetime]]:
        found = [row for row in pipeline.rows("gold.dim_client") if row["client_id"] == client_id]
        return sorted((row["gender"], row["valid_from"], row["valid_to"]) for row in found)

    first, second, third = (datetime(2023, 3, day) for day in (1, 2, 3))
    for client_id in (7, 8):
        assert versions(rounds[1], client_id) == [("M", BEGINNING, NO_END)]
        assert versions(rounds[2], client_id) == [("M", BEGINNING, second)]
    assert versions(rounds[3], 7) == [("M", BEGINNING, second), ("X", third, NO_END)]
    assert versions(rounds[3], 8) == [("B", BEGINNING, first), ("M", first, second)]
    facts = rounds[3].rows("gold.fact_transactions")
    assert [row["dms_id"] for row in facts] == [10, 11, 12], "no fact twice"
    keys = {row["client_key"]: row["gender"] for row in rounds[3].rows("gold.dim_client")}
    assert [keys[row["client_key"]] for row in facts] == ["M", "X", None]


def test_row_of_equal_hash_is_a_version_of_its_own__other_client_and_brand(rounds: list[Pipeline]) -> None:
    pipeline = rounds[2]
    accepted = [row for row in pipeline.rows("silver.cards") if row["card_id"] == 50]
    assert len({row["content_hash"] for row in accepted}) == 1
    assert sorted(row["outcome"] for row in accepted) == ["inserted", "updated"]
    versions = [row for row in pipeline.rows("gold.dim_card") if row["card_id"] == 50]
    assert sorted((row["card_brand"], row["client_id"], row["is_current"]) for row in versions) == [
        ("6pSUC5eF", 87766, True), ("Discover", 7, False),
    ]  # fmt: skip
