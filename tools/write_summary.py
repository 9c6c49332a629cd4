"""Writes the verdicts of an audit, a replay and a report as Markdown, for the summary of a workflow's run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Answer = dict[str, Any] | None


def summary(audit: Answer, replay: Answer, report: Answer) -> str:
    """Return the verdict in one line, then what differs, then the report's own; `None` for what was not made."""
    if audit is None or replay is None:
        return f"### ✗ The demo came to no {'audit' if audit is None else 'replay'}\n"
    differs = [check for check in audit["comparisons"] if not check["equal"]]
    tables = [table for table in replay["tables"] if not table["equal"]]
    good = audit["agrees"] and replay["agrees"]
    checked = f"{len(audit['comparisons'])} comparisons, {len(replay['tables'])} tables rebuilt (seed {replay['seed']})"
    verdict = "every row and every cent agrees" if good else "not everything agrees"
    lines = [f"### {'✓' if good else '✗'} {verdict[0].upper()}{verdict[1:]}: {checked}", ""]
    lines += [f"- {check['what']}: {check['expected']} against {check['found']}" for check in differs]
    lines += [f"- {table['table']}: {table['differing_keys']} keys differ after the replay" for table in tables]
    lines += [f"- {file['key']} did not come through the replay: {file['why']}" for file in replay["not_replayed"]]
    lines += ["", f"The report: {report['verdict'] if report else 'was not written.'}"]
    lines += [f"- {problem['what']}: `{problem['do']}`" for problem in (report or {}).get("problems", [])]
    return "\n".join(lines) + "\n"


def read(path: Path) -> Answer:
    """Return an answer of the command line; None if it is not there, or was cut short."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return found


if __name__ == "__main__":
    print(summary(*(read(Path(name)) for name in sys.argv[1:4])), end="")
