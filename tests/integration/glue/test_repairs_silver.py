"""A repaired file is as if it had been right from the start, in every value of Silver's state and of Gold."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any
from unittest.mock import patch

import pytest
from glue_pipeline import Pipeline, csv

from glue.lake import isolation

HEADER = "dms_id,amount,date,client_id,merchant_id,merchant_city,mcc,use_chip"
BROKEN = (
    "1,10.00,2023-01-01,7,5,Boston,5411,chip",
    "2,x,2023-01-02,7,5,Boston,5411,swipe",
    "3,30.00,never,8,6,Salem,5812,online",
    "4,y,2023-01-03,8,6,Salem,5812,chip",
    "5,z,2023-01-04,8,6,Salem,5812,chip",
)
SAID = {
    2: "2,20.00,2023-01-02,7,5,Boston,5411,swipe",
    3: "3,30.00,2023-02-01,8,6,Salem,5812,online",
    4: "9,40.00,2023-01-03,9,9,Lynn,7777,chip",  # another key, a member of its own
}
LATER = ("3,33.00,2023-02-01,8,6,Salem,5812,online", "6,60.00,2023-02-02,8,6,Salem,5812,chip")
OF_RIGHT_FILE = [SAID.get(number, row) for number, row in enumerate(BROKEN, 1)]
STATE = ("silver.transactions", "silver.tombstones")


def arrived(pipeline: Pipeline, rows: list[str] | tuple[str, ...], name: str, as_of: str) -> str:
    return pipeline.upload(f"transactions/{name}.csv", csv(*rows, header=HEADER), as_of=as_of)


def uploaded(pipeline: Pipeline, rows: list[str] | tuple[str, ...], name: str, as_of: str) -> str:
    file_id = arrived(pipeline, rows, name, as_of)
    pipeline.silver()
    return file_id


def repaired(pipeline: Pipeline, original: str, rows: dict[int, str], name: str = "r") -> str:
    """Have a repair arrive."""
    body = csv(*[f"{number},{row}" for number, row in rows.items()], header=f"row,{HEADER}")
    return pipeline.upload(f"transactions/repairs/{original}/{name}.csv", body)


def waived(pipeline: Pipeline, original: str, rule: str) -> str:
    said = json.dumps({"rule": rule, "who": "me", "reason": "a test"}).encode()
    return pipeline.upload(f"transactions/repairs/{original}/{rule}.waiver.json", said)


def taken(pipeline: Pipeline) -> Pipeline:
    pipeline.silver()
    pipeline.gold()
    return pipeline


def shown(pipeline: Pipeline) -> dict[str, Any]:
    """Return the values of state and Gold, without orders and writers."""
    left_out = {"row_order", "file_id", "row"}
    return {
        table: sorted(({k: v for k, v in row.items() if k not in left_out} for row in rows), key=repr)
        for table, rows in {**{table: pipeline.rows(table) for table in STATE}, **pipeline.tables("gold")}.items()
    }


def closed(pipeline: Pipeline) -> dict[int, str | None]:
    return {row["row"]: row["repaired_by"] for row in pipeline.rows("silver.quarantine")}


@pytest.fixture(scope="module")
def right(empty: Pipeline, at_the_server_for_module: None) -> Pipeline:
    """A pipeline with the file as it should have been, and one that has come after it, taken by one run."""
    pipeline = empty.fork()
    arrived(pipeline, [*OF_RIGHT_FILE[:4], BROKEN[4]], "original", "2023-06-01T00:00:00Z")
    arrived(pipeline, LATER, "later", "2023-07-01T00:00:00Z")
    return taken(pipeline)


@pytest.fixture(scope="module")
def broken(empty: Pipeline, at_the_server_for_module: None) -> tuple[Pipeline, str]:
    """A pipeline with the file, and one that has come after it; and the first one's id."""
    pipeline = empty.fork()
    original = arrived(pipeline, BROKEN, "original", "2023-06-01T00:00:00Z")
    arrived(pipeline, LATER, "later", "2023-07-01T00:00:00Z")
    return taken(pipeline), original


