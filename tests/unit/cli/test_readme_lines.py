"""Each command of the README is there, takes its options, or says that it needs more than a laptop."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
from readme_commands import ROOT, blocks, command_of, is_marked
from typer import Context

from assay.cli import app

COMMAND: Any = typer.main.get_command(app)
LINES = [line for block in blocks() for line in block]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
LINKS = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize("line", [line for line in LINES if not is_marked(line)])
def test_line_is_understood__runs_on_a_laptop(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(command_of(line))
    for file in (word for word in words if word.endswith(".csv")):
        Path(file).touch()
    if words[0] == "make":
        assert set(words[1:]) <= TARGETS
    elif words[0] == "echo":
        assert words[-2] == ">"
    elif words[0] == "python3":
        assert any(f"-o {Path(words[1]).parent}" in other for other in LINES)  # which a line before writes
    else:
        assert words[0] == ".venv/bin/assay"
        parse(words[1:])


@pytest.mark.parametrize("line", [line for line in LINES if is_marked(line) and line.startswith("assay")])
def test_line_is_understood__needs_aws(line: str) -> None:
    parse(shlex.split(command_of(line))[1:])


def parse(words: list[str]) -> None:
    """Raise for an option or an argument that the command does not know."""
    command = COMMAND
    while words and hasattr(command, "commands") and words[0] in command.list_commands(Context(command)):
        command, words = command.get_command(Context(command), words[0]), words[1:]
    command.make_context("assay", words)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/commands.md"])
def test_links_lead_somewhere__in_the_project(name: str) -> None:
    document = ROOT / name
    missing = [link for link in LINKS.findall(document.read_text()) if not (document.parent / link).exists()]
    assert missing == []


def test_picture_of_the_report_is_small_enough_to_keep() -> None:
    picture = (ROOT / "docs" / "pictures" / "report.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 300_000


def test_picture_is_of_the_project_and_asks_no_server() -> None:
    svg = (ROOT / "docs" / "pictures" / "passport.svg").read_text()
    assert "Passport transactions/demo/increment.csv" in svg.replace("&#160;", " ")
    assert re.findall(r"https?://[^\"' )]+", svg) == ["http://www.w3.org/2000/svg"]


def test_licence_is_the_declared_one() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "Copyright the Assay authors" in text


@pytest.mark.parametrize("name", ["checks", "nightly"])
def test_workflow_runs_what_the_makefile_has(name: str) -> None:
    text = (ROOT / ".github" / "workflows" / f"{name}.yml").read_text()
    called = [word for line in re.findall(r"run: make ([a-z -]+)", text) for word in line.split()]
    assert called
    assert set(called) <= TARGETS
