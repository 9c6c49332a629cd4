"""Tables that have gathered small files and deletes are compacted after publishing: other files, the same rows."""

from __future__ import annotations

from unittest.mock import patch

from glue_pipeline import GOLD, SILVER, Event, Pipeline, csv, put

FILES = 4


def changes() -> list[Event]:
    """Each file changes a row of the one before and adds two."""
    return [
        put(
            f"transactions/{number}.csv",
            csv(*(f"{key},{number}.00,2023-01-{key:02d},chip,5," for key in range(number, number + 3))),
            as_of=f"2024-01-{number:02d}T00:00:00Z",
        )
        for number in range(1, FILES + 1)
    ]


def run(pipeline: Pipeline, events: list[Event]) -> dict[str, list[str]]:
    """Process each file by itself; return the tables that were compacted, by layer."""
    compacted: dict[str, list[str]] = {"silver": [], "gold": []}
    for event in events:
        pipeline.arrive(event)
        for layer, tables in compacted.items():

            def note(name: str, into: list[str] = tables, **facts: object) -> None:
                into += facts["tables"] if name == "compacted" else []

            pipeline.run(layer, at_step=note)
    return compacted


def data_files(pipeline: Pipeline) -> int:
    return pipeline.spark.table(f"glue_catalog.{pipeline.database('gold')}.fact_transactions.files").count()


def test_compaction_changes_files_and_no_rows__crowded_tables(pipeline: Pipeline) -> None:
    events, plain = changes(), pipeline.fork()
    assert run(plain, events) == {"silver": [], "gold": []}
    with patch.object(SILVER, "CROWD", 2), patch.object(GOLD, "CROWD", 2):
        compacted = run(pipeline, events)
    assert {"transactions"} <= set(compacted["silver"])
    assert {"fact_transactions", "daily_totals"} <= set(compacted["gold"])
    assert pipeline.tables() == plain.tables()
    files = {"plain": data_files(plain), "compacted": data_files(pipeline)}
    assert files["compacted"] < files["plain"]


def test_run_is_published__another_has_compacted_meanwhile(pipeline: Pipeline) -> None:
    first, second, *_ = changes()
    pipeline.arrive(first)
    pipeline.silver()
    undisturbed = pipeline.fork()
    for one in (pipeline, undisturbed):
        one.arrive(second)
    undisturbed.silver()
    pipeline.kill("silver", "after_intent")
    branches = SILVER.Branches(pipeline.spark, pipeline.database("silver"), "run_00000001")
    with patch.object(SILVER, "CROWD", 0):
        assert "transactions" in branches.compact(["transactions"])
    pipeline.silver()
    assert pipeline.tables("silver") == undisturbed.tables("silver")
