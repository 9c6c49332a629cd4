"""The chain of evidence: a run's report names the run before it by its hash, and the files that it took by theirs.

The layer's item holds the head, the hash of the newest report, which moves at the run's commit point. So nobody can
change, drop or swap a report, or what it says of a file, without changing every report after it and the head.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import TypedDict, cast

import boto3
from contract.evidence import IDENTITY, SIGNING_ALGORITHM, came_at, item_sha256, sha256, signed_text
from contract.items import FileItem, LayerName
from contract.runs import ChainHead, GoldReport, LayerItem, Link, RunIntent, SilverReport, TakenFile

UNSIGNED = "none"  # Glue refuses an argument without a value


class ReportHash(TypedDict, total=False):
    """The hash of a run's report; nothing if an earlier version committed the run."""

    report_sha256: str


def taken(file: FileItem) -> TakenFile:
    """Return what the report of a run says of a file that it takes."""
    known = {name: value for name, value in file.items() if name in IDENTITY}
    return cast(TakenFile, {**known, "came_at": came_at(file), "item_sha256": item_sha256(file)})


def chained(
    layer: LayerName, run_seq: int, before: LayerItem, files: Iterable[FileItem], report: SilverReport | GoldReport
) -> bytes:
    """Return the report of a run as a link of the layer's chain, whose head is in the layer's item from `before` it."""
    link: Link = {"layer": layer, "run_seq": run_seq, "taken": {file["file_id"]: taken(file) for file in files}}
    if "head" in before:
        link["previous"] = before["head"]
    return json.dumps({**link, **report}, sort_keys=True).encode()


def head_of(layer: LayerName, run_seq: int, report: bytes, *, signing_key: str) -> ChainHead:
    """Return the head that a run's report makes, signed if there is a key for it."""
    head: ChainHead = {"run_seq": run_seq, "sha256": sha256(report)}
    if signing_key != UNSIGNED:
        signed = boto3.client("kms").sign(
            KeyId=signing_key,
            Message=signed_text(layer, run_seq, head["sha256"]),
            MessageType="RAW",
            SigningAlgorithm=SIGNING_ALGORITHM,
        )
        value = base64.b64encode(signed["Signature"]).decode()
        head["signature"] = {"key": signing_key, "algorithm": SIGNING_ALGORITHM, "value": value}
    return head


def report_hash(intent: RunIntent) -> ReportHash:
    """Return what items say of the report of a committed run."""
    return {"report_sha256": intent["head"]["sha256"]} if "head" in intent else {}
