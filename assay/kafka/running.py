"""Run the bridge until a signal stops it between two steps."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from assay import console
from assay.kafka.bridge import Bridge
from assay.kafka.consumer import KafkaTopic
from assay.kafka.cutting import Limits
from assay.kafka.objects import Place
from assay.kafka.view import View
from assay.options import INTERRUPTED

POLL_S = 0.5


@dataclass
class Stop:
    """Whether the bridge is to end, and with which exit code."""

    code: int | None = None

    def on_signal(self, number: int, _: object) -> None:
        """Have the bridge end after its step; a second Ctrl-C ends it at once, which loses nothing either."""
        if self.code is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.code = INTERRUPTED if number == signal.SIGINT else 0


@contextmanager
def stopped_by_signals() -> Iterator[Stop]:
    """Let Ctrl-C and SIGTERM stop the bridge."""
    stop = Stop()
    before = {number: signal.signal(number, stop.on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run(topic: KafkaTopic, place: Place, limits: Limits, quiet_s: float, *, as_json: bool) -> int:
    """Take records to Bronze until a signal comes; return the exit code."""
    view = View(topic, as_json=as_json)
    bridge = Bridge(topic, place, limits, quiet_s, tell=view.tell, on_object=view.on_object, progress=view.progress)
    with stopped_by_signals() as stop:
        try:
            topic.subscribe(bridge)
            with view:
                while stop.code is None:
                    topic.feed(bridge, POLL_S)
                    bridge.settle()
                    view.show()
        finally:
            topic.close()
    console.note("Stopped. What was read and is not in Bronze yet will be read again.")
    return stop.code
