"""The parts of the Silver job that need no Spark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from layer_notebooks import SILVER

from glue.lake.compaction import small_files
from glue.lake.failures import AuditFailed, FileBroken, require
from glue.lake.ledger import instant_text
from glue.lake.run import arguments
from glue.lake.tables import cents
from glue.reading.figures import LAST_US, check_against_kpis, in_key_order, instant_of, key_range


def test_cents_are_two_decimals__nothing_negative_and_large() -> None:
    amounts = [None, Decimal("-0.1"), Decimal(12), Decimal("9999999999999999.99")]
    assert [cents(amount) for amount in amounts] == ["0.00", "-0.10", "12.00", "9999999999999999.99"]


def test_instant_text_is_utc_and_sorts__other_zone() -> None:
    noon = datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert instant_text(noon) == "2024-01-01T10:00:00.000000Z" < instant_text(datetime.now(UTC))


def test_key_range_spans_all_files__one_without_a_good_key() -> None:
    nothing = {"low": None, "high": None}
    assert key_range([{"low": 5, "high": 9}, nothing, {"low": -1, "high": 5}]) == (-1, 9)
    low, high = key_range([nothing])
    assert low > high


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([(1, 4, 5), (0, 1, 3), (2, None, None)], True),  # partition, lowest and highest key
        ([(0, 1, 2), (0, 2, 3), (1, 4, 5)], True),  # two files in one partition
        ([(0, 1, 3), (1, 3, 5)], False),
        ([(0, 1, 2), (1, 3, 4), (0, 5, 6)], False),
        ([], True),
    ],
)
def test_keys_are_in_order__ranges_of_partitions_lie_apart(
    ranges: list[tuple[int, int | None, int | None]], *, expected: bool
) -> None:
    profiles = [{"partition": partition, "low": low, "high": high} for partition, low, high in ranges]
    assert in_key_order(profiles) == expected


def test_require_raises_with_both_figures__they_differ() -> None:
    require("cents", found=1, expected=1)
    with pytest.raises(AuditFailed, match="cents: found 1, expected 2"):
        require("cents", found=1, expected=2)


COUNTED = {
    "row_count": 2, "bad_rows": 1, "unreadable_keys": 0, "unreadable_amounts": 0, "unreadable_dates": 1,
    "negative_amounts": 1, "zero_amounts": 0,
}  # fmt: skip
KPIS = {**COUNTED, "total_amount": "3.00", "first_at": "1970-01-01T00:00:00.000001Z", "last_at": instant_of(LAST_US)}
NO_MONEY = {"file_id": "a", **dict.fromkeys(COUNTED, 0), "total_amount": None, "first_us": None, "last_us": None}
PROFILE = {"file_id": "a", **COUNTED, "total_amount": Decimal("3.00"), "first_us": 1, "last_us": LAST_US + 1}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, 3) for name in COUNTED),
        ("total_amount", Decimal("3.01")),
        *((name, 2) for name in ("first_us", "last_us")),
        *((name, None) for name in ("first_us", "last_us")),
    ],
)
def test_file_is_broken__a_figure_differs_from_the_kpi_functions(name: str, value: object) -> None:
    files = [{"file_id": "a", "kpis": KPIS}]
    check_against_kpis(files, [NO_MONEY, PROFILE, {**PROFILE, "file_id": "b"}])
    with pytest.raises(FileBroken) as broken:
        check_against_kpis(files, [{**PROFILE, name: value}])
    assert broken.value.file_id == "a"


def test_arguments_are_required__and_those_of_glue_passed_over() -> None:
    given = ["--lake_bucket", "l", "--ledger_table", "t", "--silver_database", "s", "--JOB_NAME", "silver"]
    job = arguments(SILVER.LAYER, given)
    assert (job.lake_bucket, job.ledger_table, job.silver_database, job.file_id) == ("l", "t", "s", "")
    with pytest.raises(SystemExit):
        arguments(SILVER.LAYER, given[2:])


@dataclass(frozen=True)
class Snapshot:
    """As much of an Iceberg snapshot as the count of small files reads; it stands for a whole chain."""

    facts: dict[str, str]
    before: Snapshot | None = None

    def summary(self) -> dict[str, str]:
        return self.facts

    def parentId(self) -> Snapshot | None:  # noqa: N802 - Iceberg's name
        return self.before


class Table:
    """A table of which only the chain of snapshots is known; a snapshot is its own id."""

    def __init__(self, *oldest_first: dict[str, str]) -> None:
        self._newest: Snapshot | None = None
        for facts in oldest_first:
            self._newest = Snapshot(facts, self._newest)

    def currentSnapshot(self) -> Snapshot | None:  # noqa: N802 - Iceberg's name
        return self._newest

    def snapshot(self, snapshot: Snapshot) -> Snapshot:
        return snapshot


SMALL = {"added-data-files": "1", "added-files-size": "300000"}
LARGE = {"added-data-files": "2", "added-files-size": "20000000"}
DELETES_MERGED = {"added-delete-files": "1", "removed-delete-files": "10"}
FILES_MERGED = {"added-data-files": "1", "deleted-data-files": "10", "added-files-size": "3000000"}


@pytest.mark.parametrize(
    ("snapshots", "expected"),
    [
        ((), 0),
        ((LARGE, SMALL, SMALL), 2),
        ((SMALL, SMALL, DELETES_MERGED, SMALL), 3),
        ((SMALL, SMALL, FILES_MERGED, SMALL), 1),
        ((SMALL, FILES_MERGED, DELETES_MERGED), 0),
    ],
)
def test_small_files_are_counted_since_data_files_were_rewritten(
    snapshots: tuple[dict[str, str], ...], expected: int
) -> None:
    assert small_files(Table(*snapshots)) == expected
