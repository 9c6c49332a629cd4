"""Compose the email about a rejected file."""

from contract.items import FileItem

MAXIMUM_SUBJECT = 99
MAXIMUM_BODY_BYTES = 8_000
_CLOSING = """
What to do next
  Nothing but the ledger was changed. Correct the file and upload it again, under the same key or another:
  the new version is a file of its own. The runbook, docs/runbook.md, section "Rejected file", has an answer to each
  of the codes above.
"""


def rejection_subject(item: FileItem, stage: str) -> str:
    """Return a subject that SNS takes: ASCII without control characters, under 100 characters."""
    name = "".join(sign if " " <= sign <= "~" else "?" for sign in item["key"].rpartition("/")[2])
    return f"[assay {stage}] rejected: {name}"[:MAXIMUM_SUBJECT]


def rejection_body(item: FileItem) -> str:
    """Return the text: which file, why it was rejected, and what to do next."""
    reasons = "\n".join(f"  {reason['code']}: {reason['text']}" for reason in item["reasons"])
    opening = (
        "A file was rejected. It changed nothing and stays in Bronze.\n\n"
        f"  bucket   {item['bucket']}\n  key      {item['key']}\n  version  {item['version_id']}\n"
        f"  size     {item['size']} bytes\n  file id  {item['file_id']}\n\nWhy\n"
    )
    room = MAXIMUM_BODY_BYTES - len(opening.encode()) - len(_CLOSING.encode()) - 1
    return f"{opening}{_shortened(reasons, room)}\n{_CLOSING}"


def _shortened(text: str, size: int) -> str:
    data = text.encode()
    return text if len(data) <= size else data[: size - 4].decode(errors="ignore") + " ..."
