"""The README's commands, run as they stand on a stack of their own; a file of yours is one that is made here.

It takes minutes. That the command line understands each of them is held by `tests/unit/cli/test_readme_lines.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from deployed_app import DeployedApp, deployed
from readme_commands import blocks, command_of, is_marked

ROWS, CENTS = 1_200, 5_123_410
YOURS = "YOUR_FILE.csv"
OTHERS = {
    "LOAD00000001.csv": "dms_id,amount,date\n900001,1.00,2020-01-01\n",
    "LOAD00000002.csv": "dms_id,amount,date\n900002,2.00,2020-01-01\n",
    "cards_data.csv": "id,client_id,card_brand,card_number,credit_limit\n1,7,Visa,4111111111111111,$100.00\n",
}


def local_lines() -> list[list[str]]:
    """Return the blocks without what needs more than a laptop, make's targets and the end of the local cloud."""
    found = [[command_of(line) for line in block if not is_marked(line)] for block in blocks()]
    return [[line for line in block if not line.startswith("make") and not line.endswith(" down")] for block in found]


def table(*, first_key: int, is_european: bool) -> str:
    """Return a file of 1,200 rows and 51,234.10 in all, as America or Europe write it; one zip is impossible."""
    separator = ";" if is_european else ","
    lines = [separator.join(("dms_id", "amount", "date", "zip"))]
    for number in range(ROWS):
        cents = CENTS // ROWS + (CENTS % ROWS if number == 0 else 0)
        day = date(2020, 5, 11) + timedelta(days=number % 30)
        amount = f"{cents // 100},{cents % 100:02}" if is_european else f"{cents // 100}.{cents % 100:02}"
        row = (f"{first_key + number}", amount, f"{day:%d/%m/%Y}" if is_european else f"{day:%m/%d/%Y}")
        lines.append(separator.join((*row, "1234567" if number == ROWS - 1 else "04101")))
    return "\n".join([*lines, ""])


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeployedApp]:
    with deployed(tmp_path_factory.mktemp("readme") / "project") as app:
        for name, text in OTHERS.items():
            (app.project / name).write_text(text)
        (app.project / ".venv" / "bin").mkdir(parents=True)
        (app.project / ".venv" / "bin" / "assay").symlink_to(Path(sys.executable).with_name("assay"))
        yield app


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_commands_succeed__in_their_order(app: DeployedApp) -> None:
    published, is_european = "", False
    for number, block in enumerate(block for block in local_lines() if block):
        mine = f"file-{number}.csv"
        is_sent = any(f" {verb} {YOURS}" in line for line in block for verb in ("upload", "check"))
        # From then on the pin says how files are written.
        is_european = is_european or any("_dialect.json" in line for line in block)
        (app.project / mine).write_text(table(first_key=1 + number * ROWS, is_european=is_european))
        published = published or mine
        for line in block:
            command = line.replace(YOURS, mine if is_sent else published)
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=app.project,
                env={**os.environ},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            if "quarantine export" in line:  # which a person corrects
                rows = app.project / "rows.csv"
                rows.write_text(rows.read_text().replace("1234567", "04101"))
