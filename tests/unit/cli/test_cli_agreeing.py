"""One way of asking: what was shown is what is agreed on."""

from __future__ import annotations

from itertools import count

import pytest

from assay import options


@pytest.mark.parametrize(
    ("runs", "yes", "agreed_on", "asked"),
    [([1, 1], False, 0, 1), ([1, 2, 2, 2], False, 1, 2), ([1, 2], True, 0, 0)],
    ids=["nothing came between", "a run came between", "nobody is asked"],
)
def test_person_agrees_on_what_was_shown_last(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    runs: list[int],
    yes: bool,
    agreed_on: int,
    asked: int,
) -> None:
    questions: list[str] = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda question, **_: not questions.append(question))
    shown, run = count(), iter(runs)

    assert options.agree_on(lambda: next(shown), "Close it?", run=lambda: next(run), yes=yes) == agreed_on
    assert questions == ["Close it?"] * asked
    assert ("Another run has been published meanwhile" in capsys.readouterr().err) == (asked == 2)
