"""The demo's broken file is taken, each of its rules told; its wrong total is refused with both figures."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from admission import Inspection, inspect_file
from judging.reconcile import Policy

from devcloud.demo.files import BAD_ROWS_PER_RULE, DemoFile, generate
from devcloud.sample import broken


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, DemoFile]:
    return {file.path.name: file for file in generate(tmp_path_factory.mktemp("demo"))}


def inspected(file: DemoFile) -> Inspection:
    content, (rows, amount) = Path(file.path).read_bytes(), file.control
    return inspect_file(
        file.key,
        io.BytesIO(content),
        last_modified_at=datetime(2026, 1, 1, tzinfo=UTC),
        metadata={"row-count": str(rows), "total-amount": str(amount)},
        read_side_car=lambda: None,
        learned=lambda: None,
        policy=Policy(maximum_bad_share=Decimal("0.5"), minimum_rows=1),
        reopen=lambda: io.BytesIO(content),
    )


def test_broken_file_is_accepted_with_its_rows_by_rule__demo(files: dict[str, DemoFile]) -> None:
    found = inspected(files["some-broken-rows.csv"])
    assert found.reasons == []
    assert found.kpis is not None
    assert found.kpis.broken_rules == dict.fromkeys(broken.RULES, BAD_ROWS_PER_RULE)


def test_good_files_are_accepted_without_a_warning__demo(files: dict[str, DemoFile]) -> None:
    found = [inspected(files[name]) for name in ("increment.csv", "increment.parquet")]
    assert [(each.reasons, each.warnings) for each in found] == [([], []), ([], [])]


def test_wrong_total_is_refused_with_the_difference__demo(files: dict[str, DemoFile]) -> None:
    [reason] = inspected(files["wrong-total.csv"]).reasons
    assert (reason.code, "the difference is -0.01" in reason.text) == ("total_amount_mismatch", True)
