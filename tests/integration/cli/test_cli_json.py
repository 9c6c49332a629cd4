"""What each command prints for programs is as docs/commands.md has it, and alone on stdout."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from deployed_stack import NAMES, DeployedStack, file_item, layer_items
from documented_answers import conform

from assay import smoke
from assay.passport import Check
from assay.undo import cli as undo
from assay.undo.preview import Preview
from devcloud.demo import play
from devcloud.local import deploy as local_deploy
from devcloud.local import lifecycle

FAILED = {"stage": "silver", "reason": "x", "attempts": 3, "at": "2026-11-24T09:00:00.000000Z"}
CLOUD = SimpleNamespace(endpoint="http://127.0.0.1:1", pid=12, port=1)


def told(stack: DeployedStack, *words: str, code: int = 0) -> str:
    result = stack.assay(*words, "--json")
    assert result.exit_code == code, result.output
    return result.stdout


def test_up_down_and_deploy__local_cloud(bare: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "start", lambda project, port: CLOUD)
    monkeypatch.setattr(lifecycle, "stop", lambda project: True)
    monkeypatch.setattr(local_deploy, "deploy", lambda project, cloud, on_line: on_line("a line of sam"))

    assert conform("up", told(bare, "up"))["pid"] == 12
    assert conform("down", told(bare, "down")) == {"stopped": True}
    assert conform("deploy", told(bare, "deploy"))["stack"] == "assay-local"


@pytest.mark.parametrize(("problems", "code"), [([], 0), (["Gold's facts: expected 1, found 2"], 1)])
def test_demo__everything_right_or_a_figure_wrong(
    bare: DeployedStack, monkeypatch: pytest.MonkeyPatch, problems: list[str], code: int
) -> None:
    def play_it(project: Path) -> list[str]:
        print("a screen of the demo")
        return problems

    monkeypatch.setattr(play, "play", play_it)
    assert conform("demo", told(bare, "demo", code=code)) == {"passed": not problems, "problems": problems}


def test_smoke__a_comparison_differs(stack: DeployedStack, monkeypatch: pytest.MonkeyPatch) -> None:
    def try_it(*_: Any, **__: Any) -> smoke.Smoke:
        print("progress")
        checks = [Check("rows", 1, 1), Check("amount", Decimal("1.00"), Decimal("1.01"))]
        return smoke.Smoke(checks, 0, Decimal("0.07"))

    monkeypatch.setattr(smoke, "smoke", try_it)
    answer = conform("smoke", told(stack, "smoke", code=1))
    assert (answer["agrees"], answer["dpu_hours"], answer["dollars"]) == (False, "0.07", "0.03")


def test_upload__one_of_two_is_no_data(stack: DeployedStack, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("dms_id,amount,date\n")
    (tmp_path / "README.md").write_text("x")

    answer = conform("upload", told(stack, "upload", "a.csv", "README.md", code=1))

    assert [(each["key"], each["status"]) for each in answer["sent"]] == [("transactions/a.csv", "uploaded")]
    assert [each["file"] for each in answer["unsent"]] == ["README.md"]


def test_status_passport_and_watch__a_published_and_a_rejected_file(stack: DeployedStack) -> None:
    stack.put(file_item(), file_item("b.csv") | {"status": "rejected", "reasons": [{"code": "x", "text": "no rows"}]})

    assert {item["key"] for item in conform("status", told(stack, "status"))} == {
        "transactions/a.csv",
        "transactions/b.csv",
    }
    assert all(check["equal"] for check in conform("passport", told(stack, "passport", "a.csv"))["checks"])
    lines = told(stack, "watch", "a.csv", "b.csv", code=1).splitlines()
    assert [conform("watch", line)["result"] for line in lines] == ["2 inserted; 1 warning", "no rows"]


def test_query_and_audit__small_tables(stack: DeployedStack) -> None:
    stack.put(*layer_items(rows=2, silver="10.00"))
    stack.write("gold.fact_transactions", (1, Decimal("12.50")))

    assert conform("query", told(stack, "query", "SELECT amount FROM fact_transactions")) == [{"amount": "12.50"}]
    assert conform("audit", told(stack, "audit"))["agrees"]


def test_resume__looked_at_and_done(stack: DeployedStack) -> None:
    item = file_item("a.csv") | {"status": "received", "failed": FAILED}
    stack.put(item)

    answer = conform("resume", told(stack, "resume", "--failed", "--dry-run"))

    assert [(each["key"], each["stage"], each["resumed"]) for each in answer["files"]] == [
        ("transactions/a.csv", "kpi", False)
    ]
    assert conform("resume", told(stack, "resume", "--layer", "gold", "--yes")) == {"closes_breaker": None, "files": []}


@pytest.mark.parametrize("command", ["undo", "redo"])
def test_undo_and_redo__dry_run(stack: DeployedStack, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    decided = {"in_effect": command == "undo", "decisions": [] if command == "undo" else [{"in_effect": False}]}
    stack.put(file_item() | {"subject": "transactions"} | decided)
    group = {"transacted_on": "2026-06-01", "channel": "chip", "rows_before": 2, "rows_after": 1}
    amounts = {"before": Decimal("2.00"), "after": Decimal("1.00")}

    def seen(target: Any, ledger: Any, file: dict[str, Any], **_: Any) -> Preview:
        moved = [{"dms_id": 1, "before": Decimal("1.00"), "after": None}]
        kept = [("transactions/b.csv", 3)]
        return Preview(
            file, 4, {"deleted": 1}, Decimal("2.00"), Decimal("1.00"), kept, [group | amounts], moved, 5, False, 0
        )

    monkeypatch.setattr(undo, "_shown", seen)
    printed = told(stack, command, "a.csv", "--dry-run")
    answer = conform("undo", printed) if command == "undo" else conform("redo", printed)
    assert (answer["preview"]["effect_amount"], answer["result"]) == ("-1.00", None)


@pytest.mark.parametrize(
    "words", [("undo", "a.csv"), ("redo", "a.csv"), ("resume", "a.csv"), ("expect", "transactions/x", "a")]
)
def test_json_asks_nobody__neither_look_nor_yes(stack: DeployedStack, words: tuple[str, ...]) -> None:
    result = stack.assay(*words, "--json")

    assert (result.exit_code, result.stdout) == (2, "")
    assert "--json asks nobody" in result.stderr


def test_load_declare__two_files(stack: DeployedStack) -> None:
    for number in (1, 2):
        key = f"transactions/full/LOAD0000000{number}.csv"
        stack.client("s3").put_object(Bucket=NAMES["BronzeBucket"], Key=key, Body=b"x")

    printed = told(stack, "load", "declare", "full", "--start", "2026-11-22T04:00:00Z", "--name", "my load")
    answer = conform("load declare", printed)

    assert (answer["load"], len(answer["files"]), answer["marker"]["status"]) == ("my load", 2, "uploaded")


def test_expect__dry_run(stack: DeployedStack) -> None:
    words = ("expect", "transactions/london", "day_{date}.csv", "--by", "07:30", "--dry-run")

    answer = conform("expect", told(stack, *words))

    assert (answer["written"], len(answer["due_in_a_week"])) == (False, 7)
    assert json.loads(told(stack, *words)) == answer
