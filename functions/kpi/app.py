"""The KPI function: every object version that an event names ends accepted with a workflow or rejected with a mail.

Each step can be repeated. A crash at any point is made good by the repetition of the event: a received file is read
again, an accepted one without an execution is started, a rejected one without a mail is mailed. Only a crash between
sending a mail and noting it mails twice.
"""

from __future__ import annotations

import json
import os
import traceback
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from admission import Inspection, inspect_file, inspect_marker
from aws_lambda_powertools import Logger
from cloud.coverage import Coverage
from cloud.ledger import Ledger, instant, instant_of
from cloud.mail import failure_body, failure_subject, notice_of, rejection_body, rejection_subject, report_page
from cloud.metrics import count_file
from cloud.settings import Settings
from cloud.uploads import (
    Head,
    ObjectGoneError,
    ObjectVersion,
    data_records,
    is_there,
    lost_events,
    object_instant,
    object_version,
    open_version,
    read_head,
    read_pin,
    read_side_car,
    received_item,
)
from cloud.workflows import execution_name, start_execution
from contract.items import AcceptedFile, FileFailure, FileItem, RangeItem
from contract.limits import COMPANION_BYTES, FAILURE_CHARACTERS, MARKER_BYTES, REASON_CHARACTERS
from contract.subjects import is_marker, is_waiver, repaired_file, subject_of
from judging.kpis import Kpis
from judging.learned_range import LearnedRange, learned_with
from polars.exceptions import PanicException
from reading.card_numbers import masked
from reading.card_secrets import key_reasons
from reading.control import as_of_of_metadata
from reading.markers import Listed
from reading.rejection import Reason, RejectedError
from reading.visible import visible
from repairs import inspect_repair, inspect_waiver

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_stepfunctions import SFNClient

ATTEMPTS = 3
"""Lambda tries an event of S3 so often before it goes to the dead-letter queue."""
CLAIM_LIFETIME = timedelta(minutes=20)
"""Longer than the function may run: an older claim on a mail was abandoned."""

logger = Logger()


class ReaderPanicError(Exception):
    """A library in Rust gave up in a way that its caller does not expect."""


@dataclass(frozen=True)
class Services:
    """What the function works on."""

    settings: Settings
    ledger: Ledger
    s3: S3Client
    sns: SNSClient
    workflows: SFNClient


@cache
def services() -> Services:
    """Check the environment and connect, once per process."""
    settings = Settings.of(os.environ)
    return Services(
        settings=settings,
        ledger=Ledger(boto3.resource("dynamodb").Table(settings.ledger_table)),
        s3=boto3.client("s3"),
        sns=boto3.client("sns"),
        workflows=boto3.client("stepfunctions"),
    )


def process(version: ObjectVersion, on: Services, claimant: str) -> str:
    """Take one object version as far as this function can; return its status."""
    head = _head(on, version)
    as_of_at, unreadable = _as_of(head)
    item = on.ledger.receive(received_item(version, head, as_of_at, _now()))
    accepted = None
    if item["status"] == "received":
        head = head and replace(head, last_modified_at=instant_of(item["last_modified_at"]))
        accepted = _decide(version, on, head, unreadable, item)
        item = on.ledger.get(version.file_id)
    if item["status"] == "rejected":
        _mail_rejection(item, on, claimant)
    elif "execution_arn" not in item:
        name = execution_name(item["key"], item["file_id"])
        arn = start_execution(on.workflows, on.settings.state_machine_arn, item, name)
        on.ledger.record_execution(version.file_id, arn)
    if accepted:
        _learn(version, accepted, on)
    return str(item["status"])


def give_up(version: ObjectVersion, error: str, on: Services, claimant: str) -> None:
    """Note and mail that no attempt could examine a file; finish what is left of one that was examined."""
    item = on.ledger.find(version.file_id) or on.ledger.receive(received_item(version, None, None, _now()))
    if item["status"] != "received":
        process(version, on, claimant)
    elif "failed" not in item:
        failed = FileFailure(stage="kpi", reason=_told(error), attempts=ATTEMPTS, at=instant(_now()))
        subject, body = failure_subject(item, on.settings.stage), failure_body(item, failed)
        on.sns.publish(TopicArn=on.settings.topic_arn, Subject=subject, Message=body)
        on.ledger.give_up(version.file_id, failed)


