"""The file ledger as the Glue jobs use it: which files wait, which run is in progress, and where its commit point lies.

Every write is conditional, so that a status moves only forward and a second writer is fenced out. The item format is
section 6 of `docs/data-contract.md`.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import boto3
from boto3.dynamodb.conditions import Attr, ConditionBase, Key
from botocore.exceptions import ClientError
from contract.closings import CLOSED, CLOSED_MONTHS, ClosedItem
from contract.items import (
    Decision,
    DecisionOfFile,
    FileItem,
    GoldOfFile,
    LayerName,
    RejectionReason,
    RepairsOfFile,
    SilverOfFile,
    StatusName,
)
from contract.limits import FAILURE_CHARACTERS, RUN_FILES
from contract.runs import LayerItem, PublishedRun, RunInProgress, RunIntent, SuspectFiles

from glue.lake.failures import FencedOut
from glue.reading.card_numbers import masked_text


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


def is_refused(error: ClientError) -> bool:
    """Tell whether a conditional write failed because its condition does not hold."""
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"


def up_to_rows(files: Iterable[FileItem], rows: int) -> list[FileItem]:
    """Return files from the first on, as many as have so many rows together; the first with rows in any case."""
    taken, held = [], 0
    for file in files:
        of_file = file["kpis"]["row_count"]
        if held and held + of_file > rows:
            break
        taken.append(file)
        held += of_file
    return taken


class Ledger:
    """The ledger table, seen from one layer."""

    def __init__(self, table_name: str, layer: LayerName) -> None:
        self.layer = layer
        self._layer_key = {"file_id": f"layer#{layer}"}
        self._breaker_key = {"file_id": f"breaker#{layer}"}
        self._resource = boto3.resource("dynamodb")
        self._table = self._resource.Table(table_name)
        self._token: str | None = None  # of the run that this process has begun last
        self._has_succeeded = False  # this process, in a run at least

    def state(self, layer: LayerName | None = None) -> LayerItem:
        """Return a layer's item, read consistently; an empty layer has run 0."""
        file_id = f"layer#{layer or self.layer}"
        item = self._table.get_item(Key={"file_id": file_id}, ConsistentRead=True).get("Item", {})
        return cast(LayerItem, {"file_id": file_id, "kind": "layer", "run_seq": 0, **plain(item)})

    def files(self, file_ids: Iterable[str]) -> list[FileItem]:
        """Return the items of these files, read consistently, in the order given."""

        def read(file_id: str) -> FileItem | None:
            item = self._table.get_item(Key={"file_id": file_id}, ConsistentRead=True).get("Item")
            return cast(FileItem, plain(item)) if item else None

        with ThreadPoolExecutor(16) as pool:
            return [item for item in pool.map(read, dict.fromkeys(file_ids)) if item]

    def closings(self, months: Iterable[str]) -> list[ClosedItem]:
        """Return the items of those of some months that are closed, read consistently."""
        item = self._table.get_item(Key={"file_id": CLOSED_MONTHS}, ConsistentRead=True).get("Item", {})
        closed = cast(set[str], item.get("months", set())).intersection(months)
        return cast(list[ClosedItem], self.files(f"{CLOSED}{month}" for month in sorted(closed)))

    def waiting(self, also: str | None) -> list[FileItem]:
        """Return the files that wait for this layer, those first that have waited longest.

        The index lags behind the table, so each item is read again, and `also` (the file of the execution that
        started this job) is looked up even when the index does not know it yet.
        """
        mine = Key("waiting_for").eq(self.layer)
        page = self._table.query(IndexName="waiting", KeyConditionExpression=mine)
        file_ids = [str(item["file_id"]) for item in page["Items"]]
        while "LastEvaluatedKey" in page and len(file_ids) < RUN_FILES:
            after = page["LastEvaluatedKey"]
            page = self._table.query(IndexName="waiting", KeyConditionExpression=mine, ExclusiveStartKey=after)
            file_ids += [str(item["file_id"]) for item in page["Items"]]
        file_ids = ([also] if also else []) + file_ids[: RUN_FILES - 1]
        waiting = [item for item in self.files(file_ids) if item.get("waiting_for") == self.layer]
        return sorted(waiting, key=lambda item: (item.get("waiting_since", ""), item["file_id"]))

    def begin(self, run: RunInProgress, *, after: int) -> None:
        """Record the run in progress; `after` is the number of the last committed run."""
        self._conditional(
            "SET kind = :kind, in_progress = :run, run_seq = if_not_exists(run_seq, :zero)",
            "attribute_not_exists(intent) AND (attribute_not_exists(run_seq) OR run_seq = :after)",
            {":kind": "layer", ":run": run, ":zero": 0, ":after": after},
        )
        self._token = run["token"]

    def commit(self, intent: RunIntent, *, token: str) -> None:
        """Put the one intent item: the commit point, and with it the head of the chain of evidence.

        Fails when another run has begun since.
        """
        self._conditional(
            "SET intent = :intent, run_seq = :run_seq, head = :head",
            Attr("intent").not_exists() & Attr("in_progress.token").eq(token),
            {":intent": intent, ":run_seq": intent["run_seq"], ":head": intent["head"]},
        )

    def finish(self, published: PublishedRun) -> None:
        """Clear the intent once all its tables and files are published."""
        self._conditional(
            "SET published = :published REMOVE intent, in_progress",
            "intent.run_seq = :run_seq",
            {":published": published, ":run_seq": published["run_seq"]},
        )

    def abandon(self) -> None:
        """Forget a run in progress that has nothing to commit."""
        self._table.update_item(Key=self._layer_key, UpdateExpression="REMOVE in_progress")

    def set_aside(self, failed: RunInProgress, suspects: list[SuspectFiles]) -> None:
        """Forget a run in progress that was seen to fail; its files are among the suspects."""
        self._conditional(
            "SET suspects = :suspects REMOVE in_progress",
            Attr("intent").not_exists() & Attr("in_progress.token").eq(failed["token"]),
            {":suspects": suspects},
        )

    def keep_suspects(self, suspects: list[SuspectFiles]) -> None:
        """Note which suspects are left, once the others were taken again."""
        self._table.update_item(
            Key=self._layer_key,
            UpdateExpression="SET suspects = :suspects",
            ExpressionAttributeValues={":suspects": cast(Any, suspects)},
        )

    def count_start(self, start: str) -> None:
        """Count a start of this layer's job until one succeeds: after three, the workflow starts no more.

        While the breaker is open, nothing is left to count for.
        """
        try:
            self._table.update_item(
                Key=self._breaker_key,
                UpdateExpression="SET kind = :kind ADD starts :start",
                ConditionExpression="attribute_not_exists(prober)",
                ExpressionAttributeValues={":kind": "breaker", ":start": {start}},
            )
        except ClientError as error:
            if not is_refused(error):
                raise

    def count_success(self) -> None:
        """Forget what has failed, and close the breaker: the layer's job works. Once a process is enough."""
        if not self._has_succeeded:
            self._table.update_item(
                Key=self._breaker_key,
                UpdateExpression="SET kind = :kind, succeeded_at = :now REMOVE starts, failures, opened_at, prober",
                ExpressionAttributeValues={":kind": "breaker", ":now": now_text()},
            )
        self._has_succeeded = True

    def advance(
        self, file_id: str, *, status: StatusName, waiting_for: LayerName | None, found: SilverOfFile | GoldOfFile
    ) -> bool:
        """Move one file to `status` with what this layer found; moving it there twice does nothing, and tells so."""
        at = now_text()
        wait = "waiting_for = :next, waiting_since = :at, " if waiting_for else ""
        values: dict[str, Any] = {":status": status, ":found": found, ":change": [{"status": status, "at": at}]}
        values |= {":next": waiting_for, ":at": at} if waiting_for else {}
        before = "accepted" if status == "in_silver" else "in_silver"
        try:
            self._table.update_item(
                Key={"file_id": file_id},
                UpdateExpression=(
                    f"SET {wait}#status = :status, {self.layer} = :found, changes = list_append(changes, :change)"
                    " REMOVE failed, last_error" + ("" if waiting_for else ", waiting_for, waiting_since")
                ),
                ConditionExpression="#status = :before",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={**values, ":before": before},
            )
        except ClientError as error:
            if not is_refused(error):
                raise
            return False
        return True

    def decide(self, action_id: str, decision: Decision, *, run_seq: int) -> None:
        """Set whether a file is in effect, and keep who decided it; doing it twice does nothing."""
        said: DecisionOfFile = {
            "action": action_id,
            "in_effect": decision["in_effect"],
            "who": decision["who"],
            "at": decision["at"],
            "reason": decision["reason"],
            "run_seq": run_seq,
        }
        number, held = decision["number"], Attr("decisions")
        try:
            self._table.update_item(
                Key={"file_id": decision["file_id"]},
                UpdateExpression="SET in_effect = :is, decisions = list_append(if_not_exists(decisions, :none), :said)",
                ConditionExpression=held.size().eq(number) if number else held.not_exists(),
                ExpressionAttributeValues={":is": decision["in_effect"], ":none": [], ":said": [said]},
            )
        except ClientError as error:
            if not is_refused(error):
                raise

    def note_repairs(self, file_id: str, found: RepairsOfFile) -> None:
        """Keep what became of a file's quarantined rows; doing it twice does nothing."""
        self._table.update_item(
            Key={"file_id": file_id},
            UpdateExpression="SET repaired = :found",
            ExpressionAttributeValues={":found": cast(dict[str, Any], found)},
        )

    def reject(self, file_id: str, reasons: list[RejectionReason]) -> None:
        """Reject a file that was accepted and is not in Silver: a declared reload, a repair or a waiver."""
        at, found = now_text(), self.files([file_id])
        change = [{"status": "rejected", "at": at}]
        # Its workflow, if it has one, mails it: the function, should its event come again, need not.
        mail: dict[str, Any] = {":mail": {"sent_at": at}} if found and "execution_arn" in found[0] else {}
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

    def fail(self, file_id: str, reason: str, *, attempts: int = 1) -> None:
        """Take a file out of the queue until it is resumed, and say why; one that waits here no more stays as it is.

        `attempts` counts the runs that took it. What is committed is published, and what another run has taken is that
        run's to judge.
        """
        state = self.state()
        if "intent" in state or self._token not in (None, state.get("in_progress", {}).get("token")):
            raise FencedOut(f"a run that is committed, or another one, holds the files of layer {self.layer}")
        told = masked_text(reason)[:FAILURE_CHARACTERS]
        failed = {"stage": self.layer, "reason": told, "attempts": attempts, "at": now_text()}
        self._where_waiting(
            file_id, "SET failed = :failed REMOVE waiting_for, waiting_since, last_error", {":failed": failed}
        )

    def note_error(self, file_id: str, reason: str) -> None:
        """Leave the reason of a run that failed on the file whose execution started it, as long as it waits here.

        The file keeps its place in the queue: the fault need not be its own, and its execution tries again.
        """
        error = {"stage": self.layer, "reason": masked_text(reason)[:FAILURE_CHARACTERS], "at": now_text()}
        self._where_waiting(file_id, "SET last_error = :error", {":error": error})

    def _where_waiting(self, file_id: str, update: str, values: dict[str, Any]) -> None:
        """Update the item of a file that waits for this layer; leave any other alone."""
        try:
            self._table.update_item(
                Key={"file_id": file_id},
                UpdateExpression=update,
                ConditionExpression="waiting_for = :layer",
                ExpressionAttributeValues={**values, ":layer": self.layer},
            )
        except ClientError as refusal:
            if not is_refused(refusal):
                raise

    def _conditional(self, update: str, condition: str | ConditionBase, values: dict[str, Any]) -> None:
        try:
            self._table.update_item(
                Key=self._layer_key,
                UpdateExpression=update,
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
            )
        except ClientError as error:
            if is_refused(error):
                raise FencedOut(f"another run works on layer {self.layer}; this one publishes nothing") from error
            raise
