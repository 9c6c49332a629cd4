"""Says what comes out of each file of the corpus, in the form of its golden.

`PYTHONPATH=functions/kpi:tests/data python -m dms.goldens [NAME ...]` writes the goldens of the named files,
or of all. What it writes is what the code does: read it against docs/data-contract.md before it is committed.
"""

import io
import json
import sys

from admission import Inspection
from dms.build import FOLDER, LAST_MODIFIED_AT, contents
from judging.rules import Limits
from kpi_rows import inspected_file, read_rows

FILES = contents()
OF_A_ROW = ("row", "line", "rules", "op", "commit_us", "key", "cents")
Golden = dict[str, object]


def inspected(name: str) -> Inspection:
    """Judge a file as the function does."""
    key, body, pin = FILES[name]
    return inspected_file(body, key=key, pin=pin, last_modified_at=LAST_MODIFIED_AT, is_reopened=False)


def rows_of(name: str) -> list[Golden]:
    """Return every record of a file; `cents` only where the subject has money."""
    key, body, pin = FILES[name]
    frame = read_rows(io.BytesIO(body), Limits.of(LAST_MODIFIED_AT), key=key, pin=pin)
    return frame.select(column for column in OF_A_ROW if column in frame.columns).to_dicts()


def golden_of(name: str) -> Golden:
    """Return all that is expected of a file; a rejected one has no rows."""
    found = inspected(name)
    told: Golden = {
        "format": found.format,
        "kpis": None if found.kpis is None else found.kpis.as_item(),
        "warnings": found.warnings,
        "reasons": [{"code": reason.code, "text": reason.text} for reason in found.reasons],
    }
    return told if found.reasons else {**told, "rows": rows_of(name)}


def text_of(golden: Golden) -> str:
    """Write a golden with a line for each fact and each row."""
    facts = [f"{json.dumps(name)}: {_text(value)}" for name, value in golden.items() if name != "rows"]
    if "rows" in golden:
        facts.append('"rows": [\n' + ",\n".join(map(_text, golden["rows"])) + "\n]")
    return "{" + ",\n".join(facts) + "}\n"


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    for name in sys.argv[1:] or FILES:
        (FOLDER / f"{name}.expected.json").write_text(text_of(golden_of(name)))
