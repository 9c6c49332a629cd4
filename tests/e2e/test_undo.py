"""A wrong file is taken back on the deployed stack, by the command line: Gold is as if it had never come."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import Any

import pytest
from batch import to_be_spoiled
from deployed_app import DeployedApp
from ended_batch import EndedBatch

HISTORY = to_be_spoiled().body.decode()
WRONG = HISTORY.replace(".00,", "0.00,").replace("Boston", "Bosten") + "800004,1.00,2021-03-01,9,9,Lynn,7777,\n"
KEY = "transactions/wrong.csv"
REASON = "amounts x 10"
Cells = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Played:
    """What the commands said, and the cells of Gold before the wrong file, with it, and after each decision."""

    said: dict[str, subprocess.CompletedProcess[str]]
    cells: dict[str, Cells]


@pytest.fixture(scope="module")
def played(app: DeployedApp, ended: EndedBatch) -> Played:
    assert ended.items_of(to_be_spoiled().key)
    said, cells = {}, {"history": app.cells()}
    (app.project / "wrong.csv").write_text(WRONG)
    said["wrong"] = app.assay("upload", "wrong.csv", "--wait")
    cells["wrong"] = app.cells()
    said["dry run"] = app.assay("undo", KEY, "--dry-run")
    cells["dry run"] = app.cells()
    decide(app, said, cells, undone="undo")
    said["twice"] = app.assay("undo", KEY, "--yes")
    for name in ("audit --full", f"passport {KEY}"):
        said[name] = app.assay(*name.split())
    return Played(said, cells)


def decide(app: DeployedApp, said: dict[str, Any], cells: dict[str, Cells], **commands: str) -> None:
    for name, command in commands.items():
        said[name] = app.assay(command, KEY, "--yes", "--reason", REASON)
        cells[name] = app.cells()


def refuse_failures(said: dict[str, subprocess.CompletedProcess[str]], **expected: int) -> None:
    codes = {name: done.returncode for name, done in said.items()}
    assert codes == dict.fromkeys(said, 0) | expected, {
        name: done.stdout + done.stderr for name, done in said.items() if done.returncode
    }


def decisions(app: DeployedApp) -> list[dict[str, Any]]:
    """Return the ledger's items of the decisions about the file, in their order."""
    found = [item for item in app.ledger.whole("action") if item["decides"]["reason"] == REASON]
    return sorted(found, key=lambda item: item["decides"]["number"])


def subjects(app: DeployedApp) -> list[str]:
    about = [mail.subject for mail in app.all_mails() if KEY in mail.body]
    return [subject for subject in about if "undone" in subject or "redone" in subject]


def test_commands_succeed__but_for_the_second_undo(played: Played) -> None:
    refuse_failures(played.said, twice=2)
    assert f"{KEY} is undone already" in played.said["twice"].stderr


def test_gold_is_as_if_the_file_had_never_come__cell_by_cell(played: Played) -> None:
    assert played.cells["dry run"] == played.cells["wrong"] != played.cells["history"]
    assert played.cells["undone"] == played.cells["history"]


def test_preview_says_what_the_run_does(app: DeployedApp, played: Played) -> None:
    shown = played.said["dry run"].stdout
    assert "effect on Silver and Gold: -541.00" in shown
    assert [line.split()[0] for line in shown.splitlines() if " keys " in line] == ["1", "0", "3", "0"]
    undone = decisions(app)[0]
    assert undone["silver"]["effect_amount"] == "-541.00"
    assert undone["silver"]["settled"] == {"inserted": 0, "updated": 3, "deleted": 1, "unchanged": 0}


def test_decision_is_mailed_once_and_stands_in_the_passport(app: DeployedApp, played: Played) -> None:
    assert len(subjects(app)) == len(decisions(app))
    assert played.said[f"passport {KEY}"].stdout.count(REASON) == 1


@pytest.mark.slow
def test_file_is_redone_and_undone_again__and_a_replay_agrees(app: DeployedApp, played: Played) -> None:
    said, cells = dict[str, Any](), dict[str, Cells]()
    decide(app, said, cells, redone="redo", again="undo")
    for name in ("audit --full", f"passport {KEY}", "replay --check --seed 3"):
        said[name] = app.assay(*name.split())

    refuse_failures(said)
    assert cells == {"redone": played.cells["wrong"], "again": played.cells["history"]}
    assert [item["silver"]["effect_amount"] for item in decisions(app)] == ["-541.00", "541.00", "-541.00"]
    assert len(subjects(app)) == 3
    assert said[f"passport {KEY}"].stdout.count(REASON) == 3
