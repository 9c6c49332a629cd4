"""Keeps files apart that break a run, or are too many for it: only those that break one become `failed`.

Where the run can say what broke it, it goes on without that file. Where it dies or runs out of time, nobody knows: its
files become suspects, which later runs take in halves, one half after the other. While one file is to blame, at most
two runs fail in a row, so three failures in a row mean that the layer itself does not work.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from contract.items import FileItem
from contract.runs import RunInProgress, SuspectFiles

from glue.lake.decisions import files_and_actions
from glue.lake.failures import FencedOut, FileBroken, Unfinished, Withdrawn, root_cause
from glue.lake.ledger import up_to_rows
from glue.lake.loads import Refused, with_ready_marker
from glue.lake.run import Job, process, put_passport
from glue.lake.spark import is_at_work

ATTEMPTS = 3  # a file is given up once so many runs that took it failed, the last of them with no other
Probe = Callable[[Job, FileItem], None]
"""Reads one file alone, wholly, and raises what is wrong with it."""


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
        except Refused as refusal:
            reject(job, refusal)
            out = {refusal.file_id}
        except Exception as error:
            out = fail_broken(job, left, error, probe, attempts)
        left = [file for file in left if file["file_id"] not in out]
    return job.ledger.abandon()


def reject(job: Job, refusal: Refused) -> None:
    job.ledger.reject(refusal.file_id, [refusal.reason])
    put_passport(job, job.ledger.files([refusal.file_id])[0])
    job.step("refused", file_id=refusal.file_id, **refusal.reason)


def fail_broken(job: Job, files: Sequence[FileItem], error: Exception, probe: Probe, attempts: int) -> set[str]:
    """Mark the files that broke a run as failed, and return them; raise the error if no file is to blame.

    None is, where the session is gone: nothing can be read then, and the run has died as if it had been killed.
    """
    if isinstance(error, FileBroken):
        broken = {error.file_id: error.reason}
    else:
        job.step("run_failed", error=root_cause(error)[:500])
        broken = broken_files(job, files, error, probe)
        if not broken or not is_at_work(job.spark):
            raise error
    for broken_id, reason in broken.items():
        job.ledger.fail(broken_id, reason, attempts=attempts)
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


def take_all(job: Job, probe: Probe) -> None:
    """Process what waits: first the files that are under no suspicion, then the suspects, a list in a run of its own.

    A reload would bring suspects together again, so it comes last.
    """
    suspects = [(each, still_waiting(job, each["files"])) for each in job.ledger.state().get("suspects", [])]
    suspects.sort(key=lambda suspect: any(map(is_load, suspect[1])))
    take_fresh(job, {file_id for each, _ in suspects for file_id in each["files"]}, probe)
    for place, (suspect, files) in enumerate(suspects, start=1):
        process_all(job, files, probe, attempts=suspect["attempts"] + 1)
        job.ledger.keep_suspects([each for each, _ in suspects[place:]])


def take_fresh(job: Job, held: set[str], probe: Probe) -> None:
    """Process the files that have waited longest, as many as a run takes; then the job's own, if it is left.

    So nothing is overtaken for long, for every job takes what is oldest; and an execution that starts a job sees its
    file taken. Actions and repairs have a run each.
    """
    own_id = job.arguments.file_id
    waiting, actions = files_and_actions(fresh_files(job, held))
    first = up_to_rows(waiting, job.run_rows)
    for taken in (first, *([action] for action in actions)):
        process_all(job, taken, probe)
    if own_id and own_id not in {file["file_id"] for file in (*first, *actions)}:
        left, _ = files_and_actions(fresh_files(job, held))
        own, others = ([file for file in left if (file["file_id"] == own_id) == is_own] for is_own in (True, False))
        if own:
            process_all(job, up_to_rows([*own, *others], job.run_rows), probe)


def fresh_files(job: Job, held: set[str]) -> list[FileItem]:
    """Return what waits, those first that have waited longest, without suspects and what would bring these together."""
    waiting = job.ledger.waiting(job.arguments.file_id or None)
    return [file for file in waiting if file["file_id"] not in held and not (held and is_load(file))]


def run_again(job: Job, killed: RunInProgress, probe: Probe) -> None:
    """Do a killed run again with the same files; set those of a run of the workflow's aside, which may die of them."""
    files = still_waiting(job, killed["files"])
    if "start" in killed:
        set_aside(job, killed, files)
    else:
        process_all(job, files, probe, attempts=killed["attempts"] + 1)


def set_aside(job: Job, failed: RunInProgress, files: Sequence[FileItem]) -> None:
    """Make the files of a failed run suspects; give a single one up if it is to blame.

    It is, if others went well since its first failure. While all runs fail, no file is told from the others.
    """
    state = job.ledger.state()
    taken = {file["file_id"] for file in files}
    earlier = [each for each in state.get("suspects", []) if taken.intersection(each["files"])]
    others = [each for each in state.get("suspects", []) if each not in earlier]
    since = min((each["run_seq"] for each in earlier), default=state["run_seq"])
    parts = halves(files)
    if len(files) == 1 and failed["attempts"] >= ATTEMPTS and since < state["run_seq"]:
        parts = []
        fail_alone(job, files[0]["file_id"], failed["attempts"])
    found = SuspectFiles(files=[], attempts=failed["attempts"], run_seq=since)
    job.ledger.set_aside(failed, [*others, *[SuspectFiles({**found, "files": part}) for part in parts]])
    job.step("set_aside", lists=[len(part) for part in parts])


def fail_alone(job: Job, file_id: str, attempts: int) -> None:
    runs = f"{attempts} runs of the {job.layer.name.title()} job that took this file failed"
    job.ledger.fail(file_id, f"{runs}, the last of them with this file alone", attempts=attempts)
    job.step("file_failed", file_id=file_id)


def halves(files: Sequence[FileItem]) -> list[list[str]]:
    """Return the ids of files in two lists, and each reload in one of its own."""
    loads = [[file["file_id"]] for file in files if is_load(file)]
    others = [file["file_id"] for file in files if not is_load(file)]
    middle = (len(others) + 1) // 2
    return [part for part in (others[:middle], others[middle:], *loads) if part]


def still_waiting(job: Job, file_ids: Sequence[str]) -> list[FileItem]:
    return [file for file in job.ledger.files(file_ids) if file.get("waiting_for") == job.layer.name]


def is_load(file: FileItem) -> bool:
    return file["subject"] == "load"
