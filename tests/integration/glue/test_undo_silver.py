"""Undone files are as if they had never come, in every cell of Silver's state and of Gold; redone ones are back."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from glue_pipeline import Pipeline, csv

from glue.lake import isolation

TRANSACTIONS = "op,dms_id,amount,date,client_id,merchant_id,merchant_city,mcc,use_chip"
USERS = "id,gender,yearly_income"
CODES = "mcc,description"
RIGHT = {
    "transactions/right.csv": csv(
        "I,1,10.00,2023-01-01,7,5,Boston,5411,chip",
        "I,2,20.00,2023-01-02,7,5,Boston,5411,swipe",
        "I,3,30.00,2023-02-01,8,6,Salem,5812,online",
        "D,4,,,,,,,",
        "I,7,70.00,2023-04-04,8,6,Quincy,5999,chip",  # has members of its own, and loses to the next one
        "U,7,71.00,2023-01-02,8,6,Salem,5812,chip",
        header=TRANSACTIONS,
    ),
    "users/right.csv": csv("7,F,$10", "8,M,$20", header=USERS),
    "mcc_codes/right.csv": csv("5411,Groceries", "5812,Restaurants", header=CODES),
}
WRONG = {
    "transactions/wrong.csv": csv(
        "I,1,100.00,2023-01-01,7,5,Bosten,5411,chip",  # another value, another name of the merchant's city
        "D,2,,,,,,,",
        "I,3,30.00,2023-02-01,8,6,Salem,5812,online",  # unchanged: it only writes the key last
        "I,4,40.00,2023-03-03,9,9,Lynn,7777,chip",  # lives where there was a tombstone, with members of its own
        "I,5,50.00,2023-01-01,7,5,Bosten,5411,chip",
        "D,6,,,,,,,",
        "I,8,80.00,2023-04-04,8,6,Quincy,5999,chip",
        header=TRANSACTIONS,
    ),
    "users/wrong.csv": csv("7,X,$100", "9,F,$1", header=USERS),
    "mcc_codes/wrong.csv": csv("5411,Grozeries", "7777,Nothing", header=CODES),
}
STATE = ("silver.transactions", "silver.tombstones")


def with_files(pipeline: Pipeline, files: dict[str, bytes], as_of: str) -> Pipeline:
    for key, body in files.items():
        pipeline.upload(key, body, as_of=as_of)
    pipeline.silver()
    pipeline.gold()
    return pipeline


def wrong_files(pipeline: Pipeline) -> list[str]:
    return [item["file_id"] for item in pipeline.items() if item["kind"] == "file" and item["key"] in WRONG]


def decided(pipeline: Pipeline, *, is_killed: bool = False) -> Pipeline:
    """Undo or redo the wrong files, all in one job of each layer; one of Silver may die before its first commit."""
    for file_id in wrong_files(pipeline):
        pipeline.decide(file_id)
    if is_killed:
        before = [pipeline.rows(table) for table in STATE]
        pipeline.kill("silver", "before_intent")
        assert [pipeline.item(file_id)["in_effect"] for file_id in wrong_files(pipeline)] == [True] * len(WRONG)
        assert [pipeline.rows(table) for table in STATE] == before
    pipeline.silver()
    pipeline.gold()
    return pipeline


def shown(pipeline: Pipeline) -> dict[str, list[dict[str, Any]]]:
    return {**{table: pipeline.rows(table) for table in STATE}, **pipeline.tables("gold")}


@pytest.fixture(scope="module")
def right(empty: Pipeline, at_the_server_for_module: None) -> Pipeline:
    return with_files(empty.fork(), RIGHT, "2023-06-01T00:00:00Z")


@pytest.fixture(scope="module")
def wrong(right: Pipeline) -> Pipeline:
    return with_files(right.fork(), WRONG, "2023-07-01T00:00:00Z")


@pytest.fixture(scope="module")
def undone(wrong: Pipeline) -> Pipeline:
    return decided(wrong.fork(), is_killed=True)


def test_undo_leaves_every_cell_as_it_was__three_subjects_and_a_kill(right: Pipeline, undone: Pipeline) -> None:
    assert shown(undone) == shown(right)
    assert [row["in_effect"] for row in undone.rows("silver.decisions")] == [False] * len(WRONG)
    actions = {item["key"]: item for item in undone.items() if item["kind"] == "action"}
    action = actions["transactions/wrong.csv"]
    assert action["status"] == "published"
    assert action["silver"]["effect_amount"] == "-240.00"
    assert action["silver"]["settled"] == {"inserted": 1, "updated": 1, "deleted": 3, "unchanged": 2}
    assert {row["cause"] for row in undone.rows("silver.transaction_effects")} == {"file", "undo"}


def test_redo_brings_every_cell_back__transactions_users_and_codes(wrong: Pipeline, undone: Pipeline) -> None:
    redone = decided(undone.fork())
    assert shown(redone) == shown(wrong)
    states = [item["in_effect"] for item in redone.items() if item["kind"] == "file"]
    assert states == [True] * len(RIGHT | WRONG)
    decisions = [item.get("decisions", []) for item in redone.items() if item["file_id"] in wrong_files(redone)]
    assert [[each["in_effect"] for each in of_file] for of_file in decisions] == [[False, True]] * len(WRONG)


BEFORE_INTENT = {
    "silver": ["begun", "classified", "written", "proved", "before_intent"],
    "gold": ["begun", "dimensions_written", "proved", "before_intent"],
}
PUBLISHING = ["after_intent", "files_advanced", "published"]


@pytest.mark.slow
def test_jobs_recover__killed_at_every_step_before_and_after_the_commit_of_an_undo(wrong: Pipeline) -> None:
    pipeline = wrong.fork()
    (file_id,) = [each for each in wrong_files(pipeline) if pipeline.item(each)["subject"] == "transactions"]
    undisturbed = pipeline.fork()
    for each in (undisturbed, pipeline):
        action = each.decide(file_id)
    undisturbed.silver()
    undisturbed.gold()
    with patch.object(isolation, "ATTEMPTS", 100):
        for layer, steps in BEFORE_INTENT.items():
            for step in steps:
                pipeline.kill(layer, step)
                assert pipeline.item(file_id)["in_effect"] is (layer == "silver")
            for step in PUBLISHING:
                pipeline.kill(layer, step)
            pipeline.run(layer)
    assert shown(pipeline) == shown(undisturbed)
    assert [row["dms_id"] for row in pipeline.rows("silver.transactions")] == [1, 2, 3, 7]
    (said,) = pipeline.item(file_id)["decisions"]
    assert (said["action"], said["who"], said["reason"]) == (action, "operator", "a test")
    assert pipeline.item(action)["status"] == "published"


def test_silver_refuses_an_action_that_comes_too_late__file_is_undone_already(undone: Pipeline) -> None:
    pipeline = undone.fork()
    file_id = wrong_files(pipeline)[0]
    late = pipeline.decide(file_id)
    pipeline.table.update_item(
        Key={"file_id": late},
        UpdateExpression="SET decides.in_effect = :no",
        ExpressionAttributeValues={":no": False},
    )
    pipeline.silver()
    assert pipeline.item(late)["failed"]["reason"].endswith("is not in Silver, or somebody else has decided on it")
    assert len(pipeline.item(file_id)["decisions"]) == 1
