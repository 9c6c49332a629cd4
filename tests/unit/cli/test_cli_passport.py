"""What a passport says of how a file is written and ordered."""

from typing import Any

import pytest
from rich.console import Console

from assay.passport import render

KPIS = {"row_count": 1, "total_amount": "1.00", "distinct_keys": 1, "duplicate_keys": 0}


def shown(shape: dict[str, Any], *, short: bool = True, **more: Any) -> list[str]:
    """Return the lines of a passport, each as its words."""
    item = {"key": "transactions/a.csv", "status": "published", "format": shape, "kpis": KPIS, **more}
    console = Console(width=200, no_color=True)
    with console.capture() as capture:
        console.print(render(item, short=short))
    return [" ".join(line.split()) for line in capture.get().splitlines()]


USUAL = "written with fields separated by commas, amounts as 1,234.56, the month first in dates with slashes"


@pytest.mark.parametrize(
    ("shape", "line"),
    [
        ({"kind": "csv"}, USUAL),
        (
            {"kind": "csv.gz", "delimiter": ";", "decimal": ",", "date_order": "day-first"},
            "written with fields separated by semicolons, amounts as 1.234,56, the day first in dates with slashes",
        ),
        (
            {"kind": "parquet", "types": ["int64", "string"]},
            "written with amounts as 1,234.56, the month first in dates with slashes",
        ),
        (
            {"kind": "jsonl", "encodings": {"amount": "decimal 2"}},
            "written with amount in decimal 2, amounts as 1,234.56, the month first in dates with slashes",
        ),
    ],
)
def test_passport_says_how_the_file_is_written__text(shape: dict[str, Any], line: str) -> None:
    assert line in shown(shape)


def test_passport_says_nothing_of_writing__parquet_without_text() -> None:
    assert not any(line.startswith("written with") for line in shown({"kind": "parquet", "types": ["int64"]}))


@pytest.mark.parametrize(
    ("shape", "more", "line"),
    [
        ({"kind": "csv", "ordered_by": "commit_ts"}, {}, "ordered by its column commit_ts"),
        ({"kind": "csv"}, {"as_of_at": "2024-01-01T00:00:00.000000Z"}, "ordered by as-of"),
        ({"kind": "csv"}, {}, "ordered by the instant at which it was written"),
    ],
)
def test_passport_names_what_orders_the_file__each(shape: dict[str, Any], more: dict[str, str], line: str) -> None:
    assert line in shown(shape, **more)


def test_passport_names_the_checksum_of_the_object__one_that_s3_knows() -> None:
    known = {"checksum": {"algorithm": "SHA256", "value": "s-2"}, "changes": []}
    assert "checksum SHA256 s-2" in shown({"kind": "csv"}, short=False, **known)
    assert not any(line.startswith("checksum") for line in shown({"kind": "csv"}, short=False, changes=[]))


def test_passport_shows_what_became_of_quarantined_rows__they_add_up() -> None:
    outcomes = {"quarantined": 5, "inserted": 1}
    silver = {"outcomes": outcomes, "amounts": {"inserted": "1.00"}, "effect_amount": "1.00"}
    kpis = {**KPIS, "row_count": 6}
    lines = shown({"kind": "csv"}, silver=silver, kpis=kpis, repaired={"by": ["d"], "repaired": 3, "waived": 1})
    told = [line.replace("│", "").split() for line in lines]
    assert [[words[0], words[1]] for words in told if words and words[0] in ("repaired", "waived", "open")] == [
        ["repaired", "3"],
        ["waived", "1"],
        ["open", "1"],
    ]
    assert "✓ quarantined rows = repaired + waived + open: 5 = 5" in lines
