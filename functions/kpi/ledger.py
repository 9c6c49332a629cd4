"""The function's part of the file ledger: each write is conditional, so any repetition changes nothing."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from kpis import Kpis, money_text
from reconcile import LearnedRange, widened
from subjects import LOAD, is_marker, subject_of

if TYPE_CHECKING:
    from inspection import Inspection
    from mypy_boto3_dynamodb.service_resource import Table
    from objects import Head, ObjectVersion

Item = dict[str, Any]


def received_item(version: ObjectVersion, head: Head | None, as_of_at: datetime | None, now: datetime) -> Item:
    """Return the first state of a file's item; without a head the event's own figures stand in."""
    item: Item = {
        "file_id": version.file_id,
        "kind": "file",
        "subject": subject_name(version.key),
        "bucket": version.bucket,
        "key": version.key,
        "version_id": version.version_id,
        "sequencer": version.sequencer,
        "etag": head.etag if head else version.etag,
        "size": head.size if head else version.size,
        "last_modified_at": instant(head.last_modified_at if head else version.event_at),
        "status": "received",
        "in_effect": False,
        "changes": [_change("received", now)],
    }
    return item if as_of_at is None else {**item, "as_of_at": instant(as_of_at)}


def subject_name(key: str) -> str:
    """Return what the ledger calls the subject of an object."""
    return LOAD if is_marker(key) else subject_of(key).name


def instant(at: datetime) -> str:
    """Return an instant as the ledger's text."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Ledger:
    """Reads and writes the ledger table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def receive(self, item: Item) -> Item:
        """Put the item if it is new; return what the ledger then holds."""
        new = self._if_so(
            lambda: self._table.put_item(Item=item, ConditionExpression="attribute_not_exists(file_id)"),
        )
        return item if new else self.get(item["file_id"])

    def get(self, file_id: str) -> Item:
        """Read an item, consistently."""
        return dict(self._table.get_item(Key={"file_id": file_id}, ConsistentRead=True)["Item"])

    def find(self, file_id: str) -> Item | None:
        """Read an item, consistently; None if there is none."""
        return self._table.get_item(Key={"file_id": file_id}, ConsistentRead=True).get("Item")

    def accept(self, file_id: str, found: Inspection, now: datetime) -> bool:
        """Move a file from received to accepted; say whether it was this call that did."""
        waiting = {"in_effect": True, "waiting_for": "silver", "waiting_since": instant(now)}
        return self._decide(file_id, "accepted", {**_inspected(found), **waiting}, now)

    def reject(self, file_id: str, found: Inspection, now: datetime) -> bool:
        """Move a file from received to rejected; say whether it was this call that did."""
        reasons = [asdict(reason) for reason in found.reasons]
        return self._decide(file_id, "rejected", {**_inspected(found), "reasons": reasons}, now)

    def record_execution(self, file_id: str, execution_arn: str) -> None:
        """Note the workflow's execution, once."""
        self._if_so(
            lambda: self._table.update_item(
                Key={"file_id": file_id},
                UpdateExpression="SET execution_arn = :arn",
                ConditionExpression="attribute_not_exists(execution_arn)",
                ExpressionAttributeValues={":arn": execution_arn},
            )
        )

    def claim_mail(self, file_id: str, claimant: str, *, now: datetime, abandoned_before: datetime) -> bool:
        """Claim the sending of a rejection's mail; false if it is sent, or another call is at it.

        A call that died keeps its claim: its own repetition (the same claimant) takes it up again, anybody else
        may after `abandoned_before`.
        """
        return self._if_so(
            lambda: self._table.update_item(
                Key={"file_id": file_id},
                UpdateExpression="SET rejection_mail = :claim",
                ConditionExpression="attribute_not_exists(rejection_mail) OR (attribute_not_exists("
                "rejection_mail.sent_at) AND (rejection_mail.claimant = :me OR rejection_mail.claimed_at < :old))",
                ExpressionAttributeValues={
                    ":claim": {"claimant": claimant, "claimed_at": instant(now)},
                    ":me": claimant,
                    ":old": instant(abandoned_before),
                },
            )
        )

    def mark_mailed(self, file_id: str, now: datetime) -> None:
        """Note that the mail is out."""
        self._table.update_item(
            Key={"file_id": file_id},
            UpdateExpression="SET rejection_mail.sent_at = :now",
            ExpressionAttributeValues={":now": instant(now)},
        )

    def learned(self, first_folder: str) -> LearnedRange | None:
        """Return what earlier accepted files of a prefix looked like, None if there are none."""
        item = self._table.get_item(Key={"file_id": f"range#{first_folder}"}, ConsistentRead=True).get("Item")
        return _learned(item) if item else None

    def learn(self, first_folder: str, kpis: Kpis) -> None:
        """Take an accepted file into the range of its prefix."""
        while True:
            before = self.learned(first_folder)
            after = widened(kpis, before)
            item: Item = {"file_id": f"range#{first_folder}", "kind": "range", **_range_item(after)}
            if self._replace_range(item, before):
                return

    def _replace_range(self, item: Item, before: LearnedRange | None) -> bool:
        if before is None:
            return self._if_so(
                lambda: self._table.put_item(Item=item, ConditionExpression="attribute_not_exists(file_id)")
            )
        return self._if_so(
            lambda: self._table.put_item(
                Item=item,
                ConditionExpression="files = :files",
                ExpressionAttributeValues={":files": before.files},
            )
        )

    def _decide(self, file_id: str, status: str, values: Item, now: datetime) -> bool:
        """Move a received file on; its warnings, figures and the change go with the status in one write."""
        names = {f"#{name}": name for name in ("status", "changes", *values)}
        sets = [f"#{name} = :{name}" for name in ("status", *values)]
        return self._if_so(
            lambda: self._table.update_item(
                Key={"file_id": file_id},
                UpdateExpression=f"SET {', '.join(sets)}, #changes = list_append(#changes, :change)",
                ConditionExpression="#status = :received",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={
                    ":received": "received",
                    ":status": status,
                    ":change": [_change(status, now)],
                    **{f":{name}": value for name, value in values.items()},
                },
            )
        )

    @staticmethod
    def _if_so(write: Any) -> bool:
        """Make a conditional write; say whether its condition held."""
        try:
            write()
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True


def _change(status: str, now: datetime) -> dict[str, str]:
    return {"status": status, "at": instant(now)}


def _inspected(found: Inspection) -> Item:
    item: Item = {"format": found.format, "control": found.control_item(), "warnings": found.warnings}
    if found.load is not None:
        item["load"] = found.load
    return item if found.kpis is None else {**item, "kpis": found.kpis.as_item()}


def _learned(item: Item) -> LearnedRange:
    return LearnedRange(
        files=int(item["files"]),
        min_rows=int(item["min_rows"]),
        max_rows=int(item["max_rows"]),
        min_mean_cents=_cents(item["min_mean"]),
        max_mean_cents=_cents(item["max_mean"]),
    )


def _range_item(learned: LearnedRange) -> Item:
    return {
        "files": learned.files,
        "min_rows": learned.min_rows,
        "max_rows": learned.max_rows,
        "min_mean": money_text(learned.min_mean_cents),
        "max_mean": money_text(learned.max_mean_cents),
    }


def _cents(money: str) -> int:
    return int(money.replace(".", ""))
