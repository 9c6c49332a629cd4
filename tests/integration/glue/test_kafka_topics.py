"""A topic as sinks write it to Bronze: ranges that come late or twice, and objects without a row, end as it does."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
import sweep
from cloud.ledger import Ledger
from cloud.settings import SweepSettings
from dms.envelope_cases import MS, change, image
from glue_pipeline import BRONZE, Pipeline
from reading.offsets import Span, merged

from assay.offsets import Partition, partitions

FOLDER = "transactions/topics/orders"
TOMBSTONE = "null"
GAP_S = 3600


@dataclass(frozen=True)
class Topic:
    """The records of a partition by offset, and the amount of each key that lives behind the last one."""

    records: list[str]
    amounts: dict[int, Decimal]

    @classmethod
    def of(cls, seed: int, count: int, *, are_rows: bool = False) -> Topic:
        """Draw changes of a few keys: envelopes, of which several in a row have one instant, or rows without any."""
        draw, records, amounts = Random(seed), list[str](), dict[int, Decimal]()
        while len(records) < count:
            key, amount = draw.randrange(1, 13), Decimal(draw.randrange(-9_999, 99_999)).scaleb(-2)
            source = {"ts_ms": MS + len(records) // 5}
            if are_rows:
                records.append(json.dumps(image(key, str(amount))))
                amounts[key] = amount
            elif key in amounts and draw.random() < 0.3:
                records += [change("d", None, image(key, str(amounts.pop(key))), source=source), TOMBSTONE]
            else:
                records.append(change("u" if key in amounts else "c", image(key, str(amount)), source=source))
                amounts[key] = amount
        return cls(records, amounts)

    def objects(self, size: int) -> list[tuple[str, bytes]]:
        """Return what a sink writes that cuts after so many records, named as Confluent's S3 sink does."""
        return [self.object(first, size) for first in range(0, len(self.records), size)]

    def object(self, first: int, size: int) -> tuple[str, bytes]:
        lines = "".join(f"{record}\n" for record in self.records[first : first + size])
        return f"{FOLDER}/partition=0/orders+0+{first:020}.json", lines.encode()


def publish(pipeline: Pipeline, objects: list[tuple[str, bytes]]) -> list[dict[str, Any]]:
    """Take objects to Gold in one run of each layer; return their items."""
    file_ids = [pipeline.upload(key, body) for key, body in objects]
    pipeline.silver()
    pipeline.gold()
    items = [pipeline.item(file_id) for file_id in file_ids]
    assert {item["status"] for item in items} == {"published"}
    return items


def coverage(pipeline: Pipeline) -> Partition:
    (found,) = partitions(pipeline.items())
    return found


def amounts_in_silver(pipeline: Pipeline) -> dict[int, Decimal]:
    return {row["dms_id"]: row["amount"] for row in pipeline.rows("silver.transactions", "dms_id", "amount")}


def totals_in_gold(pipeline: Pipeline) -> tuple[int, Decimal]:
    days = pipeline.rows("gold.daily_totals")
    return sum(day["row_count"] for day in days), sum((day["total_amount"] for day in days), Decimal(0))


def totals_of(topic: Topic) -> tuple[int, Decimal]:
    return len(topic.amounts), sum(topic.amounts.values(), Decimal(0))


def mailed_by_a_sweep(pipeline: Pipeline, *, hours: int) -> list[str]:
    """Sweep once, so many hours from now; return the lines of the mail."""
    machine, topic = (
        f"arn:aws:{name}" for name in ("states:us-east-1:123456789012:stateMachine:workflow", "sns:x:1:y")
    )
    mails: list[str] = []
    on = sweep.Services(
        settings=SweepSettings(pipeline.ledger_table, BRONZE, "kpi", machine, topic, "test", GAP_S),
        ledger=Ledger(pipeline.table),
        s3=boto3.client("s3"),
        sns=cast(Any, SimpleNamespace(publish=lambda **mail: mails.append(mail["Message"]))),
        workflows=boto3.client("stepfunctions"),
        functions=cast(Any, SimpleNamespace(invoke=lambda **_: None)),
    )
    now = datetime.now(UTC) + timedelta(hours=hours)
    # Bronze is all pipelines': what others have put there was not heard of in this one.
    pipeline.table.update_item(
        Key={"file_id": "sweep"},
        UpdateExpression="SET began_at = :now",
        ExpressionAttributeValues={":now": f"{now:%FT%T.%fZ}"},
    )
    sweep.sweep({}, "call", on, now, lambda: True)
    return [line.strip() for mail in mails for line in mail.splitlines() if line.startswith(("gap ", "closed "))]


