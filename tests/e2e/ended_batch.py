"""Uploads the batch at once and awaits the end of every file, through the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from batch import File
from deployed_app import DeployedApp, until

from assay.ledger import Item, ending, file_id

WITHIN_SECONDS = 420


@dataclass(frozen=True)
class EndedBatch:
    """The files in the order of their upload, with what the ledger says of each."""

    app: DeployedApp
    files: tuple[File, ...]
    file_ids: tuple[str, ...]

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
    until(lambda: _all_ended(batch), seconds=WITHIN_SECONDS, what=f"the end of all {len(files)} files")
    # The ledger tells the end of a file before the mail about it is sent.
    until(lambda: _all_mailed(batch), seconds=60, what="the mails about all files")
    return batch


def _upload(app: DeployedApp, file: File) -> str:
    bucket = app.target.stack.bronze_bucket
    put = app.target.s3.put_object(Bucket=bucket, Key=file.key, Body=file.body, Metadata=file.metadata)
    return file_id(bucket, file.key, put["VersionId"])


def _all_ended(batch: EndedBatch) -> bool:
    items = batch.app.ledger.get(batch.file_ids)
    return len(items) == len(batch.files) and all(ending(item) for item in items.values())


def _all_mailed(batch: EndedBatch) -> bool:
    rejected = [item for item in batch.app.ledger.get(batch.file_ids).values() if item["status"] == "rejected"]
    sent = all("sent_at" in item.get("rejection_mail", {}) for item in rejected)
    return sent and not any(each["status"] == "RUNNING" for each in batch.app.executions())
