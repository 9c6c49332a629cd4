"""`status --offsets`: which offsets of each Kafka partition came in files that were accepted, and which did not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from contract.vocabulary import ACCEPTED
from reading.offsets import Span, gaps, merged, overlaps
from rich.console import Group, RenderableType
from rich.text import Text

from assay import console
from assay.ledger import Item


@dataclass
class Partition:
    """The offsets of a partition: the spans that came, and the files with others that were rejected."""

    folder: str
    topic: str
    number: int
    spans: list[Span] = field(default_factory=list)
    rejected: list[tuple[Span, str]] = field(default_factory=list)

    @property
    def gaps(self) -> list[Span]:
        return gaps(self.spans)

    @property
    def overlaps(self) -> list[Span]:
        return overlaps(self.spans)

    @property
    def whole(self) -> Span:
        """From the first offset that came to the last one."""
        joined = merged(self.spans)
        return Span(joined[0].first, joined[-1].last)

    def why(self, gap: Span) -> str:
        """Name the rejected files that a gap holds."""
        return ", ".join(f"{key} was rejected" for span, key in self.rejected if span.touches(gap))

    def as_json(self) -> dict[str, object]:
        """Return it for programs; a partition of which nothing was accepted has no first offset and no last one."""
        whole = {"first": self.whole.first, "last": self.whole.last} if self.spans else {}
        told = {"folder": self.folder, "topic": self.topic, "partition": self.number, **whole}
        found = {"covered": merged(self.spans), "gaps": self.gaps, "overlaps": self.overlaps}
        return told | {name: [{"first": each.first, "last": each.last} for each in found[name]] for name in found}


def partitions(items: Iterable[Item]) -> list[Partition]:
    """Gather the offsets of files by folder and partition."""
    found: dict[tuple[str, int], Partition] = {}
    for item in items:
        if told := item.get("offsets"):
            place = told["folder"], told["partition"]
            partition = found.setdefault(place, Partition(told["folder"], told["topic"], told["partition"]))
            span = Span(told["first"], told["last"])
            if item["status"] in ACCEPTED:
                partition.spans.append(span)
            elif item["status"] == "rejected":
                partition.rejected.append((span, item["key"]))
    return [found[place] for place in sorted(found)]


def render(found: list[Partition]) -> RenderableType:
    """Draw the coverage of each partition, and each gap in a line of its own."""
    columns = ("topic", "partition", "first", "last", "files", "gaps", "came twice")
    grid = console.table("Offsets of Kafka in accepted files", columns, right=columns[1:])
    lines: list[RenderableType] = []
    for each in found:
        ends = (f"{each.whole.first}", f"{each.whole.last}") if each.spans else ("", "")
        gap_count = Text(console.count(len(each.gaps)), style="bold red" if each.gaps else "green")
        twice = sum(span.count for span in each.overlaps)
        numbers = (console.count(len(each.spans)), gap_count, console.count(twice))
        grid.add_row(console.shown(each.folder), str(each.number), *ends, *numbers)
        lines += [_line(each, gap) for gap in each.gaps]
    return Group(grid, *lines)


def in_words(offsets: Item) -> str:
    """Return the offsets of a file as its passport shows them."""
    span = Span(offsets["first"], offsets["last"])
    return f"{offsets['topic']}, partition {offsets['partition']}: {span} ({span.count:,})"


def _line(partition: Partition, gap: Span) -> Text:
    why = partition.why(gap)
    told = f"{partition.folder}, partition {partition.number}: offsets {gap} ({gap.count:,}) have not come"
    return Text(f"gap: {console.shown(told + (f': {why}' if why else ''))}", style="red")
