"""`docs/extending.md` is followed to the letter: its lines go into a copy of the project, where its commands run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from changed_contract import KPI, add_column, add_rule, copied
from extension_guide import ROOT, Change, Extension, extensions

from assay.errors import UserError
from devcloud.local.deploy import refuse_stale_scripts

NOT_COPIED = (".venv", ".git", ".assay", ".aws-sam", ".*_cache", "__pycache__", ".hypothesis", "benchmarks")
GUIDE = extensions()
Printed = dict[str, list[tuple[int, str]]]


def run(command: str, tree: Path) -> tuple[int, str]:
    """Run a block of commands in a copy of the project, the exit code being that of the first that fails."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
    done = subprocess.run(
        ["bash", "-e", "-c", command], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("extended") / "project"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
    (copy / ".venv").symlink_to(ROOT / ".venv")
    return copy


@pytest.fixture(scope="module")
def printed(tree: Path) -> Printed:
    """Follow the whole guide in one copy of the project; return what each section's commands print."""
    found: Printed = {}
    for heading, extension in GUIDE.items():
        extension.apply(tree)
        found[heading] = [run(command, tree) for command, _ in extension.commands]
    return found


def test_guide_shows_one_of_each__with_lines_and_a_command() -> None:
    assert list(GUIDE) == ["A column", "A rule", "A dimension", "An aggregate", "A parameter", "An alarm"]
    assert all(extension.changes and extension.commands for extension in GUIDE.values())


@pytest.mark.parametrize(("heading", "extension"), GUIDE.items(), ids=list(GUIDE))
def test_guide_is_true__its_lines_fit_and_its_commands_print_what_it_says(
    printed: Printed, heading: str, extension: Extension
) -> None:
    for (code, text), (command, expected) in zip(printed[heading], extension.commands, strict=True):
        assert code == 0, f"{command}\n{text}"
        assert text == expected or not expected


@pytest.mark.usefixtures("printed")
def test_jobs_with_the_contract_as_it_was_are_not_deployed(tree: Path) -> None:
    with pytest.raises(UserError, match=r"glue/scripts/silver.py, glue/scripts/gold.py") as refused:
        refuse_stale_scripts(tree)
    assert "make export && assay deploy" in refused.value.do
    refuse_stale_scripts(ROOT)


@pytest.mark.parametrize(("heading", "by_tests"), [("A column", add_column), ("A rule", add_rule)])
def test_lines_are_those_that_both_engines_are_tested_with(
    tmp_path: Path, heading: str, by_tests: Callable[[Path], None]
) -> None:
    guided, tested = (copied(tmp_path / name, KPI) for name in ("guided", "tested"))
    change = GUIDE[heading].changes[0]
    change.apply(guided)
    by_tests(tested)
    assert (guided / change.path).read_text() == (tested / change.path).read_text()


def test_change_is_refused__its_lines_are_not_there_or_there_twice(tmp_path: Path) -> None:
    change = Change.of("--- file\n one\n-two\n+three\n")
    for text in ("one\n", "one\ntwo\none\ntwo\n"):
        (tmp_path / "file").write_text(text)
        with pytest.raises(ValueError, match="file has"):
            change.apply(tmp_path)
    (tmp_path / "file").write_text("zero\none\ntwo\n")
    change.apply(tmp_path)
    assert (tmp_path / "file").read_text() == "zero\none\nthree\n"
