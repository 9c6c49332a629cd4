"""The sweep: what was left behind in the pipeline goes on, and what was expected, or is missing in a topic, is told.

It walks through the versions in Bronze and the ledger beside them. A version without an item, and a file whose event
died with a call, is handed to the KPI function as the event that it should have had; a dead execution is started anew.
A call goes on where the last one ended, and one mail tells all that it found.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger
from cloud.coverage import Coverage
from cloud.ledger import Ledger, instant, instant_of
from cloud.listing import Listed, Place, by_key, event_of, listed_versions, places_of
from cloud.mail import sweep_body, sweep_subject
from cloud.settings import SweepSettings
from cloud.workflows import AT_WORK, goes_on, next_execution_arn, start_execution, status_of
from contract.companions import is_calendar
from contract.items import FileItem
from contract.sweeps import SweepItem
from expected import AHEAD, Calendars, Notice, notices_of
from gaps import gap_notices, watch_gaps
from reading.card_numbers import masked_key
from reading.visible import visible

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient

SETTLED = timedelta(hours=6)
"""Lambda keeps an event of S3 for so long: the event of a younger version may still come. A walk begins as often."""
CLAIM_LIFETIME = timedelta(minutes=20)
"""Longer than the function may run."""
LAST_MS = 60_000
"""With less time left a call ends; the next one goes on."""
KEYS_AT_ONCE = 200
MOST_LINES = 200
"""A mail has no room for more."""
WHAT = {
    "unheard": "an object without a ledger item: its event was lost",
    "received": "it was received, and nothing decided on it",
    "unstarted": "it was accepted, and no workflow was started",
    "unmailed": "it was rejected, and no mail told so",
    "died": "its workflow ended before the file did",
    "parked": "it ended after its workflow had met an open breaker, and no mail told so",
    "undecided": "an undo or redo whose workflow was not started",
}

logger = Logger()


@dataclass(frozen=True)
class Services:
    """What the sweep works on."""

    settings: SweepSettings
    ledger: Ledger
    s3: S3Client
    sns: SNSClient
    workflows: SFNClient
    functions: LambdaClient


@cache
def services() -> Services:
    """Check the environment and connect, once per process."""
    settings = SweepSettings.of(os.environ)
    return Services(
        settings=settings,
        ledger=Ledger(boto3.resource("dynamodb").Table(settings.ledger_table)),
        s3=boto3.client("s3"),
        sns=boto3.client("sns"),
        workflows=boto3.client("stepfunctions"),
        functions=boto3.client("lambda"),
    )


@dataclass(frozen=True)
class Found:
    """A file that was left behind: why, a word of WHAT."""

    why: str
    listed: Listed
    place: Place
    item: FileItem | None

    def as_item(self) -> dict[str, str]:
        """Return it as `assay sweep` reads it."""
        told = {"key": masked_key(self.listed.key), "version_id": self.listed.version_id}
        file_id = self.item["file_id"] if self.item else self.listed.file_id
        return {"why": self.why, "what": WHAT[self.why], **told, "file_id": file_id}

    def line(self) -> str:
        """Return its line in the mail."""
        key = visible(masked_key(self.listed.key))
        return f"{self.why:<9} {key}, version {self.listed.version_id}: {WHAT[self.why]}"


@dataclass
class Report:
    """What a call has found, and whether its walk came to the end."""

    found: list[Found] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    complete: bool = True

    def as_item(self) -> dict[str, Any]:
        """Return it as `assay sweep` reads it."""
        told = [{"what": each.what, "text": each.text} for each in self.notices]
        return {"found": [each.as_item() for each in self.found], "notices": told, "complete": self.complete}


def why_left_behind(item: FileItem | None, on: Services, breakers: Collection[str] = ()) -> str | None:
    """Return why a file that is old enough does not go on by itself, a word of WHAT; None if it does, or has ended.

    Files that wait for a layer whose breaker is open are left to it: it has its own mail, and its end resumes them.
    """
    if item is None:
        return "unheard"
    if "failed" in item or item["status"] == "published":
        return "parked" if is_parked(item) else None
    if item["status"] == "received":
        return "received"
    if item["status"] == "rejected":
        return None if "sent_at" in item.get("rejection_mail", {}) else "unmailed"
    if "execution_arn" not in item:
        return "unstarted"
    if item.get("waiting_for") in breakers:
        return None
    return None if goes_on(on.workflows, item["execution_arn"]) else "died"


def is_parked(item: FileItem) -> bool:
    """Return whether the last execution of a file met an open breaker, so that it sent no mail about the file."""
    return "parked" in item and item["parked"] == item.get("execution_arn")


def why_action_left_behind(item: FileItem, on: Services, breakers: Collection[str]) -> str | None:
    """Return why an action does not go on by itself, or lacks its mail; None if its execution does, or has sent it."""
    status = status_of(on.workflows, item["execution_arn"])
    if status in AT_WORK:
        return None
    return "undecided" if status is None else why_left_behind(item, on, breakers)


def actions_left_behind(on: Services, *, settled_at: datetime) -> tuple[list[Found], list[str]]:
    """Return the actions that were left behind, and the file ids of those that are through."""
    found, through = list[Found](), list[str]()
    breakers = on.ledger.open_breakers()
    for file_id, item in on.ledger.find_all(on.ledger.actions()).items():
        if instant_of(item["changes"][0]["at"]) > settled_at:
            continue
        if why := why_action_left_behind(item, on, breakers):
            found.append(Found(why, Listed.of_item(item), Place.of_item(item), item))
        elif "waiting_for" not in item and not goes_on(on.workflows, item["execution_arn"]):
            through.append(file_id)
    return found, through


def resume(item: FileItem, on: Services) -> None:
    """Start the workflow of a file anew, under the next name; another call that does so at once has the same one."""
    machine = on.settings.state_machine_arn
    arn = next_execution_arn(machine, item)
    if on.ledger.resume(item, arn):
        start_execution(on.workflows, machine, item, arn.rpartition(":")[2])


def hand_on(listed: Listed, place: Place, on: Services) -> None:
    """Give the KPI function the event of a version; it takes each as often as it comes."""
    on.functions.invoke(
        FunctionName=on.settings.kpi_function,
        InvocationType="Event",
        Payload=json.dumps(event_of(listed, place)).encode(),
    )


def left_behind(keys: Iterable[list[Listed]], on: Services, *, settled_at: datetime) -> Iterator[Found]:
    """Yield what was left behind of some keys; the versions of a key come together, the oldest first."""
    groups = [versions for versions in keys if versions[0].is_data]
    items = on.ledger.find_all(each.file_id for versions in groups for each in versions)
    breakers = on.ledger.open_breakers()
    for versions in groups:
        places = places_of(versions, items)
        for listed in versions:
            item = items.get(listed.file_id)
            # Of what is parked no event comes any more.
            is_settled = listed.last_modified_at <= settled_at or (item is not None and is_parked(item))
            if is_settled and (why := why_left_behind(item, on, breakers)):
                yield Found(why, listed, places[listed.file_id], item)


def go_on(found: Found, on: Services) -> None:
    """Have a file go on that was left behind."""
    if found.why in ("died", "parked", "undecided") and found.item is not None:
        resume(found.item, on)
    else:
        hand_on(found.listed, found.place, on)


def take_up(found: list[Found], state: SweepItem, report: Report, on: Services) -> None:
    """Have what was left behind go on, and note it for the mail."""
    # Noted before it is done: a call that dies in between leaves it to the next one's mail.
    state["unsent"] = [*state.get("unsent", []), *(each.line() for each in found)][:MOST_LINES]
    on.ledger.keep_sweep(state)
    for each in found:
        go_on(each, on)
    report.found += found


def walk(state: SweepItem, report: Report, on: Services, *, settled_at: datetime, has_time: Callable[[], bool]) -> None:
    """Walk through Bronze from where the last call ended, and keep how far this one has come."""
    after = state.get("after_key", "")
    keys = by_key(listed_versions(on.s3, on.settings.bronze_bucket, after_key=after))
    while some := list(islice(keys, KEYS_AT_ONCE)):
        found = list(left_behind(some, on, settled_at=settled_at))
        take_up(found, state, report, on)
        on.ledger.add_calendars({versions[0].key for versions in some if is_calendar(versions[0].key)})
        state["after_key"] = some[-1][0].key
        on.ledger.keep_sweep(state)
        if not has_time():
            report.complete = False
            return
    state.pop("after_key", None)
    on.ledger.keep_sweep(state)


def lines_to_send(on: Services, now: datetime) -> list[Notice]:
    """Return what is to be said of expected files and missing offsets, whether it was said or not."""
    calendars, keys = Calendars(on.s3, on.ledger, on.settings.bronze_bucket), on.ledger.calendars()
    of_files = [*calendars.unreadable(keys), *notices_of(calendars.dues(keys, now), on.ledger, now)]
    return [*of_files, *gap_notices(Coverage(on.ledger), on.ledger, now, _gap_age(on))]


def claim_lines(report: Report, on: Services, now: datetime) -> None:
    """Claim the lines about expected files and missing offsets that are still to be sent."""
    watch_gaps(Coverage(on.ledger), on.ledger, now, _gap_age(on))
    report.notices += [
        each
        for each in lines_to_send(on, now)
        if on.ledger.claim_notice(each.notice_id, each.text, now=now, abandoned_before=now - CLAIM_LIFETIME)
    ]


def send(state: SweepItem, report: Report, on: Services, now: datetime) -> None:
    """Mail what was found; nothing if that is nothing."""
    whats, unsent = Counter(each.what for each in report.notices), state.get("unsent", [])
    gap, closed = ("gaps" if whats[what] > 1 else "gap" for what in ("gap", "closed"))
    counts = {
        "late": whats["late"],
        "came": whats["came"],
        "unreadable calendar": whats["calendar"],
        gap: whats["gap"],
        f"{closed} closed": whats["closed"],
        "left behind": max(len(unsent), len(report.found)),
    }
    if any(counts.values()):
        subject = sweep_subject(counts, on.settings.stage)
        body = sweep_body([*(each.text for each in report.notices), *unsent], counts)
        on.sns.publish(TopicArn=on.settings.topic_arn, Subject=subject, Message=body)
    for notice in report.notices:
        on.ledger.mark_noticed(notice.notice_id, now)
    state["unsent"] = []
    on.ledger.keep_sweep(state)


def sweep(
    event: Mapping[str, Any], holder: str, on: Services, now: datetime, has_time: Callable[[], bool]
) -> dict[str, Any]:
    """Sweep once; return what was found, or that another call is at work.

    A scheduled call walks through Bronze once in six hours. `whole` asks for a walk from the beginning,
    `older_than_s` says how old a version must be.
    """
    state = on.ledger.begin_sweep(holder, now=now, until=now + CLAIM_LIFETIME)
    if state is None:
        return {"busy": True}
    try:
        report, fresh = Report(), bool(event.get("whole")) or ("after_key" not in state and _is_due(state, now))
        if fresh:
            state.pop("after_key", None)
            state["began_at"] = instant(now)
        if fresh or "after_key" in state:
            walk(state, report, on, settled_at=now - _settled(event), has_time=has_time)
        found, through = actions_left_behind(on, settled_at=now - _settled(event))
        take_up(found, state, report, on)
        on.ledger.drop_actions(through)
        claim_lines(report, on, now)
        send(state, report, on, now)
    finally:
        on.ledger.end_sweep(holder)
    return report.as_item()


def look(event: Mapping[str, Any], on: Services, now: datetime) -> dict[str, Any]:
    """Return what a sweep from the beginning would find, and change nothing."""
    report, keys = Report(), by_key(listed_versions(on.s3, on.settings.bronze_bucket))
    while some := list(islice(keys, KEYS_AT_ONCE)):
        report.found += left_behind(some, on, settled_at=now - _settled(event))
    report.found += actions_left_behind(on, settled_at=now - _settled(event))[0]
    report.notices = [each for each in lines_to_send(on, now) if not on.ledger.is_noticed(each.notice_id)]
    return report.as_item()


def _gap_age(on: Services) -> timedelta:
    return timedelta(seconds=on.settings.gap_seconds)


def _settled(event: Mapping[str, Any]) -> timedelta:
    return timedelta(seconds=event["older_than_s"]) if "older_than_s" in event else SETTLED


def _is_due(state: SweepItem, now: datetime) -> bool:
    return "began_at" not in state or now - instant_of(state["began_at"]) >= SETTLED


def show_calendar(on: Services, now: datetime) -> dict[str, Any]:
    """Return what is expected, of the last two weeks and the next one."""
    calendars = Calendars(on.s3, on.ledger, on.settings.bronze_bucket)
    dues = calendars.dues(on.ledger.calendars(), now, ahead=AHEAD)
    return {"expected": [due.as_item(now) for due in sorted(dues, key=lambda due: (due.due_at, due.folder, due.name))]}


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Sweep, or do what the command line asks for: note calendars, show what they expect, look without a change."""
    now = datetime.now(UTC)
    if "calendars" in event:
        services().ledger.add_calendars(event["calendars"])
        return {"calendars": services().ledger.calendars()}
    if event.get("show") == "calendar":
        return show_calendar(services(), now)
    if event.get("dry_run"):
        return look(event, services(), now)
    told = sweep(
        event,
        context.aws_request_id,
        services(),
        now,
        lambda: context.get_remaining_time_in_millis() > LAST_MS,
    )
    logger.info("swept", extra={"found": len(told.get("found", [])), "complete": told.get("complete")})
    return told
