"""What a person sees of the bridge: on a terminal a table that lives, elsewhere a line for each object."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from time import monotonic

from rich.live import Live
from rich.table import Table
from rich.text import Text

from assay import console
from assay.kafka.bridge import Progress
from assay.kafka.consumer import KafkaTopic
from assay.kafka.objects import Stored

WINDOW_S = 10.0
"""The rate is that of so many seconds."""


@dataclass
class View:
    """Draws the progress of the partitions that this bridge has."""

    topic: KafkaTopic
    progress: dict[int, Progress] = field(default_factory=dict)
    as_json: bool = False
    _live: Live | None = None
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def __enter__(self) -> View:
        screen = console.err()
        if screen.is_terminal:
            self._live = Live(console=screen, auto_refresh=False, transient=False)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def tell(self, line: str) -> None:
        """Print what a person should know."""
        (self._live.console if self._live else console.err()).print(Text(console.shown(line), style="yellow"))

    def show(self) -> None:
        """Draw how far each partition is."""
        self._measure()
        if self._live:
            self._live.update(self.table(), refresh=True)

    def on_object(self, partition: int, stored: Stored) -> None:
        """Print a line for an object, but on a terminal, where the table shows it."""
        lag = self.lag(partition)
        if self.as_json:
            place = {"partition": partition, "key": stored.key, "first": stored.first, "last": stored.last}
            line = {**place, "records": stored.records, "was_there": not stored.is_new, "lag": lag}
            print(json.dumps(line, sort_keys=True, ensure_ascii=False), flush=True)
        elif not self._live:
            self._measure()
            behind = "" if lag is None else f", lag {lag:,}"
            told = f"{stored.key}: offsets {stored.first} to {stored.last}"
            console.note(console.shown(f"{told}, {self.rate():,.0f} records a second{behind}"), style="")

    def rate(self) -> float:
        """Return how many records a second went to Bronze lately."""
        (begun, before), (now, after) = self._seen[0], self._seen[-1]
        return max(0, after - before) / (now - begun) if now > begun else 0.0

    def lag(self, partition: int) -> int | None:
        """Return how many offsets of a partition are not in Bronze yet, as far as is known."""
        end = self.topic.end(partition)
        return None if end is None else max(0, end - self.progress[partition].next)

    def table(self) -> Table:
        title = f"{self.topic.name}: {self.rate():,.0f} records a second"
        columns = ("partition", "next offset", "lag", "records", "objects", "last object")
        grid = console.table(console.shown(title), columns, right=columns[:-1])
        for partition, each in sorted(self.progress.items()):
            lag, last = self.lag(partition), each.last
            numbers = (str(each.next), "" if lag is None else f"{lag:,}", f"{each.records:,}", f"{each.objects:,}")
            grid.add_row(str(partition), *numbers, console.shown(last.key) if last else "")
        if self.topic.trouble:
            grid.caption = Text(console.shown(self.topic.trouble), style="red")
        return grid

    def _measure(self) -> None:
        self._seen.append((monotonic(), sum(each.records for each in self.progress.values())))
        while self._seen[0][0] < monotonic() - WINDOW_S:
            self._seen.popleft()
