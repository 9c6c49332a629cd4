"""The definition as it is deployed."""

from __future__ import annotations

from devcloud.local.stepfunctions import substitute


def test_substitute_replaces_all_and_only_named__several_places() -> None:
    assert (
        substitute('{"a": "${Job}", "b": "${Job}-${Other}"}', {"Job": "j", "Count": 3})
        == '{"a": "j", "b": "j-${Other}"}'
    )
