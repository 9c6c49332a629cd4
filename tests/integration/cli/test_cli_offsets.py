"""`assay status --offsets`: what came of a topic, what is missing and why, and what came twice."""

from typing import Any

from deployed_stack import DeployedStack, file_item
from documented_answers import conform

FOLDER = "transactions/topics/orders"


def item(partition: int, first: int, last: int, **more: Any) -> dict[str, Any]:
    name = f"topics/orders/partition={partition}/orders+{partition}+{first:020}.jsonl"
    offsets = {"folder": FOLDER, "topic": "orders", "partition": partition, "first": first, "last": last}
    return file_item(name) | {"offsets": offsets} | more


def test_offsets_show_coverage_gaps_and_overlaps__three_partitions(stack: DeployedStack) -> None:
    rejected = {"status": "rejected", "reasons": [{"code": "empty_file", "text": "The file has no bytes."}]}
    stack.put(item(0, 0, 99), item(0, 100, 199), item(0, 150, 249), item(0, 300, 399))
    stack.put(
        item(1, 1_000, 1_999), item(2, 0, 9, **rejected), item(1, 2_500, 2_600), item(1, 2_100, 2_199, **rejected)
    )
    stack.put(file_item())

    told = conform("status", stack.assay("status", "--offsets", "--json").stdout)

    assert [(each["partition"], each.get("first"), each.get("last")) for each in told] == [
        (0, 0, 399),
        (1, 1_000, 2_600),
        (2, None, None),
    ]
    assert told[0]["covered"] == [{"first": 0, "last": 249}, {"first": 300, "last": 399}]
    assert told[0]["gaps"] == [{"first": 250, "last": 299}]
    assert told[0]["overlaps"] == [{"first": 150, "last": 199}]
    assert told[1]["gaps"] == [{"first": 2_000, "last": 2_499}]
    shown = stack.assay("status", "--offsets")
    assert shown.exit_code == 0, shown.output
    assert f"gap: {FOLDER}, partition 0: offsets 250 to 299 (50) have not come\n" in shown.stdout
    words = " ".join(shown.stdout.split())
    why = f"{FOLDER}/partition=1/orders+1+00000000000000002100.jsonl was rejected"
    assert f"partition 1: offsets 2000 to 2499 (500) have not come: {why}" in words


def test_offsets_say_that_there_are_none__files_of_no_topic(stack: DeployedStack) -> None:
    stack.put(file_item())
    result = stack.assay("status", "--offsets")
    assert (result.exit_code, result.stdout) == (0, "No file names offsets of Kafka: docs/kafka.md\n")


def test_passport_shows_offsets(stack: DeployedStack) -> None:
    stack.put(item(3, 100, 199))
    result = stack.assay("passport", "orders+3+00000000000000000100.jsonl")
    assert "orders, partition 3: 100 to 199 (100)" in result.stdout
