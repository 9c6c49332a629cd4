"""Where the time of one file goes, from its upload to its mail, by the ledger, the job runs and the mail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.cloud import BenchCloud, Sent
from benchmarks.job_runs import JobRun
from devcloud.local.state_folder import StateFolder

Span = dict[str, Any]
PUBLISH = ("before_intent", "after_intent", "fast_forwarded", "files_advanced", "published")
NAMES = {"started": "process start", "done": "process end", **dict.fromkeys(PUBLISH, "publish")}


def spans(bench: BenchCloud, sent: Sent) -> list[Span]:
    """Return the stages of a file in their order, each with its end in seconds after the upload."""
    item, start = sent.items[0], sent.uploads[0].uploaded_at
    changed = {change["status"]: datetime.fromisoformat(change["at"]) for change in item["changes"]}
    ends = [("event", changed["received"]), ("KPI", changed["accepted"])]
    for layer, run in (("Silver", sent.silver[0]), ("Gold", sent.gold[0])):
        ends.append((f"wait for {layer}", run.started_at))
        ends += _of_run(layer, run)
    ends += [("wait for mail", at) for at in _mailed(bench, item["file_id"])]
    # Steps that follow one another under one name are one part.
    last = [part for part, after in zip(ends, [*ends[1:], None], strict=True) if after is None or after[0] != part[0]]
    return [{"part": part, "end": (at - start).total_seconds()} for part, at in last]


def published_after(sent: Sent) -> float:
    """Return the seconds from the upload's end to `published`."""
    published = next(change["at"] for change in sent.items[0]["changes"] if change["status"] == "published")
    return (datetime.fromisoformat(published) - sent.uploads[0].uploaded_at).total_seconds()


def _of_run(layer: str, run: JobRun) -> Iterator[tuple[str, datetime]]:
    for step in run.steps:
        yield f"{layer}: {NAMES.get(step.name, step.name.replace('_', ' '))}", step.at
    yield f"{layer}: process end", run.ended_at


def _mailed(bench: BenchCloud, file_id: str) -> list[datetime]:
    """Return when the mails about a file were kept; their files are named by that."""
    paths: list[Path] = sorted(StateFolder(bench.cloud.state_folder).mail.glob("*.txt"))
    mine = [path for path in paths if file_id in path.read_text()]
    form = "%Y%m%dT%H%M%S.%fZ%z"
    return [datetime.strptime(path.name.partition("-")[0] + "+0000", form) for path in mine]
