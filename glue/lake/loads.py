"""Declared reloads: a marker is taken with its files, and the run in which the last of them comes completes it.

One reload a run. While its files are in effect, it sets a floor: rows below it are older than Silver. Undoing one of
them, or the marker, makes the load incomplete; redoing it completes it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from contract.items import Decision, FileItem, RejectionReason
from contract.runs import LayerTotals
from contract.vocabulary import IN_SILVER

from glue.lake.failures import FileBroken
from glue.lake.ledger import Ledger, up_to_rows


class Refused(Exception):  # noqa: N818 - a decision, not an error of the program
    """A reload that would delete too much, or lists a file that was rejected; a repair of what is not in quarantine."""

    def __init__(self, file_id: str, reason: str, code: str = "would_delete") -> None:
        super().__init__(reason)
        self.file_id = file_id
        self.reason: RejectionReason = {"code": code, "text": reason}


@dataclass(frozen=True)
class Loads:
    """The markers that were taken, each with its load's start: of complete loads, and of the others."""

    complete: Mapping[str, str]
    incomplete: Mapping[str, str]

    @classmethod
    def of(cls, totals: LayerTotals) -> Loads:
        return cls(totals.get("loads", {}), totals.get("incomplete_loads", {}))

    @property
    def floor(self) -> str | None:
        """Return the start of the newest complete load."""
        return max(self.complete.values(), default=None)

    def starts(self, ledger: Ledger) -> dict[str, str]:
        """Return where the files of complete loads begin: with the newest load that lists them."""
        return starts_of(ledger.files(self.complete))

    def having(self, marker: FileItem, *, is_complete: bool) -> Loads:
        """Return these loads and one more, or one of them as it is now."""
        file_id, start = marker["file_id"], marker["load"]["start_at"]
        others = [
            {key: each for key, each in kind.items() if key != file_id} for kind in (self.complete, self.incomplete)
        ]
        others[0 if is_complete else 1][file_id] = start
        return Loads(*others)

    def in_totals(self, totals: LayerTotals) -> LayerTotals:
        """Add the loads to a layer's totals."""
        found: LayerTotals = {**totals}
        if self.floor is not None:
            found["floor"] = self.floor
        if self.complete:
            found["loads"] = dict(self.complete)
        if self.incomplete:
            found["incomplete_loads"] = dict(self.incomplete)
        return found


@dataclass(frozen=True)
class Reload:
    """A declared reload that this run completes: its marker, the floor after it, and where its files now begin."""

    marker: FileItem
    floor: str
    starts: dict[str, str]
    cause = "load"
    moves_loads = True

    @property
    def owner_id(self) -> str:
        """Return the item to whose account its effects go."""
        return self.marker["file_id"]

    @property
    def file_id(self) -> str:
        """Return the file that takes away the keys which nothing names any more."""
        return self.owner_id

    @property
    def load_starts(self) -> dict[str, str]:
        """Return where the files begin that the run reads."""
        return self.starts


@dataclass(frozen=True)
class Action:
    """An undo or redo: its item, what it decides, and where loads stand after it."""

    item: FileItem
    decision: Decision
    loads: Loads
    starts: dict[str, str]
    moves_loads: bool

    @property
    def cause(self) -> str:
        return "redo" if self.decision["in_effect"] else "undo"

    @property
    def floor(self) -> str | None:
        return self.loads.floor

    @property
    def owner_id(self) -> str:
        """Return the item to whose account its effects go."""
        return self.item["file_id"]

    @property
    def file_id(self) -> str:
        """Return the file that it decides on."""
        return self.decision["file_id"]


def starts_of(markers: Iterable[FileItem]) -> dict[str, str]:
    starts: dict[str, str] = {}
    for marker in markers:
        for listed in marker["load"]["files"]:
            starts[listed] = max(starts.get(listed, ""), marker["load"]["start_at"])
    return starts


