"""Order does not matter: however files arrive and are batched, Silver and Gold end the same."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from glue_pipeline import SILVER, Event, Pipeline, csv, file_id_of, put

from glue.lake import spark

# Three versions of overlapping keys; the third is the oldest, so that no order of arrival is that of the rows.
BODIES = {
    "a": (
        csv("1,1.00,2023-01-01,chip,5,", "2,2.00,2023-01-31,,5,", "1,1.50,2023-01-01,chip,5,"),
        "2024-02-01T00:00:00Z",
    ),
    "b": (csv("2,2.00,2023-01-31,,5,", "3,3.00,2023-02-01,swipe,6,", "x,1.00,2023-01-01,,,"), "2024-03-01T00:00:00Z"),
    "c": (
        csv("1,9.99,2023-03-01,online,7,", "3,8.00,2023-02-02,,7,", "4,-4.00,2023-01-01,,7,"),
        "2024-01-01T00:00:00Z",
    ),
}
PERMUTATIONS = ["a b c", "a c b", "b a c", "b c a", "c a b", "c b a"]
# Gold costs most: it follows where the batches differ most, and runs in between where the newest file comes last.
WITH_GOLD = {"abc", "a c b", "c ab"}
OF_THE_RUN = {"outcome", "effect_amount", "run_seq"}


@pytest.fixture(scope="module")
def events(at_the_server_for_module: None) -> dict[str, Event]:
    return {name: put(f"transactions/{name}.csv", body, as_of=as_of) for name, (body, as_of) in BODIES.items()}


@pytest.fixture(scope="module")
def states() -> dict[str, dict[str, Any]]:
    """What the batchings of this module have led to so far."""
    return {}


def lasting(pipeline: Pipeline, *layers: str) -> dict[str, Any]:
    """Return all that may not depend on the runs, with the whole of further layers."""
    tables = (pipeline.tables(*layers) if layers else {}) | {"state": pipeline.rows("silver.transactions")}
    for name in ("silver.transaction_history", "silver.quarantine"):
        rows = [{k: v for k, v in row.items() if k not in OF_THE_RUN} for row in pipeline.rows(name)]
        tables[name] = sorted(rows, key=repr)
    return tables


# All in one run, and the oldest first, alone; the other orders take long.
QUICK = ("abc", "c ab")
BATCHINGS = [
    batches if batches in QUICK else pytest.param(batches, marks=pytest.mark.slow)
    for batches in ["abc", *PERMUTATIONS, "ab c", "c ab"]
]


@pytest.mark.parametrize("batches", BATCHINGS)
def test_state_is_the_same__each_order_and_batching(
    pipeline: Pipeline, events: dict[str, Event], states: dict[str, dict[str, Any]], batches: str
) -> None:
    for batch in batches.split():
        for name in batch:
            pipeline.arrive(events[name])
        pipeline.silver()
        if batches in WITH_GOLD:
            pipeline.gold()
    found = lasting(pipeline, *(["gold"] if batches in WITH_GOLD else []))
    writers = {row["dms_id"]: (row["file_id"], row["row"]) for row in found["state"]}
    file_ids = {name: file_id_of(event) for name, event in events.items()}
    assert writers == {1: (file_ids["a"], 3), 2: (file_ids["b"], 1), 3: (file_ids["b"], 2), 4: (file_ids["c"], 3)}
    assert {name: rows for name, rows in found.items() if rows != states.setdefault(name, rows)} == {}


Load = tuple[dict[str, bytes], Pipeline, Pipeline]
MANY = 3  # rows; more than these are a large run
IN_ORDER = {f"transactions/{part}.csv": csv(*(f"{key},{key}.00,2023-01-01,chip,5," for key in keys))
            for part, keys in {"a": (1, 2, 3), "b": (4, 5, 6)}.items()}  # fmt: skip
REPEATED = {**IN_ORDER, "transactions/c.csv": csv("2,9.00,2023-01-02,,5,", "3,3.00,2023-01-01,chip,5,", "x,1.00,,,,")}


@pytest.fixture(scope="module")
def load(request: pytest.FixtureRequest, empty: Pipeline, at_the_server_for_module: None) -> Load:
    """The files of a first load, the pipeline in which they wait for Silver, and one in which a small run took them."""
    waiting = empty.fork()
    files: dict[str, bytes] = request.param
    for key, body in files.items():
        waiting.upload(key, body, as_of="2024-01-01T00:00:00Z")
    plain = waiting.fork()
    plain.silver()
    return files, waiting, plain


@pytest.mark.parametrize(
    ("load", "most_repeated"),
    [
        pytest.param(IN_ORDER, 0, id="in_order-brought_together"),
        pytest.param(IN_ORDER, 10, id="in_order-looked_up", marks=pytest.mark.slow),
        pytest.param(REPEATED, 0, id="repeated-brought_together", marks=pytest.mark.slow),
        pytest.param(REPEATED, 10, id="repeated-looked_up"),
    ],
    indirect=["load"],
)
def test_first_load_is_the_same__large_runs_take_short_ways(load: Load, most_repeated: int) -> None:
    files, waiting, plain = load
    pipeline = waiting.fork()
    with (
        patch.multiple(SILVER, ROWS_A_PARTITION=MANY, BROADCAST_KEYS=most_repeated),
        patch.multiple(spark, ROWS_A_PARTITION=MANY, BROADCAST_KEYS=most_repeated),
        patch.object(SILVER, "newest_orders", wraps=SILVER.newest_orders) as looked_up,
    ):
        pipeline.silver()
    assert looked_up.called == (files is IN_ORDER or most_repeated > 0)
    assert pipeline.tables("silver") == plain.tables("silver")
    assert pipeline.passports() == plain.passports()
