"""The evaluator of policies decides as IAM does; the tests of the deployed application rest on it."""

from __future__ import annotations

from typing import Any

import pytest
from iam import allows, matches, statements

BUCKET = "arn:aws:s3:::lake"


def allow(**elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{BUCKET}/*", **elements}


def is_allowed(
    *given: dict[str, Any], action: str = "s3:GetObject", resource: str = f"{BUCKET}/a/b.csv", **context: str
) -> bool:
    keys = {name.replace("__", ":"): value for name, value in context.items()}
    return allows(statements({"Statement": list(given)}), action, resource, keys)


@pytest.mark.parametrize(
    ("pattern", "value", "found"),
    [
        ("*", "", True),
        ("a/*", "a/b/c:d", True),
        ("a/*", "a", False),
        ("*/c", "a/b/c", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("[x]/*", "[x]/y", True),
        ("[x]", "x", False),
        ("a.c", "abc", False),
        ("a", "A", False),
        ("a/*", "a/b\nc", True),
    ],
)
def test_pattern_matches_as_in_iam__stars_across_slashes_and_nothing_else_special(
    pattern: str, value: str, found: bool
) -> None:
    assert matches(pattern, value) is found


def test_call_is_denied__no_statement_about_it() -> None:
    assert not is_allowed()
    assert not is_allowed(allow(), action="s3:PutObject")
    assert not is_allowed(allow(), resource=BUCKET)


def test_call_is_allowed__one_of_the_actions_and_one_of_the_resources() -> None:
    given = allow(Action=["s3:PutObject", "s3:Get*"], Resource=["arn:aws:s3:::other/*", f"{BUCKET}/a/*"])

    assert is_allowed(given)
    assert is_allowed(given, action="s3:getobjecttagging"), "IAM compares actions without case"
    assert not is_allowed(given, resource=f"{BUCKET}/A/b.csv"), "and resources with it"


def test_deny_outweighs_every_allow() -> None:
    deny = allow(Effect="Deny", Resource=f"{BUCKET}/a/*")

    assert not is_allowed(allow(), deny)
    assert not is_allowed(deny, allow())
    assert is_allowed(allow(), deny, resource=f"{BUCKET}/b.csv")


def test_deny_is_no_allow_of_the_rest() -> None:
    assert not is_allowed(allow(Effect="Deny", Resource=f"{BUCKET}/b/*"))


@pytest.mark.parametrize(
    ("condition", "context", "found"),
    [
        ({"StringEquals": {"s3:prefix": "a/"}}, {"s3__prefix": "a/"}, True),
        ({"StringEquals": {"s3:prefix": ["a/", "b/"]}}, {"s3__prefix": "b/"}, True),
        ({"StringEquals": {"s3:prefix": "a/"}}, {"s3__prefix": "a/b"}, False),
        ({"StringEquals": {"s3:prefix": "a/*"}}, {"s3__prefix": "a/b"}, False),
        ({"StringLike": {"s3:prefix": "a/*"}}, {"s3__prefix": "a/b"}, True),
        ({"StringEquals": {"S3:Prefix": "a/"}}, {"s3__prefix": "a/"}, True),
        ({"StringEquals": {"s3:prefix": "a/"}}, {}, False),
        ({"StringNotEquals": {"s3:prefix": ["a/", "b/"]}}, {"s3__prefix": "b/"}, False),
        ({"StringNotEquals": {"s3:prefix": "a/"}}, {"s3__prefix": "b/"}, True),
        ({"StringNotEquals": {"s3:prefix": "a/"}}, {}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:1:t*"}}, {"aws__SourceArn": "arn:aws:sns:x:1:topic"}, True),
        ({"Bool": {"aws:SecureTransport": False}}, {"aws__SecureTransport": "false"}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, {"aws__SecureTransport": "false"}, False),
    ],
)
def test_condition_holds__by_operator_and_key(condition: dict[str, Any], context: dict[str, str], found: bool) -> None:
    assert is_allowed(allow(Condition=condition), **context) is found


def test_conditions_hold_together__every_operator_and_key() -> None:
    given = allow(Condition={"StringEquals": {"a": "1", "b": "2"}, "StringLike": {"c": "x*"}})

    assert is_allowed(given, a="1", b="2", c="xy")
    assert not is_allowed(given, a="1", b="3", c="xy")
    assert not is_allowed(given, a="1", b="2", c="y")


@pytest.mark.parametrize(
    "unknown",
    [
        {"NotAction": "s3:GetObject"},
        {"NotResource": BUCKET},
        {"Principal": "*"},
        {"Condition": {"NumericLessThan": {"s3:max-keys": "10"}}},
    ],
)
def test_statement_is_refused__says_what_is_not_known_here(unknown: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not known here"):
        statements({"Statement": [allow(**unknown)]})


def test_statement_falls_into_grants__one_for_each_action_and_resource() -> None:
    (given,) = statements({"Statement": allow(Sid="Read", Action=["s3:A", "s3:B"], Resource=["x", "y"])})

    assert [(each.sid, each.actions, each.resources) for each in given.grants()] == [
        ("Read", (action,), (resource,)) for action in ("s3:A", "s3:B") for resource in ("x", "y")
    ]
