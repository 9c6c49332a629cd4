"""Files that people really have go through the command line in one go; each ends as it does for the function alone."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from cases import CASES, READ, REFUSED
from deployed_app import DeployedApp, until

from assay.audit import audit, differences
from assay.ledger import Item, ending
from assay.query import lake

PREFIX = "transactions/cases/"
TAKEN = {*READ, *REFUSED}
FIRST, SECOND = "order/*/1_first", "order/*/2_second"
PROVEN = "shape/ctrl_z.csv"
CHANGED_IN_ORDER = {65001: "11.00", 65002: "12.00", 160001: "20.00", 160003: "7.00", 164001: "12.00"}

pytestmark = [
    pytest.mark.skipif(not CASES.exists(), reason="files that people really have are not beside the project"),
    pytest.mark.slow,  # the batch goes the same way, and the function alone reads each of these files
]


def assay(app: DeployedApp, *words: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("assay")), *map(str, words)]
    return subprocess.run(command, cwd=app.project, capture_output=True, text=True, check=False)


def upload(app: DeployedApp, *paths: Path, options: tuple[object, ...] = ()) -> None:
    """Upload a folder of the cases, or files of one, to where they lie among them."""
    inside = (paths[0] if paths[0].is_dir() else paths[0].parent).relative_to(CASES)
    done = assay(app, "upload", *paths, "--prefix", f"{PREFIX}{inside}", *options)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def items(app: DeployedApp) -> dict[str, Item]:
    """What the ledger says of each file, by its path among the cases, once all have ended."""
    folders = [folder for folder in CASES.iterdir() if folder.is_dir() and folder.name not in ("order", "shape")]
    shapes = [file for file in (CASES / "shape").iterdir() if file != CASES / PROVEN]
    for path in [*CASES.glob(FIRST), *folders, CASES / "order/excel_rounded_ids.csv"]:
        upload(app, path)
    upload(app, *shapes)
    upload(app, CASES / PROVEN, options=("--control", "3:36.06"))
    for path in CASES.glob(SECOND):
        upload(app, path, options=("--wait",))

    def ended() -> dict[str, Item]:
        cases = (item for item in app.ledger.whole() if item["key"].startswith(PREFIX))
        found = {item["key"].removeprefix(PREFIX): item for item in cases}
        return found if found.keys() >= TAKEN and all(map(ending, found.values())) else {}

    found: dict[str, Item] = until(ended, seconds=420, what="the end of all files")
    return found


def test_each_file_ends_as_it_should__read_refused_or_beside(items: dict[str, Item]) -> None:
    read = {name: item["kpis"] for name, item in items.items() if item["status"] == "published"}
    assert {name: (kpis["row_count"], kpis["total_amount"]) for name, kpis in read.items()} == READ
    refused = {name: item["reasons"][0]["code"] for name, item in items.items() if item["status"] == "rejected"}
    assert refused == REFUSED
    assert items[PROVEN]["control"]["proven"]


def test_one_mail_tells_of_each_file__none_of_companions(app: DeployedApp, items: dict[str, Item]) -> None:
    # The ledger tells the end of a file before the mail about it is sent.
    until(lambda: all(map(app.mails_about, items.values())), seconds=60, what="the mails about all files")
    assert {name: len(app.mails_about(item)) for name, item in items.items()} == dict.fromkeys(TAKEN, 1)


def test_later_upload_is_the_newer__in_one_second_or_with_a_date_in_its_name(
    app: DeployedApp, items: dict[str, Item]
) -> None:
    assert items
    with lake(app.target) as tables:
        question = f"SELECT dms_id, amount FROM gold.fact_transactions WHERE dms_id IN {tuple(CHANGED_IN_ORDER)}"
        found = {row["dms_id"]: row["amount"] for row in tables.ask(question).read_all().to_pylist()}
    assert found == {key: Decimal(amount) for key, amount in CHANGED_IN_ORDER.items()}


def test_audit_agrees__after_all_of_them(app: DeployedApp, items: dict[str, Item]) -> None:
    assert items
    with lake(app.target) as tables:
        assert differences(audit(app.ledger, tables)) == []