def _told(error: str) -> str:
    said = visible(error, most=REASON_CHARACTERS) or "the last attempt left no message"
    return f"The KPI function could not examine the file: {said}"[:FAILURE_CHARACTERS]


def _head(on: Services, version: ObjectVersion) -> Head | None:
    """Return what S3 says of a version, its instant with the milliseconds of its event; None if it was deleted."""
    try:
        head = read_head(on.s3, version)
        return replace(head, last_modified_at=object_instant(head.last_modified_at, version.event_at))
    except ObjectGoneError:
        return None


def _as_of(head: Head | None) -> tuple[datetime | None, Inspection | None]:
    try:
        return (as_of_of_metadata(head.metadata, head.last_modified_at) if head else None), None
    except RejectedError as rejected:
        return None, Inspection(reasons=list(rejected.reasons))


def _decide(
    version: ObjectVersion, on: Services, head: Head | None, unreadable: Inspection | None, item: FileItem
) -> Inspection | None:
    """Accept or reject a file; return what was found of one that this call has accepted."""
    found = unreadable or _inspect(version, on, head)
    if found.reasons:
        if on.ledger.reject(version.file_id, found.as_item(), _now()):
            _count(version, found, on)
        return None
    page = report_page(on.settings.report_pages, item["last_modified_at"])
    accepted: AcceptedFile = {**found.as_item(), "notice": notice_of(version.key, version.file_id, found, page)}
    if found.offsets and head:
        # Before the decision: a call that dies in between is repeated, and notes the same.
        coverage = Coverage(on.ledger)
        coverage.note(found.offsets, _now())
        place = head.last_modified_at if "as_of_at" in item else coverage.place(found.offsets, head.last_modified_at)
        if place != head.last_modified_at:
            accepted["as_of_at"] = instant(place)
    if not on.ledger.accept(version.file_id, accepted, _now()):
        return None
    _count(version, found, on)
    return found


def _count(version: ObjectVersion, found: Inspection, on: Services) -> None:
    """Count a file that this call has decided on; a marker or a waiver has no rows."""
    if is_marker(version.key) or is_waiver(version.key):
        return
    subject, kpis = subject_of(version.key), found.kpis or Kpis()
    cents = kpis.total_cents if subject.has_money else None
    accepted = not found.reasons
    count_file(stage=on.settings.stage, subject=subject.name, accepted=accepted, rows=kpis.row_count, cents=cents)


def _learned(item: RangeItem | None, on: Services) -> LearnedRange | None:
    return LearnedRange.of_item(item).settled(_now(), lambda file_id: _stays(file_id, on)) if item else None


def _stays(file_id: str, on: Services) -> bool:
    """Return whether an accepted file is still in effect and on its way, or published."""
    item = on.ledger.find(file_id)
    return item is not None and item["in_effect"] and item["status"] != "rejected" and "failed" not in item


def _learn(version: ObjectVersion, found: Inspection, on: Services) -> None:
    """Widen the range of a prefix by an accepted file, or keep its figures aside. No file waits for it."""
    kpis = found.kpis
    if kpis is None or kpis.row_count == 0 or repaired_file(version.key):
        return

    def with_file(item: RangeItem | None) -> RangeItem:
        learned = learned_with(_learned(item, on), kpis, version.file_id, _now(), belongs=found.is_in_range)
        return learned.as_item(version.first_folder)

    if not on.ledger.widen_range(version.first_folder, with_file):
        logger.warning("range not widened", extra={"file_id": version.file_id})