@pytest.fixture(scope="module")
def mended(broken: tuple[Pipeline, str]) -> tuple[Pipeline, str, str]:
    pipeline, original = broken[0].fork(), broken[1]
    repair = repaired(pipeline, original, SAID)
    return taken(pipeline), original, repair


def test_repair_is_as_if_the_file_had_been_right__every_value(
    right: Pipeline, mended: tuple[Pipeline, str, str]
) -> None:
    pipeline, original, repair = mended
    assert shown(pipeline) == shown(right)
    assert closed(pipeline) == {2: repair, 3: repair, 4: repair, 5: None}
    item = pipeline.item(repair)
    assert item["status"] == "published"
    counted = {name: rows for name, rows in item["silver"]["outcomes"].items() if rows}
    assert counted == {"inserted": 2, "stale": 1}, "a later file has given key 3 another value"
    assert item["silver"]["effect_amount"] == "60.00"
    assert pipeline.item(original)["repaired"] == {"by": [repair], "repaired": 3, "waived": 0}
    history = {(row["repairs"], row["row_order"]["row"]) for row in pipeline.rows("silver.transaction_history")}
    assert {(original, 2), (original, 3), (original, 4)} <= history
    assert Counter(row["cause"] for row in pipeline.rows("silver.transaction_effects")) == {"file": 3, "repair": 2}


@pytest.fixture(scope="module")
def reopened(mended: tuple[Pipeline, str, str]) -> Pipeline:
    """The repaired file with its repair undone."""
    pipeline = mended[0].fork()
    pipeline.decide(mended[2])
    return taken(pipeline)


def test_undo_of_a_repair_opens_its_rows_again__every_value(
    broken: tuple[Pipeline, str], mended: tuple[Pipeline, str, str], reopened: Pipeline
) -> None:
    _, original, repair = mended
    assert shown(reopened) == shown(broken[0])
    assert set(closed(reopened).values()) == {None}
    assert reopened.item(original)["repaired"] == {"by": [repair], "repaired": 0, "waived": 0}


@pytest.mark.slow
def test_redo_of_a_repair_closes_its_rows_again__every_value(
    mended: tuple[Pipeline, str, str], reopened: Pipeline
) -> None:
    pipeline = reopened.fork()
    pipeline.decide(mended[2])
    taken(pipeline)
    assert shown(pipeline) == shown(mended[0])
    assert closed(pipeline) == closed(mended[0])


@pytest.mark.slow
def test_undo_of_the_original_takes_its_repairs_along__one_more_comes_meanwhile(
    empty: Pipeline, mended: tuple[Pipeline, str, str]
) -> None:
    pipeline, original, repair = mended[0].fork(), *mended[1:]
    never_seen = empty.fork()
    uploaded(never_seen, LATER, "later", "2023-07-01T00:00:00Z")
    never_seen.gold()
    pipeline.decide(original)
    taken(pipeline)
    assert shown(pipeline) == shown(never_seen)
    late = repaired(pipeline, original, {5: "5,50.00,2023-01-04,8,11,Athol,5813,chip"}, "late")
    taken(pipeline)
    assert shown(pipeline) == shown(never_seen), "a repair of an undone file has no effect"
    assert pipeline.item(late)["silver"]["outcomes"]["stale"] == 1
    pipeline.decide(original)
    taken(pipeline)
    assert {row["dms_id"]: str(row["amount"]) for row in pipeline.rows("silver.transactions")}[5] == "50.00"
    assert closed(pipeline) == {2: repair, 3: repair, 4: repair, 5: late}


@pytest.mark.slow
def test_newest_repair_of_a_row_counts__whichever_is_taken_first(broken: tuple[Pipeline, str]) -> None:
    first, original = broken[0].fork(), broken[1]
    older = repaired(first, original, {4: "9,40.00,2023-01-03,9,9,Lynn,7777,chip"}, "older")
    newer = repaired(first, original, {4: "4,41.00,2023-01-03,8,6,Salem,5812,chip"}, "newer")
    second = first.fork()
    taken(first)
    second.table.update_item(
        Key={"file_id": older},
        UpdateExpression="SET waiting_since = :late",
        ExpressionAttributeValues={":late": "9999"},
    )
    taken(second)
    assert shown(first) == shown(second)
    assert closed(first)[4] == closed(second)[4] == newer
    assert [row["dms_id"] for row in first.rows("silver.transactions")] == [1, 3, 4, 6]
    cities = {row["merchant_city"] for row in first.rows("gold.dim_merchant")}
    assert "Lynn" not in cities, "no row that counts names it"
    first.decide(newer)
    taken(first)
    assert [row["dms_id"] for row in first.rows("silver.transactions")] == [1, 3, 6, 9]
    assert closed(first)[4] == older


