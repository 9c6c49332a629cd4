from __future__ import annotations

import re
from typing import Any

import pytest
from state_machine import definition, states, successors, text

TASKS = states("Task")
MAILS = {name: state["Parameters"] for name, state in states("Pass").items() if state.get("ResultPath") == "$.mail"}
TRANSIENT = re.compile(
    r"(Thrott|Exceeded|InternalServ|InternalError|OperationTimeout|Unavailable|SdkClient)|States\.Timeout"
    # The general names of a service's errors, under which throttling comes too.
    r"|\.(AWSGlue|AmazonDynamoDB|AmazonSNS)Exception$"
)


def test_every_state_is_reachable() -> None:
    seen: set[str] = set()
    ahead = [definition()["StartAt"]]
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            ahead.extend(successors(states()[name]))

    assert seen == set(states())


def test_every_state_leads_to_an_end() -> None:
    ends = set(states("Succeed")) | set(states("Fail"))
    while grown := {n for n, s in states().items() if n not in ends and ends & set(successors(s))}:
        ends |= grown

    assert ends == set(states())


@pytest.mark.parametrize("name", states("Choice"))
def test_choice_asks_a_question_and_has_a_default(name: str) -> None:
    assert name.endswith("?")
    assert states()[name]["Default"]


@pytest.mark.parametrize("name", TASKS)
def test_task_ends_in_time_and_catches_everything(name: str) -> None:
    task = TASKS[name]

    assert task["TimeoutSeconds"] > 0
    assert task["Catch"][-1]["ErrorEquals"] == ["States.ALL"]


@pytest.mark.parametrize("name", TASKS)
def test_task_retries_named_transient_errors_with_backoff_and_jitter(name: str) -> None:
    [retry] = TASKS[name]["Retry"]

    assert [error for error in retry["ErrorEquals"] if not TRANSIENT.search(error)] == []
    assert retry["BackoffRate"] > 1
    assert retry["JitterStrategy"] == "FULL"
    assert retry["MaxDelaySeconds"] <= 60
    assert "Glue.ConcurrentRunsExceededException" not in retry["ErrorEquals"], "a busy job is waited for, with polls"


def test_job_tasks_give_up_later_than_the_jobs_themselves() -> None:
    limits = {task["TimeoutSeconds"] for task in TASKS.values() if "glue:startJobRun.sync" in task["Resource"]}

    [limit] = limits
    assert limit > 120 * 60


def test_machine_has_no_limit_of_its_own__it_would_end_without_a_mail() -> None:
    assert "TimeoutSeconds" not in definition()


def test_no_state_digs_in_a_cause() -> None:
    assert "StringToJson" not in text()


def test_machine_calls_services_directly() -> None:
    called = {task["Resource"].rpartition(":::")[2] for task in TASKS.values()}

    metrics = "aws-sdk:cloudwatch:putMetricData"
    assert called == {"dynamodb:getItem", "dynamodb:updateItem", "glue:startJobRun.sync", "sns:publish", metrics}


def test_ledger_is_read_consistently() -> None:
    reads = [task["Parameters"] for task in TASKS.values() if task["Resource"].endswith("dynamodb:getItem")]

    assert len(reads) == 3
    assert all(read["ConsistentRead"] is True for read in reads)


def test_no_run_starts_without_a_look_at_the_breaker() -> None:
    jobs = {name for name, task in TASKS.items() if "glue:startJobRun.sync" in task["Resource"]}

    assert [before(job) for job in sorted(jobs)] == [{"May the job run?"}] * 2
    assert before("May the job run?") == {"Read the breaker"}


def before(state: str) -> set[str]:
    """Return the states from which one leads to `state`."""
    return {name for name, found in states().items() if state in successors(found)}


def test_every_end_follows_the_mail__but_the_unmailed_one_and_the_one_under_the_breakers_mail() -> None:
    ends = set(states("Succeed")) | set(states("Fail"))

    assert {end for end in ends if before(end) != {"How did it end?"}} == {"No mail could be sent", "Parked"}
    assert before("How did it end?") == {"Send the mail"}


