"""`assay watch`: follow files that are on their way, all of them or those named."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from time import sleep
from typing import TYPE_CHECKING, Annotated

import typer

from assay.options import INTERRUPTED, Profile, Region, StackName, open_ledger, open_target

if TYPE_CHECKING:
    from assay.ledger import Item, Ledger
    from assay.target import Target
    from assay.watch import FileProgress, Show


def watch(
    keys: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY", help="Files: keys, parts of keys, or file ids. All files by default."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print an object per line for each change, for programs.")
    ] = False,
    timeout: Annotated[int, typer.Option(min=1, help="With KEY: the longest time to wait, in minutes.")] = 30,
    stack: StackName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Show files on their way to Gold. It ends when the named files are done; without names, at Ctrl-C."""
    from assay import watch as progress
    from assay.ledger import choose_version

    target = open_target(stack, region, profile)
    ledger = open_ledger(target)
    with showing(target, ledger, as_json=as_json) as show:
        if keys:
            files = [of_item(choose_version(ledger.versions(key), None)) for key in keys]
            raise typer.Exit(progress.follow(target, ledger, files, timeout_s=timeout * 60, show=show))
        raise typer.Exit(follow_all(target, ledger, show))


@contextmanager
def showing(target: Target, ledger: Ledger, *, as_json: bool) -> Iterator[Show]:
    """Show changes as lines of JSON, or as files are shown everywhere."""
    from assay import stages
    from assay import watch as progress

    if as_json:
        yield JsonLines()
        return
    with progress.showing(stages.Pipeline(target, ledger, pause_s=1 if target.is_local else 4)) as show:
        yield show


def of_item(item: Item) -> FileProgress:
    """Return the progress of a file of the ledger, counted from when it was written."""
    from assay.upload import Uploaded
    from assay.watch import FileProgress, parse_instant

    written_at = parse_instant(item["last_modified_at"])
    sent = Uploaded(item["key"], item["version_id"], item["file_id"], item.get("size", 0), written_at)
    return FileProgress(sent, item)


class JsonLines:
    """Prints an object when a file reaches a new status."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}

    def __call__(self, files: Sequence[FileProgress], now: datetime) -> None:
        from assay import console

        for progress in files:
            if self._shown.get(progress.file.file_id) != progress.status:
                self._shown[progress.file.file_id] = progress.status
                line = json.dumps(progress.as_json(), sort_keys=True, ensure_ascii=False, default=console.as_text)
                print(line, flush=True)


class Following:
    """The files under way and those that have ended since: scans find new and resumed ones, each is read by itself."""

    def __init__(self, ledger: Ledger, *, scan_every: timedelta) -> None:
        self._ledger = ledger
        self._scan_every = scan_every
        self._scanned_at: datetime | None = None
        self._ended_before: set[str] = set()
        self.files: dict[str, FileProgress] = {}

    def look(self, now: datetime) -> list[FileProgress]:
        """Return all files that are followed, the oldest first, as they are now."""
        if self._scanned_at is None or now - self._scanned_at >= self._scan_every:
            self._find(self._ledger.files())
            self._scanned_at = now
        going = [file_id for file_id, progress in self.files.items() if not progress.end]
        for file_id, item in self._ledger.get(going).items():
            self.files[file_id].item = item
        return list(self.files.values())

    def _find(self, items: Sequence[Item]) -> None:
        """Take up files that are under way, also resumed ones, and those that came and ended since the first look."""
        from assay.ledger import ending

        for item in reversed(items):
            file_id = item["file_id"]
            if not ending(item):
                self._ended_before.discard(file_id)
            elif self._scanned_at is None:
                self._ended_before.add(file_id)
            if file_id not in self._ended_before:
                self.files[file_id] = of_item(item)


def follow_all(target: Target, ledger: Ledger, show: Show) -> int:
    """Show all files until interrupted; say then how those have ended that were seen."""
    from assay import console
    from assay import watch as progress

    poll_s, began = 1 if target.is_local else 2, datetime.now(UTC)
    following = Following(ledger, scan_every=timedelta(seconds=2 if target.is_local else 30))
    console.note("Following all files until Ctrl-C …")
    try:
        while True:
            show(following.look(datetime.now(UTC)), datetime.now(UTC))
            sleep(poll_s)
    except KeyboardInterrupt:
        ended = [each for each in following.files.values() if each.end]
        if ended:
            console.note(progress.closing_line(ended, datetime.now(UTC) - began), style="bold")
        console.note("Stopped watching; the pipeline goes on: assay status")
        return INTERRUPTED
