"""Copies the exact object versions of a run to `staging/`, where Spark can read them, and deletes them afterwards.

User keys never reach Spark's path resolution, and Spark cannot read a version. Of a file of cards the copy is masked:
its card numbers and security codes stay in Bronze. The others are copied as they are: none outlives its run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import boto3
from boto3.s3.transfer import TransferConfig
from contract.items import FileItem

from glue.lake.failures import FileBroken
from glue.reading.fields import join_line
from glue.reading.masking import CardKey, copy_masked

# S3 copies up to 5 GB in one request; boto3 by itself would send hundreds for such an object.
WHOLE_COPIES = TransferConfig(multipart_threshold=5 << 30, multipart_chunksize=1 << 30)
DELETED_AT_ONCE = 1_000


@dataclass(frozen=True)
class Staging:
    """Where a run's copies lie in the lake bucket, and what is needed to read them.

    That is the key under which card numbers are hashed on the way there, and the starts of the loads that list a file.
    Files that nobody copies, those of a sample, lie in a `folder` of their own.
    """

    lake: str
    prefix: str = ""
    card_key: CardKey = field(default_factory=lambda: CardKey(""))
    load_starts: Mapping[str, str] = field(default_factory=dict)
    folder: str = ""

    def name(self, file: FileItem) -> str:
        return f"{file['file_id']}.{file['format']['kind']}"

    def key(self, file: FileItem) -> str:
        return f"{self.prefix}staging/{self.name(file)}"

    def path(self, file: FileItem) -> str:
        return f"{self.folder}/{self.name(file)}" if self.folder else f"s3://{self.lake}/{self.key(file)}"


def stage(files: Sequence[FileItem], staging: Staging) -> None:
    """Copy the exact version of each file to staging; copying again gives the same bytes."""
    s3 = boto3.client("s3")

    def copy(file: FileItem) -> None:
        bucket, key, version_id = file["bucket"], file["key"], file["version_id"]
        try:
            if file["subject"] == "cards":
                body = s3.get_object(Bucket=bucket, Key=key, VersionId=version_id)["Body"]
                copy_masked(file, body, staging.lake, staging.key(file), staging.card_key)
            elif file["format"]["kind"] == "json":
                body = s3.get_object(Bucket=bucket, Key=key, VersionId=version_id)["Body"]
                s3.put_object(Bucket=staging.lake, Key=staging.key(file), Body=csv_of_codes(json.loads(body.read())))
            else:
                s3.copy(
                    {"Bucket": bucket, "Key": key, "VersionId": version_id},
                    staging.lake,
                    staging.key(file),
                    Config=WHOLE_COPIES,
                )
        except s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NoSuchVersion", "405"):
                raise FileBroken(
                    file["file_id"], "the object version was deleted from Bronze after it was accepted"
                ) from error
            raise

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(copy, [file for file in files if file["subject"] != "load"]))


@contextmanager
def staged(files: Sequence[FileItem], staging: Staging) -> Iterator[None]:
    """Have copies of files in staging for as long as they are read; those of a killed run expire after a day."""
    try:
        stage(files, staging)
        yield
    finally:
        s3, keys = boto3.client("s3"), [staging.key(file) for file in files if file["subject"] != "load"]
        for first in range(0, len(keys), DELETED_AT_ONCE):
            some = keys[first : first + DELETED_AT_ONCE]
            s3.delete_objects(Bucket=staging.lake, Delete={"Objects": [{"Key": key} for key in some], "Quiet": True})


def csv_of_codes(codes: dict[str, str]) -> bytes:
    """Write the JSON object of `mcc_codes` as the CSV file that it stands for."""
    # A line break may stand in a description; in a code it stays a fault.
    rows = [[re.sub(r"[\r\n]", "?", code), " ".join(str(name).splitlines())] for code, name in codes.items()]
    return "".join(f"{join_line(row)}\n" for row in (["mcc", "description"], *rows)).encode()
