"""What the chain of evidence is made of: what of a file never changes, and how values become bytes and hashes.

Standard library only: a pack of evidence carries this module along and is checked with it.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

FIXED = (
    "file_id",
    "kind",
    "subject",
    "bucket",
    "key",
    "version_id",
    "sequencer",
    "etag",
    "checksum",
    "size",
    "last_modified_at",
    "as_of_at",
    "format",
    "load",
    "kpis",
    "control",
    "warnings",
    "notice",
    "decides",
    "repairs",
    "waives",
)
"""The attributes of a file's or an action's item that stay as they are once it is accepted."""

IDENTITY = ("bucket", "key", "version_id", "etag", "checksum", "size")
"""Those of them that a run's report repeats, so that they are known without the ledger."""

SIGNING_ALGORITHM = "RSASSA_PKCS1_V1_5_SHA_256"
"""How KMS signs a head; anybody can check it with the public key and a few lines of arithmetic."""


def sha256(data: bytes) -> str:
    """Return the SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def canonical(value: object) -> bytes:
    """Return the one form in which a value is hashed or signed: JSON with sorted keys, no blanks, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def item_sha256(item: Mapping[str, object]) -> str:
    """Return the hash of what of an item never changes."""
    return sha256(canonical({name: item[name] for name in FIXED if name in item}))


def passport_of(item: Mapping[str, object]) -> bytes:
    """Return the passport that a job leaves in the lake of a ledger item."""
    return json.dumps(item, sort_keys=True, indent=1).encode()


def came_at(item: Mapping[str, Any]) -> str:
    """Return when a file's object was written, or an action was decided."""
    return str(item["decides"]["at"] if "decides" in item else item["last_modified_at"])


def signed_text(layer: str, run_seq: int, report_sha256: str) -> bytes:
    """Return what the signature of a head is made over."""
    return canonical({"layer": layer, "run_seq": run_seq, "sha256": report_sha256})
