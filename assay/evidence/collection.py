"""Collects the evidence of a stack: what ledger, lake, Bronze and tables say now, with many reads at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import ClientError
from contract.evidence import passport_of
from contract.vocabulary import CURRENT_CUT, IN_SILVER

from assay.evidence.chain import Evidence, Facts
from assay.evidence.checks import ENDED, LAYERS
from assay.ledger import Item, Ledger
from assay.query import Lake, lake
from assay.replay.cuts import STATES, totals_of
from assay.target import Target

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READERS = 16
# Whatever is read is hashed here: the SDK need not add a checksum of its own.
MANY = Config(max_pool_connections=READERS, response_checksum_validation="when_required")
UNSIGNED = "none"
CHECKSUM = "Checksum"
EFFECTS = """
    SELECT run_seq, sum(effect_amount)::DECIMAL(38, 2)::VARCHAR AS amount
    FROM silver.transaction_effects GROUP BY run_seq"""


def collect(target: Target, ledger: Ledger) -> Evidence:
    """Collect all there is."""
    layers = ledger.get(f"layer#{name}" for name in LAYERS)
    items = {item["file_id"]: item for kind in ("file", "action") for item in ledger.whole(kind)}
    s3 = target.session.client("s3", endpoint_url=target.endpoint, config=MANY)
    in_bronze = [item for item in items.values() if item["kind"] == "file" and item["status"] in IN_SILVER]
    bucket = target.stack.lake_bucket
    reports = [key for name in LAYERS for key in _etags(s3, bucket, f"reports/{name}/")]
    passports = _expected(_etags(s3, bucket, "passports/"), items)
    wanted = [*reports, *(_passport(file_id) for file_id, body in passports.items() if body is None)]
    with ThreadPoolExecutor(READERS) as pool:
        bodies = pool.map(lambda key: _body(s3, bucket, key), wanted)
        versions = pool.map(lambda item: _version(s3, item), in_bronze)
        read = {key: body for key, body in zip(wanted, bodies, strict=True) if body is not None}
        known = {item["file_id"]: found for item, found in zip(in_bronze, versions, strict=True) if found is not None}
    found = {file_id: body or read.get(_passport(file_id)) for file_id, body in passports.items()}
    cut = _cut(s3, bucket)
    signing_key = target.stack.signing_key.removeprefix(UNSIGNED)
    by_layer = {name: layers[f"layer#{name}"] for name in LAYERS if f"layer#{name}" in layers}
    return Evidence(
        layers=by_layer,
        items=items,
        reports={key: read[key] for key in reports if key in read},
        passports={file_id: body for file_id, body in found.items() if body is not None},
        bronze=known,
        tables=_tables(target),
        cut=cut,
        keys=_public_keys(target, {signing_key, *_signers(by_layer.values())} - {""}),
        signing_key=signing_key,
    )


def _etags(s3: S3Client, bucket: str, prefix: str) -> dict[str, str]:
    """List objects with their ETags, which are the MD5 of what was put under S3's own encryption."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {found["Key"]: found["ETag"].strip('"') for page in pages for found in page.get("Contents", [])}


def _passport(file_id: str) -> str:
    return f"passports/{file_id}.json"


def _expected(etags: Mapping[str, str], items: Mapping[str, Item]) -> dict[str, bytes | None]:
    """Return the passports that are, by their ETags, the items as they are now; None for others, which are to be read.

    So a thousand passports cost one request of listing.
    """
    passports: dict[str, bytes | None] = {}
    for file_id, item in items.items():
        if item["status"] in ENDED and (etag := etags.get(_passport(file_id))):
            body = passport_of(item)
            is_so = hashlib.md5(body, usedforsecurity=False).hexdigest() == etag
            passports[file_id] = body if is_so else None
    return passports


def _body(s3: S3Client, bucket: str, key: str) -> bytes | None:
    try:
        return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None


def _version(s3: S3Client, item: Item) -> Facts | None:
    """Ask S3 for an object version, None if it is gone; of one that may not be read, ask its listing."""
    if item["subject"] == "cards":
        return _listed(s3, item)
    try:
        head: Mapping[str, Any] = s3.head_object(
            Bucket=item["bucket"], Key=item["key"], VersionId=item["version_id"], ChecksumMode="ENABLED"
        )
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 403:
            return _listed(s3, item)
        if status != 404:
            raise
        return None
    names = (name for name in head if name.startswith(CHECKSUM) and name != "ChecksumType")
    checksums = {name.removeprefix(CHECKSUM): head[name] for name in names}
    return {"etag": head["ETag"].strip('"'), "size": head["ContentLength"], "checksums": checksums}


def _listed(s3: S3Client, item: Item) -> Facts | None:
    """Return what the listing of a key says of a version: it names no checksum."""
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=item["bucket"], Prefix=item["key"]):
        for found in page.get("Versions", []):
            if (found["Key"], found["VersionId"]) == (item["key"], item["version_id"]):
                return {"etag": found["ETag"].strip('"'), "size": found["Size"]}
    return None


def _cut(s3: S3Client, bucket: str) -> Facts:
    """Return the readers' cut; nothing where there is none, or none that can be read."""
    try:
        found = json.loads(_body(s3, bucket, CURRENT_CUT) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _tables(target: Target) -> Facts:
    """Sum the state tables, and the effects by run, as they are now: whoever commits to them leaves the cut alone."""
    databases = {"silver": target.stack.silver_database, "gold": target.stack.gold_database}
    with lake(target, databases) as tables:
        return {**{layer: totals_of(tables, layer) for layer in STATES}, "effects": _effects(tables)}


def _effects(tables: Lake) -> dict[str, str]:
    if "silver.transaction_effects" not in tables.tables():
        return {}
    return {str(row["run_seq"]): row["amount"] for row in tables.ask(EFFECTS).read_all().to_pylist()}


def _signers(layers: Iterable[Facts]) -> Iterable[str]:
    return (item["head"]["signature"]["key"] for item in layers if "signature" in item.get("head", {}))


def _public_keys(target: Target, arns: Iterable[str]) -> dict[str, bytes]:
    kms = target.session.client("kms", endpoint_url=target.endpoint)
    return {arn: kms.get_public_key(KeyId=arn)["PublicKey"] for arn in arns}
