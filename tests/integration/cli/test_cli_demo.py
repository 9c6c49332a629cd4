"""What the demo concludes from ledger and tables: it must fail on any figure that is not as generated."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deployed_stack import DeployedStack, file_item

from assay import target
from devcloud.demo import play
from devcloud.demo.expectation import Group, Model
from devcloud.demo.files import DemoFile, Row
from devcloud.sample.writers import Totals

DAY = date(2019, 1, 31)
ROWS = [Row(n, (n,), 500, "swipe", DAY, 5, True) for n in (71, 72)]
FILE = DemoFile(Path("a.csv"), "", "2020-01-01T00:00:00Z", ROWS, Totals(2, 1000), (2, Decimal("10.00")))
ITEM = file_item("demo/a.csv") | {"control": {"source": "metadata", "proven": True}}


class FakeLake:
    def __init__(self, *rows: dict[str, Any]) -> None:
        self.table = pa.Table.from_pylist(list(rows))

    def ask(self, statement: str) -> pa.RecordBatchReader:
        return self.table.to_reader()


def prepare(stack: DeployedStack) -> play.Stage:
    here = target.find_target(stack=None, region=None, profile=None, project=Path())
    return play.prepare(here, [FILE])


def test_demo_knows_every_figure__first_time(stack: DeployedStack) -> None:
    stage = prepare(stack)

    assert (stage.alone, stage.model.total()) == (True, Group(0, Decimal("0.00")))


def test_demo_starts_from_what_is_there__second_time(stack: DeployedStack) -> None:
    stack.put(ITEM)

    stage = prepare(stack)

    assert (stage.alone, stage.model.total()) == (True, Group(2, Decimal("10.00")))


@pytest.mark.parametrize(
    "other",
    [
        file_item("mine.csv"),
        file_item("demo/a.csv", version="v0", amount="10.01"),
        file_item("demo/a.csv", version="v0") | {"status": "accepted"},
    ],
    ids=["another file", "another content", "still under way"],
)
def test_demo_foretells_nothing__other_files_are_there(stack: DeployedStack, other: dict[str, Any]) -> None:
    stack.put(ITEM, other)

    assert not prepare(stack).alone


def test_demo_is_content__figures_as_generated(stack: DeployedStack, capsys: pytest.CaptureFixture[str]) -> None:
    stage = prepare(stack)

    play.compare(stage, FILE, ITEM, stage.model.take(FILE))

    assert stage.verdict.problems == []
    assert play.finish(stage, told_of="a.csv") == []
    told = capsys.readouterr().out
    assert "  assay passport a.csv                   where each row" in told
    assert f"  assay explain {FILE.rows[0].dms_id:<24} the life of a transaction" in told


@pytest.mark.parametrize(
    ("part", "name", "value", "problem"),
    [
        ("kpis", "row_count", 3, "rows: expected 2, found 3"),
        ("kpis", "total_amount", "10.01", "total amount: expected 10.00, found 10.01"),
        ("kpis", "bad_rows", 1, "rows to be quarantined: expected 0, found 1"),
        ("control", "proven", False, "proven by control totals: expected True, found False"),
        ("silver", "effect_amount", "9.99", "effect: expected 10.00, found 9.99"),
        ("silver", "outcomes", {"updated": 2}, "outcomes: expected"),
        ("silver", "amounts", {"updated": "10.00"}, "amounts: expected"),
    ],
)
def test_demo_fails_and_says_it__one_figure_off(
    stack: DeployedStack, part: str, name: str, value: Any, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = prepare(stack)

    play.compare(stage, FILE, ITEM | {part: ITEM[part] | {name: value}}, Model().take(FILE))

    assert play.finish(stage, told_of="a.csv") != []
    assert f"wrong: transactions/demo/a.csv: {problem}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"transacted_on": DAY, "channel": "swipe", "row_count": 2, "total_amount": Decimal("10.01")}],
        [{"transacted_on": DAY, "channel": "chip", "row_count": 2, "total_amount": Decimal("10.00")}],
    ],
    ids=["group missing", "a cent off", "another group"],
)
def test_demo_fails__gold_has_other_groups(stack: DeployedStack, rows: list[dict[str, Any]]) -> None:
    stage = prepare(stack)
    stage.model.take(FILE)

    lake: Any = FakeLake(*rows)
    play.same_groups(stage, "daily_totals", stage.model.daily(), lake, "", play.by_day)

    assert stage.verdict.problems
