from __future__ import annotations

from typing import Any

import pytest
from known_paths import unguarded
from state_machine import definition

INPUT = {"$.file_id"}


def guards() -> list[tuple[str, int, int]]:
    """Return where the machine guards a variable: Choice, number of the rule, number of the condition in it."""
    found = []
    for name, state in definition()["States"].items():
        for rule_number, rule in enumerate(state.get("Choices", [])):
            conditions = rule.get("And", [])
            found += [(name, rule_number, n) for n, c in enumerate(conditions) if c.get("IsPresent") is True]
    return found


def task(**changes: Any) -> dict[str, Any]:
    return {"Type": "Task", "ResultPath": "$.answer", "Next": "Use"} | changes


def machine(first: dict[str, Any], path: str) -> dict[str, Any]:
    use = {"Type": "Pass", "Parameters": {"x.$": path}, "Next": "End"}
    return {"StartAt": "First", "States": {"First": first, "Use": use, "End": {"Type": "Succeed"}}}


def test_workflow_reads_no_path_that_may_be_missing() -> None:
    assert unguarded(definition(), given=INPUT) == set()


@pytest.mark.parametrize(("name", "rule", "condition"), guards())
def test_workflow_needs_each_guard(name: str, rule: int, condition: int) -> None:
    opened = definition()
    del opened["States"][name]["Choices"][rule]["And"][condition]

    assert unguarded(opened, given=INPUT) != set()


def test_workflow_needs_its_input() -> None:
    assert ("Start the counts", "$.file_id") in unguarded(definition(), given=set())


def test_check_finds__part_of_an_opaque_answer() -> None:
    assert unguarded(machine(task(), "$.answer.Item"), given=INPUT) == {("Use", "$.answer.Item")}
    assert unguarded(machine(task(), "$.answer"), given=INPUT) == set()


def test_check_finds__path_inside_of_a_function() -> None:
    assert unguarded(machine(task(), "States.Format('{}', $.nothing)"), given=INPUT) == {("Use", "$.nothing")}


def test_check_finds__path_known_on_one_route_only() -> None:
    caught = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Use"}]

    assert unguarded(machine(task(Catch=caught), "$.answer"), given=INPUT) == {("Use", "$.answer")}
    assert unguarded(machine(task(Catch=caught), "$.error.Error"), given=INPUT) == {("Use", "$.error.Error")}


def test_check_finds__cause_of_an_error_that_may_have_none() -> None:
    only_route = {"Type": "Task", "Next": "End", "ResultPath": None}
    only_route["Catch"] = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Use"}]

    assert unguarded(machine(only_route, "$.error.Error"), given=INPUT) == set()
    assert unguarded(machine(only_route, "$.error.Cause"), given=INPUT) == {("Use", "$.error.Cause")}


def test_check_finds__path_lost_when_its_parent_is_written_again() -> None:
    again = {"Type": "Pass", "Parameters": {"b": 1}, "ResultPath": "$.a", "Next": "Use"}

    assert unguarded(machine(again, "$.a.b"), given={"$.a", "$.a.c"}) == set()
    assert unguarded(machine(again, "$.a.c"), given={"$.a", "$.a.c"}) == {("Use", "$.a.c")}


def test_check_finds__comparison_before_its_guard() -> None:
    guard = {"Variable": "$.answer.n", "IsPresent": True}
    compare = {"Variable": "$.answer.n", "NumericEquals": 1}
    right = {"Type": "Choice", "Choices": [{"And": [guard, compare], "Next": "Use"}], "Default": "End"}
    wrong = {"Type": "Choice", "Choices": [{"And": [compare, guard], "Next": "Use"}], "Default": "End"}

    assert unguarded(machine(right, "$.answer.n"), given={"$.answer"}) == set()
    assert unguarded(machine(wrong, "$.answer.n"), given={"$.answer"}) == {("First", "$.answer.n")}
