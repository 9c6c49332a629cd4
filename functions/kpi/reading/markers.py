"""Read a marker: the declaration that some files of a full load replace all that was there before (section 9)."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from contract.companions import is_companion
from contract.limits import EARLIEST_YEAR, FUTURE_DAYS, MARKER_FILES
from contract.subjects import TRANSACTIONS, is_marker, repaired_file

from reading.card_numbers import masked
from reading.json_text import json_of
from reading.rejection import Reason, RejectedError


@dataclass(frozen=True)
class Listed:
    """A file of the load, as the marker names it."""

    key: str
    version_id: str

    def file_id(self, bucket: str) -> str:
        """Return its identity in the ledger."""
        return file_id(bucket, self.key, self.version_id)


@dataclass(frozen=True)
class Load:
    """What a marker declares."""

    name: str
    start_at: datetime
    files: tuple[Listed, ...]


def file_id(bucket: str, key: str, version_id: str) -> str:
    """Return the identity of an object version."""
    return hashlib.sha256("\0".join((bucket, key, version_id)).encode()).hexdigest()


def load_of(content: bytes) -> Load:
    """Return what a marker declares; raise RejectedError if it cannot be read."""
    try:
        said = json_of(content)
    except ValueError as error:
        raise _unreadable(f"it is not JSON: {error}") from error
    if not isinstance(said, dict) or not {"load", "start", "files"} <= said.keys():
        raise _unreadable("it must be an object with 'load', 'start' and 'files'")
    if not isinstance(said["load"], str) or not said["load"].strip():
        raise _unreadable("its 'load' is not a name")
    if masked(said["load"]) != said["load"]:
        raise _unreadable("its 'load' holds what may be a card number")
    return Load(said["load"], _start(said["start"]), _files(said["files"]))


def refuse_future(load: Load, last_modified_at: datetime) -> None:
    """Raise RejectedError if a load begins after its marker was written: all that comes until then would be older."""
    if load.start_at > last_modified_at + timedelta(days=FUTURE_DAYS):
        raise _unreadable(f"its 'start', {load.start_at.isoformat()}, is more than {FUTURE_DAYS} day later than itself")


def refuse_absent(load: Load, is_usable: Callable[[Listed], bool]) -> None:
    """Raise RejectedError if a listed file is not in Bronze, or was rejected."""
    absent = [listed for listed in load.files if not is_usable(listed)]
    if absent:
        more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        text = f"The load lists {absent[0].key} (version {absent[0].version_id}){more}: not in Bronze, or rejected."
        raise RejectedError(Reason("load_file_missing", text))


def _start(value: object) -> datetime:
    try:
        at = datetime.fromisoformat(str(value).strip())
        in_utc = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _unreadable(f"its 'start' is {value!r}, not an ISO 8601 instant") from error
    if in_utc.year < EARLIEST_YEAR:
        raise _unreadable(f"its 'start' is {value!r}, before {EARLIEST_YEAR}")
    return in_utc


def _files(value: object) -> tuple[Listed, ...]:
    if not isinstance(value, list) or not value or len(value) > MARKER_FILES:
        raise _unreadable(f"its 'files' must be a list of 1 to {MARKER_FILES} files")
    files = tuple(_listed(entry) for entry in value)
    if len(set(files)) < len(files):
        raise _unreadable("it lists a file twice")
    return files


def _listed(entry: object) -> Listed:
    names = {"key", "version"}
    if not isinstance(entry, dict) or entry.keys() != names or not all(isinstance(entry[n], str) for n in names):
        raise _unreadable("each of its 'files' must be an object with 'key' and 'version'")
    if not entry["key"].startswith(f"{TRANSACTIONS.name}/"):
        raise _unreadable(f"it lists {entry['key']!r}, which is not under transactions/")
    # A load that waited for what never becomes a file with rows would wait forever.
    is_no_file = is_companion(entry["key"]) or is_marker(entry["key"]) or repaired_file(entry["key"]) is not None
    if is_no_file or not entry["version"]:
        raise _unreadable(f"it lists {entry['key']!r} (version {entry['version']!r}), which is not a version of a file")
    return Listed(entry["key"], entry["version"])


def _unreadable(why: str) -> RejectedError:
    return RejectedError(Reason("unreadable_load", f"The marker cannot be read: {why}."))
