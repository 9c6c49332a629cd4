"""How a run can fail, and what it says then."""

from __future__ import annotations


class AuditFailed(Exception):  # noqa: N818 - the audit did
    """Rows or cents do not add up; nothing of the run is published."""


class FencedOut(RuntimeError):  # noqa: N818 - it is a state, reported as such
    """Another run has taken over this layer; nothing of the present run may be published."""


class Unfinished(RuntimeError):  # noqa: N818 - it is a state, reported as such
    """A run is committed and could not be carried out to its end: no file is to blame, and the next run finishes it."""


class Withdrawn(Exception):  # noqa: N818 - a decision, not an error of the program
    """Files of a run that has just begun wait no more: they were given up while it began."""

    def __init__(self, file_ids: set[str]) -> None:
        super().__init__(f"given up: {', '.join(sorted(file_ids))}")
        self.file_ids = file_ids


class FileBroken(Exception):  # noqa: N818 - the file is, not the program
    """One file cannot be processed; the others of its run can."""

    def __init__(self, broken_file_id: str, reason: str) -> None:
        super().__init__(f"file {broken_file_id}: {reason}")
        self.file_id = broken_file_id
        self.reason = reason


def require(what: str, *, found: object, expected: object) -> None:
    """Raise `AuditFailed` with both figures unless they are equal."""
    if found != expected:
        raise AuditFailed(f"{what}: found {found}, expected {expected}")


def root_cause(error: BaseException) -> str:
    """Return the innermost message of an error, through Java's causes."""
    cause = getattr(error, "java_exception", None)
    if cause is None:
        return f"{type(error).__name__}: {error}"
    while cause.getCause() is not None:
        cause = cause.getCause()
    return str(cause.toString())
