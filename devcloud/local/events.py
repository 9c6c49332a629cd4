"""Delivers events of the emulated services to the topics and functions that EventBridge rules name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from jsonpath_ng.ext.parser import parse
from moto.awslambda.utils import get_backend
from moto.events.models import EventPattern, Rule, events_backends
from moto.sns.models import sns_backends


def publish(*, source: str, detail_type: str, detail: dict[str, Any], resource: str) -> None:
    """Send one event through the default bus of the resource's account and region."""
    region, account = resource.split(":")[3:5]
    event = {
        "version": "0",
        "id": str(uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [resource],
        "detail": detail,
    }
    rules = events_backends[account][region].event_buses["default"].rules
    for rule in rules.values():
        if rule.state == "ENABLED" and _matches(rule, event):
            _deliver(rule, event)


def _matches(rule: Rule, event: dict[str, Any]) -> bool:
    if rule.scheduled_expression:
        return False  # it waits for a time, not for an event
    pattern = json.loads(rule.event_pattern.dump() or "{}")
    # Until moto knows `$or`: an event matches if it matches one of the patterns that it stands for.
    return any(EventPattern.load(json.dumps(each)).matches_event(event) for each in alternatives(pattern))  # type: ignore[arg-type]


def alternatives(pattern: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the patterns without `$or` that together say the same."""
    choices = pattern.get("$or", [{}])
    plain = {name: value for name, value in pattern.items() if name != "$or"}
    nested = [name for name, value in plain.items() if isinstance(value, dict)]
    for choice in choices:
        expanded = [{**plain, **choice}]
        for name in nested:
            expanded = [{**each, name: inner} for each in expanded for inner in alternatives(plain[name])]
        yield from expanded


def _deliver(rule: Rule, event: dict[str, Any]) -> None:
    # Until moto delivers to topics and functions. Other targets are not used by this application.
    for target in rule.targets:
        arn = target["Arn"]
        region, account = arn.split(":")[3:5]
        if ":sns:" in arn:
            sns_backends[account][region].publish(message(target, event), arn=arn)
        elif ":lambda:" in arn:
            asynchronously = {"X-Amz-Invocation-Type": "Event"}
            get_backend(account, region).invoke(arn, None, message(target, event), asynchronously, {})


def message(target: dict[str, Any], event: dict[str, Any]) -> str:
    """Return what EventBridge sends to a target: the event, or the filled template of its input transformer."""
    transformer = target.get("InputTransformer")
    if transformer is None:
        return json.dumps(event)
    text: str = transformer["InputTemplate"]
    for name, path in transformer.get("InputPathsMap", {}).items():
        found = parse(path).find(event)
        text = text.replace(f"<{name}>", str(found[0].value) if found else "")
    return text
