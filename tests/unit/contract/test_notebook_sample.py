"""The sample that the notebooks show is what its builder makes, and has each kind of row in it."""

from __future__ import annotations

import json
from typing import Any

import notebook_sample
import pytest
from contract.rules import rules_of
from contract.subjects import TRANSACTIONS

CONTENTS = notebook_sample.contents()
ITEMS: dict[str, dict[str, Any]] = {
    item["file_id"]: item for item in map(json.loads, CONTENTS["items.jsonl"].splitlines())
}


@pytest.mark.parametrize("name", CONTENTS)
def test_sample_is_committed_as_it_is_built(name: str) -> None:
    assert (notebook_sample.FOLDER / name).read_bytes() == CONTENTS[name]


def test_sample_has_no_other_files() -> None:
    assert {path.name for path in notebook_sample.FOLDER.iterdir()} == set(CONTENTS)


def test_increment_is_of_about_a_hundred_rows__with_broken_ones_of_most_rules() -> None:
    kpis = ITEMS["increment"]["kpis"]
    assert kpis["row_count"] == 99
    assert kpis["bad_rows"] == len(notebook_sample.BROKEN) > len(rules_of(TRANSACTIONS)) / 2
