"""How events find their rules, and what their targets get."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from devcloud.local import events
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


@pytest.mark.parametrize(("state", "calls"), [("ENABLED", 1), ("DISABLED", 0)])
def test_event_calls_the_function_that_an_enabled_rule_names__without_waiting(
    monkeypatch: pytest.MonkeyPatch, state: str, calls: int
) -> None:
    called: list[tuple[Any, ...]] = []
    function = "arn:aws:lambda:us-east-1:123456789012:function:report"
    pattern = SimpleNamespace(dump=lambda: json.dumps({"detail": {"state": ["SUCCEEDED"]}}))
    rule = SimpleNamespace(
        state=state, scheduled_expression=None, event_pattern=pattern, targets=[{"Arn": function, "Id": "f"}]
    )
    bus = SimpleNamespace(event_buses={"default": SimpleNamespace(rules={"r": rule})})
    backend = SimpleNamespace(invoke=lambda *given: called.append(given))
    monkeypatch.setattr(events, "events_backends", {"123456789012": {"us-east-1": bus}})
    monkeypatch.setattr(events, "get_backend", lambda account, region: backend)
    job = "arn:aws:glue:us-east-1:123456789012:job/gold"
    for ended in ("FAILED", "SUCCEEDED"):
        detail = {"state": ended}
        events.publish(source="aws.glue", detail_type="Glue Job State Change", detail=detail, resource=job)
    assert len(called) == calls
    for arn, _, body, headers, _ in called:
        assert (arn, headers) == (function, {"X-Amz-Invocation-Type": "Event"})
        assert json.loads(body)["detail"] == {"state": "SUCCEEDED"}
