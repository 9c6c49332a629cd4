"""Every command has examples that it understands, whole sentences, and a documented answer for programs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from documented_answers import schemas
from jsonschema import Draft202012Validator
from typer import Context
from typer.testing import CliRunner

from assay.cli import app
from assay.examples import EXAMPLES

TESTS = Path(__file__).parents[2]
WIDTH = 80


def commands(group: Any, *before: str) -> Iterator[tuple[str, Any]]:
    """Yield each command that can be called, by its name."""
    for name in group.list_commands(Context(group)):
        command = group.get_command(Context(group), name)
        words = (*before, name)
        if hasattr(command, "commands"):
            yield from [(name, command)] if command.invoke_without_command else []
            yield from commands(command, *words)
        else:
            yield " ".join(words), command


ROOT = typer.main.get_command(app)
COMMANDS = dict(commands(ROOT))
EACH = pytest.mark.parametrize("name", COMMANDS)


def options(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts}


@EACH
def test_command_prints_json__every_one(name: str) -> None:
    assert "--json" in options(COMMANDS[name])


def test_answers_are_documented__one_schema_each_and_none_left_over() -> None:
    assert sorted(schemas()) == sorted(COMMANDS)
    for schema in schemas().values():
        Draft202012Validator.check_schema(schema)


@EACH
def test_answer_is_held_to_its_schema__by_some_test(name: str) -> None:
    called = re.compile(rf'conform\(\s*"{name}"')
    assert any(called.search(file.read_text()) for file in TESTS.rglob("test_*.py"))


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_understood__options_and_arguments(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for line, _ in EXAMPLES[name]:
        words = shlex.split(re.split(r" [|>] ", line)[0])
        for file in (word for word in words if "/" not in word and word.endswith((".csv", ".json"))):
            Path(file).touch()
        assert words[0] == "assay"
        command, rest = find(words[1:])
        command.make_context(name, rest)  # raises for an option or an argument that is not known


def find(words: list[str]) -> tuple[Any, list[str]]:
    command: Any = ROOT
    while words and hasattr(command, "commands") and words[0] in command.list_commands(Context(command)):
        command, words = command.get_command(Context(command), words[0]), words[1:]
    return command, words


@pytest.mark.parametrize("name", ["", *COMMANDS, "load", "notebooks", "sample"])
def test_help_ends_with_examples_and_has_no_sentence_cut(name: str) -> None:
    helped = CliRunner().invoke(app, [*name.split(), "--help"], env={"COLUMNS": str(WIDTH)})
    assert helped.exit_code == 0
    assert EXAMPLES[name]
    assert all(f"    {line}" in helped.stdout for line, _ in EXAMPLES[name])
    assert all(len(line) <= WIDTH for line in helped.stdout.splitlines())
    assert not re.search(r"[a-z ]\.\.\.$", helped.stdout, re.MULTILINE)


@EACH
def test_help_names_kinds_of_values__and_no_types_of_the_code(name: str) -> None:
    shown = COMMANDS[name].get_help(Context(COMMANDS[name], info_name=name))

    assert re.findall(r"<(?:str|int|float|path|file|datetime)\b[^>]*>", shown) == []


def test_version_is_that_of_the_package() -> None:
    told = CliRunner().invoke(app, ["--version"])
    assert (told.exit_code, told.stdout) == (0, "assay 0.1.0\n")
