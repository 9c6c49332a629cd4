"""A topic as sinks write it to Bronze: ranges that come late or twice, and objects without a row, end as it does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain, zip_longest
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

TOMBSTONE = "null"
GAP_S = 3600
Object = tuple[str, bytes]
Item = dict[str, Any]


@dataclass(frozen=True)
class Topic:
    """The records of a partition by offset, and the amount of each key that lives behind the last one."""

    name: str
    records: list[str]
    amounts: dict[int, Decimal]

    @classmethod
    def of(cls, seed: int, count: int, *, are_rows: bool = False, name: str = "orders", first_key: int = 1) -> Topic:
        """Draw changes of a dozen keys: envelopes, of which several in a row have one instant, or rows without any."""
        draw, records, amounts = Random(seed), list[str](), dict[int, Decimal]()
        while len(records) < count:
            key = draw.randrange(first_key, first_key + 12)
            amount = Decimal(draw.randrange(-9_999, 99_999)).scaleb(-2)
            source = {"ts_ms": MS + len(records) // 5}
            if are_rows:
                records.append(json.dumps(image(key, str(amount))))
                amounts[key] = amount
            elif key in amounts and draw.random() < 0.3:
                records += [change("d", None, image(key, str(amounts.pop(key))), source=source), TOMBSTONE]
            else:
                records.append(change("u" if key in amounts else "c", image(key, str(amount)), source=source))
                amounts[key] = amount
        return cls(name, records, amounts)

    @property
    def folder(self) -> str:
        return f"transactions/topics/{self.name}"

    def objects(self, size: int) -> list[Object]:
        """Return what a sink writes that cuts after so many records, named as Confluent's S3 sink does."""
        return [self.object(first, size) for first in range(0, len(self.records), size)]

    def object(self, first: int, size: int) -> Object:
        lines = "".join(f"{record}\n" for record in self.records[first : first + size])
        return f"{self.folder}/partition=0/{self.name}+0+{first:020}.json", lines.encode()


def publish(pipeline: Pipeline, objects: Iterable[Object]) -> dict[str, Item]:
    """Take objects to Gold in one run of each layer; return their items by key."""
    file_ids = [pipeline.upload(key, body) for key, body in objects]
    pipeline.silver()
    pipeline.gold()
    items = [pipeline.item(file_id) for file_id in file_ids]
    assert {item["status"] for item in items} == {"published"}
    return {item["key"]: item for item in items}


def coverage(pipeline: Pipeline, topic: Topic) -> Partition:
    (found,) = [each for each in partitions(pipeline.items()) if each.folder == topic.folder]
    return found


def amounts_in_silver(pipeline: Pipeline) -> dict[int, Decimal]:
    return {row["dms_id"]: row["amount"] for row in pipeline.rows("silver.transactions", "dms_id", "amount")}


def totals_in_gold(pipeline: Pipeline) -> tuple[int, Decimal]:
    days = pipeline.rows("gold.daily_totals")
    return sum(day["row_count"] for day in days), sum((day["total_amount"] for day in days), Decimal(0))


def amounts_of(*topics: Topic) -> dict[int, Decimal]:
    return {key: amount for topic in topics for key, amount in topic.amounts.items()}


def totals_of(*topics: Topic) -> tuple[int, Decimal]:
    amounts = amounts_of(*topics)
    return len(amounts), sum(amounts.values(), Decimal(0))


def mailed_by_a_sweep(pipeline: Pipeline, about: Topic, *, hours: int) -> list[str]:
    """Sweep once, so many hours from now; return what is mailed of a topic's gaps."""
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
    lines = [line.strip() for mail in mails for line in mail.splitlines() if line.startswith(("gap ", "closed "))]
    return [line for line in lines if f" {about.folder}, " in line]


def mailed_by_sweeps(pipeline: Pipeline, about: Topic, hours: Iterable[int]) -> list[list[str]]:
    return [mailed_by_a_sweep(pipeline, about, hours=each) for each in hours]


def lacking(topic: Topic) -> list[list[Object]]:
    """Return a topic's objects in two rounds: first one lacks, then it comes."""
    first, second, *others = topic.objects(20)
    return [[first, *others], [second]]


def assert_gap_is_known(pipeline: Pipeline, items: Mapping[str, Item], topic: Topic) -> None:
    """Hold what is known of the round that lacks an object."""
    spans = [item["offsets"] for key, item in items.items() if key.startswith(topic.folder)]
    assert (spans[0]["last"], spans[-1]["last"]) == (19, len(topic.records) - 1)
    assert coverage(pipeline, topic).gaps == [Span(20, 39)]


SWEPT_AFTER = [(0, 2), (3, 9)]
"""When a sweep looks, in hours, while an object is lacking, and after it has come."""


def mailed_of_gap(topic: Topic) -> list[list[list[str]]]:
    """Return what these sweeps mail."""
    told = f"{topic.folder}, partition 0: offsets 20 to 39 (20)"
    return [[[], [f"gap       {told} have not come"]], [[f"closed    {told} have come after all"], []]]


def twice_by_two_writers(topic: Topic, seed: int) -> list[list[Object]]:
    """Return a topic's objects as two writers write them, in any order, in rounds of eight."""
    draw = Random(seed)
    once, other = topic.objects(25), topic.objects(17)
    # A writer that is started again writes some of its objects once more.
    objects = [*once, *other, *draw.sample(once, 2), *draw.sample(other, 2)]
    draw.shuffle(objects)
    return [objects[start : start + 8] for start in range(0, len(objects), 8)]


