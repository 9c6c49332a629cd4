"""The file ledger as the Glue jobs use it: which files wait, which run is in progress, and where its commit point lies.

Every write is conditional, so that a status moves only forward and a second writer is fenced out. The item format is
section 6 of `docs/data-contract.md`.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import boto3
from botocore.exceptions import ClientError

Item = dict[str, Any]

FILES_A_RUN = 2_000  # a run's file list lies in one DynamoDB item, which ends at 400 KB
REASON_LENGTH = 2_000  # a mail carries the reason and must stay below 8 KB


class FencedOut(RuntimeError):  # noqa: N818 - it is a state, reported as such
    """Another run has taken over this layer; nothing of the present run may be published."""


def instant_text(instant: datetime) -> str:
    """Return a UTC instant in the ledger's form, which sorts as text."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def now_text() -> str:
    return instant_text(datetime.now(UTC))


def plain(value: Any) -> Any:
    """Return a DynamoDB value with numbers as `int`: the ledger holds counts as numbers and money as text."""
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


class Ledger:
    """The ledger table, seen from one layer (`silver` or `gold`)."""

    def __init__(self, table_name: str, layer: str) -> None:
        self.layer = layer
        self._layer_key = {"file_id": f"layer#{layer}"}
        self._resource = boto3.resource("dynamodb")
        self._table = self._resource.Table(table_name)

    def state(self, layer: str | None = None) -> Item:
        """Return a layer's item, read consistently; an empty layer has run 0."""
        key = {"file_id": f"layer#{layer or self.layer}"}
        item = self._table.get_item(Key=key, ConsistentRead=True).get("Item", {})
        return {"run_seq": 0, **plain(item)}

    def files(self, file_ids: Iterable[str]) -> list[Item]:
        """Return the items of these files, read consistently, in the order given."""

        def read(file_id: str) -> Item:
            return plain(self._table.get_item(Key={"file_id": file_id}, ConsistentRead=True).get("Item", {}))

        with ThreadPoolExecutor(16) as pool:
            return [item for item in pool.map(read, dict.fromkeys(file_ids)) if item]

    def waiting(self, also: str | None) -> list[Item]:
        """Return the files that wait for this layer, oldest first.

        The index lags behind the table, so each item is read again, and `also` (the file of the execution that
        started this job) is looked up even when the index does not know it yet.
        """
        query = {
            "IndexName": "waiting",
            "KeyConditionExpression": "waiting_for = :layer",
            "ExpressionAttributeValues": {":layer": self.layer},
        }
        page = self._table.query(**query)
        file_ids = [item["file_id"] for item in page["Items"]]
        while "LastEvaluatedKey" in page and len(file_ids) < FILES_A_RUN:
            page = self._table.query(**query, ExclusiveStartKey=page["LastEvaluatedKey"])
            file_ids += [item["file_id"] for item in page["Items"]]
        file_ids = ([also] if also else []) + file_ids[: FILES_A_RUN - 1]
        return [item for item in self.files(file_ids) if item.get("waiting_for") == self.layer]

    def begin(self, run: Item, *, after: int) -> None:
        """Record the run in progress; `after` is the number of the last committed run."""
        self._conditional(
            "SET kind = :kind, in_progress = :run, run_seq = if_not_exists(run_seq, :zero)",
            "attribute_not_exists(intent) AND (attribute_not_exists(run_seq) OR run_seq = :after)",
            {":kind": "layer", ":run": run, ":zero": 0, ":after": after},
        )

    def commit(self, intent: Item, *, token: str) -> None:
        """Put the one intent item: the commit point. Fails when another run has begun since."""
        self._conditional(
            "SET intent = :intent, run_seq = :run_seq",
            "attribute_not_exists(intent) AND in_progress.#token = :token",
            {":intent": intent, ":run_seq": intent["run_seq"], ":token": token},
            {"#token": "token"},
        )

    def finish(self, published: Item) -> None:
        """Clear the intent once all its tables and files are published."""
        self._conditional(
            "SET published = :published REMOVE intent, in_progress",
            "intent.run_seq = :run_seq",
            {":published": published, ":run_seq": published["run_seq"]},
        )

    def abandon(self) -> None:
        """Forget a run in progress that has nothing to commit."""
        self._table.update_item(Key=self._layer_key, UpdateExpression="REMOVE in_progress")

    def advance(self, file_id: str, *, status: str, waiting_for: str | None, facts: Item) -> None:
        """Move one file to `status` with this layer's facts; moving it there twice does nothing."""
        at = now_text()
        wait = "waiting_for = :next, waiting_since = :at, " if waiting_for else ""
        values = {":status": status, ":facts": facts, ":change": [{"status": status, "at": at}]}
        values |= {":next": waiting_for, ":at": at} if waiting_for else {}
        before = "accepted" if status == "in_silver" else "in_silver"
        try:
            self._table.update_item(
                Key={"file_id": file_id},
                UpdateExpression=(
                    f"SET {wait}#status = :status, {self.layer} = :facts, changes = list_append(changes, :change)"
                    + (" REMOVE failed" if waiting_for else " REMOVE failed, waiting_for, waiting_since")
                ),
                ConditionExpression="#status = :before",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={**values, ":before": before},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise

    def reject(self, file_id: str, reasons: list[Item]) -> None:
        """Reject a file that was accepted and is not in Silver: only a declared reload can still be refused here."""
        at, item = now_text(), next(iter(self.files([file_id])), {})
        change = [{"status": "rejected", "at": at}]
        # Its workflow, if it has one, mails it: the function, should its event come again, need not.
        mail = {":mail": {"sent_at": at}} if "execution_arn" in item else {}
        self._table.update_item(
            Key={"file_id": file_id},
            UpdateExpression=(
                "SET #status = :rejected, in_effect = :no, reasons = :reasons, "
                + ("rejection_mail = :mail, " if mail else "")
                + "changes = list_append(changes, :change) REMOVE waiting_for, waiting_since"
            ),
            ConditionExpression="#status = :accepted",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={
                ":rejected": "rejected",
                ":accepted": "accepted",
                ":no": False,
                ":reasons": reasons,
                ":change": change,
                **mail,
            },
        )

    def fail(self, file_id: str, reason: str) -> None:
        """Take a file out of the queue until it is resumed, and say why."""
        item = next(iter(self.files([file_id])), {})
        attempts = item.get("failed", {}).get("attempts", 0) + 1
        failed = {"stage": self.layer, "reason": reason[:REASON_LENGTH], "attempts": attempts, "at": now_text()}
        self._table.update_item(
            Key={"file_id": file_id},
            UpdateExpression="SET failed = :failed REMOVE waiting_for, waiting_since",
            ExpressionAttributeValues={":failed": failed},
        )

    def _conditional(self, update: str, condition: str, values: Item, names: dict[str, str] | None = None) -> None:
        try:
            self._table.update_item(
                Key=self._layer_key,
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
                **({"ExpressionAttributeNames": names} if names else {}),
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise FencedOut(f"another run works on layer {self.layer}; this one publishes nothing") from error
            raise
