"""How a run can fail, and what it says then."""

from __future__ import annotations

import sys
import traceback

from glue.reading.card_numbers import masked_text


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


class JobFailed(Exception):  # noqa: N818 - the job did
    """A job ends by an error that quoted what may be a card number; this is what may be told of it."""


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
    """Return the innermost message of an error, through Java's causes; it may have quoted a row, so it is masked."""
    cause = getattr(error, "java_exception", None)
    if cause is None:
        return masked_text(f"{type(error).__name__}: {error}")
    while cause.getCause() is not None:
        cause = cause.getCause()
    return masked_text(str(cause.toString()))


def require_no_card_number(error: Exception) -> None:
    """Raise `JobFailed` in the place of an error that quotes what may be a card number.

    Glue puts the error that ends a job into its log and into the run's message, from where the workflow mails it.
    """
    told = "".join(traceback.format_exception(error))
    if (shown := masked_text(told)) != told:
        print(shown, file=sys.stderr, flush=True)
        raise JobFailed(root_cause(error)) from None
