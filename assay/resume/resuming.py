"""Lets files go on. Each step is conditional: of two operators one does it; after a kill it may be done again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError
from cloud.listing import Listed, Place, event_of
from cloud.workflows import next_execution_arn, start_execution

from assay.upload import instant_text

if TYPE_CHECKING:
    from assay.ledger import Item
    from assay.resume.files import Resumable
    from assay.target import Target


@dataclass(frozen=True)
class Resumer:
    """What resumes files of a stack."""

    target: Target

    def close_breaker(self, layer: str) -> None:
        forget = "REMOVE starts, failures, opened_at, prober"
        self._update(f"breaker#{layer}", forget, "attribute_exists(file_id)", {}, {})

    def resume(self, file: Resumable) -> bool:
        """Let a file go on; return whether this call did it."""
        if file.stage == "kpi":
            self._examine(file.item)
            return True
        resumes = file.item.get("resumes", 0)
        arn = next_execution_arn(self.target.stack.workflow, file.item)
        if not self._take_place(file, resumes, arn):
            return False
        name = arn.rpartition(":")[2]
        start_execution(self.target.stepfunctions, self.target.stack.workflow, file.item, name)
        return True

    def _take_place(self, file: Resumable, resumes: int, arn: str) -> bool:
        """Put a file back into the queue, if it is as it was read; one that waits keeps its place there.

        The execution is named before it is started: after a kill in between, it is found not to run.
        """
        item, has_failed = file.item, "failed" in file.item
        names = {"#status": "status"} | ({"#failed": "failed"} if has_failed else {})
        conditions = ["#status = :status", "attribute_exists(#failed)" if has_failed else "waiting_for = :layer"]
        conditions.append("resumes = :before" if resumes else "attribute_not_exists(resumes)")
        values = {":status": item["status"], ":layer": file.stage, ":n": resumes + 1, ":arn": arn}
        values |= {":before": resumes} if resumes else {}
        update = "SET waiting_for = :layer, resumes = :n, execution_arn = :arn"
        if has_failed:
            values[":now"] = instant_text(datetime.now(UTC))
            update += ", waiting_since = :now REMOVE #failed, last_error"
        return self._update(item["file_id"], update, " AND ".join(conditions), values, names)

    def _examine(self, item: Item) -> None:
        """Send the event of a file to the KPI function once more: its version takes the place that it had."""
        listed = Listed.of_item(item)
        self.target.functions.invoke(
            FunctionName=self.target.stack.kpi_function,
            InvocationType="Event",
            Payload=json.dumps(event_of(listed, Place.of_item(item))).encode(),
        )

    def _update(self, file_id: str, update: str, condition: str, values: dict[str, Any], names: dict[str, str]) -> bool:
        serialize = TypeSerializer().serialize
        given: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
        if values:
            given["ExpressionAttributeValues"] = {name: serialize(value) for name, value in values.items()}
        try:
            self.target.dynamodb.update_item(
                TableName=self.target.stack.ledger_table,
                Key={"file_id": {"S": file_id}},
                UpdateExpression=update,
                ConditionExpression=condition,
                **given,
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "ConditionalCheckFailedException":
                return False
            raise
        return True


def resume_all(target: Target, found: Sequence[Resumable], closes: str | None) -> list[Resumable]:
    """Close a layer's breaker if one is named, and resume the files; return those that somebody else resumed first."""
    resumer = Resumer(target)
    if closes:
        resumer.close_breaker(closes)
    return [each for each in found if not resumer.resume(each)]
