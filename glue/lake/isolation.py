"""Keeps files apart that break a run, or are too many for it.

A run that fails is repeated without those that break it, and only they become `failed`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from contract.items import FileItem, RunInProgress

from glue.lake.decisions import files_and_actions
from glue.lake.failures import FencedOut, FileBroken, Unfinished, Withdrawn, root_cause
from glue.lake.ledger import up_to_rows
from glue.lake.loads import LoadRefused, with_ready_marker
from glue.lake.run import Job, process, put_passport

ATTEMPTS = 3  # a file list that has killed the job this often is taken file by file
Probe = Callable[[Job, FileItem], None]
"""Reads one file alone, wholly, and raises what is wrong with it."""


def process_oldest(job: Job, probe: Probe) -> None:
    """Process the files that have waited longest, as many as a run takes; then the job's own, if it is left.

    So nothing is overtaken for long, for every job takes what is oldest; and an execution that starts a job sees its
    file taken. Actions have a run each.
    """
    own_id = job.arguments.file_id
    waiting, actions = files_and_actions(job.ledger.waiting(own_id or None))
    first = up_to_rows(waiting, job.run_rows)
    process_all(job, first, probe)
    for action in actions:
        process_all(job, [action], probe)
    if own_id and own_id not in {file["file_id"] for file in (*first, *actions)}:
        left, _ = files_and_actions(job.ledger.waiting(own_id))
        own, others = ([file for file in left if (file["file_id"] == own_id) == is_own] for is_own in (True, False))
        if own:
            process_all(job, up_to_rows([*own, *others], job.run_rows), probe)


def process_all(job: Job, files: Sequence[FileItem], probe: Probe, *, attempts: int = 1) -> None:
    """Process the files in one run, leaving out those that break it."""
    left = list(files)
    while left:
        try:
            if not (ready := with_ready_marker(job.ledger, left, job.run_rows)):
                break
            return process(job, ready, attempts=attempts)
        except (FencedOut, Unfinished):
            raise
        except Withdrawn as gone:
            out = gone.file_ids
        except LoadRefused as refusal:
            reject_load(job, refusal)
            out = {refusal.marker_id}
        except Exception as error:
            out = fail_broken(job, left, error, probe)
        left = [file for file in left if file["file_id"] not in out]
    return job.ledger.abandon()


def reject_load(job: Job, refusal: LoadRefused) -> None:
    job.ledger.reject(refusal.marker_id, [refusal.reason])
    put_passport(job, job.ledger.files([refusal.marker_id])[0])
    job.step("load_refused", file_id=refusal.marker_id, **refusal.reason)


def fail_broken(job: Job, files: Sequence[FileItem], error: Exception, probe: Probe) -> set[str]:
    """Mark the files that broke a run as failed, and return them; raise the error if no file is to blame."""
    if isinstance(error, FileBroken):
        broken = {error.file_id: error.reason}
    else:
        job.step("run_failed", error=root_cause(error)[:500])
        broken = broken_files(job, files, error, probe)
        if not broken:
            raise error
    for broken_id, reason in broken.items():
        job.ledger.fail(broken_id, reason)
        job.step("file_failed", file_id=broken_id)
    return set(broken)


def broken_files(job: Job, files: Sequence[FileItem], error: Exception, probe: Probe) -> dict[str, str]:
    """Return the files that broke a run, each with its reason; nothing when all of them, or none, can be read.

    When no file at all can be read, the fault lies with the storage and not with the files.
    """
    named = set(re.findall("[0-9a-f]{64}", str(error)))
    suspects = [file for file in files if file["file_id"] in named] or files
    found = {file["file_id"]: why_unreadable(job, file, probe) for file in suspects}
    reasons = {broken_id: reason for broken_id, reason in found.items() if reason}
    return {} if len(reasons) == len(files) > 1 else reasons


def why_unreadable(job: Job, file: FileItem, probe: Probe) -> str | None:
    """Return why a file cannot be read, or nothing."""
    try:
        probe(job, file)
    except FileBroken as error:
        return error.reason
    except Exception as error:  # whatever breaks the reading of this one file is its reason
        return root_cause(error)
    return None


def run_again(job: Job, killed: RunInProgress, probe: Probe) -> None:
    """Process the files of a killed run again; after so many times each by itself, and one that kills alone fails."""
    files = [file for file in job.ledger.files(killed["files"]) if file.get("waiting_for") == job.layer.name]
    attempts = killed["attempts"]
    if attempts < ATTEMPTS or not files:
        process_all(job, files, probe, attempts=attempts + 1)
    elif len(killed["files"]) > 1:
        # Any of them may be to blame, also one that has been given up since.
        for file in files:
            process_all(job, [file], probe)
    else:
        reason = f"the {job.layer.name.title()} job ended without a word {attempts} times while it held this file"
        job.ledger.fail(files[0]["file_id"], reason)
        job.ledger.abandon()
