"""Declared reloads: a marker is taken with its files, and the run in which the last of them comes completes it.

One reload a run. While its files are in effect, it sets a floor: rows below it are older than Silver.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from contract.items import FileItem, LayerTotals, RejectionReason

from glue.lake.ledger import Ledger, up_to_rows


class LoadRefused(Exception):  # noqa: N818 - a decision, not an error of the program
    """A reload would delete more than the stack allows, or lists a file that was rejected."""

    def __init__(self, marker_id: str, reason: str, code: str = "would_delete") -> None:
        super().__init__(reason)
        self.marker_id = marker_id
        self.reason: RejectionReason = {"code": code, "text": reason}


@dataclass(frozen=True)
class Reload:
    """A declared reload that this run completes: its marker, the floor after it, and where its files now begin."""

    marker: FileItem
    floor: str
    starts: dict[str, str]

    @property
    def marker_id(self) -> str:
        return self.marker["file_id"]


def with_ready_marker(ledger: Ledger, files: Sequence[FileItem], run_rows: int) -> list[FileItem]:
    """Return the files of the next run: all but the markers, and the oldest marker whose files are all there.

    Listed files that the index of waiting files does not show yet come along, as far as the rows of a run allow.
    """
    markers = [file for file in files if file["subject"] == "load"]
    others = {file["file_id"]: file for file in files if file["subject"] != "load"}
    for marker in markers:
        listed = {file["file_id"]: file for file in ledger.files(marker["load"]["files"])}
        refuse_broken(marker, listed.values())
        arriving = {file_id: file for file_id, file in listed.items() if file.get("waiting_for") == "silver"}
        there = [file for file in listed.values() if file["status"] in ("in_silver", "published") and file["in_effect"]]
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
            raise LoadRefused(marker["file_id"], reason, "load_file_missing")


def reload_of(ledger: Ledger, files: Sequence[FileItem], before: LayerTotals) -> Reload | None:
    """Return the reload that this run completes; a file that several loads list begins with the newest of them."""
    marker = next((file for file in files if file["subject"] == "load"), None)
    if marker is None:
        return None
    starts: dict[str, str] = {}
    for load in [*ledger.files(before.get("loads", {})), marker]:
        for listed in load["load"]["files"]:
            starts[listed] = max(starts.get(listed, ""), load["load"]["start_at"])
    listed_here = {file: starts[file] for file in marker["load"]["files"]}
    return Reload(marker, max(before.get("floor", ""), marker["load"]["start_at"]), listed_here)


def limit_missing(reload: Reload, missing_rows: int, living: int, maximum_share: Decimal) -> None:
    """Refuse a reload that would delete too large a share of the living rows."""
    if missing_rows > maximum_share * living:
        raise LoadRefused(
            reload.marker_id,
            f"The reload would delete {missing_rows:,} rows of {living:,} "
            f"({100 * Decimal(missing_rows) / living:.1f} %), the maximum is {100 * maximum_share:f} %.",
        )


def with_loads(totals: LayerTotals, before: LayerTotals, reload: Reload | None) -> LayerTotals:
    """Add the floor and the complete loads after a run."""
    if reload is None:
        kept: LayerTotals = {**totals}
        if "floor" in before:
            kept["floor"] = before["floor"]
        if "loads" in before:
            kept["loads"] = before["loads"]
        return kept
    loads = {**before.get("loads", {}), reload.marker_id: reload.marker["load"]["start_at"]}
    return {**totals, "floor": reload.floor, "loads": loads}
