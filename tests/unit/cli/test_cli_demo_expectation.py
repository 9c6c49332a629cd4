"""The model that foretells the demo, held against hand-made files and against the files themselves."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcloud.demo.expectation import Expected, Group, Model
from devcloud.demo.files import DemoFile, Row, generate
from devcloud.sample.writers import Totals

DAY = date(2019, 1, 31)


def row(dms_id: int, cents: int, *, good: bool = True) -> Row:
    return Row(dms_id, (dms_id, cents), cents, "chip", DAY, 5, good)


def file(*rows: Row, day: int = 1) -> DemoFile:
    return DemoFile(Path(f"{day}.csv"), "", f"2020-01-{day:02d}T00:00:00Z", list(rows), Totals(), (0, Decimal(0)))


def counted(expected: Expected) -> dict[str, int]:
    return {outcome: number for outcome, number in expected.outcomes.items() if number}


def test_model_inserts_updates_and_keeps__later_file() -> None:
    model = Model()
    model.take(file(row(1, 100), row(2, 200)))

    expected = model.take(file(row(1, 150), row(2, 200), row(3, 7), row(4, 9, good=False), day=2))

    assert counted(expected) == {"updated": 1, "unchanged": 1, "inserted": 1, "quarantined": 1}
    assert expected.effect_amount == Decimal("0.57")
    assert expected.amounts["quarantined"] == Decimal("0.09")
    assert model.total() == Group(3, Decimal("3.57"))
    assert model.daily() == {(DAY, "chip"): Group(3, Decimal("3.57"))}
    assert model.monthly_merchants() == {(date(2019, 1, 1), 5): Group(3, Decimal("3.57"))}


def test_model_lets_the_later_extract_win__earlier_one_comes_second() -> None:
    model = Model()
    model.take(file(row(1, 150), row(2, 200), day=2))

    expected = model.take(file(row(1, 100), row(2, 200), day=1))

    assert counted(expected) == {"stale": 1, "unchanged": 1}
    assert model.total() == Group(2, Decimal("3.50"))


def test_model_takes_the_last_row__key_twice_in_a_file() -> None:
    model = Model()

    expected = model.take(file(row(1, 100), row(1, 50)))

    assert counted(expected) == {"superseded": 1, "inserted": 1}
    assert expected.effect_amount == Decimal("0.50")


files = st.lists(
    st.tuples(st.integers(1, 9), st.lists(st.builds(row, st.integers(1, 4), st.integers(-3, 3), good=st.booleans()))),
    max_size=5,
)


@given(files)
def test_model_conserves_rows_and_cents__any_files(files: list[tuple[int, list[Row]]]) -> None:
    model = Model()
    expected = [model.take(file(*rows, day=day)) for day, rows in files]

    assert [sum(one.outcomes.values()) for one in expected] == [len(rows) for _, rows in files]
    assert sum((one.effect_amount for one in expected), Decimal(0)) == model.total().amount


@pytest.fixture(scope="module")
def demo_files(tmp_path_factory: pytest.TempPathFactory) -> list[DemoFile]:
    return generate(tmp_path_factory.mktemp("demo"))


def test_demo_files_hold_what_their_stories_say__first_demo(demo_files: list[DemoFile]) -> None:
    model = Model()
    history, csv, parquet, broken, wrong = demo_files

    assert counted(model.take(history)) == {"inserted": 50_000}
    assert counted(model.take(csv)) == {"unchanged": 600, "updated": 900, "inserted": 2_500}
    # Six of its rows that repeat the history find that the CSV has changed them.
    assert counted(model.take(parquet)) == {"unchanged": 294, "updated": 506, "inserted": 1_200}
    assert counted(model.take(broken)) == {"quarantined": 36, "inserted": 364}
    assert (wrong.rejected, wrong.control[1] - Decimal(wrong.totals.total_amount)) == (True, Decimal("0.01"))


def test_demo_files_change_nothing__second_demo(demo_files: list[DemoFile]) -> None:
    model = Model()
    for file in demo_files[:4]:
        model.take(file)
    before = model.total()

    again = [model.take(file) for file in demo_files[:4]]

    assert model.total() == before
    assert {outcome for expected in again for outcome in counted(expected)} == {"unchanged", "stale", "quarantined"}
    assert [expected.effect_amount for expected in again] == [Decimal("0.00")] * 4


def test_demo_files_agree_with_their_totals__cents_of_every_row(demo_files: list[DemoFile]) -> None:
    for file in demo_files[:4]:
        assert sum(row.cents for row in file.rows) == file.totals.total_cents
