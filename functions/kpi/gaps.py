"""Find the gaps in a topic's offsets: what is told of each, once that it is there, and once that it is closed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from cloud.coverage import Coverage, spans_of
from cloud.ledger import Ledger, instant_of
from contract.items import PartitionItem
from expected import Notice, hash_of
from reading.offsets import Span, covers, gaps
from reading.visible import visible


def watch_gaps(coverage: Coverage, ledger: Ledger, now: datetime, age: timedelta) -> None:
    """Begin to watch the gaps that have grown old, and leave those of which nothing is to be told any more."""
    for item in coverage.partitions():
        before = _watched(item)
        after = [gap for gap in _with_old(item, now, age) if not _is_done(item, gap, ledger)]
        if after != before:
            coverage.watch(item, after)


def gap_notices(coverage: Coverage, ledger: Ledger, now: datetime, age: timedelta) -> Iterator[Notice]:
    """Yield what is to be said once: that offsets are missing, and of a gap that was told of, that it is closed."""
    for item in coverage.partitions():
        spans = spans_of(item)
        for gap in _with_old(item, now, age):
            told = f"{visible(item['folder'])}, partition {item['partition']}: offsets {gap} ({gap.count:,})"
            if not covers(spans, gap):
                yield Notice(_id("gap", item, gap), "gap", f"gap       {told} have not come")
            elif ledger.is_noticed(_id("gap", item, gap)):
                yield Notice(_id("closed", item, gap), "closed", f"closed    {told} have come after all")


def _watched(item: PartitionItem) -> list[Span]:
    return [Span(int(each["first"]), int(each["last"])) for each in item["watched"]]


def _with_old(item: PartitionItem, now: datetime, age: timedelta) -> list[Span]:
    """Return the gaps under watch, and those that have grown old; what is left of one under watch is that one."""
    watched = _watched(item)
    old = [gap for gap in gaps(spans_of(item)) if now - instant_of(gap.since) >= age]
    return [*watched, *(gap for gap in old if not any(gap.touches(each) for each in watched))]


def _is_done(item: PartitionItem, gap: Span, ledger: Ledger) -> bool:
    """Return whether a gap is closed and nobody waits to hear of it."""
    if not covers(spans_of(item), gap):
        return False
    return not ledger.is_noticed(_id("gap", item, gap)) or ledger.is_noticed(_id("closed", item, gap))


def _id(what: str, item: PartitionItem, gap: Span) -> str:
    return f"{what}#{hash_of(item['folder'], str(item['partition']), str(gap.first), str(gap.last))}"
