"""How events find their rules, and what their targets get."""

from __future__ import annotations

from devcloud.local.events import alternatives, message


def test_alternatives_expand_or__nested_in_the_detail() -> None:
    pattern = {
        "source": ["aws.states"],
        "detail": {"arn": ["a"], "$or": [{"status": ["ABORTED"]}, {"status": ["FAILED"], "error": ["E"]}]},
    }
    assert list(alternatives(pattern)) == [
        {"source": ["aws.states"], "detail": {"arn": ["a"], "status": ["ABORTED"]}},
        {"source": ["aws.states"], "detail": {"arn": ["a"], "status": ["FAILED"], "error": ["E"]}},
    ]


def test_alternatives_keep_a_pattern__without_or() -> None:
    assert list(alternatives({"source": ["a"]})) == [{"source": ["a"]}]


def test_message_fills_the_template__input_transformer() -> None:
    transformer = {"InputPathsMap": {"who": "$.detail.name"}, "InputTemplate": '"<who> ended"'}
    assert message({"InputTransformer": transformer}, {"detail": {"name": "x1"}}) == '"x1 ended"'


def test_message_is_the_event__no_transformer() -> None:
    assert message({}, {"detail": {"name": "x1"}}) == '{"detail": {"name": "x1"}}'
