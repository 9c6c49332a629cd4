"""A wrong file is taken back on the deployed stack, by the command line: Gold is as if it had never come."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Any

import pytest
from deployed_app import DeployedApp

HEADER = "dms_id,amount,date,client_id,merchant_id,merchant_city,mcc,use_chip\n"
ROWS = [
    (800001, "10.00", "2021-01-01", 7, 5, "Boston", 5411, "Chip Transaction"),
    (800002, "20.00", "2021-01-02", 7, 5, "Boston", 5411, "Swipe Transaction"),
    (800003, "30.00", "2021-02-01", 8, 6, "Salem", 5812, "Online Transaction"),
]
HISTORY = HEADER + "".join(f"{','.join(map(str, row))}\n" for row in ROWS)
WRONG = HISTORY.replace(".00,", "0.00,").replace("Boston", "Bosten") + "800004,1.00,2021-03-01,9,9,Lynn,7777,\n"
KEY = "transactions/wrong.csv"
Cells = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Played:
    """What the commands said, and the cells of Gold before the wrong file, with it, and after each decision."""

    said: dict[str, subprocess.CompletedProcess[str]]
    cells: dict[str, Cells]


@pytest.fixture(scope="module")
def played(app: DeployedApp) -> Played:
    said, cells = {}, {}
    for name, text in (("history", HISTORY), ("wrong", WRONG)):
        (app.project / f"{name}.csv").write_text(text)
        said[name] = app.assay("upload", f"{name}.csv", "--wait")
        cells[name] = app.cells()
    said["dry run"] = app.assay("undo", KEY, "--dry-run")
    cells["dry run"] = app.cells()
    for name, command in (("undone", "undo"), ("redone", "redo"), ("undone again", "undo")):
        said[name] = app.assay(command, KEY, "--yes", "--reason", "amounts x 10")
        cells[name] = app.cells()
    said["twice"] = app.assay("undo", KEY, "--yes")
    for name in ("audit --full", f"passport {KEY}", "replay --check --seed 3"):
        said[name] = app.assay(*name.split())
    return Played(said, cells)


def test_commands_succeed__but_for_the_second_undo(played: Played) -> None:
    codes = {name: done.returncode for name, done in played.said.items()}
    assert codes == dict.fromkeys(played.said, 0) | {"twice": 2}, {
        name: done.stdout + done.stderr for name, done in played.said.items() if done.returncode
    }
    assert f"{KEY} is undone already" in played.said["twice"].stderr


def test_gold_is_as_if_the_file_had_never_come__cell_by_cell(played: Played) -> None:
    assert played.cells["dry run"] == played.cells["wrong"] != played.cells["history"]
    assert played.cells["undone"] == played.cells["history"]
    assert played.cells["redone"] == played.cells["wrong"]
    assert played.cells["undone again"] == played.cells["history"]


def test_preview_says_what_the_run_does(app: DeployedApp, played: Played) -> None:
    shown = played.said["dry run"].stdout
    assert "effect on Silver and Gold: -541.00" in shown
    assert [line.split()[0] for line in shown.splitlines() if " keys " in line] == ["1", "0", "3", "0"]
    (undone, redone, again) = sorted(app.ledger.whole("action"), key=lambda item: item["decides"]["number"])
    assert [item["silver"]["effect_amount"] for item in (undone, redone, again)] == ["-541.00", "541.00", "-541.00"]
    assert undone["silver"]["settled"] == {"inserted": 0, "updated": 3, "deleted": 1, "unchanged": 0}


def test_each_decision_is_mailed_once_and_stands_in_the_passport(app: DeployedApp, played: Played) -> None:
    about = [mail.subject for mail in app.all_mails() if KEY in mail.body]
    subjects = [subject for subject in about if "undone" in subject or "redone" in subject]
    assert len(subjects) == 3
    assert played.said[f"passport {KEY}"].stdout.count("amounts x 10") == 3
