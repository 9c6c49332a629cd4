"""The objects that repair or waive rows: each lies in a folder that names the file, under a key made of its content.

What is sent again is the same object, so a command that was interrupted can be given again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from contract.subjects import REPAIRS_FOLDER, WAIVER_ENDING
from contract.vocabulary import IN_SILVER

from assay.errors import UserError
from assay.ledger import Item, ending

NAME_CHARACTERS = 12  # of a hash: fewer digits than a card number has


def repair_key(original: Item, body: bytes, end: str) -> str:
    """Return the key of a repair or a waiver: the same content has the same key."""
    return f"{REPAIRS_FOLDER}{original['file_id']}/{hashlib.sha256(body).hexdigest()[:NAME_CHARACTERS]}{end}"


def waiver_of(original: Item, *, rule: str, who: str, reason: str) -> tuple[str, bytes]:
    """Return key and content of a waiver."""
    body = json.dumps({"rule": rule, "who": who, "reason": reason}, ensure_ascii=False).encode()
    return repair_key(original, body, WAIVER_ENDING), body


def sent_before(key: str, repairs: Sequence[Item]) -> Item | None:
    """Return the same repair, if it was sent before and was not rejected; raise UserError if it is undone."""
    found = next((item for item in repairs if item["key"] == key and item["status"] != "rejected"), None)
    if found is not None and found["status"] in IN_SILVER and not found["in_effect"]:
        raise UserError(f"{key} was sent before, and is undone", f"take it up again: assay redo {found['file_id']}")
    return found


def refuse_under_way(original: Item, repairs: Sequence[Item]) -> None:
    """Raise UserError while another repair of the file is on its way: what it closes is not known yet."""
    for item in repairs:
        if item["repairs"] == original["file_id"] and ending(item) is None:
            what = f"another repair of {original['key']} is on its way: {item['file_id']}"
            raise UserError(what, "wait until it has ended, and look again: assay quarantine")
