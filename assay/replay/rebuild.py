"""Rebuilds Silver and Gold from Bronze beside those that readers see, and puts the rebuilt ones in their place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import cast
from uuid import uuid4

from contract.runs import Cut

from assay import console, runs
from assay.audit import Layers, read_layers
from assay.errors import UserError
from assay.ledger import Item, Ledger
from assay.query import Snapshots, lake
from assay.replay import comparison, scratch
from assay.replay import items as choosing
from assay.replay.comparison import TableComparison
from assay.replay.cuts import totals_at
from assay.replay.report import Report
from assay.runs import RunFailedError
from assay.target import Target

# What was accepted is not judged again: in another order a reload may delete a larger share of the living rows.
NO_LIMIT = {"--maximum_missing_share": "1"}
HALF_DONE = "then put both in place: assay replay --apply"
AGAIN = "files arrived meanwhile: wait until they have ended (assay status), then run this again"


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild came to: how many files it took, and those that did not come through.

    `token` is the replay's own, `totals` are those of its Silver.
    """

    seed: int
    files: int
    lost: Sequence[Item]
    token: str
    totals: Item


class Rebuild:
    """One replay of a stack."""

    def __init__(self, target: Target, seed: int) -> None:
        self._target = target
        self._seed = seed
        self._replayed = Ledger(target.dynamodb, target.stack.replay_ledger_table)
        self._random = Random(seed)  # noqa: S311 - an order to try, nothing secret
        self._token = uuid4().hex

    def rebuild(self, files: Sequence[Item], decided: Sequence[Item]) -> Rebuilt:
        """Take files through the jobs again, in another order and in other batches, and the decisions on them."""
        decisions, actions = list(decided), [action["file_id"] for action in decided]
        scratch.empty(self._target, self._token)
        parts = choosing.batches(files, self._random)
        for number, part in enumerate(parts, 1):
            scratch.require_own(self._target, self._token)
            scratch.put(self._target, [choosing.as_accepted(item) for item in part])
            self._run("Silver", f"batch {number} of {len(parts)}, {console.counted(len(part), 'file')}")
            self._decide(decisions, are_all=False)
            if number < len(parts) and self._random.getrandbits(1):
                self._run("Gold", f"after batch {number}")
        file_ids = [item["file_id"] for item in files]
        self._run_until_nothing_waits("Silver", "accepted", file_ids)
        while self._decide(decisions, are_all=True):
            pass
        file_ids += actions
        self._run("Gold", "after the last batch")
        self._run_until_nothing_waits("Gold", "in_silver", file_ids)
        scratch.require_own(self._target, self._token)
        ended = self._replayed.get(file_ids)
        lost = [item for item in ended.values() if item["status"] != "published"]
        totals = (self._replayed.layer("silver") or {}).get("published", {})
        return Rebuilt(self._seed, len(files), lost, self._token, totals)

    def _decide(self, decisions: list[Item], *, are_all: bool) -> int:
        """Carry out decisions that are due, all or any of them, in runs of their own; return how many."""
        replayed = self._replayed.get(action["decides"]["file_id"] for action in decisions)
        chosen = [each for each in choosing.due(decisions, replayed) if are_all or self._random.getrandbits(1)]
        if chosen:
            scratch.require_own(self._target, self._token)
            scratch.put(self._target, [choosing.as_accepted(action) for action in chosen])
            decisions[:] = [each for each in decisions if each not in chosen]
            self._run("Silver", f"{console.counted(len(chosen), 'decision')} on files")
        return len(chosen)

    def _run_until_nothing_waits(self, layer: str, status: str, file_ids: Sequence[str]) -> None:
        """Run a job for what still waits: reloads that wait for their files, or for a run of their own."""
        before: set[str] = set()
        while (waiting := self._waiting(status, file_ids)) and waiting != before:
            before = waiting
            self._run(layer, f"still waiting: {console.counted(len(waiting), 'file')}")

    def _waiting(self, status: str, file_ids: Sequence[str]) -> set[str]:
        items = self._replayed.get(file_ids).values()
        return {item["file_id"] for item in items if item["status"] == status and not item.get("failed")}

    def _run(self, layer: str, why: str) -> None:
        stack = self._target.stack
        job = stack.replay_silver_job if layer == "Silver" else stack.replay_gold_job
        with console.working(f"{layer}: {why}"):
            runs.run(self._target, job, NO_LIMIT if layer == "Silver" else {})


def tell_passed_over(items: Sequence[Item]) -> None:
    """Name the files that are no part of Silver although nobody rejected them."""
    for item in items[: choosing.SHOWN]:
        key = console.shown(item["key"])
        console.note(f"passed over: {key} never got further than received: assay status {item['file_id']}", "yellow")
    if len(items) > choosing.SHOWN:
        console.note(f"passed over: {len(items) - choosing.SHOWN:,} more of the kind: assay status", "yellow")


