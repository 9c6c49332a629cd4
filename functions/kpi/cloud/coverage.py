"""The ledger's part about Kafka: which offsets of a partition have come, and which gaps are told of.

Calls that note offsets at once do not meet: each adds an entry of its own, and a repetition adds the same again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, cast

from contract.limits import SPANS
from contract.partitions import KnownSpan, OffsetSpan, PartitionItem, PartitionOffsets, PartitionsItem
from reading.offsets import Span, merged, place_of

from cloud.ledger import Ledger, instant, instant_of

LOOSE = 50
"""So many entries more than there need be are joined."""
TRIES = 20
"""Objects of a partition are written one after the other: more than two calls hardly ever meet."""


class Coverage:
    """Reads and writes the items of partitions."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def note(self, offsets: PartitionOffsets, now: datetime) -> None:
        """Note that offsets have come; the first of a partition make its item."""
        item_id = partition_id(offsets["folder"], offsets["partition"])
        if self._ledger.find_item(item_id) is None:
            self._begin(item_id, offsets)
        span = KnownSpan(first=offsets["first"], last=offsets["last"], since=instant(now))
        told = self._ledger.table.update_item(
            Key={"file_id": item_id},
            UpdateExpression="SET spans.#span = :span",
            ExpressionAttributeNames={"#span": f"{offsets['first']}-{offsets['last']}"},
            ExpressionAttributeValues={":span": cast(dict[str, Any], span)},
            ReturnValues="ALL_NEW",
        )
        self._join(cast(PartitionItem, told["Attributes"]))

    def place(self, offsets: PartitionOffsets, written_at: datetime) -> datetime:
        """Return the instant that orders an object whose offsets are noted, and keep it for those that come later.

        It is the same for the same last offset. If other calls come first at each try, it is when it was written.
        """
        item_id, last = partition_id(offsets["folder"], offsets["partition"]), offsets["last"]
        for _ in range(TRIES):
            item = cast(PartitionItem, self._ledger.find_item(item_id))
            places = {int(end): instant_of(at) for end, at in item.get("places", {}).items()}
            place = place_of(last, written_at, places)
            if last in places or self._ledger.if_so(partial(self._keep, item, {**places, last: place})):
                return place
        return written_at

    def _keep(self, item: PartitionItem, places: dict[int, datetime]) -> None:
        """Write the places of a partition, if they have not changed since its item was read."""
        furthest = islice(sorted(places, reverse=True), SPANS)
        self._ledger.table.update_item(
            Key={"file_id": item["file_id"]},
            UpdateExpression="SET places = :places ADD placed :one",
            ConditionExpression="placed = :before" if "placed" in item else "attribute_not_exists(placed)",
            ExpressionAttributeValues={
                ":places": {str(end): instant(places[end]) for end in furthest},
                ":one": 1,
                **({":before": item["placed"]} if "placed" in item else {}),
            },
        )

    def partitions(self) -> list[PartitionItem]:
        """Return the items of all partitions, by topic and partition."""
        listed = cast(PartitionsItem | None, self._ledger.find_item("partitions"))
        items = self._ledger.find_all(listed["ids"]) if listed else {}
        found = [cast(PartitionItem, item) for item in items.values()]
        return sorted(found, key=lambda item: (item["folder"], item["partition"]))

    def watch(self, item: PartitionItem, gaps: Iterable[Span]) -> None:
        """Keep which gaps of a partition are told of; only the sweep that is at work does so."""
        watched: list[OffsetSpan] = [{"first": gap.first, "last": gap.last} for gap in gaps]
        self._ledger.table.update_item(
            Key={"file_id": item["file_id"]},
            UpdateExpression="SET watched = :watched",
            ExpressionAttributeValues={":watched": cast(list[Any], watched)},
        )

    def _begin(self, item_id: str, offsets: PartitionOffsets) -> None:
        # Listed first: a call that dies in between is repeated, and finds no item yet.
        self._ledger.table.update_item(
            Key={"file_id": "partitions"},
            UpdateExpression="SET kind = :kind ADD ids :ids",
            ExpressionAttributeValues={":kind": "partitions", ":ids": {item_id}},
        )
        item: PartitionItem = {
            "file_id": item_id,
            "kind": "offsets",
            "folder": offsets["folder"],
            "topic": offsets["topic"],
            "partition": offsets["partition"],
            "spans": {},
            "watched": [],
        }
        self._ledger.put_if(item, "attribute_not_exists(file_id)")

    def _join(self, item: PartitionItem) -> None:
        """Join the spans that touch once they are many; if another call has changed them, that one may."""
        spans = merged(spans_of(item))[-SPANS:]
        if len(item["spans"]) <= len(spans) + LOOSE:
            return
        joined = {f"{each.first}-{each.last}": _known(each) for each in spans}
        self._ledger.if_so(
            lambda: self._ledger.table.update_item(
                Key={"file_id": item["file_id"]},
                UpdateExpression="SET spans = :joined",
                ConditionExpression="spans = :spans",
                ExpressionAttributeValues={
                    ":joined": cast(dict[str, Any], joined),
                    ":spans": cast(dict[str, Any], item["spans"]),
                },
            )
        )


def partition_id(folder: str, partition: int) -> str:
    """Return the identity of a partition's item."""
    return "offsets#" + hashlib.sha256(f"{folder}\0{partition}".encode()).hexdigest()


def spans_of(item: PartitionItem) -> list[Span]:
    """Return the spans of offsets that have come, as they were noted."""
    return [Span(int(each["first"]), int(each["last"]), each["since"]) for each in item["spans"].values()]


def _known(span: Span) -> KnownSpan:
    return {"first": span.first, "last": span.last, "since": span.since}