@pytest.mark.parametrize("are_rows", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_missing_offsets_are_named_and_gold_is_right_once_they_come__object_taken_away_and_put_back(
    pipeline: Pipeline, are_rows: bool
) -> None:
    topic = Topic.of(7, 60, are_rows=are_rows)
    objects = topic.objects(20)
    before = publish(pipeline, [objects[0], *objects[2:]])
    assert totals_in_gold(pipeline) != totals_of(topic)
    assert (before[0]["offsets"]["last"], before[-1]["offsets"]["last"]) == (19, len(topic.records) - 1)
    told = f"{FOLDER}, partition 0: offsets 20 to 39 (20)"
    assert coverage(pipeline).gaps == [Span(20, 39)]
    assert mailed_by_a_sweep(pipeline, hours=0) == []
    assert mailed_by_a_sweep(pipeline, hours=2) == [f"gap       {told} have not come"]

    publish(pipeline, [objects[1]])

    assert (coverage(pipeline).gaps, coverage(pipeline).overlaps) == ([], [])
    assert mailed_by_a_sweep(pipeline, hours=3) == [f"closed    {told} have come after all"]
    assert mailed_by_a_sweep(pipeline, hours=9) == []
    assert amounts_in_silver(pipeline) == topic.amounts
    assert totals_in_gold(pipeline) == totals_of(topic)


@pytest.mark.parametrize(
    ("seed", "count", "are_rows"),
    [(2, 60, True), *(pytest.param(seed, 120, seed % 2 == 0, marks=pytest.mark.slow) for seed in range(1, 6))],
)
def test_nothing_is_changed__every_range_comes_twice_in_any_order_by_two_writers(
    pipeline: Pipeline, seed: int, count: int, are_rows: bool
) -> None:
    topic, draw = Topic.of(seed, count, are_rows=are_rows), Random(seed)
    once, other = topic.objects(25), topic.objects(17)
    # A writer that is started again writes some of its objects once more.
    objects = [*once, *other, *draw.sample(once, 2), *draw.sample(other, 2)]
    draw.shuffle(objects)
    for start in range(0, len(objects), 8):
        publish(pipeline, objects[start : start + 8])
    found = coverage(pipeline)
    whole = [Span(0, len(topic.records) - 1)]
    assert [[Span(each.first, each.last) for each in spans] for spans in (merged(found.spans), found.overlaps)] == [
        whole,
        whole,
    ]
    assert found.gaps == []
    assert amounts_in_silver(pipeline) == topic.amounts
    assert totals_in_gold(pipeline) == totals_of(topic)


def test_object_of_tombstones_alone_is_published_without_a_row__behind_deletes(pipeline: Pipeline) -> None:
    changes = [change("c", image(1, "10.00")), change("c", image(2, "5.00")), change("d", None, image(1))]
    later = change("c", image(3, "7.00"), source={"ts_ms": MS + 9})
    topic = Topic([*changes, TOMBSTONE, TOMBSTONE, later], {2: Decimal("5.00"), 3: Decimal("7.00")})
    first, tombstones, last = topic.object(0, 3), topic.object(3, 2), topic.object(5, 1)
    publish(pipeline, [first])
    (item,) = publish(pipeline, [tombstones])
    publish(pipeline, [tombstones, last])

    assert set(item["silver"]["outcomes"].values()) == {0}
    assert (item["silver"]["effect_amount"], item["format"]["tombstones"]) == ("0.00", 2)
    assert (merged(coverage(pipeline).spans)[0].last, coverage(pipeline).gaps) == (5, [])
    assert amounts_in_silver(pipeline) == topic.amounts
    assert totals_in_gold(pipeline) == totals_of(topic)
    pipeline.decide(item["file_id"])
    pipeline.silver()
    pipeline.gold()
    assert amounts_in_silver(pipeline) == topic.amounts
    assert not pipeline.item(item["file_id"])["in_effect"]