def _inspect(version: ObjectVersion, on: Services, head: Head | None) -> Inspection:
    try:
        if refused := key_reasons(version.key):
            return Inspection(reasons=refused)
        if head is None:
            raise ObjectGoneError
        if is_marker(version.key):
            return _inspect_marker(version, on, head)
        if original_id := repaired_file(version.key):
            return _inspect_repair(version, on, head, on.ledger.find(original_id))
        return inspect_file(
            version.key,
            open_version(on.s3, version),
            last_modified_at=head.last_modified_at,
            metadata=head.metadata,
            read_side_car=lambda: read_side_car(on.s3, version),
            read_pin=lambda: read_pin(on.s3, version),
            learned=lambda: _learned(on.ledger.range_of(version.first_folder), on),
            policy=on.settings.policy,
            size=head.size,
            reopen=lambda: open_version(on.s3, version),
        )
    except ObjectGoneError:
        text = "The object version was deleted before it was read."
        return Inspection(reasons=[Reason("object_gone", text)])


def _inspect_marker(version: ObjectVersion, on: Services, head: Head) -> Inspection:
    def is_usable(listed: Listed) -> bool:
        known = on.ledger.find(listed.file_id(version.bucket))
        if known is not None:
            return str(known["status"]) != "rejected"
        return is_there(on.s3, version.bucket, listed.key, listed.version_id)

    content = open_version(on.s3, version).read(MARKER_BYTES)
    return inspect_marker(content, version.bucket, last_modified_at=head.last_modified_at, is_usable=is_usable)


def _inspect_repair(version: ObjectVersion, on: Services, head: Head, original: FileItem | None) -> Inspection:
    if is_waiver(version.key):
        return inspect_waiver(open_version(on.s3, version).read(COMPANION_BYTES), original)
    return inspect_repair(
        version.key,
        open_version(on.s3, version),
        original,
        metadata=head.metadata,
        policy=on.settings.policy,
        reopen=lambda: open_version(on.s3, version),
        size=head.size,
    )


def _mail_rejection(item: FileItem, on: Services, claimant: str) -> None:
    """Write the passport and send the email, unless both were done before."""
    now = _now()
    if not on.ledger.claim_mail(item["file_id"], claimant, now=now, abandoned_before=now - CLAIM_LIFETIME):
        return
    on.s3.put_object(
        Bucket=on.settings.lake_bucket,
        Key=f"passports/{item['file_id']}.json",
        Body=json.dumps(item, sort_keys=True, ensure_ascii=False, indent=2, default=_number).encode(),
        ContentType="application/json",
    )
    on.sns.publish(
        TopicArn=on.settings.topic_arn,
        Subject=rejection_subject(item, on.settings.stage),
        Message=rejection_body(item),
    )
    on.ledger.mark_mailed(item["file_id"], _now())


def _number(value: object) -> int:
    if isinstance(value, Decimal):
        return int(value)
    raise TypeError(f"{type(value).__name__} in a ledger item")


def _log(error: BaseException) -> None:
    """Log what happened to a file, under the names that the logger itself uses: an error may quote a row."""
    told = masked("".join(traceback.format_exception(error)))
    logger.error("file not handled", extra={"exception_name": type(error).__name__, "exception": told})


def _now() -> datetime:
    return datetime.now(UTC)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Handle every record. One that fails does not hold up the others; it fails the call, so that Lambda repeats it.

    What still fails at the last attempt comes back through the dead-letter queue, and is given up.
    """
    handled, failures = 0, []
    for lost in lost_events(event):
        for record in lost.records:
            version = object_version(record)
            logger.error("file given up", extra={"file_id": version.file_id})
            give_up(version, lost.error, services(), context.aws_request_id)
            handled += 1
    for record in data_records(event):
        try:
            version = object_version(record)
            status = process(version, services(), context.aws_request_id)
            logger.info("file handled", extra={"file_id": version.file_id, "status": status})
            handled += 1
        except Exception as error:
            _log(error)
            failures.append(error)
        except PanicException as panic:  # of a library in Rust: Python's own base of all that ends a process
            _log(panic)
            failures.append(ReaderPanicError(str(panic)))
    if failures:
        raise ExceptionGroup(f"{len(failures)} of {handled + len(failures)} files could not be handled", failures)
    return {"handled": handled}