def with_ready_marker(ledger: Ledger, files: Sequence[FileItem], run_rows: int) -> list[FileItem]:
    """Return the files of the next run: all but the markers, and the oldest marker whose files are all there.

    Listed files that the index of waiting files does not show yet come along, as far as the rows of a run allow. A
    repair comes once its original is in Silver.
    """
    originals = ledger.files(file["repairs"] for file in files if "repairs" in file)
    known = {file["file_id"] for file in originals if file["status"] in IN_SILVER}
    files = [file for file in files if "repairs" not in file or file["repairs"] in known]
    markers = [file for file in files if file["subject"] == "load"]
    others = {file["file_id"]: file for file in files if file["subject"] != "load"}
    for marker in markers:
        listed = {file["file_id"]: file for file in ledger.files(marker["load"]["files"])}
        refuse_broken(marker, listed.values())
        arriving = {file_id: file for file_id, file in listed.items() if file.get("waiting_for") == "silver"}
        there = [file for file in listed.values() if file["status"] in IN_SILVER]
        run = [*{**others, **arriving}.values()]
        fits = len(run) == len(others) or up_to_rows(run, run_rows) == run
        if fits and len(arriving) + len(there) == len(set(marker["load"]["files"])):
            return [*run, marker]
    return list(others.values())


def refuse_broken(marker: FileItem, listed: Iterable[FileItem]) -> None:
    """Refuse a marker that lists a file which will never be in Silver as it is."""
    for file in listed:
        is_failed = file["status"] == "accepted" and "failed" in file
        if file["status"] == "rejected" or is_failed:
            reason = f"The reload lists {file['key']}, which {'failed' if is_failed else 'was rejected'}."
            raise Refused(marker["file_id"], reason, "load_file_missing")


def loads_after(ledger: Ledger, files: Sequence[FileItem], before: Loads) -> Loads:
    """Return the loads after a run takes these files; one that lists an undone file is taken, and not complete."""
    marker = next((file for file in files if file["subject"] == "load"), None)
    if marker is None:
        return before
    return before.having(marker, is_complete=all(file["in_effect"] for file in ledger.files(marker["load"]["files"])))


def reload_of(ledger: Ledger, files: Sequence[FileItem], after: Loads) -> Reload | None:
    """Return the reload that this run completes; a file that several loads list begins with the newest of them."""
    marker = next((file for file in files if file["file_id"] in after.complete), None)
    if marker is None or after.floor is None:
        return None
    starts = after.starts(ledger)
    return Reload(marker, after.floor, {file: starts[file] for file in marker["load"]["files"]})


def action_of(ledger: Ledger, item: FileItem, before: Loads) -> Action:
    """Return what an action decides, and where loads stand after it; raise FileBroken if it comes too late."""
    decision = item["decides"]
    (file,) = ledger.files([decision["file_id"]])
    place = file["status"] in IN_SILVER, file["in_effect"], len(file.get("decisions", []))
    if place != (True, not decision["in_effect"], decision["number"]):
        raise FileBroken(item["file_id"], f"{file['key']} is not in Silver, or somebody else has decided on it")
    after = before
    for marker in ledger.files([*before.complete, *before.incomplete]):
        members = {marker["file_id"], *marker["load"]["files"]}
        if decision["file_id"] in members:
            others = ledger.files(members - {decision["file_id"]})
            is_complete = decision["in_effect"] and all(file["in_effect"] for file in others)
            after = after.having(marker, is_complete=is_complete)
    starts = after.starts(ledger)
    moves_loads = (after.floor, starts) != (before.floor, before.starts(ledger))
    return Action(item, decision, after, starts, moves_loads)


def limit_missing(reload: Reload, missing_rows: int, living: int, maximum_share: Decimal) -> None:
    """Refuse a reload that would delete too large a share of the living rows."""
    if missing_rows > maximum_share * living:
        raise Refused(
            reload.owner_id,
            f"The reload would delete {missing_rows:,} rows of {living:,} "
            f"({100 * Decimal(missing_rows) / living:.1f} %), the maximum is {100 * maximum_share:f} %.",
        )