def test_one_state_mails__composed_before() -> None:
    assert [name for name, task in TASKS.items() if task["Resource"].endswith("sns:publish")] == ["Send the mail"]
    assert before("Send the mail") == set(MAILS)


def test_mail_that_cannot_be_sent_ends_in_failure() -> None:
    [caught] = TASKS["Send the mail"]["Catch"]

    assert caught["Next"] == "No mail could be sent"
    assert states()["No mail could be sent"]["Type"] == "Fail"


def test_each_mail_has_an_ending_of_its_own() -> None:
    choice = states()["How did it end?"]
    endings = {rule["StringEquals"]: rule["Next"] for rule in choice["Choices"]}
    composed = [mail["ending"] for mail in MAILS.values()]

    assert len(set(composed)) == len(composed)
    assert {ending for ending in composed if ending not in endings} == {"ledger unexpected"}, "this one is the Default"
    assert set(endings) < set(composed)
    good = {endings["published"], endings["undone or redone"]}
    assert {states()[end]["Type"] for end in good} == {"Succeed"}
    goes_on = {endings.pop(ending) for ending in ("breaker open", "breaker closed")}
    assert goes_on == {"Show the open breaker", "Forget the probe"}
    others = {choice["Default"], *endings.values()} - good
    assert {states()[end]["Type"] for end in others} == {"Fail"}
    assert len(others) == len(composed) - len(good) - 2


LONGEST = {
    "notice.M.ending.S": "published with warnings",
    "gold.M.notice.M.ending.S": ", and changed a closed month",
    "subject.S": "undo",
}


def subject_of(mail: dict[str, Any]) -> str:
    """Return a mail's subject, with the longest ending where it has one."""
    computed = re.fullmatch(r"States\.Format\('([^']*)'((?:, [$.\w]+)+)\)", mail.get("subject.$", ""))
    if not computed:
        return str(mail["subject"])
    longest = [LONGEST[path.removeprefix("$.ledger.Item.")] for path in computed[2].strip(", ").split(", ")]
    return computed[1].replace("{}", "%s") % tuple(longest)


def values_of(message: str) -> list[str]:
    """Return the paths that fill the gaps of a mail's text, in order."""
    return re.findall(r"\$\$?\.[\w.]+(?:\[0\][\w.]+)?", message)


@pytest.mark.parametrize("name", MAILS)
def test_no_command_in_a_mail_holds_what_a_sender_wrote(name: str) -> None:
    message = MAILS[name]["message.$"]

    [template] = re.findall(r"^States\.Format\('([^']*)', ", message)
    gaps = zip(re.split(r"\{\}", template), values_of(message), strict=False)
    ours = {"$.file_id", "$.ledger.Item.waiting_for.S", "$.breaker.Item.file_id.S"}
    assert {value for before, value in gaps if before.rpartition("\\n")[2].startswith("  assay ")} <= ours


@pytest.mark.parametrize("name", MAILS)
def test_subject_is_what_sns_takes(name: str) -> None:
    subject = subject_of(MAILS[name]).replace("${Stage}", "x" * 10)

    assert subject.isascii()
    assert subject.isprintable()
    assert len(subject) < 100


@pytest.mark.parametrize("name", MAILS)
def test_mail_has_a_value_for_each_gap_and_says_whether_money_moved_and_what_to_do__by_one_command(name: str) -> None:
    message = MAILS[name]["message.$"]

    [template] = re.findall(r"^States\.Format\('([^']*)', ", message)
    assert template.count("{}") == len(values_of(message))
    assert "What to do next: " in template
    assert len(template) < 1_000
    assert template.count("\n  assay ") == 1, "one command"
    assert "money moved" in template or "Effect on Silver and Gold" in template


def test_mail_of_a_published_file_leaves_quarantined_rows_to_the_commands_that_its_notice_gives() -> None:
    message = MAILS["Compose the mail: published"]["message.$"]
    told = message.partition("What to do next: ")[2].partition("assay passport")[0]
    assert ("the commands above" in told, "upload" in told) == (True, False)
