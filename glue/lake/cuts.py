"""The readers' cut: which snapshots of all tables belong together, so that readers can join them at any moment.

Tables are shown one by one; a reader that joins two of them meanwhile may see two runs. `current.json` names a run's
snapshots before the first of its tables is shown, and `cuts.json` those of earlier runs, which do not expire.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import boto3
from botocore.exceptions import ClientError
from contract.items import LayerName
from contract.runs import Cut
from contract.vocabulary import CURRENT_CUT, KEPT_CUTS

MOST_CUTS = 100
KEPT_DAYS = 7
CHANGED = ("PreconditionFailed", "ConditionalRequestConflict")


def put_cut(bucket: str, prefix: str, cut: Cut) -> None:
    """Name a cut as the current one, unless a later one is there; a run that is finished by the next names it again."""
    if not _replace(bucket, f"{prefix}{CURRENT_CUT}", lambda before: _newer(before, cut)):
        return
    _replace(bucket, f"{prefix}{KEPT_CUTS}", lambda before: kept([*(before or []), cut]))


def kept(cuts: Sequence[Cut]) -> list[Cut]:
    """Return the cuts that readers may still ask for: the last 100, and the last one of each hour of seven days."""
    by_run = sorted({cut["run_seq"]: cut for cut in cuts}.values(), key=lambda cut: cut["run_seq"])
    oldest = datetime.fromisoformat(by_run[-1]["at"]) - timedelta(days=KEPT_DAYS)
    last_of_hour = {cut["at"][:13]: cut["run_seq"] for cut in by_run if datetime.fromisoformat(cut["at"]) >= oldest}
    wanted = {*last_of_hour.values(), *(cut["run_seq"] for cut in by_run[-MOST_CUTS:])}
    return [cut for cut in by_run if cut["run_seq"] in wanted]


def snapshots_named(bucket: str, prefix: str, layer: LayerName) -> set[int]:
    """Return the snapshots of a layer's tables that kept cuts name."""
    cuts, _ = _read(bucket, f"{prefix}{KEPT_CUTS}")
    return {snapshot_id for cut in cuts or [] for snapshot_id in cut["snapshots"][layer].values()}


def _newer(before: Cut | None, cut: Cut) -> Cut | None:
    return None if before is not None and before["run_seq"] > cut["run_seq"] else cut


def _replace(bucket: str, key: str, change: Callable[[Any], Any]) -> bool:
    """Write what `change` makes of an object's content, unless it is nothing; again if somebody else was quicker."""
    while True:
        before, etag = _read(bucket, key)
        if (after := change(before)) is None:
            return False
        s3 = boto3.client("s3")
        # As a header: the boto3 of a Glue job may be older than the parameters IfMatch and IfNoneMatch (1.35.69).
        condition = {"If-Match": etag} if etag else {"If-None-Match": "*"}
        s3.meta.events.register("before-call.s3.PutObject", partial(_add_headers, condition))
        try:
            s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(after, sort_keys=True).encode())
        except ClientError as error:
            if error.response["Error"]["Code"] not in CHANGED:
                raise
        else:
            return True


def _add_headers(headers: dict[str, str], params: dict[str, Any], **_: object) -> None:
    params["headers"] |= headers


def _read(bucket: str, key: str) -> tuple[Any, str]:
    """Return the content of an object and its ETag; nothing if there is none."""
    try:
        found = boto3.client("s3").get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None, ""
    return json.loads(found["Body"].read()), found["ETag"]
