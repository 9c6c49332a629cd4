"""How long steps took on this machine before, so that a person is told how long one may take now.

They lie in a small file of the user's cache. It only makes bars: nothing depends on it, and it may be deleted.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

KEPT = 5  # newest samples of a step
FEW = 100_000  # rows: with these and fewer, starting Spark takes most of a run's time


@dataclass(frozen=True)
class Sample:
    """What a step took: seconds for an amount (of rows, say), 1 where nothing is counted."""

    amount: int
    seconds: int


def path() -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "assay" / "durations.json"


def usual(step: str, amount: int = 1) -> int | None:
    """Return about how many seconds a step takes; None if it was never seen, or takes less than half a second.

    It is what the sample of the nearest amount took, and more in proportion where this amount is larger: a smaller one
    is not said to be quicker, nor one of few rows slower.
    """
    samples = _samples(step)
    if not samples:
        return None
    nearest = min(samples, key=lambda sample: (abs(sample.amount - amount), sample.seconds))
    return nearest.seconds * max(amount, nearest.amount, FEW) // max(nearest.amount, FEW) or None


def remember(step: str, seconds: int, amount: int = 1) -> None:
    """Keep what a step took; where the cache cannot be written, it is forgotten."""
    kept = [*_samples(step), Sample(amount, seconds)][-KEPT:]
    every = {**_read(), step: [[sample.amount, sample.seconds] for sample in kept]}
    with contextlib.suppress(OSError):
        path().parent.mkdir(parents=True, exist_ok=True)
        written = path().with_suffix(f".{os.getpid()}")
        written.write_text(json.dumps(every, indent=1, sort_keys=True))
        written.replace(path())


def _samples(step: str) -> list[Sample]:
    with contextlib.suppress(TypeError, ValueError):
        return [Sample(int(amount), int(seconds)) for amount, seconds in _read().get(step, [])]
    return []


def _read() -> dict[str, list[list[int]]]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path().read_text())
        return found if isinstance(found, dict) else {}
    return {}
