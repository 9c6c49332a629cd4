"""The commands write what the functions make, and say its totals."""

import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest
from documented_answers import conform
from typer.testing import CliRunner, Result

from assay.errors import UserError
from devcloud.sample.cli import app


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exit_code:
        raise result.exception or AssertionError(result.output)
    return result


def lines_of(path: Path) -> list[str]:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode().splitlines()


def test_history_tells_and_writes_control_totals__when_asked(tmp_path: Path) -> None:
    path = tmp_path / "history.csv.gz"
    told = conform("sample history", run("history", path, "--rows", 2000, "--seed", 9, "--control", "--json").stdout)
    total = sum(Decimal(line.split(",")[4].replace("$", "")) for line in lines_of(path)[1:])
    assert told == {"file": str(path), "row_count": 2000, "total_amount": str(total)}
    control = json.loads((tmp_path / "history.csv.gz.control.json").read_text())
    assert control == {"row_count": 2000, "total_amount": str(total)}


def test_history_spans_what_is_asked__from_a_day_on(tmp_path: Path) -> None:
    path = tmp_path / "days.csv"
    run("history", path, "--rows", 500, "--from", "2015-06-30", "--days", 2, "--clients", 7)
    rows = [line.split(",") for line in lines_of(path)[1:]]
    assert {row[1][:10] for row in rows} == {"2015-06-30", "2015-07-01"}
    assert len({row[2] for row in rows}) == 7
    assert not (tmp_path / "days.csv.control.json").exists()


def test_increment_follows_the_history__named_by_the_same_options(tmp_path: Path) -> None:
    history, increment = tmp_path / "history.csv", tmp_path / "increment.csv"
    run("history", history, "--rows", 3000, "--seed", 9, "--days", 30)
    base = ("--base-rows", 3000, "--base-seed", 9, "--days", 30)
    output = run("increment", increment, "--rows", 100, "--changed", 20, "--repeated", 50, *base).stdout
    before = {line.split(",")[0]: line for line in lines_of(history)}
    rows = {line.split(",")[0]: line for line in lines_of(increment)[1:]}
    assert sum(before.get(key) == line for key, line in rows.items()) == 50
    assert len(rows.keys() & before.keys()) == 70
    assert "100 rows" in output


def test_broken_writes_each_rule__once_by_default(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    run("broken", path, "--rows", 50, "--base-rows", 1000)
    text = path.read_text()
    assert len(lines_of(path)) == 51
    assert ",spill" in text
    assert text.count('"') % 2 == 1


def test_broken_writes_only_the_rules_named__and_refuses_others(tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    run("broken", path, "--rows", 50, "--base-rows", 1000, "--rule", "too_many_fields", "--each", 3)
    assert sum(line.endswith(",spill") for line in lines_of(path)) == 3
    with pytest.raises(UserError, match="no such rule: too_nice"):
        run("broken", path, "--rule", "too_nice")
    with pytest.raises(UserError, match="do not fit"):
        run("broken", path, "--rows", 5)


@pytest.mark.parametrize("name", ["rows.txt", "rows"])
def test_commands_refuse__names_of_no_kind(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="rows"):
        run("history", tmp_path / name, "--rows", 10)


def test_increment_and_broken_tell_what_they_wrote__for_programs(tmp_path: Path) -> None:
    increment = run("increment", tmp_path / "i.csv", "--rows", 20, "--base-rows", 1000, "--json").stdout
    broken = run("broken", tmp_path / "b.csv", "--rows", 50, "--base-rows", 1000, "--json").stdout

    assert conform("sample increment", increment)["row_count"] == 20
    assert conform("sample broken", broken)["row_count"] == 50
