"""Every mail points into the runbook, and the runbook answers every one."""

from __future__ import annotations

import re
from typing import get_args, get_type_hints

from contract.items import FileFailure, Notice
from state_machine import ROOT, text

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
SECTIONS = set(re.findall(r"^## (.+)$", RUNBOOK, flags=re.MULTILINE))
POINTER = re.compile(r'docs/runbook\.md, section "?([A-Z][A-Za-z -]+?)[").]')


def first_cells(tables: str) -> list[str]:
    """Return the codes in the first cells of Markdown tables; a cell may name several."""
    cells = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", tables, flags=re.MULTILINE)
    return [code for cell in cells for code in re.findall(r"`(\w+)`", cell)]


def test_runbook_has_the_section_to_which_each_mail_points() -> None:
    others = ("template.yaml", "functions/kpi/cloud/mail.py", "glue/lake/changes.py")
    sources = [text(), *((ROOT / other).read_text(encoding="utf-8") for other in others)]

    pointed = {section for source in sources for section in POINTER.findall(source)}

    assert pointed == SECTIONS


def test_runbook_answers_each_reason_code_of_the_contract() -> None:
    contract = (ROOT / "docs" / "data-contract.md").read_text(encoding="utf-8")
    table = contract.partition("### Why a file is rejected")[2].partition("A rejected file changes nothing")[0]
    codes = first_cells(table)

    answered = first_cells(RUNBOOK)

    assert len(codes) > 20
    assert [code for code in answered if code in codes] == codes


def test_runbook_answers_each_stage_at_which_a_file_fails() -> None:
    stages = get_args(get_args(get_type_hints(FileFailure, include_extras=True)["stage"])[0])

    assert stages == ("kpi", "silver", "gold")
    assert {stage for stage in stages if f"tage `{stage}`" not in RUNBOOK} == set()


def test_runbook_lists_each_subject() -> None:
    subjects = re.findall(r'"subject": "\[assay \$\{Stage\}\] ([^"]+)"', text())
    subjects += [f"a file was {ending}" for ending in get_args(get_type_hints(Notice)["ending"])]

    assert "[assay ${Stage}] a file was {}" in text()
    assert len(subjects) == 11
    assert [subject for subject in subjects if f"`… {subject}`" not in RUNBOOK] == []


def test_runbook_says_in_each_section_whether_money_moved_and_gives_a_command() -> None:
    parts = re.split(r"^## (.+)$", RUNBOOK, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))

    assert sections.keys() == SECTIONS
    assert [name for name, told in sections.items() if not re.search(r"\bmoney\b", told, re.IGNORECASE)] == []
    assert [name for name, told in sections.items() if not re.search(r"^assay |`assay \w", told, re.MULTILINE)] == []
