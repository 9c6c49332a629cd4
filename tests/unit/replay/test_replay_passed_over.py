"""A replay says which files it passes over because nobody ever decided on them."""

import pytest

from assay.replay import items as choosing
from assay.replay.rebuild import tell_passed_over


def test_passed_over_files_are_named_by_their_ids__few(capsys: pytest.CaptureFixture[str]) -> None:
    tell_passed_over([{"key": "transactions/a\nb.csv", "file_id": "f" * 64}])

    told = capsys.readouterr().err
    assert told == (
        f"passed over: transactions/a<U+000A>b.csv never got further than received: assay status {'f' * 64}\n"
    )


def test_passed_over_files_are_counted__many(capsys: pytest.CaptureFixture[str]) -> None:
    tell_passed_over([{"key": f"transactions/{number}.csv", "file_id": str(number)} for number in range(50)])

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == choosing.SHOWN + 1
    assert lines[-1] == f"passed over: {50 - choosing.SHOWN} more of the kind: assay status"


def test_nothing_is_said__no_such_file(capsys: pytest.CaptureFixture[str]) -> None:
    tell_passed_over([])

    assert capsys.readouterr().err == ""
