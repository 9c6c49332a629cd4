"""The function's part of the file ledger: each write is conditional, so any repetition changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast, get_args

from botocore.exceptions import ClientError
from contract.items import (
    AcceptedFile,
    FileFailure,
    FileItem,
    InspectedFile,
    LayerName,
    RangeItem,
    StatusChange,
    StatusName,
)
from contract.partitions import PartitionItem
from contract.sweeps import ActionsItem, CalendarsItem, LateItem, SweepItem

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

BATCH = 100
"""BatchGetItem takes no more keys."""


RANGE_TRIES = 10
"""One more file hardly changes what a thousand others have taught: so often a call tries to add its own."""


def instant(at: datetime) -> str:
    """Return an instant as the ledger's text."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def instant_of(text: str) -> datetime:
    """Return the instant that a text of the ledger says."""
    return datetime.fromisoformat(text)


def status_change(status: StatusName, now: datetime) -> StatusChange:
    """Return the entry that records a change of status."""
    return {"status": status, "at": instant(now)}


class Ledger:
    """Reads and writes the ledger table."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def receive(self, item: FileItem) -> FileItem:
        """Put the item if it is new, or was given up before it was examined; return what the ledger then holds."""
        condition = "attribute_not_exists(file_id) OR (#status = :received AND attribute_exists(failed))"
        names, values = {"#status": "status"}, {":received": "received"}
        return item if self.put_if(item, condition, values, names) else self.get(item["file_id"])

    def get(self, file_id: str) -> FileItem:
        """Read a file's item, consistently; raise KeyError if there is none."""
        return cast(FileItem, self.table.get_item(Key={"file_id": file_id}, ConsistentRead=True)["Item"])

    def find(self, file_id: str) -> FileItem | None:
        """Read a file's item, consistently; None if there is none."""
        return cast(FileItem | None, self.find_item(file_id))

    def accept(self, file_id: str, found: AcceptedFile, now: datetime) -> bool:
        """Move a file from received to accepted; return whether this call did it."""
        waiting = {"in_effect": True, "waiting_for": "silver", "waiting_since": instant(now)}
        return self._decide(file_id, "accepted", {**found, **waiting}, now)

    def reject(self, file_id: str, found: InspectedFile, now: datetime) -> bool:
        """Move a file from received to rejected; return whether this call did it."""
        return self._decide(file_id, "rejected", found, now)

    def give_up(self, file_id: str, failed: FileFailure) -> None:
        """Note that a received file could not be examined; a new event about it takes the note away."""
        self.if_so(
            lambda: self.table.update_item(
                Key={"file_id": file_id},
                UpdateExpression="SET #failed = :failed",
                ConditionExpression="#status = :received",
                ExpressionAttributeNames={"#failed": "failed", "#status": "status"},
                ExpressionAttributeValues={":failed": cast(dict[str, Any], failed), ":received": "received"},
            )
        )

    def record_execution(self, file_id: str, execution_arn: str) -> None:
        """Record the workflow's execution, once."""
        self.if_so(
            lambda: self.table.update_item(
                Key={"file_id": file_id},
                UpdateExpression="SET execution_arn = :arn",
                ConditionExpression="attribute_not_exists(execution_arn)",
                ExpressionAttributeValues={":arn": execution_arn},
            )
        )

    def claim_mail(self, file_id: str, claimant: str, *, now: datetime, abandoned_before: datetime) -> bool:
        """Claim a rejection's email; return False if it was sent or another call is sending it.

        A call that died keeps its claim. Its own repetition (the same claimant) may take it again at once, any other
        call once the claim is older than `abandoned_before`.
        """
        return self.if_so(
            lambda: self.table.update_item(
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
        """Record that the email was sent."""
        self.table.update_item(
            Key={"file_id": file_id},
            UpdateExpression="SET rejection_mail.sent_at = :now",
            ExpressionAttributeValues={":now": instant(now)},
        )

    def range_of(self, first_folder: str) -> RangeItem | None:
        """Return what earlier accepted files of a prefix looked like, None if there are none."""
        return cast(RangeItem | None, self.find_item(f"range#{first_folder}"))

    def widen_range(self, first_folder: str, widened: Callable[[RangeItem | None], RangeItem]) -> bool:
        """Replace the range of a prefix by what `widened` makes of it; return False if others did so at each try."""
        for _ in range(RANGE_TRIES):
            before = self.range_of(first_folder)
            if self.put_if(widened(before), *_as_before(before)):
                return True
        return False

    def find_all(self, file_ids: Iterable[str]) -> dict[str, FileItem]:
        """Read the items of some files, consistently; those that have none are left out."""
        found: dict[str, FileItem] = {}
        wanted, client, table = list(dict.fromkeys(file_ids)), self.table.meta.client, self.table.name
        while wanted:
            some = [{"file_id": file_id} for file_id in wanted[:BATCH]]
            answer = client.batch_get_item(RequestItems={table: {"Keys": some, "ConsistentRead": True}})
            found |= {str(item["file_id"]): cast(FileItem, item) for item in answer["Responses"].get(table, [])}
            unread = answer.get("UnprocessedKeys") or {}
            left = [str(key["file_id"]) for key in unread[table]["Keys"]] if table in unread else []
            wanted = [*wanted[BATCH:], *left]
        return found

    def resume(self, item: FileItem, execution_arn: str) -> bool:
        """Note the next execution of a file whose last one died; return False if another call has done so."""
        return self.if_so(
            lambda: self.table.update_item(
                Key={"file_id": item["file_id"]},
                UpdateExpression="SET execution_arn = :next, resumes = :count",
                ConditionExpression="execution_arn = :last",
                ExpressionAttributeValues={
                    ":next": execution_arn,
                    ":last": item["execution_arn"],
                    ":count": int(item.get("resumes", 0)) + 1,
                },
            )
        )

    def begin_sweep(self, holder: str, *, now: datetime, until: datetime) -> SweepItem | None:
        """Keep other calls from sweeping; return the sweep's item, None if another call is at work."""
        begun = self.if_so(
            lambda: self.table.update_item(
                Key={"file_id": "sweep"},
                UpdateExpression="SET kind = :kind, holder = :me, held_until = :until",
                ConditionExpression="attribute_not_exists(holder) OR held_until < :now OR holder = :me",
                ExpressionAttributeValues={
                    ":kind": "sweep",
                    ":me": holder,
                    ":until": instant(until),
                    ":now": instant(now),
                },
            )
        )
        return cast(SweepItem, self.find_item("sweep")) if begun else None

    def open_breakers(self) -> set[str]:
        """Return the layers whose breaker is open: no run of theirs starts."""
        found = self.find_all(f"breaker#{layer}" for layer in get_args(LayerName))
        return {key.partition("#")[2] for key, item in found.items() if "prober" in item}

    def add_calendars(self, keys: Collection[str]) -> None:
        """Remember calendars; those that are known stay."""
        if keys:
            self.table.update_item(
                Key={"file_id": "calendars"},
                UpdateExpression="SET kind = :kind ADD #keys :keys",
                ExpressionAttributeNames={"#keys": "keys"},
                ExpressionAttributeValues={":kind": "calendars", ":keys": set(keys)},
            )

    def calendars(self) -> list[str]:
        """Return the keys of the calendars, in order."""
        item = cast(CalendarsItem | None, self.find_item("calendars"))
        return sorted(item["keys"]) if item else []

    def actions(self) -> set[str]:
        """Return the file ids of the actions that may lack their mail."""
        item = cast(ActionsItem | None, self.find_item("actions"))
        return item.get("ids", set()) if item else set()

    def drop_actions(self, file_ids: Collection[str]) -> None:
        """Forget actions whose execution has ended with its mail."""
        if file_ids:
            self.table.update_item(
                Key={"file_id": "actions"},
                UpdateExpression="DELETE ids :ids",
                ExpressionAttributeValues={":ids": set(file_ids)},
            )

    def keep_sweep(self, item: SweepItem) -> None:
        """Keep how far a sweep has come, if it is still this call's."""
        self.if_so(
            lambda: self.table.put_item(
                Item=cast(dict[str, Any], item),
                ConditionExpression="holder = :me",
                ExpressionAttributeValues={":me": item["holder"]},
            )
        )

    def end_sweep(self, holder: str) -> None:
        """Let other calls sweep."""
        self.if_so(
            lambda: self.table.update_item(
                Key={"file_id": "sweep"},
                UpdateExpression="REMOVE holder, held_until",
                ConditionExpression="holder = :me",
                ExpressionAttributeValues={":me": holder},
            )
        )

    def claim_notice(self, notice_id: str, text: str, *, now: datetime, abandoned_before: datetime) -> bool:
        """Claim the mail about an expected file or a gap; return False if it was sent, or another call sends it."""
        item: LateItem = {"file_id": notice_id, "kind": "notice", "text": text, "claimed_at": instant(now)}
        return self.put_if(
            item,
            "attribute_not_exists(file_id) OR (attribute_not_exists(sent_at) AND claimed_at < :old)",
            {":old": instant(abandoned_before)},
        )

    def mark_noticed(self, notice_id: str, now: datetime) -> None:
        """Record that the mail about an expected file or a gap was sent."""
        self.table.update_item(
            Key={"file_id": notice_id},
            UpdateExpression="SET sent_at = :now",
            ExpressionAttributeValues={":now": instant(now)},
        )

    def is_noticed(self, notice_id: str) -> bool:
        """Return whether a mail about an expected file or a gap was sent."""
        item = cast(LateItem | None, self.find_item(notice_id))
        return item is not None and "sent_at" in item

    def find_item(self, file_id: str) -> object:
        """Read an item of any kind, consistently; None if there is none."""
        return self.table.get_item(Key={"file_id": file_id}, ConsistentRead=True).get("Item")

    def put_if(
        self,
        item: FileItem | RangeItem | LateItem | PartitionItem,
        condition: str,
        values: Mapping[str, Any] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> bool:
        """Put an item under a condition; return whether it held."""
        given: dict[str, Any] = {"ExpressionAttributeValues": values} if values else {}
        given |= {"ExpressionAttributeNames": names} if names else {}
        return self.if_so(
            lambda: self.table.put_item(Item=cast(dict[str, Any], item), ConditionExpression=condition, **given)
        )

    def _decide(self, file_id: str, status: StatusName, values: Mapping[str, Any], now: datetime) -> bool:
        """Write the new status of a received file together with its warnings and figures."""
        names = {f"#{name}": name for name in ("status", "changes", *values)}
        sets = [f"#{name} = :{name}" for name in ("status", *values)]
        return self.if_so(
            lambda: self.table.update_item(
                Key={"file_id": file_id},
                UpdateExpression=f"SET {', '.join(sets)}, #changes = list_append(#changes, :change)",
                ConditionExpression="#status = :received",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues={
                    ":received": "received",
                    ":status": status,
                    ":change": [cast(dict[str, Any], status_change(status, now))],
                    **{f":{name}": value for name, value in values.items()},
                },
            )
        )

    @staticmethod
    def if_so(write: Callable[[], object]) -> bool:
        """Make a conditional write; return whether its condition held."""
        try:
            write()
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True


def _as_before(item: RangeItem | None) -> tuple[str, dict[str, Any]]:
    """Return the condition under which nobody has changed a range since it was read, and its values."""
    if item is None:
        return "attribute_not_exists(file_id)", {}
    if "pending" not in item:
        return "files = :files AND attribute_not_exists(pending)", {":files": item["files"]}
    return "files = :files AND pending = :pending", {":files": item["files"], ":pending": item["pending"]}