def assert_all_came_twice(pipeline: Pipeline, topic: Topic) -> None:
    found = coverage(pipeline, topic)
    whole = [Span(0, len(topic.records) - 1)]
    assert [[Span(each.first, each.last) for each in spans] for spans in (merged(found.spans), found.overlaps)] == [
        whole,
        whole,
    ]
    assert found.gaps == []


def assert_layers_are_those_of(pipeline: Pipeline, *topics: Topic) -> None:
    assert amounts_in_silver(pipeline) == amounts_of(*topics)
    assert totals_in_gold(pipeline) == totals_of(*topics)


CHANGES = [change("c", image(81, "10.00")), change("c", image(82, "5.00")), change("d", None, image(81))]
LATER = change("c", image(83, "7.00"), source={"ts_ms": MS + 9})
ROWS = Topic.of(7, 60, are_rows=True)
TWICE = Topic.of(2, 60, are_rows=True, name="twice", first_key=41)
DELETES = Topic("deletes", [*CHANGES, TOMBSTONE, TOMBSTONE, LATER], {82: Decimal("5.00"), 83: Decimal("7.00")})
TOPICS = (ROWS, TWICE, DELETES)
NULLS = DELETES.object(3, 2)


@dataclass(frozen=True)
class Round:
    """The pipeline after a round of objects, the items of these, and what sweeps then mailed of the rows' topic."""

    pipeline: Pipeline
    items: dict[str, Item]
    mailed: list[list[str]]


@pytest.fixture(scope="module")
def rounds(empty: Pipeline, at_the_server_for_module: None) -> list[Round]:
    """What three topics, each with keys of its own, have led to after each of two rounds."""
    of_deletes = [[DELETES.object(0, 3), NULLS], [NULLS, DELETES.object(5, 1)]]
    parts = zip_longest(lacking(ROWS), twice_by_two_writers(TWICE, 2), of_deletes, SWEPT_AFTER, fillvalue=())
    found, current = list[Round](), empty
    for *objects, hours in parts:
        current = current.fork()
        items = publish(current, chain(*objects))
        found.append(Round(current, items, mailed_by_sweeps(current, ROWS, hours)))
    return found


def test_missing_offsets_are_named__until_they_come(rounds: list[Round]) -> None:
    first, then = (each.pipeline for each in rounds)
    assert ROWS.amounts.items() - amounts_in_silver(first).items()
    assert_gap_is_known(first, rounds[0].items, ROWS)
    assert (coverage(then, ROWS).gaps, coverage(then, ROWS).overlaps) == ([], [])
    assert not ROWS.amounts.items() - amounts_in_silver(then).items()
    assert [each.mailed for each in rounds] == mailed_of_gap(ROWS)


def test_nothing_is_changed__every_range_comes_twice_by_two_writers(rounds: list[Round]) -> None:
    assert_all_came_twice(rounds[-1].pipeline, TWICE)


def test_layers_are_those_of_the_topics__after_the_last_object(rounds: list[Round]) -> None:
    assert_layers_are_those_of(rounds[-1].pipeline, *TOPICS)


def test_object_of_tombstones_alone_is_published_without_a_row__behind_deletes(rounds: list[Round]) -> None:
    pipeline, item = rounds[-1].pipeline.fork(), rounds[0].items[NULLS[0]]
    assert set(item["silver"]["outcomes"].values()) == {0}
    assert (item["silver"]["effect_amount"], item["format"]["tombstones"]) == ("0.00", 2)
    found = coverage(pipeline, DELETES)
    assert (merged(found.spans)[0].last, found.gaps) == (5, [])
    pipeline.decide(item["file_id"])
    pipeline.silver()
    pipeline.gold()
    assert_layers_are_those_of(pipeline, *TOPICS)
    assert not pipeline.item(item["file_id"])["in_effect"]


@pytest.mark.slow
@pytest.mark.parametrize("are_rows", [True, False])
def test_missing_offsets_are_named_and_gold_is_right_once_they_come__object_taken_away_and_put_back(
    pipeline: Pipeline, are_rows: bool
) -> None:
    topic = Topic.of(7, 60, are_rows=are_rows)
    first, then = lacking(topic)
    items = publish(pipeline, first)
    assert_gap_is_known(pipeline, items, topic)
    assert totals_in_gold(pipeline) != totals_of(topic)
    mailed = [mailed_by_sweeps(pipeline, topic, SWEPT_AFTER[0])]
    publish(pipeline, then)
    mailed.append(mailed_by_sweeps(pipeline, topic, SWEPT_AFTER[1]))
    assert mailed == mailed_of_gap(topic)
    assert (coverage(pipeline, topic).gaps, coverage(pipeline, topic).overlaps) == ([], [])
    assert_layers_are_those_of(pipeline, topic)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_nothing_is_changed__every_range_comes_twice_in_any_order_by_two_writers(pipeline: Pipeline, seed: int) -> None:
    topic = Topic.of(seed, 120, are_rows=seed % 2 == 0)
    for objects in twice_by_two_writers(topic, seed):
        publish(pipeline, objects)
    assert_all_came_twice(pipeline, topic)
    assert_layers_are_those_of(pipeline, topic)
