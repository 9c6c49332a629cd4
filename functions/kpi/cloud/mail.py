"""Compose the emails about files that were rejected or not examined, and what the workflow's say of an accepted one.

Nothing in them acts when it is read or pasted: what others wrote is shown with its invisible characters, and the
commands name the file by its id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from contract.items import FileFailure, FileItem, Notice
from contract.limits import NOTICE_WARNINGS
from contract.subjects import subject_of
from reading.rejection import stored_warnings
from reading.visible import visible

if TYPE_CHECKING:
    from admission import Inspection

MAXIMUM_SUBJECT = 99
MAXIMUM_BODY_BYTES = 8_000
_KEY_CHARACTERS = 1_024
NONE = "none"
"""In the place of an address: of what a stack does not keep."""
_REPAIR = ("assay quarantine export --file {} --output rows.csv", "assay quarantine fix rows.csv")
_LIST = ("assay quarantine --file {}",)
_CLOSING = """
What to do next
  No money moved. The runbook, docs/runbook.md, section "Rejected file", has an answer to each of the codes above.
  Correct the file and upload it under the same key (--prefix FOLDER): a new version, which with the instant of this one
  stands where this one would have stood, below what has come since.
  assay upload FILE --as-of {instant}
"""
_CLOSING_OF_FAILURE = """
What to do next
  No money moved, and no other file waits for this one. Where the function's log is, and what to
  look for: docs/runbook.md, section "File that could not be examined". Then have the same version examined again, in
  its own place; nothing is uploaded:
  assay resume {file_id}
"""
_CLOSING_OF_SWEEP = """

What to do next
  No money moved by this: what was left behind goes on by itself, and each file gets a mail of its own. The runbook,
  docs/runbook.md, section "Sweep", says what each line means.
"""
_NEXT_OF_SWEEP = {
    "left behind": "How far the files are that were left behind:\n  assay status\n",
    "late": "Ask the sender of a late file for it. What is expected, and what has come:\n  assay status --expected\n",
    "gap": "Have the missing offsets sent again. What has come, and what is missing:\n  assay status --offsets\n",
}
_ASKED_ALIKE = {"came": "late", "unreadable calendar": "late", "gaps": "gap", "gap closed": "gap", "gaps closed": "gap"}


def rejection_subject(item: FileItem, stage: str) -> str:
    """Return the subject of the mail about a rejected file."""
    return _subject("rejected", item, stage)


def failure_subject(item: FileItem, stage: str) -> str:
    """Return the subject of the mail about a file that could not be examined."""
    return _subject("failed", item, stage)


def _subject(end: str, item: FileItem, stage: str) -> str:
    """Return a subject that SNS takes: ASCII without control characters, under 100 characters."""
    name = "".join(sign if " " <= sign <= "~" else "?" for sign in item["key"].rpartition("/")[2])
    return f"[assay {stage}] {end}: {name}"[:MAXIMUM_SUBJECT]


def rejection_body(item: FileItem) -> str:
    """Return the text: which file, why it was rejected, what else was seen, and what to do next."""
    lines = [f"  {reason['code']}: {reason['text']}" for reason in item["reasons"]]
    held = {reason["text"] for reason in item["reasons"]}
    seen = [f"  {warning}" for warning in item.get("warnings", []) if warning not in held]
    if seen:
        lines += ["", "Seen as well", *seen]
    first = "A file was rejected. It changed nothing and stays in Bronze."
    instant = item.get("as_of_at", item["last_modified_at"])
    return _body(first, item, "\n".join(lines), _CLOSING.format(instant=instant))


def failure_body(item: FileItem, failed: FileFailure) -> str:
    """Return the text: which file, how the last attempt ended, and what to do next."""
    first = f"A file could not be examined in {failed['attempts']} attempts. It changed nothing and stays in Bronze."
    return _body(first, item, f"  {failed['reason']}", _CLOSING_OF_FAILURE.format(file_id=item["file_id"]))


def _body(first: str, item: FileItem, why: str, closing: str) -> str:
    opening = (
        f"{first}\n\n"
        f"  bucket   {item['bucket']}\n  key      {visible(item['key'], most=_KEY_CHARACTERS)}\n"
        f"  version  {item['version_id']}\n  size     {item['size']} bytes\n  file id  {item['file_id']}\n\nWhy\n"
    )
    room = MAXIMUM_BODY_BYTES - len(opening.encode()) - len(closing.encode()) - 1
    return f"{opening}{_shortened(why, room)}\n{closing}"


def notice_of(key: str, file_id: str, found: Inspection, page: str = "") -> Notice:
    """Return what the workflow's mails say of an accepted file; `page` is what they say of its month's page."""
    return {
        "name": visible(key, most=_KEY_CHARACTERS),
        "ending": "published with warnings" if found.warnings else "published",
        "text": f"{_warnings(stored_warnings(found.warnings))}{_quarantined(found, key, file_id)}{page}",
    }


def report_page(pages: str, came_at: str) -> str:
    """Return what a mail says of the page of the month in which a file came; nothing if the stack keeps none."""
    return "" if pages == NONE else f"\n\nIts month on one page: {pages}{came_at[:7]}.html"


def _warnings(warnings: list[str]) -> str:
    if not warnings:
        return ""
    more = len(warnings) - NOTICE_WARNINGS
    left = [f"and {more} more: see the passport"] if more > 0 else []
    return "\n\nWarnings" + "".join(f"\n  {line}" for line in [*warnings[:NOTICE_WARNINGS], *left])


def _quarantined(found: Inspection, key: str, file_id: str) -> str:
    """Return the broken rows by rule, and the commands that bring them back; reference files are sent again."""
    if found.kpis is None or not found.kpis.broken_rules:
        return ""
    rules = "".join(f"\n  {rule:<22} {rows:,}" for rule, rows in found.kpis.broken_rules.most_common())
    commands = "".join(f"\n  {line.format(file_id)}" for line in (_REPAIR if subject_of(key).has_money else _LIST))
    return f"\n\nQuarantined rows by rule (a row counts for each rule that it breaks){rules}{commands}"


def sweep_subject(counts: Mapping[str, int], stage: str) -> str:
    """Return the subject of the mail about what a sweep found: how many of each."""
    parts = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f"[assay {stage}] sweep: {parts}"[:MAXIMUM_SUBJECT]


def sweep_body(lines: Sequence[str], counts: Mapping[str, int]) -> str:
    """Return the text: what was found, what became of it, and the command that shows more of each."""
    asked = dict.fromkeys(_ASKED_ALIKE.get(what, what) for what, count in counts.items() if count)
    closing = _CLOSING_OF_SWEEP + "".join(f"\n  {_NEXT_OF_SWEEP[what]}" for what in asked)
    return _shortened("\n".join(lines), MAXIMUM_BODY_BYTES - len(closing.encode())) + closing


def _shortened(text: str, size: int) -> str:
    data = text.encode()
    return text if len(data) <= size else data[: size - 4].decode(errors="ignore") + " ..."
