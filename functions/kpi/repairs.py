"""Judge repairs: rows that stand in the place of quarantined ones, or a waiver that closes them.

A repair is judged as if its rows stood in the file that it repairs: by that file's instant, and written as it is
written. It is taken whole or not at all.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from admission import Inspection, Reopen, inspect_file
from contract.items import FileFormat, FileItem, Waiver
from contract.limits import REASON_CHARACTERS
from contract.rules import rules_of
from contract.subjects import SUBJECTS, TRANSACTIONS
from contract.vocabulary import ACCEPTED
from contract.writing import COMMA, DECIMAL_SIGNS, MONTH_FIRST
from judging.kpis import Kpis
from judging.reconcile import Policy
from reading.bytes import ByteStream
from reading.card_numbers import masked
from reading.json_text import json_of
from reading.rejection import Reason

_WAIVED_BY = ("rule", "who", "reason")


def inspect_repair(
    key: str,
    stream: ByteStream,
    original: FileItem | None,
    *,
    metadata: Mapping[str, str],
    policy: Policy,
    reopen: Reopen | None = None,
    size: int = 0,
) -> Inspection:
    """Read a repair and decide whether to accept it: no row of it may break a rule."""
    if (refused := _refused(original)) or original is None:
        return Inspection(reasons=refused)
    if original["subject"] != TRANSACTIONS.name or "repairs" in original:
        text = f"Rows of {original['key']} cannot be repaired: it is no file of transactions. Send a corrected file."
        return Inspection(reasons=[Reason("unknown_original", text)])
    found = inspect_file(
        key,
        stream,
        last_modified_at=datetime.fromisoformat(original["last_modified_at"]),
        metadata=metadata,
        read_side_car=lambda: None,
        read_pin=lambda: pin_of_original(original["format"]),
        learned=lambda: None,
        policy=replace(policy, maximum_bad_share=Decimal(0), minimum_rows=1, hold_warnings=False),
        reopen=reopen,
        size=size,
    )
    found.warnings = []
    if found.kpis and found.kpis.bad_rows:
        text = (
            "A repair is taken whole or not at all. Correct these rows, and give `assay quarantine fix` the file again."
        )
        found.reasons = [Reason("broken_repair", text), *found.reasons[:-1]]
    elif not found.reasons:
        found.reasons = _other_columns(found.format, original["format"])
    return found


def inspect_waiver(content: bytes, original: FileItem | None) -> Inspection:
    """Read a waiver and decide whether to accept it; it has no rows and no money."""
    found = Inspection(format=FileFormat(kind="waiver"), reasons=_refused(original))
    if found.reasons or original is None:
        return found
    try:
        said = json_of(content)
    except ValueError:
        said = None
    if not isinstance(said, dict) or said.keys() != set(_WAIVED_BY) or not all(map(_is_text, said.values())):
        text = f"The waiver cannot be read: it must be an object with the texts {', '.join(map(repr, _WAIVED_BY))}."
        found.reasons = [Reason("unreadable_waiver", text)]
    elif said["rule"] not in {rule.name for rule in rules_of(SUBJECTS[original["subject"]])}:
        found.reasons = [Reason("unreadable_waiver", f"There is no rule {said['rule'][:40]!r} for {original['key']}.")]
    else:
        found.waives, found.kpis = Waiver(rule=said["rule"], who=said["who"], reason=said["reason"]), Kpis()
    return found


def pin_of_original(shape: FileFormat) -> bytes:
    """Return the pin that has a repair read as its original is written; its columns have their usual names."""
    null_texts = [*([shape["null_text"]] if "null_text" in shape else []), *shape.get("more_null_texts", [])]
    said = {
        "header": True,
        "delimiter": COMMA,
        "trailer": False,
        "full_load": shape["is_full_load"],
        "commit_timestamp": "commit_at" if "commit_at" in shape["places"] else None,
        "null": null_texts or None,
        "decimal": shape.get("decimal", DECIMAL_SIGNS[0]),
        "date_order": shape.get("date_order", MONTH_FIRST),
    }
    return json.dumps(said).encode()


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= REASON_CHARACTERS and masked(value) == value


def _refused(original: FileItem | None) -> list[Reason]:
    if original is not None and original["status"] in ACCEPTED and original["subject"] in SUBJECTS:
        return []
    text = "The key names no accepted file with rows: `assay quarantine` lists the files whose rows can be repaired."
    return [Reason("unknown_original", text)]


def _other_columns(found: FileFormat, wanted: FileFormat) -> list[Reason]:
    """Return why a repair is rejected that has other columns than its original."""
    if found["places"].keys() - {"repaired_row"} == wanted["places"].keys():
        return []
    text = f"A repair has the columns of the file that it repairs, and row: {', '.join(wanted['places'])}."
    return [Reason("missing_column", text)]