@pytest.fixture(scope="module")
def waived_once(broken: tuple[Pipeline, str]) -> tuple[Pipeline, str, str]:
    """The file with a rule waived, its id, and the waiver's."""
    pipeline, original = broken[0].fork(), broken[1]
    waiver = waived(pipeline, original, "amount_unreadable")
    return taken(pipeline), original, waiver


def test_waiver_closes_rows_of_a_rule__and_changes_no_value(
    broken: tuple[Pipeline, str], waived_once: tuple[Pipeline, str, str]
) -> None:
    pipeline, _, waiver = waived_once
    assert shown(pipeline) == shown(broken[0])
    assert closed(pipeline) == {2: waiver, 3: None, 4: waiver, 5: waiver}
    assert pipeline.item(waiver)["status"] == "published"


@pytest.mark.slow
def test_waived_rows_are_repaired_or_open__repair_comes_and_the_waiver_is_undone(
    waived_once: tuple[Pipeline, str, str],
) -> None:
    pipeline, original, waiver = waived_once[0].fork(), *waived_once[1:]
    repair = repaired(pipeline, original, {2: SAID[2]})
    taken(pipeline)
    assert closed(pipeline) == {2: repair, 3: None, 4: waiver, 5: waiver}
    assert pipeline.item(original)["repaired"] == {"by": [waiver, repair], "repaired": 1, "waived": 2}
    pipeline.decide(waiver)
    taken(pipeline)
    assert closed(pipeline) == {2: repair, 3: None, 4: None, 5: None}


def test_silver_rejects_a_repair__of_rows_that_are_not_in_quarantine(broken: tuple[Pipeline, str]) -> None:
    pipeline, original = broken[0].fork(), broken[1]
    stranger = repaired(pipeline, original, {1: BROKEN[0]}, "stranger")
    waiver = waived(pipeline, original, "zip_impossible")
    pipeline.silver()
    for refused in (stranger, waiver):
        assert pipeline.item(refused)["status"] == "rejected"
        assert [reason["code"] for reason in pipeline.item(refused)["reasons"]] == ["not_in_quarantine"]
    assert set(closed(pipeline).values()) == {None}
    assert pipeline.rows("silver.transactions") == broken[0].rows("silver.transactions")


STEPS = {
    "silver": ["begun", "read", "classified", "written", "proved", "before_intent"],
    "gold": ["begun", "dimensions_written", "proved", "before_intent"],
}
PUBLISHING = ["after_intent", "files_advanced", "published"]
TELLING = {"silver": ["written", "after_intent"], "gold": ["before_intent", "after_intent"]}
"""A step before and one after each commit. Quicker, `test_jobs_killed` and `test_undo_silver` die at such steps."""


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(TELLING, id="around its commits", marks=pytest.mark.slow),
        pytest.param(
            {layer: [*before, *PUBLISHING] for layer, before in STEPS.items()},
            id="every step",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_jobs_recover__killed_at_steps_of_a_repair(
    broken: tuple[Pipeline, str], mended: tuple[Pipeline, str, str], steps: dict[str, list[str]]
) -> None:
    pipeline, original = broken[0].fork(), broken[1]
    repair = repaired(pipeline, original, SAID)
    with patch.object(isolation, "ATTEMPTS", 100):
        for layer, of_layer in steps.items():
            for step in of_layer:
                pipeline.kill(layer, step)
            pipeline.run(layer)
    assert shown(pipeline) == shown(mended[0])
    assert closed(pipeline) == {2: repair, 3: repair, 4: repair, 5: None}
    assert pipeline.item(original)["repaired"] == {"by": [repair], "repaired": 3, "waived": 0}
