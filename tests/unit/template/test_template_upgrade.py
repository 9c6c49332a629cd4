"""`docs/upgrading.md` names what a stack keeps, and the parameters and outputs that it has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sam_template import written

PAGE = (Path(__file__).parents[3] / "docs" / "upgrading.md").read_text(encoding="utf-8")
KEPT = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}


def names(cells: str) -> list[str]:
    return re.findall(r"`(\w+)`", cells)


def test_page_names_what_is_kept__all_of_it() -> None:
    table = PAGE.partition("| resource | holds |")[2].partition("\n\n")[0]
    told = [name for line in table.splitlines()[2:] for name in names(line.split("|")[1])]
    resources = written()["Resources"]
    assert told == [name for name, each in resources.items() if each.get("UpdateReplacePolicy") == "Retain"]
    assert all(resources[name].items() >= KEPT.items() for name in told)


@pytest.mark.parametrize("section", ["Parameters", "Outputs"])
def test_page_names_the_interface__so_that_none_is_renamed_unsaid(section: str) -> None:
    [line] = re.findall(rf"^\| {section.lower()} \| (.+) \|$", PAGE, re.MULTILINE)
    assert names(line) == list(written()[section])