def check(target: Target, ledger: Ledger, cut: Cut, seed: int) -> Report:
    """Rebuild what Silver and Gold held at a cut, and compare; files may go on arriving meanwhile."""
    items = ledger.whole()
    files, decided = (choosing.up_to(each, cut["silver_run_seq"]) for each in (items, ledger.whole("action")))
    tell_passed_over(choosing.never_accepted(items, before=cut["at"]))
    rebuilt = Rebuild(target, seed).rebuild(files, decided)
    named = cast(Snapshots, cut["snapshots"])
    with console.working("comparing"), lake(target, _databases(target), named) as tables:
        found, totals = comparison.compare(tables), totals_at(tables, files, decided)
    return _report(target, rebuilt, found, totals, (cut["silver_run_seq"], cut["run_seq"]))


def rebuild_all(target: Target, ledger: Ledger, seed: int) -> Rebuilt:
    """Rebuild all that Silver holds; refuse while a file is on its way."""
    items = ledger.whole()
    files = choosing.in_silver(items)
    tell_passed_over(choosing.never_accepted(items))
    return Rebuild(target, seed).rebuild(files, choosing.in_silver(ledger.whole("action")))


def compare(target: Target, ledger: Ledger, rebuilt: Rebuilt) -> Report:
    """Compare what is published now with what was rebuilt."""
    with console.working("comparing"), lake(target, _databases(target)) as tables:
        found = comparison.compare(tables)
    layers = read_layers(ledger)
    return _report(target, rebuilt, found, {"silver": layers.silver, "gold": layers.gold}, _runs(layers))


def _databases(target: Target) -> dict[str, str]:
    stack = target.stack
    return {
        "silver": stack.silver_database,
        "gold": stack.gold_database,
        "replay_silver": stack.replay_silver_database,
        "replay_gold": stack.replay_gold_database,
    }


def _report(
    target: Target,
    rebuilt: Rebuilt,
    found: Sequence[TableComparison],
    production: Mapping[str, Item],
    runs_of: tuple[int, int],
) -> Report:
    replayed = Ledger(target.dynamodb, target.stack.replay_ledger_table)
    scratch.require_own(target, rebuilt.token)
    totals = comparison.compare_totals(production, {name: replayed.layer(name) or {} for name in comparison.LAYERS})
    return Report(*runs_of, rebuilt.seed, rebuilt.files, found, totals, rebuilt.lost)


def require_unchanged(ledger: Ledger, before: Layers) -> None:
    """Refuse to go on if production has moved since `before`."""
    if _runs(read_layers(ledger)) != _runs(before):
        raise UserError("Silver or Gold has moved on since the replay began", AGAIN)


def put_in_place(target: Target, ledger: Ledger, rebuilt: Rebuilt, layers: Layers) -> None:
    """Publish the rebuilt layers in place of `layers`, Silver first; a job refuses if a run came between.

    The jobs also refuse what is not what was rebuilt: another replay may have begun to rebuild it.
    """
    stack, (silver, gold) = target.stack, _runs(layers)
    scratch.require_own(target, rebuilt.token)
    totals = {f"--expected_{name}": str(rebuilt.totals[name]) for name in ("row_count", "total_amount")}
    _take_over(target, ledger, "silver", stack.silver_job, stack.replay_silver_database, silver, totals)
    try:
        of_silver = {"--expected_silver_run": str(silver + 1)}
        _take_over(target, ledger, "gold", stack.gold_job, stack.replay_gold_database, gold, of_silver)
    except UserError as error:
        raise UserError(f"Silver is in place and Gold is not: {error.what}", f"{error.do}; {HALF_DONE}") from error


def _take_over(
    target: Target, ledger: Ledger, layer: str, job: str, database: str, expected: int, more: Mapping[str, str]
) -> None:
    try:
        with console.working(f"{layer.capitalize()}: put in place"):
            runs.run(target, job, {"--rebuild_from": database, "--expected_run_seq": str(expected), **more})
    except RunFailedError as error:
        found = (ledger.layer(layer) or {}).get("run_seq")
        if found == expected:
            raise
        raise UserError(f"{layer.capitalize()} is at run {found} instead of {expected}", AGAIN) from error


def compare_in_place(target: Target, ledger: Ledger, rebuilt: Rebuilt, layers: Layers) -> Report:
    """Compare what was put in place with what was rebuilt; files that have come since make a difference no fault."""
    report = compare(target, ledger, rebuilt)
    silver, gold = _runs(layers)
    if not report.agrees and _runs(read_layers(ledger)) != (silver + 1, gold + 1):
        raise UserError(
            "both layers are in place, and Silver or Gold has moved on before they were compared",
            "once the files have ended (assay status): assay replay --check",
        )
    return report


def _runs(layers: Layers) -> tuple[int, int]:
    return layers.silver["run_seq"], layers.gold["run_seq"]
