"""Uploads the batch at once and awaits the end of every file, through the ledger."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from batch import File
from deployed_app import WITHIN_SECONDS, DeployedApp, until

from assay.ledger import Item, ending, file_id

REPEATED = ("transactions/good.csv", "transactions/rejected/a cent off.csv")
TIMES = 5


@dataclass(frozen=True)
class EndedBatch:
    """The files in the order of their upload, with what the ledger says of each."""

    app: DeployedApp
    files: tuple[File, ...]
    file_ids: tuple[str, ...]
    answers: list[Any] = field(default_factory=list)  # of the function, to the events that were repeated on the way

    @cached_property
    def items(self) -> tuple[Item, ...]:
        found = self.app.ledger.get(self.file_ids)
        return tuple(found[file_id] for file_id in self.file_ids)

    def pairs(self) -> list[tuple[File, Item]]:
        return list(zip(self.files, self.items, strict=True))

    def items_of(self, key: str) -> list[Item]:
        return [item for item in self.items if item["key"] == key]


def upload_and_await(app: DeployedApp, files: list[File]) -> EndedBatch:
    batch = EndedBatch(app, tuple(files), tuple(_upload(app, file) for file in files))
    _repeat_events(batch)
    until(lambda: _all_ended(batch), seconds=WITHIN_SECONDS, what=f"the end of all {len(files)} files")
    # The ledger tells the end of a file before the mail about it is sent.
    until(lambda: _all_mailed(batch), seconds=60, what="the mails about all files")
    return batch


def _upload(app: DeployedApp, file: File) -> str:
    bucket = app.target.stack.bronze_bucket
    put = app.target.s3.put_object(Bucket=bucket, Key=file.key, Body=file.body, Metadata=file.metadata)
    return file_id(bucket, file.key, put["VersionId"])


def _repeat_events(batch: EndedBatch) -> None:
    """Deliver the events of two files again, many times at once, as soon as the ledger knows the file at all."""
    for key in REPEATED:
        known_as = batch.file_ids[[file.key for file in batch.files].index(key)]
        item = until(partial(_item, batch, known_as), seconds=60, what=f"the item of {key}")
        with ThreadPoolExecutor(TIMES) as pool:
            batch.answers.extend(pool.map(batch.app.deliver_again, [item] * TIMES))


def _item(batch: EndedBatch, file_id: str) -> Item | None:
    return batch.app.ledger.get([file_id]).get(file_id)


def _all_ended(batch: EndedBatch) -> bool:
    items = batch.app.ledger.get(batch.file_ids)
    return len(items) == len(batch.files) and all(ending(item) for item in items.values())


def _all_mailed(batch: EndedBatch) -> bool:
    rejected = [item for item in batch.app.ledger.get(batch.file_ids).values() if item["status"] == "rejected"]
    sent = all("sent_at" in item.get("rejection_mail", {}) for item in rejected)
    return sent and not any(each["status"] == "RUNNING" for each in batch.app.executions())
